//! Why this machine forbids the sandbox, and what its administrator can do about it.
//!
//! [`HostFacts`] are read; the [`Remedy`] is a pure function of them, the step that failed and the system's error.

use super::outcome::{SetupError, Step};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;

/// What to do so that the sandbox works here. Its text is a complete instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remedy {
    /// Debian's switch for unprivileged user namespaces is off.
    UsernsClone,
    /// A limit on the number of namespaces is reached or is 0; the name of the sysctl.
    Limit(String),
    /// AppArmor restricts unprivileged user namespaces.
    AppArmor,
    /// larder runs in a chroot, or nothing else explains why user namespaces are forbidden.
    Chroot,
    /// An outer container's system-call filter forbids it.
    OuterFilter,
    /// An outer container hides parts of `/proc`.
    MaskedProc,
    /// The kernel is too old for the mount interface.
    OldKernel,
    /// The kernel was built without the named feature.
    Feature(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsernsClone => f.write_str(
                "unprivileged user namespaces are switched off: run `sysctl kernel.unprivileged_userns_clone=1` as root",
            ),
            Self::Limit(name) => {
                write!(f, "too few namespaces are allowed: raise it with `sysctl {name}=15000` as root")
            }
            Self::AppArmor => f.write_str(
                "AppArmor restricts unprivileged user namespaces: run `sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0` as root, or give larder an AppArmor profile with `userns,`",
            ),
            Self::Chroot => f.write_str(
                "larder probably runs in a chroot, where user namespaces are forbidden: enter the tree with pivot_root (for example \
                 by `bwrap --bind TREE / --dev /dev --proc /proc`) instead",
            ),
            Self::OuterFilter => f.write_str(
                "larder runs in a container whose system-call filter forbids namespaces: start the container with \
                 `--security-opt seccomp=unconfined`",
            ),
            Self::MaskedProc => f.write_str(
                "larder runs in a container that hides parts of /proc: start the container with `--security-opt \
                 systempaths=unconfined`",
            ),
            Self::OldKernel => f.write_str("the kernel is too old: larder needs Linux 6.8 or later"),
            Self::Feature(name) => write!(f, "the kernel lacks {name}: load the module or build it in"),
        }
    }
}

