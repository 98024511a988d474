//! Each circumstance that can be varied, alone, and its default.

use crate::skipped;
use crate::testutil::Fixture;
use builder::sandbox::{Circumstances, User};
use std::collections::BTreeSet;
use std::fs;

fn output(circumstances: Circumstances, script: &str) -> String {
    let mut fixture = Fixture::script(script);
    fixture.spec.circumstances = circumstances;
    fixture.output()
}

fn varied(script: &str, vary: impl FnOnce(&mut Circumstances)) -> String {
    let mut circumstances = Circumstances::default();
    vary(&mut circumstances);
    output(circumstances, script)
}

#[test]
fn host_and_domain_name() {
    let script = "hostname; cat /proc/sys/kernel/domainname; getent hosts $(hostname) | grep -o ^[^\\ ]*";
    assert_eq!(output(Circumstances::default(), script), "larder\n(none)\n::1\n");
    let vary = |varied: &mut Circumstances| {
        varied.host_name = Some("other".to_owned());
        varied.domain_name = Some("example".to_owned());
    };
    assert_eq!(
        varied("hostname; cat /proc/sys/kernel/domainname; getent hosts other | grep -o ^[^\\ ]*", vary),
        "other\nexample\n::1\n"
    );
}

#[test]
fn user() {
    let script = "id -u; id -g; id -un; id -gn; stat -c %U /build; whoami";
    assert_eq!(output(Circumstances::default(), script), "1000\n1000\nbuild\nbuild\nbuild\nbuild\n");
    let user = User { name: "other".to_owned(), id: 1234 };
    assert_eq!(varied(script, |varied| varied.user = Some(user)), "1234\n1234\nother\nother\nother\nother\n");
}

#[test]
fn the_machine_was_started_a_moment_ago() {
    let up = |text: &str| text.split('.').next().and_then(|seconds| seconds.parse::<u64>().ok()).unwrap();
    let host = up(&fs::read_to_string("/proc/uptime").unwrap());
    if !std::path::Path::new("/proc/self/timens_offsets").exists() || host < 600 {
        skipped("this kernel has no time namespaces, or was just started, so no clock was read");
        return;
    }
    let clock = format!("syscall({}, {}, $t)", nix::libc::SYS_clock_gettime, nix::libc::CLOCK_MONOTONIC);
    let script =
        format!("cat /proc/uptime; perl -e '$t = pack(\"qq\", 0, 0); {clock}; print unpack(\"q\", $t), \"\\n\"'");
    let told = output(Circumstances::default(), &script);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.lines().all(|line| up(line) < 300), "{told}");
    // The time of day is what it is.
    let day: u64 = output(Circumstances::default(), "date +%s").trim().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(day) < 300, "{day}");
}

#[test]
fn processors() {
    assert_eq!(varied("nproc", |varied| varied.processors = Some(1)), "1\n");
    let all = std::thread::available_parallelism().unwrap();
    assert_eq!(varied("nproc", |varied| varied.processors = Some(100_000)), format!("{all}\n"));
}

#[test]
fn umask() {
    assert_eq!(output(Circumstances::default(), "umask; touch f; stat -c %a f"), "0022\n644\n");
    assert_eq!(varied("umask; touch f; stat -c %a f", |varied| varied.umask = Some(0o077)), "0077\n600\n");
}

#[test]
fn address_layout() {
    let script = "for i in 1 2; do bash -c 'grep stack /proc/self/maps'; done | sort -u | wc -l";
    assert_eq!(output(Circumstances::default(), script), "2\n");
    assert_eq!(varied(script, |varied| varied.fixed_addresses = true), "1\n");
}

#[test]
fn kernel_release() {
    let script =
        "uname -r; cat /proc/sys/kernel/osrelease; perl -e 'use POSIX; print((POSIX::uname())[2], \"\\n\")'; uname -n";
    let expected = "1.2.3-varied\n1.2.3-varied\n1.2.3-varied\nlarder\n";
    // A C library may refuse to start on a kernel this old, and then this says so; take one that none refuses.
    let expected = expected.replace("1.2.3", "99.1.2");
    assert_eq!(varied(script, |varied| varied.kernel_release = Some("99.1.2-varied".to_owned())), expected);
    let own = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(output(Circumstances::default(), "uname -r"), own);
}

#[test]
fn directories_are_listed_in_reverse() {
    let plain = "cd /larder/out && ls -U -a";
    let mut fixture = Fixture::script(plain);
    for number in 0..2000 {
        fs::write(fixture.path(&format!("out/a-file-with-a-longish-name-{number}")), "").unwrap();
    }
    let usual = fixture.output();
    fixture.use_memory();
    fixture.spec.circumstances.reverse_directories = true;
    let mut reversed: Vec<_> = fixture.output().lines().map(str::to_owned).collect();
    reversed.reverse();
    assert_eq!(reversed, usual.lines().collect::<Vec<_>>());
    assert_eq!(reversed.iter().collect::<BTreeSet<_>>().len(), 2002);
}

#[test]
fn reversed_directories_can_be_sought_rewound_and_deleted_while_read() {
    let script = "mkdir -p d/e; cd d; touch $(seq 1 3000); \
        perl -e 'opendir D, \".\"; my @a; for (1..10) { readdir D } my $t = telldir D; my $x = readdir D; \
        readdir D for 1..500; seekdir D, $t; print $x eq readdir D ? \"sought\\n\" : \"lost\\n\"; \
        rewinddir D; my @b = readdir D; print scalar(@b), \"\\n\"; \
        rewinddir D; while (defined(my $f = readdir D)) { unlink $f if -f $f } print \"unlinked\\n\"'; \
        ls; cd ..; rm -r d; ls | wc -l; ls -d /proc/self /dev/null | wc -l; find /usr/include -name stdio.h | grep -c .";
    let expected = "sought\n3003\nunlinked\ne\n0\n2\n";
    let output = varied(script, |varied| varied.reverse_directories = true);
    assert!(output.starts_with(expected), "{output}");
}

#[test]
fn time_of_day() {
    let script =
        "date +%s; perl -e 'print time, \"\\n\"'; perl -MTime::HiRes -e 'print int(Time::HiRes::time), \"\\n\"'; env";
    let seconds = |text: &str| text.lines().take(3).map(|line| line.parse::<i64>().unwrap()).collect::<Vec<_>>();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    for offset in [0, 100_000_000, -400_000_000] {
        let output = varied(script, |varied| varied.clock_offset = offset);
        assert!(seconds(&output).iter().all(|time| (time - now - offset).abs() < 60), "{offset}: {output}");
        assert!(!output.contains("PRELOAD"), "{output}");
    }
}
