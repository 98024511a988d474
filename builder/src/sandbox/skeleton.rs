//! The skeleton: the sandbox's own bottom layer, which has the mount points and the few files of `/etc` that a composed
//! root may lack. Being the lowest layer, it never hides anything of the root. Pure: says what is to be made.

use super::spec::SandboxSpec;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One thing to be made, beneath the skeleton's top; parents come before their children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A directory with mode 0755.
    Directory,
    /// A file with mode 0444.
    File(String),
}

/// The name, in the skeleton, of the empty file that is mounted over what the guest shall not read.
pub(crate) const MASK: &str = ".mask";
/// The name, in the skeleton, of the file mounted over `/proc/sys/kernel/osrelease` if that is varied.
pub(crate) const KERNEL_RELEASE: &str = ".osrelease";
/// Where store paths are shown. A file system of its own, so that the guest cannot make store paths up.
pub(crate) const STORE: &str = "larder/store";

/// The skeleton for `spec`; `is_directory` says of each bind, in order, whether its source is a directory.
pub(crate) fn skeleton(spec: &SandboxSpec, is_directory: &[bool]) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    for name in ["build", "dev", "etc", "larder", "larder/out", STORE, "proc", "tmp"] {
        entries.insert(PathBuf::from(name), Entry::Directory);
    }
    for (name, content) in etc(spec) {
        entries.insert(PathBuf::from(name), Entry::File(content));
    }
    entries.insert(MASK.into(), Entry::File(String::new()));
    if let Some(release) = &spec.circumstances.kernel_release {
        entries.insert(KERNEL_RELEASE.into(), Entry::File(format!("{release}\n")));
    }
    let binds = spec.binds.iter().zip(is_directory);
    for (bind, is_directory) in binds.filter(|(bind, _)| !in_store(bind.target.as_path())) {
        add_mount_point(&mut entries, bind.target.below_root(), *is_directory);
    }
    entries
}

/// The mount points within the file system at `/larder/store`.
pub(crate) fn store_mount_points(spec: &SandboxSpec, is_directory: &[bool]) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let binds = spec.binds.iter().zip(is_directory);
    for (bind, is_directory) in binds.filter(|(bind, _)| in_store(bind.target.as_path())) {
        add_mount_point(&mut entries, bind.target.below_root().skip(2), *is_directory);
    }
    entries
}

fn in_store(target: &std::path::Path) -> bool {
    target.strip_prefix("/").is_ok_and(|below| below.starts_with(STORE) && below != STORE)
}

fn add_mount_point<'a>(
    entries: &mut BTreeMap<PathBuf, Entry>,
    parts: impl Iterator<Item = &'a str>,
    is_directory: bool,
) {
    let mut path = PathBuf::new();
    for part in parts {
        path.push(part);
        entries.entry(path.clone()).or_insert(Entry::Directory);
    }
    if !is_directory {
        entries.insert(path, Entry::File(String::new()));
    }
}

fn etc(spec: &SandboxSpec) -> [(&'static str, String); 3] {
    let user = spec.circumstances.user();
    let (name, id) = (&user.name, user.id);
    let passwd = format!("{name}:x:{id}:{id}:build user:/build:/noshell\nnobody:x:65534:65534:nobody:/:/noshell\n");
    let group = format!("{name}:x:{id}:\nnogroup:x:65534:\n");
    let hosts = format!("127.0.0.1 localhost {0}\n::1 localhost {0}\n", spec.circumstances.host_name());
    [("etc/passwd", passwd), ("etc/group", group), ("etc/hosts", hosts)]
}
