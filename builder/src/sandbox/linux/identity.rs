//! Who the guest is: its user and group id, host name, clocks, and a loopback interface of its own.

use super::super::outcome::{SetupError, Step};
use super::super::spec::Circumstances;
use super::{AtStep, sys};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::time::{ClockId, clock_gettime};
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

/// Has the clocks that count from the start of the machine begin anew for our children, where the kernel has time namespaces. How long the
/// machine has been up tells one machine from another.
pub(crate) fn restart_clocks() -> Result<(), SetupError> {
    match sys::unshare_time() {
        // The kernel has none, or whoever runs this machine has forbidden them, or any more of them.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSPC | libc::EPERM)) => return Ok(()),
        made => made.at(Step::Namespaces, "time")?,
    }
    let clocks = [("monotonic", ClockId::CLOCK_MONOTONIC), ("boottime", ClockId::CLOCK_BOOTTIME)];
    let place = "/proc/self/timens_offsets";
    // Offsets are those from the machine's own clocks: what we see may have one already.
    let outer = std::fs::read_to_string(place).at(Step::Namespaces, place)?;
    let mut offsets = String::new();
    for (name, clock) in clocks {
        let seconds = clock_gettime(clock).at(Step::Namespaces, name)?.tv_sec();
        offsets.push_str(&format!("{name} {} 0\n", offset_of(&outer, name) - seconds));
    }
    std::fs::write(place, offsets).at(Step::Namespaces, place)
}

/// The whole seconds of a clock's offset, as the kernel lists them: `monotonic  SECONDS  NANOSECONDS`.
fn offset_of(listed: &str, clock: &str) -> i64 {
    let mut lines = listed.lines().map(str::split_ascii_whitespace);
    let found = lines.find_map(|mut words| (words.next() == Some(clock)).then(|| words.next()?.parse().ok()).flatten());
    found.unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_the_kernel_lists_them() {
        let listed = "monotonic         -7         0\nboottime      86400 500000000\n";
        assert_eq!(["monotonic", "boottime", "tai"].map(|clock| offset_of(listed, clock)), [-7, 86400, 0]);
    }
}
