//! Composing the guest's root: overlay of the layers, binds, `/proc`, `/dev`; then making it the root. What is the same for every task
//! waits on a [`Stage`].
//!
//! Every mount is made detached and then moved to a place that is looked up *within* the new root, so that a symbolic link
//! in a layer can never make us mount, or open, anything outside it.

use super::super::outcome::{SetupError, Step};
use super::super::path::HostPath;
use super::super::remedy::kernel_version;
use super::super::skeleton::{self, BindKind, Entry, KERNEL_RELEASE, MASK, STORE, mount_points, store_mount_points};
use super::super::spec::{Groundwork, Limits, STAGE, SandboxSpec, WritableLayer};
use super::leave::Leaving;
use super::{AtStep, sys};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree,
    unmount,
};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

const NO_PRIVILEGE: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);
const READ_ONLY: MountAttrFlags = NO_PRIVILEGE.union(MountAttrFlags::MOUNT_ATTR_RDONLY);

/// Host device nodes the guest has too.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
/// Symbolic links of `/dev`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// What of `/proc` is shown empty: it tells of the machine, or could reach it if larder runs as root.
const MASKED: [&str; 5] = ["cmdline", "kcore", "keys", "sys/kernel/random/boot_id", "timer_list"];

/// What of the guest's world does not depend on what runs in it: made, and attached out of the way, before a task comes.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The skeleton's top, to which mount points are added.
    skeleton: OwnedFd,
    proc: OwnedFd,
    dev: OwnedFd,
    store: OwnedFd,
}

impl Stage {
    /// Makes it, in a file system in memory that hides the host's directory at [`STAGE`], for an overlay takes its layers by path.
    pub(crate) fn make(groundwork: &Groundwork) -> Result<Self, SetupError> {
        let circumstances = &groundwork.circumstances;
        let proc = new_proc(groundwork.limits.processes)?;
        let tmpfs = new_tmpfs(Step::Skeleton, &groundwork.limits)?;
        for name in [LOWER, UPPER, WORK, "proc", "dev", "store"] {
            rustix::fs::mkdirat(&tmpfs, name, Mode::from_raw_mode(0o755)).at(Step::Skeleton, name)?;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let skeleton = rustix::fs::openat(&tmpfs, LOWER, flags, Mode::empty()).at(Step::Skeleton, LOWER)?;
        make_entries(skeleton.as_fd(), &skeleton::skeleton(circumstances))?;
        move_mount(&tmpfs, "", CWD, STAGE, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).at(Step::Skeleton, STAGE)?;
        attach(&proc, &tmpfs, "proc", Step::Proc)?;
        cover_secrets(proc.as_fd(), skeleton.as_fd(), circumstances.kernel_release.is_some())?;
        let dev = new_tmpfs(Step::Dev, &groundwork.limits)?;
        attach(&dev, &tmpfs, "dev", Step::Dev)?;
        fill_dev(&dev)?;
        let store = new_tmpfs(Step::Bind, &groundwork.limits)?;
        attach(&store, &tmpfs, "store", Step::Bind)?;
        Ok(Self { skeleton, proc, dev, store })
    }

    /// Composes the root of a task and makes it ours. Afterwards nothing of the host's file systems can be reached but what the
    /// specification names, and, by who has what is given back, the writable layer and where that is left.
    pub(super) fn enter_root(self, spec: &SandboxSpec) -> Result<Option<Leaving>, SetupError> {
        // Only now: where the host's mounts are shared, what was mounted since our namespace was made is here too.
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).at(Step::Root, "/")?;
        let build = clone_tree(&spec.build_dir)?;
        let out = clone_tree(&spec.out_dir)?;
        let binds = Binds::look_at(spec)?;
        make_entries(self.skeleton.as_fd(), &mount_points(spec, &binds.kinds))?;
        let layers = Layers::of(spec);
        let leaving = match &spec.writable {
            WritableLayer::LeftByFailure(place) => Some(Leaving::open(&layers.upper, place)?),
            WritableLayer::Memory | WritableLayer::Directories { .. } => None,
        };
        let root = layers.compose(spec)?;
        attach(&out, &root, "larder/out", Step::Bind)?;
        attach(&build, &root, "build", Step::Bind)?;
        attach(&self.proc, &root, "proc", Step::Proc)?;
        attach(&self.dev, &root, "dev", Step::Dev)?;
        binds.mount(spec, &self.store, &root)?;
        pivot(&root)?;
        Ok(leaving)
    }
}