/// What the machine says about itself; a field is `None` where the machine does not know the setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// `kernel.unprivileged_userns_clone`.
    pub userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`.
    pub apparmor_restricts: Option<u64>,
    /// The sysctls `user.max_*_namespaces` that are 0, or are the only ones that can have run out.
    pub zero_limits: Vec<String>,
    /// Whether our root directory is no mount point: a chroot.
    pub chroot: bool,
    /// Whether a system-call filter is already in force.
    pub filtered: bool,
    /// Major and minor version of the kernel.
    pub kernel: Option<(u32, u32)>,
    /// Whether something is mounted over parts of `/proc`.
    pub masked_proc: bool,
}

impl HostFacts {
    /// Reads them. What cannot be read counts as unknown.
    #[must_use]
    pub fn read() -> Self {
        let mounts = read("/proc/self/mountinfo");
        let mount_points: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
        let status = read("/proc/self/status");
        Self {
            userns_clone: read_number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            zero_limits: zero_limits(),
            chroot: !mount_points.is_empty() && !mount_points.contains(&"/"),
            filtered: status.lines().any(|line| line.starts_with("Seccomp:") && line.ends_with('2')),
            kernel: kernel_version(),
            masked_proc: mount_points.iter().any(|point| point.starts_with("/proc/") && !point.contains("binfmt_misc")),
        }
    }
}

/// Major and minor version of the kernel.
pub(crate) fn kernel_version() -> Option<(u32, u32)> {
    parse_release(&rustix::system::uname().release().to_string_lossy())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn read_number(path: &str) -> Option<u64> {
    read(path).trim().parse().ok()
}

/// The first two numbers of a release such as `6.12.3-amd64`.
fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The first kernel whose overlayfs takes layers one by one.
const OLDEST_KERNEL: (u32, u32) = (6, 8);

fn zero_limits() -> Vec<String> {
    let kinds = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];
    let names = kinds.iter().map(|kind| format!("user.max_{kind}_namespaces"));
    names.filter(|name| read_number(&format!("/proc/sys/{}", name.replace('.', "/"))) == Some(0)).collect()
}

/// The remedy for a step that failed with `errno` on a machine with these facts.
#[must_use]
pub(crate) fn remedy(facts: &HostFacts, step: Step, errno: i32) -> Option<Remedy> {
    match (step, errno) {
        (Step::Namespaces, libc::ENOSPC | libc::EUSERS) => {
            let name = facts.zero_limits.first().map_or("user.max_user_namespaces", String::as_str);
            Some(Remedy::Limit(name.to_owned()))
        }
        (Step::Namespaces, libc::EINVAL) => Some(Remedy::Feature("a namespace type (CONFIG_*_NS)".to_owned())),
        (Step::Namespaces, libc::EPERM | libc::EACCES) => forbidden(facts),
        (Step::Namespaces | Step::Skeleton, libc::ENOSYS) if facts.filtered => Some(Remedy::OuterFilter),
        (Step::Overlay, libc::ENODEV) => Some(Remedy::Feature("overlayfs (CONFIG_OVERLAY_FS)".to_owned())),
        (Step::Overlay, libc::EINVAL) if facts.kernel.is_some_and(|kernel| kernel < OLDEST_KERNEL) => {
            Some(Remedy::OldKernel)
        }
        (Step::Overlay | Step::Skeleton | Step::Namespaces, libc::ENOSYS) => Some(Remedy::OldKernel),
        (
            Step::IdMap | Step::Identity | Step::Root | Step::Bind | Step::Skeleton | Step::Overlay,
            libc::EPERM | libc::EACCES,
        ) => (facts.apparmor_restricts == Some(1)).then_some(Remedy::AppArmor),
        (Step::Proc, libc::EPERM) => facts.masked_proc.then_some(Remedy::MaskedProc),
        _ => None,
    }
}

fn forbidden(facts: &HostFacts) -> Option<Remedy> {
    if facts.userns_clone == Some(0) {
        Some(Remedy::UsernsClone)
    } else if facts.chroot {
        Some(Remedy::Chroot)
    } else if facts.apparmor_restricts == Some(1) {
        Some(Remedy::AppArmor)
    } else if facts.filtered {
        Some(Remedy::OuterFilter)
    } else {
        // The one reason left that leaves no trace: the chroot's top is a mount point itself.
        Some(Remedy::Chroot)
    }
}

/// Tells whether this machine lets us make the sandbox's namespaces, by making and leaving them in a short-lived child.
///
/// # Errors
/// It does not; the error names the remedy.
pub fn probe() -> Result<(), SetupError> {
    super::linux::probe_namespaces().map_err(|error| with_remedy(error, &HostFacts::read()))
}

/// Adds the remedy to an error, where one is known.
pub(crate) fn with_remedy(mut error: SetupError, facts: &HostFacts) -> SetupError {
    error.remedy = remedy(facts, error.step, error.errno);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(facts: &HostFacts, step: Step, errno: i32) -> String {
        remedy(facts, step, errno).map(|remedy| remedy.to_string()).unwrap_or_default()
    }

    #[test]
    fn each_obstacle_has_its_own_remedy() {
        let none = HostFacts::default();
        let debian = HostFacts { userns_clone: Some(0), ..none.clone() };
        assert!(of(&debian, Step::Namespaces, libc::EPERM).contains("kernel.unprivileged_userns_clone=1"));
        let chroot = HostFacts { chroot: true, ..none.clone() };
        assert!(of(&chroot, Step::Namespaces, libc::EPERM).contains("chroot"));
        let ubuntu = HostFacts { apparmor_restricts: Some(1), ..none.clone() };
        assert!(of(&ubuntu, Step::IdMap, libc::EPERM).contains("apparmor_restrict_unprivileged_userns=0"));
        assert!(of(&ubuntu, Step::Identity, libc::EPERM).contains("apparmor_restrict_unprivileged_userns=0"));
        assert!(of(&none, Step::Namespaces, libc::ENOSPC).contains("user.max_user_namespaces"));
        let no_nets = HostFacts { zero_limits: vec!["user.max_net_namespaces".to_owned()], ..none.clone() };
        assert!(of(&no_nets, Step::Namespaces, libc::ENOSPC).contains("user.max_net_namespaces"));
        let docker = HostFacts { filtered: true, masked_proc: true, ..none.clone() };
        assert!(of(&docker, Step::Namespaces, libc::EPERM).contains("seccomp=unconfined"));
        assert!(of(&docker, Step::Proc, libc::EPERM).contains("systempaths=unconfined"));
        let old = HostFacts { kernel: parse_release("6.1.0-18-amd64"), ..none.clone() };
        assert_eq!(old.kernel, Some((6, 1)));
        assert!(of(&old, Step::Overlay, libc::EINVAL).contains("Linux 6.8"));
        assert_eq!(of(&none, Step::Overlay, libc::EINVAL), "");
        assert_eq!(of(&none, Step::Exec, libc::ENOENT), "");
    }
}
