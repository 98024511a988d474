//! Guests that try to get out, or to leave something behind. Each test asserts that they do not succeed, and each fixture that a store
//! whose path they see, and their layers, are as they were.

use crate::skipped;
use crate::testutil::{Fixture, host, snapshot, spawner, start_spawner};
use builder::sandbox::{Status, WritableLayer, unlock_work};
use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::{Duration, Instant};

/// A script that makes one system call from Perl and prints its error number, or `done`.
fn call(number: i64, arguments: &str) -> String {
    let arguments = if arguments.is_empty() { String::new() } else { format!(", {arguments}") };
    format!("perl -e '$r = syscall({number}{arguments}); print $r < 0 ? \"errno \" . ($! + 0) : \"done\", \"\\n\"';")
}

fn errno(errno: i32) -> String {
    format!("errno {errno}\n")
}

#[test]
fn host_files_do_not_exist() {
    let fixture = Fixture::hostile(
        "for path in $0 /etc/shadow /root /home /proc/1/root/etc /proc/self/cwd/../../home /sys/kernel /dev/kmsg /dev/sda \
         /dev/mem; do ls $path >/dev/null 2>&1 && echo visible $path; done; true",
    );
    let secret = fixture.path("secret");
    fs::write(&secret, "secret").unwrap();
    let script = fixture.spec.args[1].replace("$0", secret.to_str().unwrap());
    let mut fixture = fixture;
    fixture.spec.args[1] = script;
    assert_eq!(fixture.output(), "");
}

#[test]
fn the_first_process_cannot_be_looked_into() {
    let fixture = Fixture::hostile(
        "for name in root cwd fd mem environ maps exe cmdline stat; do ls -l /proc/1/$name/ >/dev/null 2>&1 && echo list $name; \
         cat /proc/1/$name >/dev/null 2>&1 && echo read $name; done; kill -9 1 2>/dev/null; echo alive",
    );
    assert_eq!(fixture.output(), "alive\n");
}

#[test]
fn proc_shows_only_the_guest_and_cannot_be_written() {
    let fixture = Fixture::hostile(
        "ls /proc | grep -c '^[0-9]'; for file in sysrq-trigger sys/kernel/core_pattern sys/kernel/hostname self/comm; do \
         (echo x > /proc/$file) 2>/dev/null && echo wrote $file; done; cat /proc/sys/kernel/random/boot_id /proc/cmdline \
         /proc/keys; cat /proc/kcore 2>/dev/null | head -c 10 | wc -c",
    );
    let output = fixture.output();
    let (processes, rest) = output.split_once('\n').unwrap();
    assert!(processes.parse::<u32>().unwrap() <= 4, "{output}");
    assert_eq!(rest, "0\n");
}

#[test]
fn layers_cannot_be_changed_through_any_alias() {
    let fixture = Fixture::hostile(
        "rm -f /data/file; echo new > /data/file; echo new > /data/other; mkdir /data/dir; chmod 777 /data; \
         mv /bin /bin2; ln /data/file /data/link; touch -d @0 /data; cat /data/file",
    );
    let before = snapshot(&fixture.path("layer"));
    assert_eq!(fixture.output(), "new\n");
    assert_eq!(snapshot(&fixture.path("layer")), before);
    assert_eq!(fs::read_to_string(fixture.path("upper/data/file")).unwrap(), "new\n");
}

