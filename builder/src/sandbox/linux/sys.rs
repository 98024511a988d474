//! The system calls that neither `nix` nor `rustix` wraps as a safe function, each as one small safe function. All
//! `unsafe` code of this crate is here.

use super::super::outcome::Usage;
use super::landlock::RuleSet;
use nix::sys::socket::ControlMessageOwned;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What [`fork_into`] returns, in either process.
pub(crate) enum Forked {
    /// In the new process.
    Child,
    /// In the old one.
    Parent {
        /// The child's process id as we see it.
        pid: libc::pid_t,
        /// Readable when the child has ended.
        pidfd: OwnedFd,
    },
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `CLONE_INTO_CGROUP`, which the constant of that name is too narrow for.
const INTO_GROUP: u64 = 1 << 33;

/// Forks; the child is in the new namespaces that `flags` name, and in a control group if its directory is given. The calling process must
/// have a single thread, or the child must do no more than make system calls.
pub(crate) fn fork_into(flags: i32, group: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain integers, for which all zeroes is a valid value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags as u32 as u64) | libc::CLONE_PIDFD as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(group) = group {
        args.flags |= INTO_GROUP;
        args.cgroup = group.as_raw_fd() as u64;
    }
    let size = size_of::<libc::clone_args>();
    // SAFETY: without CLONE_VM and with no stack given this is fork: the child goes on with a copy of all memory. The
    // caller vouches that no other thread can hold a lock the child will need.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_ref(&args), size) })?;
    if pid == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: the kernel has just stored a new descriptor there, which nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Forked::Parent { pid: pid as libc::pid_t, pidfd })
}

/// Has the children that this process has from now on live in a time namespace of their own.
pub(crate) fn unshare_time() -> io::Result<()> {
    // SAFETY: the call takes no memory.
    check(unsafe { libc::unshare(libc::CLONE_NEWTIME) }.into()).map(drop)
}

/// Ends the process at once, running no destructors and flushing nothing.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Waits for one child; gives its raw wait status and what it used with all its descendants that were waited for.
pub(crate) fn wait_for(pid: libc::pid_t) -> io::Result<(i32, Usage)> {
    loop {
        match wait_any(pid) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|(_, status, usage)| (status, usage)),
        }
    }
}

/// Reaps the children that have ended, up to `command`, which stays to be waited for. `see` is given the raw wait status of each.
pub(crate) fn reap_all_but(command: libc::pid_t, mut see: impl FnMut(i32)) {
    loop {
        // SAFETY: siginfo is plain data, for which all zeroes is a valid value.
        let mut ended: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
        // SAFETY: the pointer is to a live variable of the right type.
        let asked = unsafe { libc::waitid(libc::P_ALL, 0, &mut ended, flags) };
        // SAFETY: filled in by waitid, or 0.
        let pid = unsafe { ended.si_pid() };
        if asked != 0 || pid == 0 || pid == command {
            return;
        }
        match wait_any(pid) {
            Ok((_, status, _)) => see(status),
            Err(_) => return,
        }
    }
}

/// Waits for the child `pid`, or for any if it is -1.
pub(crate) fn wait_any(pid: libc::pid_t) -> io::Result<(libc::pid_t, i32, Usage)> {
    let mut status = 0;
    // SAFETY: rusage is plain integers, for which all zeroes is a valid value.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables of the right types.
    let pid = check(unsafe { libc::wait4(pid, &mut status, libc::__WALL, &mut used) }.into())?;
    Ok((pid as libc::pid_t, status, usage(&used)))
}

fn usage(used: &libc::rusage) -> Usage {
    let duration = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Usage {
        user_time: duration(used.ru_utime),
        system_time: duration(used.ru_stime),
        peak_memory: used.ru_maxrss as u64 * 1024,
        transfer: None,
    }
}

/// What this process used, with all its descendants that were waited for.
pub(crate) fn used() -> Usage {
    let [own, theirs] = [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].map(|who| {
        // SAFETY: rusage is plain integers, for which all zeroes is a valid value.
        let mut used: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a live rusage. With these arguments it cannot fail.
        unsafe { libc::getrusage(who, &mut used) };
        usage(&used)
    });
    Usage {
        user_time: own.user_time + theirs.user_time,
        system_time: own.system_time + theirs.system_time,
        peak_memory: own.peak_memory.max(theirs.peak_memory),
        transfer: None,
    }
}

/// Kills the process, and with a pid 1 its whole namespace. One that has ended already is no error.
pub(crate) fn kill_by_pidfd(pidfd: BorrowedFd<'_>) {
    // SAFETY: the call takes no memory of ours (a null siginfo).
    let _ = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
}

/// Sets (never clears) attributes of a mount, and of all beneath it if `recursive`.
pub(crate) fn set_mount_attributes(mount: BorrowedFd<'_>, attributes: u64, recursive: bool) -> io::Result<()> {
    let attr = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let size = size_of::<libc::mount_attr>();
    // SAFETY: the path is a C string and attr a live structure of the size given.
    check(unsafe {
        libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), flags, std::ptr::from_ref(&attr), size)
    })
    .map(drop)
}

