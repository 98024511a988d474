//! Steps 3 and 4 of publishing: new files become objects, files that have become objects meanwhile are exchanged for them, and the tree is
//! renamed into `store/`.

use super::sealed::Sealed;
use crate::local::effect;
use crate::local::fsutil::{self, At, SEALED_DIRECTORY, unique_name};
use crate::local::layout::object_name;
use crate::local::materialise::{copy_sealed, host_path, seal_directory};
use crate::local::new_objects::NewObject;
use crate::local::{LocalStore, StoreError};
use crate::store_path::StorePath;
use crate::tree::{Node, TreePath};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// So many files of one directory are worth a thread of their own.
const MANY: usize = 1024;

impl LocalStore {
    /// Steps 3 and 4: objects, then the tree itself.
    pub(super) fn move_in(&self, path: &StorePath, sealed: &Sealed) -> Result<(), StoreError> {
        let place = &sealed.place;
        let target = self.layout.path(path);
        let root = match sealed.ingested.listing.root() {
            Node::Directory(_) => Some(fsutil::open_directory(place)?),
            _ => None,
        };
        let directories = sealed.ingested.new_objects.chunk_by(NewObject::is_beside);
        let directories: Vec<_> = directories.flat_map(|objects| objects.chunks(MANY)).collect();
        let link = |objects: &[NewObject]| self.make_objects(objects, place, root.as_ref());
        let linked = directories.into_par_iter().with_min_len(4).map(link);
        let foreign: Vec<_> = linked.collect::<Result<_, _>>()?;
        self.share_objects(sealed, &foreign.into_iter().flatten().collect())?;
        match effect::rename(place, &target) {
            // Somebody else was first; both are the same.
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            renamed => renamed.at("rename", place)?,
        }
        // Also for somebody else, who may have been killed before it.
        if matches!(sealed.ingested.listing.root(), Node::Directory(_)) {
            effect::chmod(&target, SEALED_DIRECTORY).at("change the mode of", &target)?;
        }
        Ok(())
    }

    /// Makes objects of files that lie in one directory of the tree at `place`. Gives the names of those that others have made meanwhile.
    fn make_objects(
        &self,
        objects: &[NewObject],
        place: &Path,
        root: Option<&OwnedFd>,
    ) -> Result<Vec<String>, fsutil::IoError> {
        let path = objects[0].directory.path();
        let directory = match root {
            Some(root) if !path.as_os_str().is_empty() => {
                Some(fsutil::open_directory_at(root.as_fd(), path.as_os_str()).at_place("open", || place.join(path))?)
            }
            _ => None,
        };
        let mut foreign = Vec::new();
        for object in objects {
            let link = || match directory.as_ref().or(root) {
                Some(directory) => effect::linkat(directory, object.file(), &self.objects, &*object.name),
                None => effect::linkat(rustix::fs::CWD, place, &self.objects, &*object.name),
            };
            match self.put_object(&object.name, link) {
                Ok(()) => {}
                Err(Errno::EXIST) => foreign.push(object.name.clone()),
                // As many files of this tree are equal as links can be made.
                Err(Errno::MLINK) => self.copy_to_object(&object.path_below(place), &object.name)?,
                failed => failed.at_place("link", || object.path_below(place))?,
            }
        }
        Ok(foreign)
    }

    /// Exchanges files of a staged tree for objects that other processes have made meanwhile, so that every file of every tree has its object.
    fn share_objects(&self, sealed: &Sealed, objects: &BTreeSet<String>) -> Result<(), fsutil::IoError> {
        if objects.is_empty() {
            return Ok(());
        }
        let mut files = Vec::new();
        let mut collect = |path: &TreePath, node: &Node| {
            if let Node::File { blob, executable, .. } = node {
                let object = object_name(blob, *executable);
                if objects.contains(&object) {
                    files.push((host_path(&sealed.place, path), object));
                }
            }
        };
        let listing = &sealed.ingested.listing;
        collect(&TreePath::default(), listing.root());
        listing.walk(&mut collect);
        for (file, object) in files {
            self.renew_full_object(&file, &object)?;
            self.share_object(&sealed.place, &file, &object)?;
        }
        Ok(())
    }

    fn share_object(&self, root: &Path, file: &Path, object: &str) -> Result<(), fsutil::IoError> {
        let temporary = self.layout.tmp().join(unique_name(""));
        loop {
            match effect::linkat(&self.objects, object, rustix::fs::CWD, &temporary) {
                Ok(()) => break,
                Err(Errno::MLINK) => return Ok(()),
                // It has been collected meanwhile: then this file becomes the object.
                Err(Errno::NOENT) => {
                    let link = || effect::linkat(rustix::fs::CWD, file, &self.objects, object);
                    match self.put_object(object, link) {
                        Err(Errno::EXIST) => {}
                        linked => return linked.at("link", file),
                    }
                }
                failed => failed.at("link", file)?,
            }
        }
        let parent = file.parent().unwrap_or(root);
        // What a tree lies in that is a file is not its own.
        let opened = if parent.starts_with(root) { effect::chmod(parent, Mode::RWXU) } else { Ok(()) };
        let renamed = opened
            .at("change the mode of", parent)
            .and_then(|()| effect::rename(&temporary, file).at("rename", &temporary));
        // Also when it succeeded: two links to one file are not renamed but both left.
        fsutil::remove_temporary(&temporary);
        renamed?;
        if parent != root && parent.starts_with(root) {
            seal_directory(parent)?;
        } else if parent == root {
            let directory = fsutil::open_directory(root)?;
            effect::set_fixed_time(directory).at("set the time of", root)?;
        }
        Ok(())
    }

    /// Makes an object that is a copy of a file to which no further link can be made.
    fn copy_to_object(&self, source: &Path, object: &str) -> Result<(), fsutil::IoError> {
        let temporary = unique_name("");
        let place = || self.layout.tmp().join(&temporary);
        let rename = || effect::renameat(&self.tmp, &*temporary, &self.objects, object);
        let to = (self.tmp.as_fd(), OsStr::new(&temporary));
        copy_sealed((rustix::fs::CWD, source.as_os_str()), to, object.ends_with("-x"))
            .at_place("write", place)
            .and_then(|copy| self.sync_file(&copy).at_place("sync", place))
            .and_then(|()| self.put_object(object, rename).at_place("rename", place))
            .inspect_err(|_| fsutil::remove_temporary(&place()))
    }

    /// Lets a fresh file take the place of an object to which hardly another link can be made.
    fn renew_full_object(&self, source: &Path, object: &str) -> Result<(), fsutil::IoError> {
        const NEARLY_FULL: u64 = 60_000;
        let stat = rustix::fs::statat(&self.objects, object, AtFlags::SYMLINK_NOFOLLOW).at("stat", source)?;
        #[expect(clippy::useless_conversion, reason = "the link count's width differs between systems")]
        if u64::from(stat.st_nlink) < NEARLY_FULL {
            return Ok(());
        }
        let temporary = self.layout.tmp().join(unique_name(""));
        match effect::linkat(rustix::fs::CWD, source, rustix::fs::CWD, &temporary) {
            // It is itself as full, or even the object: another file of the tree may not be.
            Err(Errno::MLINK) => return Ok(()),
            linked => linked.at("link", source)?,
        }
        let renamed = effect::renameat(rustix::fs::CWD, &temporary, &self.objects, object).at("rename", &temporary);
        // Also when it succeeded: two links to one file are not renamed but both left.
        fsutil::remove_temporary(&temporary);
        renamed
    }
}