#[test]
fn store_paths_cannot_be_changed_through_any_alias() {
    let fixture = Fixture::hostile(
        "cd /larder/store; for path in d/file f; do (echo x > $path) 2>/dev/null && echo written; \
         (echo x >> $path) 2>/dev/null && echo appended; chmod 777 $path 2>/dev/null && echo mode; \
         truncate -s 0 $path 2>/dev/null && echo truncated; ln $path /build/link 2>/dev/null && echo linked; \
         ln $path /larder/out/link 2>/dev/null && echo linked; touch $path 2>/dev/null && echo touched; \
         rm -f $path 2>/dev/null && echo removed; \
         exec 3<$path; (echo x > /proc/self/fd/3) 2>/dev/null && echo reopened; \
         setfattr -n user.x -v y $path 2>/dev/null && echo attribute; done; \
         mv d e 2>/dev/null && echo moved; mkdir new 2>/dev/null && echo made; \
         (echo x > /larder/store/invented) 2>/dev/null && echo invented; cat d/file f",
    );
    let store = fixture.path("store");
    fs::create_dir_all(store.join("d")).unwrap();
    fs::write(store.join("d/file"), "one\n").unwrap();
    fs::write(store.join("f"), "two\n").unwrap();
    fs::set_permissions(store.join("f"), fs::Permissions::from_mode(0o666)).unwrap();
    let before = snapshot(&store);
    let fixture = fixture.bind(store.join("d"), "/larder/store/d").bind(store.join("f"), "/larder/store/f");
    assert_eq!(fixture.output(), "one\ntwo\n");
    assert_eq!(snapshot(&store), before);
}

#[test]
fn host_services_cannot_be_reached() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("larder-test-{}", std::process::id());
    let _unix = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    let fixture = Fixture::hostile(&format!(
        "(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo tcp; (echo x > /dev/udp/127.0.0.1/{udp_port}) 2>/dev/null; \
         (echo x > /dev/udp/1.1.1.1/53) 2>/dev/null && echo datagram; \
         perl -MSocket -e 'socket($s, AF_UNIX, SOCK_STREAM, 0) or die; \
         print connect($s, pack(\"S a*\", AF_UNIX, \"\\0{name}\")) ? \"unix\\n\" : \"\"'; \
         (exec 3<>/dev/tcp/1.1.1.1/53) 2>/dev/null && echo internet; wc -l < /proc/net/route; true"
    ));
    // The routing table has its heading only.
    assert_eq!(fixture.output(), "1\n");
    udp.set_nonblocking(true).unwrap();
    let came = udp.recv(&mut [0; 8]).expect_err("a datagram came out of the sandbox");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_guest_has_a_loopback_of_its_own() {
    let fixture = Fixture::hostile(
        "perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(Listen => 1, LocalAddr => \"127.0.0.1\") or die $!; \
         $c = IO::Socket::INET->new(PeerAddr => \"127.0.0.1\", PeerPort => $l->sockport) or die $!; print \"connected\\n\"'",
    );
    assert_eq!(fixture.output(), "connected\n");
}

#[test]
fn other_socket_families_are_denied() {
    // AF_ALG, AF_PACKET, AF_VSOCK, AF_BLUETOOTH; netlink other than routing (NETLINK_AUDIT).
    for arguments in ["38, 5, 0", "17, 3, 0", "40, 1, 0", "31, 3, 0", "16, 3, 9"] {
        let script = call(libc::SYS_socket, arguments);
        assert_eq!(Fixture::hostile(&script).output(), errno(libc::EPERM), "{arguments}");
    }
    assert_eq!(Fixture::hostile(&call(libc::SYS_socket, "16, 3, 0")).output(), "done\n");
}

#[test]
fn a_guest_is_the_first_to_go_when_memory_runs_out() {
    let script = "cat /proc/self/oom_score_adj; echo -1000 > /proc/self/oom_score_adj; echo 0 > /proc/self/oom_score_adj; \
                  bash -c 'cat /proc/self/oom_score_adj'";
    let output = Fixture::hostile(&format!("{{ {script}; }} 2>/dev/null")).output();
    assert_eq!(output, "1000\n1000\n");
}

#[test]
fn no_further_namespaces() {
    for flags in [0x1000_0000_u64, 0x2_0000, 0x2000_0000, 0x4000_0000, 0x800_0000, 0x400_0000, 0x200_0000, 0x80] {
        let script = call(libc::SYS_unshare, &flags.to_string());
        assert_eq!(Fixture::hostile(&script).output(), errno(libc::EPERM), "unshare {flags:x}");
    }
    let script = call(libc::SYS_clone, &format!("{}, 0, 0, 0, 0", 0x1000_0000 | libc::SIGCHLD));
    assert_eq!(Fixture::hostile(&script).output(), errno(libc::EPERM));
    assert_eq!(Fixture::hostile(&call(libc::SYS_clone3, "0, 0")).output(), errno(libc::ENOSYS));
    assert_eq!(Fixture::hostile("unshare -Ur true").run().0.status, Status::Exited(1));
}

