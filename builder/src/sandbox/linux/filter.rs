//! The system-call filter: what a guest may ask of the kernel.
//!
//! Three programs, all of which see every call; the severest answer wins. The *call list* knows calls by number only: it
//! allows, denies with EPERM, and answers ENOSYS to any call it does not know, so that programs fall back as on an older
//! kernel and calls yet to be invented are closed; and it answers some that they were made, which were not. The *argument list* answers EPERM where a call is allowed but not with
//! these arguments. The *notify list* hands calls to the supervisor, if circumstances are to be varied that need it.
//!
//! The kernel checks and compiles a filter each time it is installed, which for the 1,700 instructions `seccompiler` makes
//! of the call list took 0.6 ms of every sandbox; so that one is made here, of ranges of numbers. The argument list is installed once, on
//! the spawner, and inherited.

use super::super::outcome::{SetupError, Step};
use super::super::spec::Groundwork;
use super::{AtStep, calls, sys, trace};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

const DENY: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const UNSUPPORTED: u32 = libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32;
const DONE: u32 = libc::SECCOMP_RET_ERRNO;
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The compiled programs, the same for every sandbox; compiled once.
#[derive(Debug)]
pub(crate) struct Filters {
    calls: BpfProgram,
    arguments: BpfProgram,
}

impl Filters {
    /// Compiles them.
    ///
    /// # Errors
    /// Only by a mistake in the tables of this module.
    pub(crate) fn compile() -> Result<Self, seccompiler::Error> {
        let deny = SeccompAction::Errno(libc::EPERM as u32);
        let arguments = SeccompFilter::new(denied_arguments()?, SeccompAction::Allow, deny, ARCH)?;
        Ok(Self { calls: call_program(&ranges(&answers())), arguments: arguments.try_into()? })
    }

    /// Installs the argument list on the current process and all that it starts from now on, for good. What makes sandboxes has no need
    /// of what it denies: it makes namespaces with `clone3`, whose flags no filter sees, and which the call list does not let a guest call.
    /// That of time can only be made with `unshare`, so that is not denied here.
    ///
    /// # Errors
    /// The kernel has no filters.
    pub(crate) fn install_on_all(&self) -> io::Result<()> {
        // Or only who has privileges in its user namespace could install one.
        rustix::thread::set_no_new_privs(true)?;
        sys::install_filter(&self.arguments, false).map(drop)
    }

    /// Installs the others on the current process, which is to be a guest, for good.
    pub(crate) fn install(&self, supervisor: Option<Supervision<'_>>) -> Result<(), SetupError> {
        if let Some(Supervision { program, socket }) = supervisor {
            let listener = sys::install_filter(&program, true).at(Step::Filter, "notify list")?;
            let fds = listener.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
            let message = [ControlMessage::ScmRights(&fds)];
            sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(b"L")], &message, MsgFlags::empty(), None)
                .at(Step::Filter, "listener")?;
        }
        sys::install_filter(&self.calls, false).at(Step::Filter, "call list").map(drop)
    }
}

/// What the guest's side of a supervised sandbox needs.
#[derive(Debug)]
pub(crate) struct Supervision<'s> {
    /// The notify list.
    program: BpfProgram,
    /// Where the descriptor goes at which notifications arrive.
    socket: BorrowedFd<'s>,
}

impl<'s> Supervision<'s> {
    /// What this groundwork needs, if anything.
    pub(crate) fn of(groundwork: &Groundwork, socket: BorrowedFd<'s>) -> Option<Self> {
        let calls = supervised_calls(groundwork);
        (!calls.is_empty()).then(|| Self { program: notify_program(&calls), socket })
    }
}

/// The calls that varying these circumstances, and noting which files are used, hands to the supervisor.
pub(crate) fn supervised_calls(groundwork: &Groundwork) -> Vec<i64> {
    let Groundwork { circumstances, traced, .. } = groundwork;
    let directories = circumstances.reverse_directories.then_some(libc::SYS_getdents64);
    let release = circumstances.kernel_release.as_ref().map(|_| libc::SYS_uname);
    directories.into_iter().chain(release).chain(trace::calls().filter(|_| *traced)).collect()
}

/// What the call list answers to each call it knows.
fn answers() -> BTreeMap<i64, u32> {
    let allowed = calls::ALLOWED.iter().chain(calls::ALLOWED_OLD).map(|call| (*call, libc::SECCOMP_RET_ALLOW));
    let unsupported = calls::UNSUPPORTED.iter().map(|call| (*call, UNSUPPORTED));
    let needless = calls::NEEDLESS.iter().map(|call| (*call, DONE));
    allowed.chain(unsupported).chain(needless).chain(calls::DENIED.iter().map(|call| (*call, DENY))).collect()
}

/// The same as ranges that cover all numbers: the first number of each, ascending from 0, and the answer.
fn ranges(answers: &BTreeMap<i64, u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let last = answers.keys().last().map_or(0, |call| call + 1);
    for call in 0..=last {
        let answer = answers.get(&call).copied().unwrap_or(UNKNOWN);
        if ranges.last().is_none_or(|(_, before)| *before != answer) {
            ranges.push((call as u32, answer));
        }
    }
    ranges
}