/// Brings the loopback interface of our network namespace up.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: ifreq is plain bytes and integers, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq with a NUL-terminated name, which this is.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, std::ptr::from_ref(&request)) }.into()).map(drop)
}

/// Closes every descriptor from 3 on but those in `keep`.
pub(crate) fn close_all_but(keep: &mut [RawFd]) {
    keep.sort_unstable();
    let mut first: libc::c_uint = 3;
    for fd in keep.iter().map(|fd| *fd as libc::c_uint).filter(|fd| *fd >= 3) {
        if fd > first {
            close_range(first, fd - 1, 0);
        }
        first = fd + 1;
    }
    close_range(first, libc::c_uint::MAX, 0);
}

/// Makes every descriptor from 3 on close when a program is executed.
pub(crate) fn close_all_on_exec() {
    close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
}

/// Gives a descriptor this number, which the caller knows to be unused, and lets it stay open when a program is executed.
pub(crate) fn move_descriptor(descriptor: OwnedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: the call takes no memory; what was open under the number, if anything, was closed or is not used any more.
    check(unsafe { libc::dup2(descriptor.as_raw_fd(), number) }.into()).map(drop)
}

fn close_range(first: libc::c_uint, last: libc::c_uint, flags: libc::c_uint) {
    // SAFETY: the call takes no memory; the callers are about to execute a program or run `init`, which uses no others.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
}

const _: () = assert!(size_of::<seccompiler::sock_filter>() == size_of::<libc::sock_filter>());

/// Installs a compiled system-call filter. With `listener`, gives the descriptor on which its notifications arrive.
pub(crate) fn install_filter(program: &[seccompiler::sock_filter], listener: bool) -> io::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // Once a call has been handed over, only a fatal signal interrupts it: it must not be made, and answered, twice.
    let flags = if listener {
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
    } else {
        0
    };
    // SAFETY: program points to as many instructions as it says, both crates having the kernel's own layout (asserted
    // above); the kernel only reads them.
    let result = check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&program))
    })?;
    // SAFETY: with this flag the result is a new descriptor that nobody else owns.
    Ok(listener.then(|| unsafe { OwnedFd::from_raw_fd(result as RawFd) }))
}

/// The version of the kernel's Landlock.
pub(crate) fn landlock_version() -> io::Result<u32> {
    const VERSION: u32 = 1;
    // SAFETY: asked for the version, the call takes no memory.
    let version = check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<RuleSet>(), 0_usize, VERSION)
    })?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// Enforces a rule set of Landlock on the calling thread and what it starts.
pub(crate) fn landlock_restrict(rules: &RuleSet) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as are said, which are plain numbers.
    let made = check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::from_ref(rules), size_of::<RuleSet>(), 0)
    })?;
    // SAFETY: the kernel has just made this descriptor, which nobody else owns.
    let made = unsafe { OwnedFd::from_raw_fd(made as RawFd) };
    // SAFETY: the call takes no memory.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, made.as_raw_fd(), 0) }).map(drop)
}

/// Sets the execution domain's flags.
pub(crate) fn personality(flags: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the call takes no memory.
    check(unsafe { libc::personality(flags) }.into()).map(drop)
}

/// Lets this process and what it starts have huge pages as the machine gives them, whatever larder's own memory has: its
/// allocator turns them off for larder, and that is inherited.
pub(crate) fn allow_huge_pages() -> io::Result<()> {
    // SAFETY: the call takes no memory.
    check(unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 0, 0, 0, 0) }.into()).map(drop)
}

/// Puts every signal back to its default action and blocks none.
pub(crate) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the default action needs no handler; refusals (SIGKILL, SIGSTOP) are harmless.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Executes a program; returns only if that fails. The vectors must be NULL-terminated lists of C strings.
pub(crate) fn execute(program: &CStr, argv: &[*const libc::c_char], envp: &[*const libc::c_char]) -> io::Error {
    debug_assert!(argv.last().is_some_and(|last| last.is_null()) && envp.last().is_some_and(|last| last.is_null()));
    // SAFETY: the callers build both vectors from live CStrings and end them with NULL.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Waits for one call that a filter notifies of.
pub(crate) fn receive_notification(listener: BorrowedFd<'_>) -> io::Result<libc::seccomp_notif> {
    // SAFETY: seccomp_notif is plain integers; all zeroes is what the kernel demands.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills in a seccomp_notif, which this is.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, std::ptr::from_mut(&mut call)) };
    check(result.into()).map(|_| call)
}

/// Answers a call.
pub(crate) fn answer_notification(listener: BorrowedFd<'_>, answer: &libc::seccomp_notif_resp) -> io::Result<()> {
    // SAFETY: the kernel reads a seccomp_notif_resp, which this is.
    check(
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, std::ptr::from_ref(answer)) }.into(),
    )
    .map(drop)
}