#[test]
fn privileged_and_dangerous_calls_are_denied() {
    let denied = [
        ("mount", libc::SYS_mount),
        ("umount2", libc::SYS_umount2),
        ("fsopen", libc::SYS_fsopen),
        ("open_tree", libc::SYS_open_tree),
        ("move_mount", libc::SYS_move_mount),
        ("mount_setattr", libc::SYS_mount_setattr),
        ("pivot_root", libc::SYS_pivot_root),
        ("chroot", libc::SYS_chroot),
        ("setns", libc::SYS_setns),
        ("ptrace", libc::SYS_ptrace),
        ("process_vm_readv", libc::SYS_process_vm_readv),
        ("process_vm_writev", libc::SYS_process_vm_writev),
        ("pidfd_getfd", libc::SYS_pidfd_getfd),
        ("keyctl", libc::SYS_keyctl),
        ("add_key", libc::SYS_add_key),
        ("request_key", libc::SYS_request_key),
        ("bpf", libc::SYS_bpf),
        ("perf_event_open", libc::SYS_perf_event_open),
        ("userfaultfd", libc::SYS_userfaultfd),
        ("io_uring_setup", libc::SYS_io_uring_setup),
        ("kexec_load", libc::SYS_kexec_load),
        ("init_module", libc::SYS_init_module),
        ("finit_module", libc::SYS_finit_module),
        ("open_by_handle_at", libc::SYS_open_by_handle_at),
        ("sethostname", libc::SYS_sethostname),
        ("syslog", libc::SYS_syslog),
    ];
    let script: String =
        denied.iter().map(|(name, number)| format!("echo -n '{name} '; {}", call(*number, "0, 0, 0, 0"))).collect();
    let expected: String = denied.iter().map(|(name, _)| format!("{name} {}", errno(libc::EPERM))).collect();
    assert_eq!(Fixture::hostile(&script).output(), expected);
}

#[test]
fn calls_unknown_to_the_filter_do_not_exist() {
    for number in [libc::SYS_openat2, 457, 458, 9999, 0x4000_0000 + 39] {
        assert_eq!(Fixture::hostile(&call(number, "0, 0, 0, 0")).output(), errno(libc::ENOSYS), "{number}");
    }
}

#[test]
fn only_harmless_personalities() {
    for (flags, expected) in [("0", "done\n"), ("0x0040000", "done\n"), ("0x0400000", "errno 1\n"), ("8", "errno 1\n")]
    {
        assert_eq!(Fixture::hostile(&call(libc::SYS_personality, flags)).output(), expected, "{flags}");
    }
}

#[test]
fn terminal_injection_is_denied() {
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        assert_eq!(Fixture::hostile(&call(libc::SYS_ioctl, &format!("0, {request}, 0"))).output(), errno(libc::EPERM));
    }
    let fixture = Fixture::hostile("(: < /dev/tty) 2>/dev/null && echo terminal; cut -d' ' -f6 /proc/$$/stat");
    assert_eq!(fixture.output().trim(), "2", "the command leads a session of its own");
}

#[test]
fn setuid_bits_cannot_be_made() {
    let fixture = Fixture::hostile(&format!(
        "touch f; for mode in 4755 2755 6755; do chmod $mode f 2>/dev/null && echo chmod $mode; done; \
         chmod g+s . 2>/dev/null && echo directory; install -m 4755 f g 2>/dev/null && echo install; \
         perl -e 'use Fcntl; sysopen(F, \"h\", O_CREAT | O_WRONLY, 04755) and print \"open\\n\"'; {} {} \
         chmod 755 f && chmod 1777 . && umask 0 && perl -e 'use Fcntl; sysopen(F, \"i\", O_CREAT | O_WRONLY, 0755) or die'; \
         find . -perm /6000; find /larder/out -perm /6000",
        call(libc::SYS_fchmodat2, "-100, ($f = \"f\"), 04755, 0"),
        call(libc::SYS_mknodat, "-100, ($n = \"n\"), 0104755, 0"),
    ));
    let (outcome, log) = fixture.run();
    assert_eq!((outcome.status, log), (Status::Exited(0), errno(libc::EPERM).repeat(2)));
    for entry in fs::read_dir(fixture.path("build")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o6000, 0);
    }
}

