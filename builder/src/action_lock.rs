//! One larder at a time realises an action: others wait and then find it done.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{Mode, OFlags, open};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use store::ActionDigest;
use store::local::{At, IoError};

/// How often a lock that another holds is tried again.
const INTERVAL: Duration = Duration::from_millis(50);

/// The right to realise one action, given up when dropped, and when the process ends.
#[derive(Debug)]
pub(crate) struct ActionLock {
    _file: OwnedFd,
}

impl ActionLock {
    /// Waits for the right, which is a byte of the file `path`: making a file per action costs more than a small build does. `waiting` is called once if another holds it, `cancelled` between tries; `None` if that says so.
    ///
    /// # Errors
    /// When the file of locks cannot be made or locked.
    pub(crate) fn take(
        path: &Path,
        action: &ActionDigest,
        waiting: &dyn Fn(),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, IoError> {
        // A lock belongs to what is opened here, so that threads of one process exclude each other, too.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(path, flags, Mode::RUSR | Mode::WUSR).at("open", path)?;
        let range = byte_of(action);
        let mut told = false;
        loop {
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&range)) {
                Ok(_) => return Ok(Some(Self { _file: file })),
                Err(nix::Error::EAGAIN | nix::Error::EACCES) => {}
                Err(error) => return Err(std::io::Error::from(error)).at("lock", path),
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

/// The byte that stands for an action. Should two have the same one, they only wait for each other.
fn byte_of(action: &ActionDigest) -> libc::flock {
    let (first, _) = action.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        // No lock may reach beyond the greatest offset.
        l_start: i64::from_le_bytes(*first) & (i64::MAX >> 1),
        l_len: 1,
        l_pid: 0,
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
                        let lock = ActionLock::take(&directory.path().join("actions"), &action, &|| {}, &|| false)
                            .expect("made");
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::sleep(Duration::from_millis(2));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(directory.path()).expect("listed").count(), 1, "one file for all");
    }

    #[test]
    fn different_actions_do_not_wait_for_each_other() {
        let directory = tempfile::tempdir().expect("a directory");
        let take = |first: u8| {
            let mut bytes = [0xff; 32];
            bytes[0] = first;
            ActionLock::take(&directory.path().join("actions"), &ActionDigest::from_bytes(bytes), &|| {}, &|| true)
                .expect("tried")
        };
        let (one, other) = (take(1), take(2));
        assert!(one.is_some() && other.is_some() && take(1).is_none());
        drop(one);
        assert!(take(1).is_some() && take(2).is_none());
    }

    #[test]
    fn waiting_ends_when_cancelled() {
        let directory = tempfile::tempdir().expect("a directory");
        let action = ActionDigest::from_bytes([1; 32]);
        let _held = ActionLock::take(&directory.path().join("actions"), &action, &|| {}, &|| false).expect("made");
        assert!(
            ActionLock::take(&directory.path().join("actions"), &action, &|| {}, &|| true).expect("tried").is_none()
        );
    }
}
