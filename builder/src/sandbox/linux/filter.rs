//! The system-call filter: what a guest may ask of the kernel.
//!
//! Three programs, all of which see every call; the severest answer wins. The *allow-list* answers ENOSYS to any call that
//! is not in it, so that programs fall back as on an older kernel and calls yet to be invented are closed. The *deny-list*
//! answers EPERM where a call is allowed but not with these arguments, or where a program should be told plainly that it
//! may not. The *notify-list* hands calls to the supervisor, if circumstances are to be varied that need it.

use super::super::outcome::{SetupError, Step};
use super::super::spec::Circumstances;
use super::{AtStep, calls, sys};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

const DENY: SeccompAction = SeccompAction::Errno(libc::EPERM as u32);
const UNKNOWN: SeccompAction = SeccompAction::Errno(libc::ENOSYS as u32);

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The compiled programs, the same for every sandbox; compiled once.
#[derive(Debug)]
pub(crate) struct Filters {
    allow: BpfProgram,
    deny: BpfProgram,
}

impl Filters {
    /// Compiles them.
    ///
    /// # Errors
    /// Only by a mistake in the tables of this module.
    pub(crate) fn compile() -> Result<Self, seccompiler::Error> {
        let known = [calls::ALLOWED, calls::ALLOWED_OLD, calls::DENIED].concat();
        let allowed: Rules = known.into_iter().map(|call| (call, Vec::new())).collect();
        let allow = SeccompFilter::new(allowed, UNKNOWN, SeccompAction::Allow, ARCH)?;
        let deny = SeccompFilter::new(denied()?, SeccompAction::Allow, DENY, ARCH)?;
        Ok(Self { allow: allow.try_into()?, deny: deny.try_into()? })
    }

    /// Installs them on the current process for good. Needs `no_new_privs`.
    pub(crate) fn install(&self, supervisor: Option<Supervision>) -> Result<(), SetupError> {
        if let Some(Supervision { program, socket }) = supervisor {
            let listener = sys::install_filter(&program, true).at(Step::Filter, "notify-list")?;
            let fds = listener.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
            let message = [ControlMessage::ScmRights(&fds)];
            sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(b"L")], &message, MsgFlags::empty(), None)
                .at(Step::Filter, "listener")?;
        }
        sys::install_filter(&self.allow, false).at(Step::Filter, "allow-list")?;
        sys::install_filter(&self.deny, false).at(Step::Filter, "deny-list").map(drop)
    }
}

/// What the guest's side of a supervised sandbox needs.
#[derive(Debug)]
pub(crate) struct Supervision {
    /// The notify-list.
    pub(crate) program: BpfProgram,
    /// Where the descriptor goes at which notifications arrive.
    pub(crate) socket: OwnedFd,
}

/// The calls that varying these circumstances hands to the supervisor.
pub(crate) fn supervised_calls(circumstances: &Circumstances) -> Vec<i64> {
    let directories = circumstances.reverse_directories.then_some(libc::SYS_getdents64);
    let release = circumstances.kernel_release.as_ref().map(|_| libc::SYS_uname);
    directories.into_iter().chain(release).collect()
}

/// A program that notifies of exactly these calls. Written by hand: `seccompiler` has no such action.
pub(crate) fn notify_program(calls: &[i64]) -> BpfProgram {
    let statement = |code: u32, k: u32| seccompiler::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for call in calls {
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        program.push(seccompiler::sock_filter { code, jt: 0, jf: 1, k: *call as u32 });
        program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    program
}

/// Calls denied whatever their arguments, and those denied with certain arguments.
fn denied() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = calls::DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let mut deny = |call: i64, rule: Vec<Condition>| -> Result<(), seccompiler::BackendError> {
        let conditions = rule.into_iter().map(Condition::compile).collect::<Result<Vec<_>, _>>()?;
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    for flag in NEW_NAMESPACES {
        deny(libc::SYS_clone, vec![has(0, flag)])?;
        deny(libc::SYS_unshare, vec![has(0, flag)])?;
    }
    deny(libc::SYS_unshare, vec![has(0, libc::CLONE_NEWTIME)])?;
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        deny(libc::SYS_ioctl, vec![is(1, request as u64)])?;
    }
    deny(libc::SYS_socket, FAMILIES.iter().map(|family| is_not(0, *family as u64)).collect())?;
    deny(libc::SYS_socket, vec![is(0, libc::AF_NETLINK as u64), is_not(2, libc::NETLINK_ROUTE as u64)])?;
    deny(libc::SYS_personality, PERSONALITIES.iter().map(|flags| is_not(0, *flags)).collect())?;
    for (call, mode, created_by) in calls::MODES {
        for bit in [libc::S_ISUID, libc::S_ISGID] {
            let when = created_by.map(|(argument, flag)| has(argument, flag));
            deny(*call, when.into_iter().chain([has(*mode, bit as i32)]).collect())?;
        }
    }
    for (call, mode) in calls::MAKE_NODE {
        for kind in [libc::S_IFCHR, libc::S_IFBLK] {
            deny(*call, vec![masked(*mode, u64::from(libc::S_IFMT), u64::from(kind))])?;
        }
    }
    Ok(rules)
}

const NEW_NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Plain, a fixed address layout, and asking which it is.
const PERSONALITIES: [u64; 3] = [0, libc::ADDR_NO_RANDOMIZE as u64, 0xffff_ffff];

/// One condition on one argument, of which the low 32 bits count.
struct Condition {
    argument: u8,
    operator: Op,
    value: u64,
}

impl Condition {
    fn compile(self) -> Result<SeccompCondition, seccompiler::BackendError> {
        SeccompCondition::new(self.argument, Len::Dword, self.operator, self.value)
    }
}

fn is(argument: u8, value: u64) -> Condition {
    Condition { argument, operator: Op::Eq, value }
}

fn is_not(argument: u8, value: u64) -> Condition {
    Condition { argument, operator: Op::Ne, value }
}

fn has(argument: u8, flag: i32) -> Condition {
    let flag = u64::from(flag as u32);
    masked(argument, flag, flag)
}

fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    Condition { argument, operator: Op::MaskedEq(mask), value }
}
