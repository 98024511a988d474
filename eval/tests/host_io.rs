//! The file system as [`EvalIo`], for tests and measurements: what it adds to a store is only named, never kept.

use eval::io::Filter;
use eval::{EvalIo, FileType, GoesOn, IoError, IsWanted, MemoryIo};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use store::{EncodedDerivation, Input, StoreName, StorePath};

/// The file system.
#[derive(Debug, Default)]
pub(crate) struct HostIo {
    /// Keeps derivations and traces, and names what is added.
    pub(crate) memory: MemoryIo,
}

fn failed(path: &Path, error: &std::io::Error) -> IoError {
    match error.kind() {
        std::io::ErrorKind::NotFound => IoError::NotFound { path: path.to_owned() },
        _ => IoError::Failed { path: path.to_owned(), problem: error.to_string() },
    }
}

fn file_type(kind: std::fs::FileType) -> FileType {
    match kind {
        kind if kind.is_file() => FileType::Regular,
        kind if kind.is_dir() => FileType::Directory,
        kind if kind.is_symlink() => FileType::Symlink,
        _ => FileType::Other,
    }
}

impl HostIo {
    /// Bytes that stand for a tree.
    fn summary(&self, path: &Path, filter: &mut Option<&mut Filter<'_>>) -> Result<Vec<u8>, IoError> {
        let mut bytes = Vec::new();
        match self.file_type(path)? {
            Some(FileType::Directory) => {
                let mut entries = self.read_dir(path)?;
                entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                for (name, kind) in entries {
                    let child = path.join(std::ffi::OsStr::from_bytes(&name));
                    let taken = match filter {
                        Some(filter) => filter(&child, kind)?,
                        None => true,
                    };
                    if taken {
                        bytes.extend_from_slice(&name);
                        bytes.extend(self.summary(&child, filter)?);
                    }
                }
            }
            Some(FileType::Symlink) => bytes.extend(self.read_link(path)?),
            _ => bytes.extend(self.read_file(path, &|_| true)?),
        }
        Ok(bytes)
    }
}

impl EvalIo for HostIo {
    fn read_file(&self, path: &Path, _: &GoesOn<'_>) -> Result<Vec<u8>, IoError> {
        std::fs::read(path).map_err(|error| failed(path, &error))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>, IoError> {
        let entries = std::fs::read_dir(path).map_err(|error| failed(path, &error))?;
        let entry = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().as_bytes().to_vec(), file_type(entry.file_type()?)))
        };
        entries.map(entry).collect::<std::io::Result<_>>().map_err(|error| failed(path, &error))
    }

    fn file_type(&self, path: &Path) -> Result<Option<FileType>, IoError> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(file_type(metadata.file_type()))),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(failed(path, &error)),
        }
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, IoError> {
        let target = std::fs::read_link(path).map_err(|error| failed(path, &error))?;
        Ok(target.as_os_str().as_bytes().to_vec())
    }

    fn is_executable(&self, path: &Path) -> Result<bool, IoError> {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(path).map_err(|error| failed(path, &error))?;
        Ok(metadata.permissions().mode() & 0o100 != 0)
    }

    fn add_path(
        &self,
        path: &Path,
        name: &StoreName,
        mut filter: Option<&mut Filter<'_>>,
    ) -> Result<StorePath, IoError> {
        let summary = self.summary(path, &mut filter)?;
        self.memory.add_text(name, &summary)
    }

    fn add_text(&self, name: &StoreName, text: &[u8]) -> Result<StorePath, IoError> {
        self.memory.add_text(name, text)
    }

    fn add_derivation(&self, derivation: EncodedDerivation) -> Result<(), IoError> {
        self.memory.add_derivation(derivation)
    }

    fn realise(&self, inputs: &[Input], is_wanted: &IsWanted<'_>) -> Result<Vec<(Input, StorePath)>, IoError> {
        self.memory.realise(inputs, is_wanted)
    }

    fn trace(&self, line: &str) {
        self.memory.trace(line);
    }
}