/// Checks that the caller still waits, and so that its process id has not been given to another.
pub(crate) fn check_notification(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    // SAFETY: the kernel reads a 64-bit number, which this is.
    check(
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, std::ptr::from_ref(&id)) }
            .into(),
    )
    .map(drop)
}

/// A copy of another process's descriptor, sharing its file offset.
pub(crate) fn copy_descriptor(thread: u32, fd: RawFd) -> io::Result<OwnedFd> {
    // PIDFD_THREAD of <linux/pidfd.h>: the id may be any thread's.
    let flags = libc::O_EXCL;
    // SAFETY: the call takes no memory.
    let pidfd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, thread, flags) })?;
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd as RawFd) };
    // SAFETY: the call takes no memory.
    let copy = check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

/// Writes into another process's memory, all or nothing.
pub(crate) fn write_memory(process: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: our memory is only read; the other address is checked by the kernel against the other process.
    let written = check(unsafe { libc::process_vm_writev(process as i32, &local, 1, &remote, 1, 0) } as libc::c_long)?;
    if written as usize == bytes.len() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFAULT)) }
}

/// Reads a text that ends with a NUL byte from another process's memory: a path, so it is not long.
pub(crate) fn read_text(process: u32, address: u64) -> io::Result<Vec<u8>> {
    // Pages are multiples of it, so that nothing is read of a page that the text has no part in.
    const PART: usize = 512;
    let mut text = Vec::new();
    while text.len() < libc::PATH_MAX as usize {
        let from = address.wrapping_add(text.len() as u64);
        let mut part = [0_u8; PART];
        let length = PART - from as usize % PART;
        let local = libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: length };
        let remote = libc::iovec { iov_base: from as *mut libc::c_void, iov_len: length };
        // SAFETY: `part` has room for `length` bytes; the other address is checked by the kernel against the other process.
        let read = check(unsafe { libc::process_vm_readv(process as i32, &local, 1, &remote, 1, 0) } as libc::c_long)?;
        let part = &part[..read as usize];
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            text.extend(&part[..end]);
            return Ok(text);
        }
        if part.len() < length {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        text.extend(part);
    }
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// Lets callers and the one who answers them take turns on one processor, where the kernel knows how (Linux 6.6).
pub(crate) fn take_turns(listener: BorrowedFd<'_>) {
    // SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP of <linux/seccomp.h>.
    const SET_FLAGS: libc::Ioctl = 0x4008_2104_u32 as libc::Ioctl;
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: the call takes no memory. Without it all is as right, only slower.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
}

/// Answers `uname` into another process's memory: as the kernel would, but for the release.
pub(crate) fn write_uname(process: u32, address: u64, release: &str) -> io::Result<()> {
    // SAFETY: utsname is plain bytes, for which all zeroes is a valid value.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live utsname.
    check(unsafe { libc::uname(&mut name) }.into())?;
    name.release.fill(0);
    let room = name.release.len() - 1;
    for (place, byte) in name.release.iter_mut().take(room).zip(release.bytes()) {
        *place = byte as libc::c_char;
    }
    // SAFETY: a utsname is bytes throughout, all of them initialised.
    let bytes =
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(&name).cast::<u8>(), size_of::<libc::utsname>()) };
    write_memory(process, address, bytes)
}

/// The kernel's number for a kind of directory entry.
pub(crate) fn directory_entry_kind(kind: rustix::fs::FileType) -> u8 {
    use rustix::fs::FileType;
    match kind {
        FileType::RegularFile => libc::DT_REG,
        FileType::Directory => libc::DT_DIR,
        FileType::Symlink => libc::DT_LNK,
        FileType::Fifo => libc::DT_FIFO,
        FileType::Socket => libc::DT_SOCK,
        FileType::CharacterDevice => libc::DT_CHR,
        FileType::BlockDevice => libc::DT_BLK,
        FileType::Unknown => libc::DT_UNKNOWN,
    }
}

/// Takes over the descriptors that came with a message.
pub(crate) fn received_descriptors(messages: impl Iterator<Item = ControlMessageOwned>) -> Vec<OwnedFd> {
    let rights = messages.filter_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    // SAFETY: the kernel has just made these descriptors for us; the message is consumed here, so nobody else owns them.
    rights.flatten().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
}

/// Ignores the signals by which a terminal or a service asks all its processes to end.
pub(crate) fn ignore_requests_to_end() {
    answer_requests_to_end(libc::SIG_IGN);
}

/// Heeds them again.
pub(crate) fn heed_requests_to_end() {
    answer_requests_to_end(libc::SIG_DFL);
}

fn answer_requests_to_end(answer: libc::sighandler_t) {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM] {
        // SAFETY: neither ignoring a signal nor its default installs a handler.
        unsafe { libc::signal(signal, answer) };
    }
}
