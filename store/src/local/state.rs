//! A text that stays the same while nothing is taken from the store, so that who knows that something was there knows that it still is.
//!
//! It is in the file `state`, renewed whenever something may have been removed: by a collection while it holds the lock that leases
//! are taken under, by a rebuild of the index, by a repair. Part of it is which start of the machine this is: a power cut may take what
//! was not synced.

use super::fsutil::{IoError, replace_file, unique_name};
use super::layout::Layout;
use super::restart::start_of_machine;
use super::{LocalStore, StoreError};

impl LocalStore {
    /// The state of the store: while it stays the same, whatever was valid still is. Asked after a hold, it covers what is held. `None`
    /// where it cannot be told.
    #[must_use]
    pub fn state(&self) -> Option<Vec<u8>> {
        let start = start_of_machine()?;
        let removed = match std::fs::read(self.layout.state()) {
            Ok(removed) => removed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(_) => return None,
        };
        Some([start, removed].concat())
    }

    /// Makes the state another one; to be called before anything is removed.
    pub(super) fn renew_state(&self) -> Result<(), StoreError> {
        Ok(renew(&self.layout)?)
    }
}

fn renew(layout: &Layout) -> Result<(), IoError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let text = format!("{now}-{}\n", unique_name(""));
    replace_file(&layout.state(), &layout.tmp().join(unique_name("")), text.as_bytes())
}