/// Turns a host directory or file into a detached mount that is writable but lends no privilege.
fn clone_tree(path: &HostPath) -> Result<OwnedFd, SetupError> {
    let mount = open_tree(CWD, path.as_path(), clone_flags()).at(Step::Bind, path)?;
    sys::set_mount_attributes(mount.as_fd(), NO_PRIVILEGE.bits().into(), true).at(Step::Bind, path)?;
    Ok(mount)
}

fn clone_flags() -> OpenTreeFlags {
    OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE
}

/// Moves a detached mount to a place in the new root, which is looked up without ever leaving that root.
fn attach(mount: impl AsFd, root: impl AsFd, place: &str, step: Step) -> Result<(), SetupError> {
    let place_fd = open_within(root, place).at(step, format_args!("/{place}"))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", place_fd, "", flags).at(step, format_args!("/{place}"))
}

fn open_within(root: impl AsFd, place: &str) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// A new, empty file system in memory, detached.
fn new_tmpfs(step: Step, limits: &Limits) -> Result<OwnedFd, SetupError> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).at(step, "tmpfs")?;
    let size = limits.tmpfs_bytes.map_or("50%".to_owned(), |bytes| bytes.to_string());
    for (key, value) in [("mode", "0755"), ("size", &size), ("nr_inodes", &limits.tmpfs_files.to_string())] {
        fsconfig_set_string(&context, key, value).at(step, "tmpfs")?;
    }
    fsconfig_create(&context).at(step, "tmpfs")?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, NO_PRIVILEGE).at(step, "tmpfs")
}

fn make_entries(top: BorrowedFd<'_>, entries: &BTreeMap<PathBuf, Entry>) -> Result<(), SetupError> {
    for (path, entry) in entries {
        let made = match entry {
            Entry::Directory => rustix::fs::mkdirat(top, path, Mode::from_raw_mode(0o755)),
            Entry::File(content) => make_file(top, path, content),
            Entry::Symlink(target) => rustix::fs::symlinkat(target, top, path),
        };
        match made {
            // A mount point may be there already.
            Err(rustix::io::Errno::EXIST) => {}
            made => made.at(Step::Skeleton, path.display())?,
        }
    }
    Ok(())
}

fn make_file(top: BorrowedFd<'_>, path: &Path, content: &[u8]) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(0o444);
    if content.is_empty() {
        return rustix::fs::mknodat(top, path, FileType::RegularFile, mode, 0);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(top, path, flags, mode)?;
    rustix::io::write(&file, content).map(drop)
}

/// Directories of the stage: the skeleton, and the writable layer if it is in memory.
const LOWER: &str = "lower";
const UPPER: &str = "upper";
const WORK: &str = "work";

/// The directories of the sandbox's own that go into the overlay.
struct Layers {
    lower: PathBuf,
    upper: PathBuf,
    work: PathBuf,
}

impl Layers {
    /// Those of the stage, as far as the specification does not name them.
    fn of(spec: &SandboxSpec) -> Self {
        let stage = Path::new(STAGE);
        let (upper, work) = match &spec.writable {
            WritableLayer::Directories { upper, work } => (upper.as_path().to_owned(), work.as_path().to_owned()),
            WritableLayer::Memory | WritableLayer::LeftByFailure(_) => (stage.join(UPPER), stage.join(WORK)),
        };
        Self { lower: stage.join(LOWER), upper, work }
    }

    /// Composes all layers and attaches the result over the upper one.
    fn compose(&self, spec: &SandboxSpec) -> Result<OwnedFd, SetupError> {
        make_tmp(&self.upper).at(Step::Overlay, self.upper.join("tmp").display())?;
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Overlay, "overlay")?;
        self.configure(spec, &context).map_err(|(subject, errno)| {
            let error = SetupError::new(Step::Overlay, subject, errno.raw_os_error());
            error.with_detail(kernel_messages(&context))
        })?;
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, NO_PRIVILEGE).at(Step::Overlay, "/")?;
        move_mount(&root, "", CWD, &self.upper, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .at(Step::Overlay, self.upper.display())?;
        Ok(root)
    }

    fn configure(&self, spec: &SandboxSpec, context: &OwnedFd) -> Result<(), (String, rustix::io::Errno)> {
        let set = |key: &'static str, path: &Path| {
            fsconfig_set_string(context, key, path).map_err(|errno| (path.display().to_string(), errno))
        };
        for layer in &spec.layers {
            set("lowerdir+", layer.as_path())?;
        }
        set("lowerdir+", &self.lower)?;
        set("upperdir", &self.upper)?;
        set("workdir", &self.work)?;
        // Nobody needs the writable layer after a crash, so no write in it need ever be made durable.
        for flag in ["userxattr", "volatile"] {
            fsconfig_set_flag(context, flag).map_err(|errno| (flag.to_owned(), errno))?;
        }
        fsconfig_create(context).map_err(|errno| (String::new(), errno))
    }
}

