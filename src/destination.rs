//! Places that a command writes to when long work is done, looked at before it begins: what cannot be written then is told at once.

use crate::error::CliError;
use rustix::fs::{Access, access};
use std::io::ErrorKind;
use std::path::Path;
use store::local::LocalStore;
use store::shown;

/// Refuses a place where no link to something in the store can be made.
pub(crate) fn must_take_link(store: &LocalStore, place: &Path) -> Result<(), CliError> {
    must_take_new("make the link", place)?;
    Ok(store.check_root_link(place)?)
}

/// Refuses a place whose directory takes nothing new; `verb` says what is to be done there.
pub(crate) fn must_take_new(verb: &str, place: &Path) -> Result<(), CliError> {
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    takes_entries(parent).map_err(|reason| cannot(verb, place, &reason))
}

/// Refuses a file that can neither be written nor made.
pub(crate) fn must_take_file(place: &Path) -> Result<(), CliError> {
    const VERB: &str = "write";
    if place.is_dir() {
        return Err(cannot(VERB, place, "it is a directory"));
    }
    if !place.exists() {
        return must_take_new(VERB, place);
    }
    access(place, Access::WRITE_OK).map_err(|error| cannot(VERB, place, &error.to_string()))
}

/// Refuses a directory that files cannot be put into, or that cannot be made, with those above it.
pub(crate) fn must_take_files(directory: &Path) -> Result<(), CliError> {
    let is_there = |place: &&Path| !place.as_os_str().is_empty() && place.symlink_metadata().is_ok();
    let there = directory.ancestors().find(is_there).unwrap_or(Path::new("."));
    takes_entries(there).map_err(|reason| cannot("write to", directory, &reason))
}

/// The error says why something is no directory that takes files.
fn takes_entries(directory: &Path) -> Result<(), String> {
    match directory.metadata() {
        Ok(data) if data.is_dir() => {}
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(error.to_string());
        }
        _ => return Err(format!("{} is no directory", shown(&directory))),
    }
    access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| error.to_string())
}

fn cannot(verb: &str, place: &Path, reason: &str) -> CliError {
    CliError::failed(format!("cannot {verb} {}: {reason}", shown(&place)))
}