#[test]
fn device_nodes_cannot_be_made() {
    let fixture = Fixture::hostile("mknod c c 1 3; mknod w c 0 0; mknod b b 8 0; mkfifo p; ls");
    let (_, log) = fixture.run();
    assert!(log.ends_with("\np\n"), "{log}");
}

#[test]
fn there_are_no_capabilities_to_gain() {
    let fixture = Fixture::hostile("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status");
    let none = "0000000000000000";
    let sets: String = ["Inh", "Prm", "Eff", "Bnd", "Amb"].map(|set| format!("Cap{set}:\t{none}\n")).concat();
    assert_eq!(fixture.output(), format!("{sets}NoNewPrivs:\t1\nSeccomp:\t2\n"));
}

#[test]
fn of_what_keeps_capabilities_only_what_keeps_none_can_be_set() {
    const KEEP_CAPS: i32 = 1 << 4;
    let set = |option: i32, value: i32| call(libc::SYS_prctl, &format!("{option}, {value}, 0, 0, 0"));
    let keeping = [set(libc::PR_SET_KEEPCAPS, 1), set(libc::PR_SET_KEEPCAPS, 0)].concat();
    let locked = [set(libc::PR_SET_SECUREBITS, 0), set(libc::PR_SET_SECUREBITS, KEEP_CAPS)].concat();
    assert_eq!(Fixture::hostile(&keeping).output(), "done\n".repeat(2));
    assert_eq!(Fixture::hostile(&locked).output(), errno(libc::EPERM).repeat(2));
}

#[test]
fn the_own_control_group_is_the_root_of_all() {
    // Which group larder is in, and the number of the sandbox's, is nothing to the guest.
    let fixture = Fixture::hostile("grep -c -v ':/$' /proc/self/cgroup");
    assert_eq!(fixture.run().1, "0\n");
}

#[test]
fn the_environment_is_exactly_what_was_given() {
    let mut fixture = Fixture::hostile("");
    fixture.spec.command = "/usr/bin/env".to_owned();
    fixture.spec.args.clear();
    fixture.spec.env.insert("ONE".to_owned(), "1 \u{e9}\n2".to_owned());
    assert_eq!(fixture.output(), "ONE=1 \u{e9}\n2\nPATH=/usr/bin:/usr/sbin\n");
}

#[test]
fn no_descriptor_is_inherited() {
    let _leak = File::open("/").unwrap();
    // 3 is the directory that `ls` itself is reading.
    assert_eq!(Fixture::hostile("ls /proc/self/fd | tr '\\n' ' '; cat").output(), "0 1 2 3 ");
}

#[test]
fn dev_and_sys_have_nothing_of_the_machine() {
    let fixture = Fixture::hostile("ls /dev | tr '\\n' ' '; ls /dev/pts /dev/shm /sys | grep -v ':$' | grep .");
    let (_, log) = fixture.run();
    assert_eq!(log, "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ptmx\n");
}

#[test]
fn the_devices_of_the_host_cannot_be_changed() {
    let mode = || fs::metadata("/dev/null").unwrap().permissions().mode();
    let before = mode();
    let fixture = Fixture::hostile(
        "chmod 640 /dev/null 2>/dev/null && echo mode; chown 1000 /dev/zero 2>/dev/null && echo owner; \
         touch -d @0 /dev/null 2>/dev/null && echo time; rm -f /dev/null 2>/dev/null && echo removed; \
         echo x > /dev/null && head -c1 /dev/zero | wc -c",
    );
    assert_eq!(fixture.output(), "1\n");
    assert_eq!(mode(), before);
}

