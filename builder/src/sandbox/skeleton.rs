//! The skeleton: the sandbox's own bottom layer, which has the mount points and the few files of `/etc` that a composed
//! root may lack. Being the lowest layer, it never hides anything of the root. Pure: says what is to be made.

use super::clock;
use super::spec::{Circumstances, SandboxSpec};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One thing to be made, beneath the skeleton's top; parents come before their children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A directory with mode 0755.
    Directory,
    /// A file with mode 0444.
    File(Vec<u8>),
    /// A symbolic link with this target.
    Symlink(PathBuf),
}

/// What stands in the place of a bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BindKind {
    /// A directory is mounted on one.
    Directory,
    /// A file of any kind is mounted on an empty one.
    File,
    /// A symbolic link with this target, which is not mounted but made.
    Symlink(PathBuf),
}

/// The name, in the skeleton, of the empty file that is mounted over what the guest shall not read. This file and the next
/// are removed from the skeleton before the guest could see them there.
pub(crate) const MASK: &str = ".mask";
/// The name, in the skeleton, of the file mounted over `/proc/sys/kernel/osrelease` if that is varied.
pub(crate) const KERNEL_RELEASE: &str = ".osrelease";
/// The object that varies the time of day.
const CLOCK: &str = "larder/clock.so";
/// Where store paths are shown. A file system of its own, so that the guest cannot make store paths up.
pub(crate) const STORE: &str = "larder/store";

/// The skeleton, but for the mount points of binds.
pub(crate) fn skeleton(circumstances: &Circumstances) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    // `sys` stays empty: what the machine has is no input of a build.
    for name in ["build", "dev", "etc", "larder", "larder/out", STORE, "proc", "sys", "tmp"] {
        entries.insert(PathBuf::from(name), Entry::Directory);
    }
    let mut add = |name: &str, content: Vec<u8>| entries.insert(PathBuf::from(name), Entry::File(content));
    for (name, content) in etc(circumstances) {
        add(name, content.into_bytes());
    }
    add(MASK, Vec::new());
    if let Some(release) = &circumstances.kernel_release {
        add(KERNEL_RELEASE, format!("{release}\n").into_bytes());
    }
    if circumstances.clock_offset != 0 {
        add(CLOCK, clock::object(circumstances.clock_offset));
        add("etc/ld.so.preload", format!("/{CLOCK}\n").into_bytes());
    }
    entries
}

/// The mount points that `spec` wants besides, outside `/larder/store`; `kinds` says of each bind, in order, what its source is. Some may
/// be in the skeleton already.
pub(crate) fn mount_points(spec: &SandboxSpec, kinds: &[BindKind]) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let binds = spec.binds.iter().zip(kinds);
    for (bind, kind) in binds.filter(|(bind, _)| !in_store(bind.target.as_path())) {
        add_mount_point(&mut entries, bind.target.below_root(), kind);
    }
    entries
}

/// The mount points within the file system at `/larder/store`.
pub(crate) fn store_mount_points(spec: &SandboxSpec, kinds: &[BindKind]) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let binds = spec.binds.iter().zip(kinds);
    for (bind, kind) in binds.filter(|(bind, _)| in_store(bind.target.as_path())) {
        add_mount_point(&mut entries, bind.target.below_root().skip(2), kind);
    }
    entries
}

fn in_store(target: &std::path::Path) -> bool {
    target.strip_prefix("/").is_ok_and(|below| below.starts_with(STORE) && below != STORE)
}

fn add_mount_point<'a>(entries: &mut BTreeMap<PathBuf, Entry>, parts: impl Iterator<Item = &'a str>, kind: &BindKind) {
    let mut path = PathBuf::new();
    for part in parts {
        path.push(part);
        entries.entry(path.clone()).or_insert(Entry::Directory);
    }
    match kind {
        BindKind::Directory => {}
        BindKind::File => drop(entries.insert(path, Entry::File(Vec::new()))),
        BindKind::Symlink(target) => drop(entries.insert(path, Entry::Symlink(target.clone()))),
    }
}

fn etc(circumstances: &Circumstances) -> [(&'static str, String); 3] {
    let user = circumstances.user();
    let (name, id) = (&user.name, user.id);
    let passwd = format!("{name}:x:{id}:{id}:build user:/build:/noshell\nnobody:x:65534:65534:nobody:/:/noshell\n");
    let group = format!("{name}:x:{id}:\nnogroup:x:65534:\n");
    let hosts = format!("127.0.0.1 localhost {0}\n::1 localhost {0}\n", circumstances.host_name());
    [("etc/passwd", passwd), ("etc/group", group), ("etc/hosts", hosts)]
}

#[cfg(test)]
mod tests {
    use super::super::path::{GuestPath, HostPath};
    use super::super::spec::{Bind, Limits, WritableLayer};
    use super::*;

    fn spec(targets: &[&str]) -> SandboxSpec {
        let host = |path: &str| HostPath::parse(path).unwrap();
        let bind = |target: &&str| Bind { source: host("/s"), target: GuestPath::parse(*target).unwrap() };
        SandboxSpec {
            layers: vec![host("/l")],
            writable: WritableLayer::Memory,
            binds: targets.iter().map(bind).collect(),
            build_dir: host("/b"),
            out_dir: host("/o"),
            command: "/bin/true".to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            limits: Limits::default(),
            job_server: None,
            interactive: false,
            circumstances: Circumstances::default(),
        }
    }

    fn names(entries: &BTreeMap<PathBuf, Entry>) -> Vec<&str> {
        entries.keys().map(|path| path.to_str().unwrap()).collect()
    }

    #[test]
    fn mount_points_are_made_where_they_belong() {
        let spec = spec(&["/usr", "/opt/a/file", "/larder/store/x", "/larder/store/y/z", "/larder/store/l"]);
        let link = BindKind::Symlink("/etc".into());
        let kinds = [BindKind::Directory, BindKind::File, BindKind::File, BindKind::Directory, link];
        let points = mount_points(&spec, &kinds);
        assert_eq!(names(&points), ["opt", "opt/a", "opt/a/file", "usr"]);
        assert_eq!(points[&PathBuf::from("opt/a/file")], Entry::File(Vec::new()));
        let store = store_mount_points(&spec, &kinds);
        assert_eq!(names(&store), ["l", "x", "y", "y/z"]);
        assert_eq!(store[&PathBuf::from("l")], Entry::Symlink("/etc".into()));
        assert_eq!(store[&PathBuf::from("x")], Entry::File(Vec::new()));
    }

    #[test]
    fn circumstances_add_their_files_only_when_varied() {
        let usual = skeleton(&Circumstances::default());
        let expected = [
            ".mask",
            "build",
            "dev",
            "etc",
            "etc/group",
            "etc/hosts",
            "etc/passwd",
            "larder",
            "larder/out",
            "larder/store",
            "proc",
            "sys",
            "tmp",
        ];
        assert_eq!(names(&usual), expected);
        let user = Some(super::super::spec::User { name: "u".to_owned(), id: 7 });
        let skeleton = skeleton(&Circumstances { clock_offset: 5, user, ..Circumstances::default() });
        assert_eq!(skeleton[&PathBuf::from("etc/ld.so.preload")], Entry::File(b"/larder/clock.so\n".to_vec()));
        let Entry::File(passwd) = &skeleton[&PathBuf::from("etc/passwd")] else { panic!() };
        assert!(passwd.starts_with(b"u:x:7:7:"));
    }
}
