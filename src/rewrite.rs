//! Finding the files of the language below paths, and writing them anew so that nobody ever sees half of one.

use crate::error::CliError;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use store::shown;

/// The files that paths name, sorted, each once, whatever it is called: of a directory, all `*.nix` below it. Below
/// directories, links and hidden files are left out.
pub(crate) fn nix_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        let data = path.metadata().map_err(|error| CliError::cannot("find", path, &error))?;
        if data.is_dir() { add_below(path, &mut files)? } else { files.push(path.clone()) }
    }
    files.sort_unstable();
    // Two names of one file would be two that write it.
    let mut known = HashSet::new();
    files.retain(|file| known.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
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
    // One that is there already is somebody else's.
    let file = File::create_new(&temporary).map_err(|error| failed("create", &temporary, &error))?;
    let written = fill(file, path, content);
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| {
        // What is not complete is of no use.
        let _ = std::fs::remove_file(&temporary);
        failed("write", path, &error)
    })
}

fn fill(mut file: File, like: &Path, content: &[u8]) -> std::io::Result<()> {
    file.set_permissions(like.metadata()?.permissions())?;
    file.write_all(content)?;
    file.sync_all()
}

fn failed(verb: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("cannot {verb} {}: {error}", shown(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_way_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.nix");
        let in_the_way = directory.path().join(format!(".a.nix.{}~", std::process::id()));
        std::fs::write(&file, "old").unwrap();
        std::fs::write(&in_the_way, "of somebody else").unwrap();
        assert!(replace(&file, b"new").unwrap_err().message().starts_with("cannot create "));
        assert_eq!(read(&in_the_way).unwrap(), b"of somebody else");
        std::fs::remove_file(&in_the_way).unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!((read(&file).unwrap().as_slice(), in_the_way.exists()), (&b"new"[..], false));
    }

    #[test]
    fn names_of_one_file_are_one() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["b.nix", "a.nix", "c.nix"].map(|name| directory.path().join(name));
        std::fs::write(&names[0], "1").unwrap();
        std::fs::write(&names[2], "1").unwrap();
        std::os::unix::fs::symlink("b.nix", &names[1]).unwrap();
        assert_eq!(nix_files(&names).unwrap(), [names[1].clone(), names[2].clone()]);
        // Below directories, links are left out.
        assert_eq!(nix_files(&[directory.path().to_owned()]).unwrap(), [names[0].clone(), names[2].clone()]);
    }
}
