//! Finding the files of the language below paths, and writing them anew so that nobody ever sees half of one.

use crate::error::CliError;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files that paths name, sorted, each once: of a directory, all `*.nix` below it. Below directories, links and
/// hidden files are left out.
pub(crate) fn nix_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        let data = path.metadata().map_err(|error| failed("find", path, &error))?;
        if data.is_dir() { add_below(path, &mut files)? } else { files.push(path.clone()) }
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

fn add_below(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = std::fs::read_dir(&directory).map_err(|error| failed("read", &directory, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed("read", &directory, &error))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| failed("read", &directory, &error))?);
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "nix") {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// The content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|error| failed("read", path, &error))
}

/// Replaces the content of a file at once; its permissions stay.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), CliError> {
    // What a link leads to is written, not the link.
    let path = &path.canonicalize().map_err(|error| failed("find", path, &error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}~", std::process::id()));
    let written = write_new(&temporary, path, content);
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| {
        // What is not complete is of no use.
        let _ = std::fs::remove_file(&temporary);
        failed("write", path, &error)
    })
}

fn write_new(temporary: &Path, like: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(temporary)?;
    file.set_permissions(like.metadata()?.permissions())?;
    file.write_all(content)?;
    file.sync_all()
}

fn failed(verb: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("cannot {verb} {}: {error}", path.display()))
}
