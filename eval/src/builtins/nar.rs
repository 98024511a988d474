//! The hash of a path as a tree in the archive format of Nix, which `sha256` of `builtins.path` means.

use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::io::FileType;
use crate::paths;
use crate::source::Span;
use store::{ArchiveHasher, FileHash, HashAlgorithm};

/// Says of each path below another, and of its type, whether it belongs to the tree.
pub(super) type Takes<'a> = dyn FnMut(&[u8], FileType) -> Result<bool> + 'a;

/// The SHA-256 hash of what is taken of a path.
pub(super) fn hash(evaluator: &Evaluator<'_>, path: &[u8], takes: &mut Takes<'_>, span: Span) -> Result<FileHash> {
    let mut writer = Writer { evaluator, span, hasher: ArchiveHasher::new(HashAlgorithm::Sha256) };
    writer.node(path, takes)?;
    Ok(writer.hasher.finish())
}

struct Writer<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    span: Span,
    hasher: ArchiveHasher,
}

impl Writer<'_, '_> {
    fn node(&mut self, path: &[u8], takes: &mut Takes<'_>) -> Result<()> {
        let evaluator = self.evaluator;
        let shown = paths::from_bytes(path);
        match evaluator.file_type(path, self.span)? {
            Some(FileType::Regular) => {
                let executable = evaluator.is_executable(shown, self.span)?;
                let content = evaluator.read_file(path, self.span)?;
                let length = content.len() as u64;
                self.hasher.begin_file(executable, length);
                self.hasher.content(&content);
                self.hasher.end_file(length);
            }
            Some(FileType::Symlink) => self.hasher.symlink(&evaluator.read_link(shown, self.span)?),
            Some(FileType::Directory) => {
                self.hasher.begin_directory();
                self.entries(path, takes)?;
                self.hasher.end_directory();
            }
            kind => {
                let problem = if kind.is_none() { "does not exist" } else { "is no file, directory or link" };
                let message = format!("{} {problem}", String::from_utf8_lossy(path));
                return Err(Diagnostic::new(Code::File, self.span, message));
            }
        }
        Ok(())
    }

    fn entries(&mut self, path: &[u8], takes: &mut Takes<'_>) -> Result<()> {
        for (name, kind) in self.evaluator.read_dir(path, self.span)? {
            let child = [path, b"/", name.as_slice()].concat();
            if takes(&child, kind)? {
                self.hasher.begin_entry(&name);
                self.node(&child, takes)?;
                self.hasher.end_entry();
            }
        }
        Ok(())
    }
}