/// A program that gives each call the answer of its range but for `unshare` of the time namespace, which is denied, and kills a process that calls by another architecture's
/// numbers.
fn call_program(ranges: &[(u32, u32)]) -> BpfProgram {
    let mut program = vec![
        load(ARCHITECTURE_OFFSET),
        jump(libc::BPF_JEQ, AUDIT_ARCH, 1, 0),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER_OFFSET),
        // What the argument list cannot deny: the first process of a sandbox, which has it too, makes such a namespace, for its child.
        jump(libc::BPF_JEQ, libc::SYS_unshare as u32, 0, 4),
        load(ARGUMENTS_OFFSET),
        jump(libc::BPF_JSET, libc::CLONE_NEWTIME as u32, 0, 1),
        answer(DENY),
        load(NUMBER_OFFSET),
    ];
    for (first, action) in ranges.iter().rev() {
        program.push(jump(libc::BPF_JGE, *first, 0, 1));
        program.push(answer(*action));
    }
    program.push(answer(UNKNOWN));
    program
}

/// A program that notifies of exactly these calls.
pub(crate) fn notify_program(calls: &[i64]) -> BpfProgram {
    let mut program = vec![load(NUMBER_OFFSET)];
    for call in calls {
        // Asking for an open file by no name at all, as C libraries do for `fstat`, tells nothing new.
        if let Some(argument) = trace::empty_path_flag(*call) {
            program.push(jump(libc::BPF_JEQ, *call as u32, 0, 4));
            program.push(load(ARGUMENTS_OFFSET + 8 * u32::from(argument)));
            program.push(jump(libc::BPF_JSET, libc::AT_EMPTY_PATH as u32, 1, 0));
            program.push(answer(libc::SECCOMP_RET_USER_NOTIF));
            program.push(answer(libc::SECCOMP_RET_ALLOW));
        } else {
            program.push(jump(libc::BPF_JEQ, *call as u32, 0, 1));
            program.push(answer(libc::SECCOMP_RET_USER_NOTIF));
        }
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

/// Where `struct seccomp_data` has the call's number, the architecture, and the arguments, the low half of each first.
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const ARGUMENTS_OFFSET: u32 = 16;

fn load(offset: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn jump(condition: u32, value: u32, if_true: u8, if_false: u8) -> sock_filter {
    let code = (libc::BPF_JMP | condition | libc::BPF_K) as u16;
    sock_filter { code, jt: if_true, jf: if_false, k: value }
}

fn answer(action: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: action }
}

/// Calls denied with certain arguments.
fn denied_arguments() -> Result<Rules, seccompiler::BackendError> {
    let mut rules = Rules::new();
    let mut deny = |call: i64, rule: Vec<Condition>| -> Result<(), seccompiler::BackendError> {
        let conditions = rule.into_iter().map(Condition::compile).collect::<Result<Vec<_>, _>>()?;
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    for flag in NEW_NAMESPACES {
        deny(libc::SYS_clone, vec![has(0, flag)])?;
        deny(libc::SYS_unshare, vec![has(0, flag)])?;
    }
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        deny(libc::SYS_ioctl, vec![is(1, request)])?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(call: i64) -> u32 {
        let ranges = ranges(&answers());
        ranges.iter().rev().find(|(first, _)| call as u32 >= *first).unwrap().1
    }

    #[test]
    fn each_call_gets_the_answer_of_its_table() {
        for call in calls::ALLOWED.iter().chain(calls::ALLOWED_OLD) {
            assert_eq!(answer_to(*call), libc::SECCOMP_RET_ALLOW, "{call}");
        }
        for call in calls::DENIED {
            assert_eq!(answer_to(*call), DENY, "{call}");
        }
        assert_eq!(answer_to(libc::SYS_sync), DONE);
        for call in [libc::SYS_clone3, libc::SYS_openat2, 9999, 0x4000_0000] {
            assert_eq!(answer_to(call), UNKNOWN, "{call}");
        }
    }

    /// What a program answers to a call with this first argument.
    fn run(program: &[sock_filter], call: i64, argument: i32) -> u32 {
        let (mut value, mut at) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let holds = match u32::from(code) & 0xf0 {
                _ if u32::from(code) == libc::BPF_RET | libc::BPF_K => return k,
                _ if u32::from(code) == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    value = match k {
                        NUMBER_OFFSET => call as u32,
                        ARCHITECTURE_OFFSET => AUDIT_ARCH,
                        ARGUMENTS_OFFSET => argument as u32,
                        other => panic!("{other}"),
                    };
                    continue;
                }
                libc::BPF_JEQ => value == k,
                libc::BPF_JGE => value >= k,
                libc::BPF_JSET => value & k != 0,
                other => panic!("{other}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    #[test]
    fn the_program_answers_by_the_table_and_denies_a_namespace_of_time() {
        let program = call_program(&ranges(&answers()));
        for call in (0..500).chain([9999, 0x4000_0000]) {
            assert_eq!(run(&program, call, 0), answer_to(call), "{call}");
        }
        assert_eq!(run(&program, libc::SYS_unshare, libc::CLONE_NEWTIME | libc::CLONE_FILES), DENY);
        assert_eq!(run(&program, libc::SYS_unshare, libc::CLONE_FILES), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(&program, libc::SYS_clone, libc::CLONE_NEWTIME), libc::SECCOMP_RET_ALLOW, "a signal, there");
    }

    #[test]
    fn no_call_is_in_two_tables() {
        let tables = [calls::ALLOWED, calls::ALLOWED_OLD, calls::UNSUPPORTED, calls::NEEDLESS, calls::DENIED];
        assert_eq!(answers().len(), tables.iter().map(|table| table.len()).sum::<usize>());
    }

    #[test]
    fn the_programs_stay_small() {
        let filters = Filters::compile().unwrap();
        assert!(filters.calls.len() < 200, "{}", filters.calls.len());
        assert!(filters.arguments.len() < 500, "{}", filters.arguments.len());
    }
}
