//! The reserve: a file that is good for nothing but the bytes of the disk it takes, so that a collection has some when the disk is full.
//!
//! To delete, a collection must first write: the index, its mark, the state. It gives the reserve up before all that and makes it again in the
//! end. Otherwise whoever appends the first record of a process makes it, where it is missing and there is room for it.

use super::effect;
use super::fsutil::{self, At, IoError, remove_temporary};
use super::layout::Layout;
use super::lease::READABLE;
use super::reclaim::allocated;
use super::{LocalStore, StoreError};
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use std::path::Path;

/// Its bytes.
const SIZE: u64 = 8 << 20;

/// Of a small disk it takes no more than one part of so many.
const PARTS_OF_DISK: u64 = 32;

impl LocalStore {
    /// How many bytes of the disk the reserve takes now, and how many it does when it is there.
    pub(super) fn reserve_bytes(&self) -> Result<(u64, u64), StoreError> {
        let place = self.layout.reserve();
        let taken = match rustix::fs::lstat(&place) {
            Err(Errno::NOENT) => 0,
            stat => allocated(&stat.at("stat", &place)?),
        };
        Ok((taken, wanted(self.disk_size()?)))
    }
}

/// Makes the reserve of a store if there is none, unless a collection is under way: that has given it up. It is no error if there is no room
/// for it.
pub(super) fn keep(layout: &Layout) {
    if layout.reserve().symlink_metadata().is_ok_and(|data| data.len() > 0) {
        return;
    }
    let Ok(trash) = fsutil::open_directory(&layout.trash()) else { return };
    if rustix::fs::flock(&trash, FlockOperation::NonBlockingLockExclusive).is_ok() {
        make(layout);
    }
}

/// Makes the reserve, for who keeps collections away. It is no error if there is no room for it.
pub(super) fn make(layout: &Layout) {
    let place = layout.reserve();
    let Ok(disk) = rustix::fs::statvfs(layout.root()) else { return };
    if allocate(&place, wanted(disk.f_blocks.saturating_mul(disk.f_frsize))).is_err() {
        remove_temporary(&place);
    }
}

/// How many bytes it has on a disk of this size.
fn wanted(disk: u64) -> u64 {
    (disk / PARTS_OF_DISK).min(SIZE)
}

/// Gives the bytes of the reserve back to the disk, and says whether there was one.
pub(super) fn give_up(layout: &Layout) -> Result<bool, IoError> {
    let place = layout.reserve();
    match effect::unlink(&place) {
        Err(Errno::NOENT) => Ok(false),
        removed => removed.at("remove", &place).map(|()| true),
    }
}

fn allocate(place: &Path, bytes: u64) -> Result<(), IoError> {
    let file = effect::create(rustix::fs::CWD, place, OFlags::WRONLY, READABLE).at("create", place)?;
    match effect::allocate(&file, bytes) {
        // Not every file system can set bytes aside; what has been written is there as well, if it cannot be compressed.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let mut noise = vec![0; usize::try_from(bytes).expect("a few MiB")];
            blake3::Hasher::new().finalize_xof().fill(&mut noise);
            effect::write_all_at(&file, &noise, 0).at("write", place)
        }
        allocated => allocated.at("allocate", place),
    }
}
