//! Who the guest is: its user and group id, host name, and a loopback interface of its own.

use super::super::outcome::{SetupError, Step};
use super::super::spec::Circumstances;
use super::{AtStep, sys};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::AsFd;

/// Our user and group id in the namespace we come from; to be taken before leaving it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OuterIds {
    uid: u32,
    gid: u32,
}

impl OuterIds {
    /// The ids of this process.
    pub(crate) fn current() -> Self {
        Self { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }
}

/// Maps the one id `guest` to the outer one. Must run before anything else in the namespaces.
pub(crate) fn map_ids(guest: u32, outer: OuterIds) -> Result<(), SetupError> {
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("{guest} {} 1", outer.uid))?;
    write("/proc/self/gid_map", &format!("{guest} {} 1", outer.gid))
}

fn write(path: &str, text: &str) -> Result<(), SetupError> {
    std::fs::write(path, text).at(Step::IdMap, path)
}

/// Sets host name and domain name.
pub(crate) fn set_names(circumstances: &Circumstances) -> Result<(), SetupError> {
    let name = circumstances.host_name();
    nix::unistd::sethostname(name).at(Step::Identity, name)?;
    let domain = circumstances.domain_name();
    rustix::system::setdomainname(domain.as_bytes()).at(Step::Identity, domain)
}

/// Brings the loopback interface up.
pub(crate) fn start_loopback() -> Result<(), SetupError> {
    let socket =
        socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).at(Step::Identity, "lo")?;
    sys::loopback_up(socket.as_fd()).at(Step::Identity, "lo")
}