#[test]
fn a_daemon_does_not_outlive_the_command() {
    let fixture = Fixture::hostile(
        "(setsid bash -c 'trap \"\" TERM HUP; exec 1>&- 2>&-; while :; do echo x >> /larder/out/late; done' &) ; \
         setsid sleep 100 & while [ ! -s /larder/out/late ]; do :; done; exit 3",
    );
    let start = Instant::now();
    assert_eq!(fixture.run().0.status, Status::Exited(3));
    let size = || fs::metadata(fixture.path("out/late")).unwrap().len();
    let before = size();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(size(), before);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_kill_takes_everything() {
    let fixture = Fixture::hostile(
        "trap '' TERM INT HUP; (setsid bash -c 'while :; do echo x >> /larder/out/late; done' &); \
         kill -STOP $$; sleep 100",
    );
    let log = File::create("/dev/null").unwrap();
    let run = spawner().start_run(&fixture.spec, log.into()).unwrap();
    let late = fixture.path("out/late");
    wait_until(|| late.exists());
    run.cancel_handle().kill();
    let handle = run.cancel_handle();
    assert_eq!(run.wait().unwrap().status, Status::Killed);
    let before = fs::metadata(&late).unwrap().len();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(fs::metadata(&late).unwrap().len(), before);
    handle.kill();
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the host has a process whose command line contains `mark`.
fn process_exists(mark: &str) -> bool {
    let lines =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(mark))
}

/// What [`nothing_is_left_when_larder_is_killed`] kills: it runs a sandbox and waits for it.
#[test]
#[ignore = "only run by another test, in a process of its own"]
fn a_larder_to_be_killed() {
    let mark = std::env::var("LARDER_TEST_MARK").unwrap();
    let fixture = Fixture::script(&format!("echo > /larder/out/started; (setsid sleep {mark} &); sleep {mark}"));
    fs::write(std::env::var("LARDER_TEST_FILE").unwrap(), fixture.path("").to_str().unwrap()).unwrap();
    fixture.run();
}

#[test]
fn nothing_is_left_when_larder_is_killed() {
    let mark = format!("98765{}", std::process::id());
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut larder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "test_sandbox_hostile::a_larder_to_be_killed"])
        .env("LARDER_TEST_MARK", &mark)
        .env("LARDER_TEST_FILE", file.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| process_exists(&mark));
    larder.kill().unwrap();
    larder.wait().unwrap();
    wait_until(|| !process_exists(&mark));
    let top = fs::read_to_string(file.path()).unwrap();
    unlock_work(&WritableLayer::Directories { upper: host(format!("{top}/upper")), work: host(format!("{top}/work")) })
        .unwrap();
    fs::remove_dir_all(top).unwrap();
}

