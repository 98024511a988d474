//! Giving up every privilege: capabilities, also those a program could be given by executing it.

use super::super::outcome::{SetupError, Step};
use super::AtStep;
use rustix::io::Errno;
use rustix::thread::{CapabilitiesSecureBits as SecureBits, CapabilitySet, CapabilitySets};

/// Drops all capabilities from all sets, locks them, and forbids gaining privilege by executing a program.
pub(crate) fn drop_all() -> Result<(), SetupError> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno).at(Step::Privileges, "bounding set"),
        }
    }
    // Whether capabilities are kept when the user changes may be set: there are none, and tests of what deals with them do so.
    let bits = SecureBits::NO_ROOT
        | SecureBits::NO_ROOT_LOCKED
        | SecureBits::NO_SETUID_FIXUP
        | SecureBits::NO_SETUID_FIXUP_LOCKED
        | SecureBits::NO_CAP_AMBIENT_RAISE
        | SecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(bits).at(Step::Privileges, "secure bits")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).at(Step::Privileges, "capabilities")?;
    rustix::thread::set_no_new_privs(true).at(Step::Privileges, "no_new_privs")
}