/// Makes `/tmp` in the writable layer: writable by all and hiding what the layers have there.
fn make_tmp(upper: &Path) -> rustix::io::Result<()> {
    let tmp = upper.join("tmp");
    match rustix::fs::mkdir(&tmp, Mode::from_raw_mode(0o777)) {
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        result => result?,
    }
    rustix::fs::chmod(&tmp, Mode::from_raw_mode(0o1777))?;
    rustix::fs::setxattr(&tmp, "user.overlay.opaque", b"y", rustix::fs::XattrFlags::empty())
}

/// What the kernel has to say about a failed mount.
fn kernel_messages(context: &OwnedFd) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length) = rustix::io::read(context, &mut buffer) {
        text.push(String::from_utf8_lossy(&buffer[..length]).trim().to_owned());
    }
    text.join("; ")
}

/// A new `/proc`, read-only, detached: larder may run as root, whose files in `/proc/sys` the guest would own.
fn new_proc(processes: u64) -> Result<OwnedFd, SetupError> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Proc, "/proc")?;
    // Whom the guest may not look into it does not see: the first process, whose command line has a host path.
    fsconfig_set_string(&context, "hidepid", "ptraceable").at(Step::Proc, "/proc")?;
    fsconfig_create(&context).at(Step::Proc, "/proc")?;
    let attributes = NO_PRIVILEGE | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let proc = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(Step::Proc, "/proc")?;
    limit_processes(proc.as_fd(), processes)?;
    sys::set_mount_attributes(proc.as_fd(), READ_ONLY.bits().into(), false).at(Step::Proc, "/proc")?;
    Ok(proc)
}

/// Shows files of the skeleton in the place of those of `/proc` that the guest shall not read as they are.
fn cover_secrets(proc: BorrowedFd<'_>, skeleton: BorrowedFd<'_>, release: bool) -> Result<(), SetupError> {
    for name in MASKED {
        cover(skeleton, MASK, proc, name)?;
    }
    remove(skeleton, MASK)?;
    if release {
        cover(skeleton, KERNEL_RELEASE, proc, "sys/kernel/osrelease")?;
        remove(skeleton, KERNEL_RELEASE)?;
    }
    Ok(())
}

/// Gives our process namespace no more numbers than it may have processes, where the kernel has a limit for each namespace.
fn limit_processes(proc: BorrowedFd<'_>, processes: u64) -> Result<(), SetupError> {
    // Before, the file is the machine's, and root could write it.
    const SINCE: (u32, u32) = (6, 14);
    if kernel_version().is_none_or(|version| version < SINCE) {
        return Ok(());
    }
    let place = "sys/kernel/pid_max";
    let file =
        rustix::fs::openat(proc, place, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).at(Step::Proc, place)?;
    rustix::io::write(&file, processes.to_string().as_bytes()).map(drop).at(Step::Proc, place)
}

/// Shows a file of the skeleton in the place of a file of `/proc`, if this kernel has such a file.
fn cover(skeleton: BorrowedFd<'_>, with: &str, proc: BorrowedFd<'_>, name: &str) -> Result<(), SetupError> {
    let place = match rustix::fs::openat(proc, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        place => place.at(Step::Proc, format_args!("/proc/{name}"))?,
    };
    let file = open_tree(skeleton, with, clone_flags()).at(Step::Proc, with)?;
    sys::set_mount_attributes(file.as_fd(), READ_ONLY.bits().into(), false).at(Step::Proc, with)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(file, "", place, "", flags).at(Step::Proc, format_args!("/proc/{name}"))
}

/// Takes a file out of the skeleton that only its mounts shall show. Nobody has looked it up through the overlay yet.
fn remove(skeleton: BorrowedFd<'_>, name: &str) -> Result<(), SetupError> {
    rustix::fs::unlinkat(skeleton, name, AtFlags::empty()).at(Step::Proc, name)
}