#[test]
fn nothing_is_left_when_the_spawner_is_killed() {
    let spawner = start_spawner();
    let mark = format!("98764{}", std::process::id());
    let fixture = Fixture::hostile(&format!("sleep {mark}"));
    let run = spawner.start_run(&fixture.spec, File::create("/dev/null").unwrap().into()).unwrap();
    wait_until(|| process_exists(&mark));
    let pid = nix::unistd::Pid::from_raw(spawner.process_id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(run.wait().is_err());
    wait_until(|| !process_exists(&mark));
    assert!(spawner.start_run(&fixture.spec, File::create("/dev/null").unwrap().into()).is_err());
}

/// As when its log cannot be written any more: what it had is given to others then.
#[test]
fn who_is_not_waited_for_is_killed() {
    let spawner = start_spawner();
    let mark = format!("98762{}", std::process::id());
    let fixture = Fixture::hostile(&format!("sleep {mark}"));
    let run = spawner.start_run(&fixture.spec, File::create("/dev/null").unwrap().into()).unwrap();
    wait_until(|| process_exists(&mark));
    drop(run);
    assert!(!process_exists(&mark));
}

#[test]
fn a_layer_cannot_redirect_a_mount_out_of_the_root() {
    let fixture = Fixture::hostile("ls -d /outside; cat /build/mark");
    let target = fixture.path("target");
    fs::create_dir(&target).unwrap();
    let layer = fixture.path("layer");
    fs::create_dir(layer.join("inside")).unwrap();
    std::os::unix::fs::symlink(format!("../../../../{}", target.display()), layer.join("build")).unwrap();
    fs::write(fixture.path("build/mark"), "mark\n").unwrap();
    let (outcome, _) = fixture.run();
    assert!(matches!(outcome.status, Status::SetupFailed(_)), "{outcome:?}");
    assert_eq!(fs::read_dir(target).unwrap().count(), 0);
}

#[test]
fn a_symbolic_link_in_the_output_stays_one() {
    let fixture =
        Fixture::hostile("ln -s /etc/passwd /larder/out/result; rm -rf /build; ln -s / /build/root; ls /build/root/");
    let (outcome, _) = fixture.run();
    assert_eq!(outcome.status, Status::Exited(0));
    assert!(fixture.path("out/result").is_symlink());
}

#[test]
fn many_processes_in_sessions_of_their_own_are_killed_with_the_rest() {
    let mark = format!("98763{}", std::process::id());
    let fixture = Fixture::hostile(&format!("for i in {{1..100}}; do setsid sleep {mark} & done; exit 5"));
    assert_eq!(fixture.run().0.status, Status::Exited(5));
    assert!(!process_exists(&mark));
}

#[test]
fn impossible_specifications_are_refused() {
    let mut fixture = Fixture::hostile("true");
    fixture.spec.layers.clear();
    assert!(spawner().run(&fixture.spec, File::create("/dev/null").unwrap().into()).is_err());
    let mut fixture = Fixture::hostile("true");
    fixture.spec.layers.push(host(fixture.path("absent")));
    let (outcome, _) = fixture.run();
    let Status::SetupFailed(error) = outcome.status else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("absent") && error.errno == libc::ENOENT, "{error}");
}

#[test]
fn a_fork_bomb_reaches_a_limit_and_is_cleared_away() {
    if nix::unistd::geteuid().is_root() && !limits_processes_of_root() {
        return eprintln!("not tested: before Linux 6.14 nothing limits the processes of a guest of root");
    }
    let mark = format!("98762{}", std::process::id());
    let mut fixture = Fixture::hostile(&format!(
        "perl -e 'while (defined($p = fork)) {{ $n++; exec \"sleep\", \"{mark}\" unless $p }} \
         print $n < 400 ? \"few\" : $n, \" \", $! + 0, \"\\n\"'; exit 6"
    ));
    fixture.spec.limits.processes = 400;
    let (outcome, log) = fixture.run();
    assert_eq!((outcome.status, log), (Status::Exited(6), format!("few {}\n", libc::EAGAIN)));
    assert!(!process_exists(&mark));
    // One in which every process forks as fast as it can.
    let mut fixture = Fixture::hostile(
        "exec perl -e '$first = $$; $end = time + 2; while (time < $end) { fork } exit($$ == $first ? 7 : 0)'",
    );
    fixture.spec.limits.processes = 400;
    assert_eq!(fixture.run().0.status, Status::Exited(7));
    assert_eq!(Fixture::hostile("echo well").output(), "well\n");
}

/// Whether the kernel limits the processes of each process namespace.
fn limits_processes_of_root() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

#[test]
fn the_limit_of_processes_is_the_guests_own() {
    let here = || fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
    let before = here();
    let expected = if limits_processes_of_root() { "8192\n" } else { &before };
    let fixture = Fixture::hostile(
        "cat /proc/sys/kernel/pid_max; (echo 4000000 > /proc/sys/kernel/pid_max) 2>/dev/null && echo raised; true",
    );
    assert_eq!(fixture.output(), expected);
    assert_eq!(here(), before);
}

#[test]
fn descriptors_are_limited() {
    let fixture = Fixture::hostile(
        "ulimit -n hard; perl -e 'while (open($f[$n], \"<\", \"/dev/null\")) { $n++ } print $n < 65536 ? \"few\" : $n, \" \", $! + 0, \"\\n\"'",
    );
    assert_eq!(fixture.output(), format!("few {}\n", libc::EMFILE));
}

