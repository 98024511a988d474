//! Where this process's own control group is. Pure but for reading what the kernel says of this process.

use std::path::{Path, PathBuf};

/// A control group, and where its hierarchy is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The top of what is shown of the hierarchy.
    pub(super) mount: PathBuf,
    /// The group's directory.
    pub(super) group: PathBuf,
}

/// That of this process, if it is shown to it.
pub(super) fn own() -> Option<Place> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    locate(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?).filter(|place| place.group.is_dir())
}

/// Finds a group by what `/proc/PID/cgroup` and `/proc/PID/mountinfo` say.
fn locate(groups: &str, mounts: &str) -> Option<Place> {
    let path = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then_some(())?;
        let mut fields = mount.split(' ').skip(3);
        // What is mounted is the hierarchy from this group on.
        let (root, point) = (fields.next()?, Path::new(fields.next()?));
        Some(Place { mount: point.to_owned(), group: point.join(path.strip_prefix(root).ok()?) })
    })
}

/// How many bytes of memory the control groups that this process is in may have, if that is limited.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    let Place { mount, group } = own()?;
    let groups = group.ancestors().take_while(|group| group.starts_with(&mount));
    groups.filter_map(|group| std::fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_wherever_its_hierarchy_is_mounted() {
        let old = "25 21 0:22 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
        let found = |groups: &str, mount: &str| {
            locate(groups, &format!("{old}{mount}\n")).map(|place| place.group.to_string_lossy().into_owned())
        };
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n";
        let usual = "26 21 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let scope = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope";
        assert_eq!(found(user, usual).as_deref(), Some(scope));
        let hybrid = "35 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        assert_eq!(found("4:memory:/x\n0::/\n", hybrid).as_deref(), Some("/sys/fs/cgroup/unified/"));
        let part = "36 30 0:30 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw";
        assert_eq!(found("0::/docker/1/a\n", part).as_deref(), Some("/sys/fs/cgroup/a"));
        assert_eq!(found("0::/elsewhere\n", part), None, "it is not shown");
        assert_eq!(found("4:memory:/x\n", usual), None);
        assert_eq!(locate("0::/\n", old), None);
    }
}