/// Makes what is in `/dev`: a few of the host's nodes, links, shared memory, and pseudo terminals of its own.
fn fill_dev(dev: &OwnedFd) -> Result<(), SetupError> {
    make_dev_entries(dev.as_fd()).at(Step::Dev, "/dev")?;
    for name in DEVICES {
        let source = format!("/dev/{name}");
        let node = open_tree(CWD, &source, clone_flags()).at(Step::Dev, &source)?;
        // Read-only mounts let devices be written all the same, but not have their modes changed, which a guest of root could.
        let attributes =
            MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        sys::set_mount_attributes(node.as_fd(), attributes.bits().into(), false).at(Step::Dev, &source)?;
        attach(&node, dev, name, Step::Dev)?;
    }
    mount_pts(dev)
}

fn make_dev_entries(dev: BorrowedFd<'_>) -> rustix::io::Result<()> {
    for name in DEVICES {
        make_file(dev, Path::new(name), b"")?;
    }
    for (name, target) in DEVICE_LINKS {
        rustix::fs::symlinkat(target, dev, name)?;
    }
    rustix::fs::mkdirat(dev, "pts", Mode::from_raw_mode(0o755))?;
    rustix::fs::mkdirat(dev, "shm", Mode::from_raw_mode(0o777))?;
    rustix::fs::chmodat(dev, "shm", Mode::from_raw_mode(0o1777), AtFlags::empty())
}

fn mount_pts(dev: &OwnedFd) -> Result<(), SetupError> {
    let context = fsopen("devpts", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Dev, "/dev/pts")?;
    for (key, value) in [("ptmxmode", "0666"), ("mode", "0620")] {
        fsconfig_set_string(&context, key, value).at(Step::Dev, "/dev/pts")?;
    }
    fsconfig_create(&context).at(Step::Dev, "/dev/pts")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let pts = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(Step::Dev, "/dev/pts")?;
    attach(pts, dev, "pts", Step::Dev)
}

/// What the read-only binds are, as far as what stands in their places depends on it.
struct Binds {
    kinds: Vec<BindKind>,
}

impl Binds {
    fn look_at(spec: &SandboxSpec) -> Result<Self, SetupError> {
        let kinds = spec.binds.iter().map(|bind| Self::kind(bind.source.as_path()).at(Step::Bind, &bind.source));
        Ok(Self { kinds: kinds.collect::<Result<_, _>>()? })
    }

    fn kind(source: &Path) -> std::io::Result<BindKind> {
        let data = std::fs::symlink_metadata(source)?;
        Ok(if data.is_symlink() {
            BindKind::Symlink(std::fs::read_link(source)?)
        } else if data.is_dir() {
            BindKind::Directory
        } else {
            BindKind::File
        })
    }

    /// Mounts them all, and over `/larder/store` the file system that was made for it, read-only itself.
    fn mount(&self, spec: &SandboxSpec, store: &OwnedFd, root: &OwnedFd) -> Result<(), SetupError> {
        make_entries(store.as_fd(), &store_mount_points(spec, &self.kinds))?;
        attach(store, root, STORE, Step::Bind)?;
        let mounted = spec.binds.iter().zip(&self.kinds).filter(|(_, kind)| !matches!(kind, BindKind::Symlink(_)));
        for (bind, _) in mounted {
            // Whoever made it may have chosen where a link leads: nothing on this side of the root is looked up for it.
            let flags = clone_flags() | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
            let tree = open_tree(CWD, bind.source.as_path(), flags).at(Step::Bind, &bind.source)?;
            sys::set_mount_attributes(tree.as_fd(), READ_ONLY.bits().into(), true).at(Step::Bind, &bind.source)?;
            let place: PathBuf = bind.target.below_root().collect();
            attach(&tree, root, &place.to_string_lossy(), Step::Bind)?;
        }
        sys::set_mount_attributes(store.as_fd(), READ_ONLY.bits().into(), true).at(Step::Bind, "/larder/store")
    }
}

/// Makes `root` the root directory and lets go of the old one.
fn pivot(root: &OwnedFd) -> Result<(), SetupError> {
    rustix::process::fchdir(root).at(Step::Root, "/")?;
    rustix::process::pivot_root(".", ".").at(Step::Root, "/")?;
    unmount(".", UnmountFlags::DETACH).at(Step::Root, "/")?;
    rustix::process::chdir("/").at(Step::Root, "/")
}