#[test]
fn the_parent_cannot_be_signalled() {
    // The first process is all that the guest can name of what started it: no signal of the guest's ends or stops it.
    let fixture = Fixture::hostile(
        "for signal in TERM KILL STOP HUP INT QUIT SEGV USR1; do kill -$signal 1 2>/dev/null; kill -$signal $PPID 2>/dev/null; done; \
         kill -KILL -1 2>/dev/null; echo alive",
    );
    let (outcome, log) = fixture.run();
    assert!(matches!(outcome.status, Status::Exited(0) | Status::Signalled(libc::SIGKILL)), "{outcome:?}");
    assert!(log.is_empty() || log == "alive\n", "{log}");
    assert_eq!(Fixture::hostile("echo well").output(), "well\n", "the spawner lives");
}

#[test]
fn what_started_the_guest_cannot_be_asked_whether_it_lives() {
    if !builder::sandbox::has_scoping() {
        skipped("this kernel's Landlock has no scopes, so no signal was kept from anybody");
        return;
    }
    // The first process has the guest's user id, so that only Landlock is in the way.
    let script = "perl -e 'print kill(0, 1) ? \"reached\" : $! + 0; print \" \", kill(0, fork() || sleep(9)), \"\\n\"'";
    assert_eq!(Fixture::hostile(script).output(), format!("{} 1\n", libc::EPERM));
}

#[test]
fn no_descriptor_passes_from_one_build_to_another() {
    // One listens at an abstract name and would hand out a descriptor, the other one asks for it all that time.
    let name = format!("larder-meeting-{}", std::process::id());
    let script = |perl: &str| {
        let address =
            format!("$a = pack(\"S a*\", AF_UNIX, \"\\0{name}\"); socket($s, AF_UNIX, SOCK_STREAM, 0) or die $!;");
        Fixture::hostile(&format!("perl -MSocket -e '{address} {perl}'"))
    };
    let giver = script(
        "bind($s, $a) or die $!; listen($s, 1) or die $!; vec($r, fileno($s), 1) = 1; \
         print select($r, undef, undef, 3) ? \"met\\n\" : \"alone\\n\"",
    );
    let taker = script(
        "for (1..20) { if (connect($s, $a)) { print \"met\\n\"; exit } select(undef, undef, undef, 0.1) } print \"alone\\n\"",
    );
    let (gave, took) = std::thread::scope(|scope| {
        let gave = scope.spawn(|| giver.output());
        (taker.output(), gave.join().unwrap())
    });
    assert_eq!((gave.as_str(), took.as_str()), ("alone\n", "alone\n"));
}

#[test]
fn bombs_of_files_in_memory_reach_a_limit() {
    let script = r#"for place in /tmp /dev/shm; do perl -e '
        $n = 0; while (open(F, ">", "$ARGV[0]/$n")) { $n++ } print $n < 1000 ? "few" : $n, " ", $! + 0, "\n"; unlink glob "$ARGV[0]/*";
        open(F, ">", "$ARGV[0]/x") or die; $block = "x" x 4096;
        while (syswrite(F, $block)) { $m++ } print $m <= 256 ? "little" : $m, " ", $! + 0, "\n"' $place; done"#;
    let mut fixture = Fixture::hostile(script);
    fixture.use_memory();
    (fixture.spec.limits.tmpfs_files, fixture.spec.limits.tmpfs_bytes) = (1000, Some(1 << 20));
    assert_eq!(fixture.output(), format!("few {0}\nlittle {0}\n", libc::ENOSPC).repeat(2));
    assert_eq!(Fixture::hostile("echo well").output(), "well\n");
}

#[test]
fn files_in_memory_are_limited_and_given_back() {
    // The writable layer and shared memory are file systems in memory: each has a limit, of bytes and of files.
    let mut fixture =
        Fixture::hostile("for place in /tmp /dev/shm; do df --output=size,itotal $place | tail -n 1; done");
    fixture.use_memory();
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let memory: u64 = memory.lines().next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    for line in fixture.output().lines() {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().unwrap());
        let (kib, files) = (numbers.next().unwrap(), numbers.next().unwrap());
        assert!(kib > 0 && kib <= memory / 2 + 4 && files > 0 && files <= memory / 4, "{line}");
    }
}
