//! Getting rid of a writable layer.

use super::spec::WritableLayer;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes a used working directory removable. Overlayfs leaves directories in it that even their owner may not read, so
/// an ordinary user's recursive removal would fail; call this before it.
///
/// # Errors
/// The directory cannot be changed. That overlayfs left nothing, or
/// that the layer is in memory, is no error.
pub fn unlock_work(layer: &WritableLayer) -> io::Result<()> {
    let WritableLayer::Directories { work, .. } = layer else { return Ok(()) };
    // These are the only directories overlayfs makes for itself; what is in them has been cleaned away by the kernel.
    ["work", "work/incompat", "work/incompat/volatile"].iter().try_for_each(|name| unlock(&work.as_path().join(name)))
}

fn unlock(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::set_permissions(path, Permissions::from_mode(0o700)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
