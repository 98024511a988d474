//! The hash of a tree in the archive format of Nix, which `sha256` of `builtins.path` means.
//!
//! Every string is its length in 8 bytes, its bytes, and zeros up to a multiple of 8:
//!
//! ```text
//! archive = "nix-archive-1" node
//! node    = "(" "type" ( "regular" [ "executable" "" ] "contents" bytes | "symlink" "target" bytes
//!                      | "directory" { "entry" "(" "name" bytes "node" node ")" } ) ")"
//! ```

use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::io::FileType;
use crate::paths;
use crate::source::Span;
use store::file_hash::FileHasher;
use store::{FileHash, HashAlgorithm};

/// Says of each path below another, and of its type, whether it belongs to the tree.
pub(super) type Takes<'a> = dyn FnMut(&[u8], FileType) -> Result<bool> + 'a;

/// The SHA-256 hash of what is taken of a path.
pub(super) fn hash(evaluator: &Evaluator<'_>, path: &[u8], takes: &mut Takes<'_>, span: Span) -> Result<FileHash> {
    let mut writer = Writer { evaluator, span, hasher: HashAlgorithm::Sha256.hasher() };
    writer.text(b"nix-archive-1");
    writer.node(path, takes)?;
    Ok(writer.hasher.finish())
}

struct Writer<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    span: Span,
    hasher: FileHasher,
}

impl Writer<'_, '_> {
    fn text(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
        self.hasher.update(&[0; 8][..bytes.len().next_multiple_of(8) - bytes.len()]);
    }

    fn texts(&mut self, texts: &[&[u8]]) {
        texts.iter().for_each(|text| self.text(text));
    }

    fn node(&mut self, path: &[u8], takes: &mut Takes<'_>) -> Result<()> {
        let evaluator = self.evaluator;
        let shown = paths::from_bytes(path);
        self.texts(&[b"(", b"type"]);
        match evaluator.file_type(path, self.span)? {
            Some(FileType::Regular) => {
                self.text(b"regular");
                if evaluator.is_executable(shown, self.span)? {
                    self.texts(&[b"executable", b""]);
                }
                let content = evaluator.read_file(path, self.span)?;
                self.texts(&[b"contents", &content]);
            }
            Some(FileType::Symlink) => {
                let target = evaluator.read_link(shown, self.span)?;
                self.texts(&[b"symlink", b"target", &target]);
            }
            Some(FileType::Directory) => {
                self.text(b"directory");
                self.entries(path, takes)?;
            }
            kind => {
                let problem = if kind.is_none() { "does not exist" } else { "is no file, directory or link" };
                let message = format!("{} {problem}", String::from_utf8_lossy(path));
                return Err(Diagnostic::new(Code::File, self.span, message));
            }
        }
        self.text(b")");
        Ok(())
    }

    fn entries(&mut self, path: &[u8], takes: &mut Takes<'_>) -> Result<()> {
        for (name, kind) in self.evaluator.read_dir(path, self.span)? {
            let child = [path, b"/", name.as_slice()].concat();
            if takes(&child, kind)? {
                self.texts(&[b"entry", b"(", b"name", &name, b"node"]);
                self.node(&child, takes)?;
                self.text(b")");
            }
        }
        Ok(())
    }
}
