//! What Landlock adds: a guest reaches nothing outside by the name of an abstract socket, or by a signal, even where it should share a
//! namespace with it. The rule set is pure data; kernels that know less of it get less.
//!
//! There are no rules for files: the sandbox ABI lets a guest write anywhere in its own root, and Landlock cannot except from that
//! what lies beneath, as the store paths, which are read-only mounts.

use super::super::outcome::{SetupError, Step};
use super::{AtStep, sys};

/// The first version that knows scopes: that of Linux 6.12.
const SCOPES: u32 = 6;
const ABSTRACT_SOCKETS: u64 = 1 << 0;
const SIGNALS: u64 = 1 << 1;

/// `struct landlock_ruleset_attr` of that version.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleSet {
    handled_files: u64,
    handled_network: u64,
    scoped: u64,
}

impl RuleSet {
    /// Abstract sockets that no process of the guest has made, and signals to processes that are not the guest's; `None` if this version of
    /// the kernel's interface knows no scopes.
    fn of(version: Option<u32>) -> Option<Self> {
        version.filter(|version| *version >= SCOPES)?;
        Some(Self { handled_files: 0, handled_network: 0, scoped: ABSTRACT_SOCKETS | SIGNALS })
    }
}

/// The version of the kernel's interface; `None` if it has no Landlock, or it is switched off.
fn version() -> Option<u32> {
    sys::landlock_version().ok()
}

/// Whether the machine's kernel knows scopes.
#[must_use]
pub(crate) fn has_scopes() -> bool {
    version().is_some_and(|version| version >= SCOPES)
}

/// Confines the calling thread and what it starts, for good, as far as the kernel can. It must have given up gaining privileges.
pub(super) fn confine() -> Result<(), SetupError> {
    let Some(rules) = RuleSet::of(version()) else { return Ok(()) };
    match sys::landlock_restrict(&rules) {
        // There are as many layers as there can be: the sandbox is in others that larder was started in.
        Err(error) if error.raw_os_error() == Some(libc::E2BIG) => Ok(()),
        result => result.at(Step::Privileges, "Landlock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    #[test]
    fn older_kernels_get_less() {
        assert_eq!([None, Some(0), Some(1), Some(5)].map(RuleSet::of), [None; 4]);
        let rules = Some(RuleSet { handled_files: 0, handled_network: 0, scoped: 3 });
        assert_eq!([6, 7, 99].map(|version| RuleSet::of(Some(version))), [rules; 3]);
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
    fn abstract_sockets_from_outside_are_out_of_reach() {
        if !has_scopes() {
            eprintln!("skipped: this kernel's Landlock has no scopes, so none was tried");
            return;
        }
        let address = |name: &str| SocketAddr::from_abstract_name(format!("{name}-{}", std::process::id())).unwrap();
        let _outside = UnixListener::bind_addr(&address("larder-outside")).unwrap();
        UnixStream::connect_addr(&address("larder-outside")).unwrap();
        // Only the thread is confined.
        let (outer, inner) = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            confine().unwrap();
            let _inside = UnixListener::bind_addr(&address("larder-inside")).unwrap();
            let reach = |name| UnixStream::connect_addr(&address(name)).map(drop).map_err(|error| error.raw_os_error());
            (reach("larder-outside"), reach("larder-inside"))
        })
        .join()
        .unwrap();
        assert_eq!((outer, inner), (Err(Some(libc::EPERM)), Ok(())));
    }
}
