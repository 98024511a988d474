//! One larder at a time realises an action: others wait and then find it done.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::ActionDigest;
use store::local::{At, IoError};

/// How often a lock that another holds is tried again.
const INTERVAL: Duration = Duration::from_millis(50);

/// The right to realise one action, given up when dropped.
#[derive(Debug)]
pub(crate) struct ActionLock {
    path: PathBuf,
    _file: File,
}

impl ActionLock {
    /// Waits for the right. `waiting` is called once if another holds it, `cancelled` between tries; `None` if that says so.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub(crate) fn take(
        directory: &Path,
        action: &ActionDigest,
        waiting: &dyn Fn(),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, IoError> {
        let path = directory.join(format!("lock-{action}"));
        let mut told = false;
        loop {
            let file = File::options().write(true).create(true).truncate(false).open(&path).at("create", &path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                // Its last holder may have removed the file between the two calls.
                let same =
                    path.metadata().is_ok_and(|named| file.metadata().is_ok_and(|open| open.ino() == named.ino()));
                if same {
                    return Ok(Some(Self { path, _file: file }));
                }
                continue;
            }
            if cancelled() {
                return Ok(None);
            }
            if !std::mem::replace(&mut told, true) {
                waiting();
            }
            std::thread::sleep(INTERVAL);
        }
    }
}

impl Drop for ActionLock {
    fn drop(&mut self) {
        // While it is still locked: whoever opens the name afterwards makes a new file.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn only_one_holds_it_at_a_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let action = ActionDigest::from_bytes([1; 32]);
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..3 {
                        let lock = ActionLock::take(directory.path(), &action, &|| {}, &|| false).expect("made");
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::sleep(Duration::from_millis(2));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 0, "nothing is left");
    }

    #[test]
    fn waiting_ends_when_cancelled() {
        let directory = tempfile::tempdir().expect("a directory");
        let action = ActionDigest::from_bytes([1; 32]);
        let _held = ActionLock::take(directory.path(), &action, &|| {}, &|| false).expect("made");
        assert!(ActionLock::take(directory.path(), &action, &|| {}, &|| true).expect("tried").is_none());
    }
}
