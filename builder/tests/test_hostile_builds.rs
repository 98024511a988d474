//! Hostile derivations, built as any others: each is contained, what is told of it says why, and the store is as it was.

use crate::realising::{Fixture, SYSTEM, output_of, told, tools};
use builder::{Allowance, BuildError, Builder, Ending, Overrun, RunLimits, RunOptions, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use store::derivation::{FixedOutput, HashMode};
use store::{Derivation, FileHash, Input, OutputName, StoreName, StorePath};

/// Every path below a directory with its mode, size and time; files of the store never change.
fn snapshot(top: &Path) -> BTreeMap<String, (u32, u64, i64)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![top.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let data = entry.path().symlink_metadata().unwrap();
            if data.is_dir() {
                pending.push(entry.path());
            }
            found.insert(entry.path().display().to_string(), (data.mode(), data.size(), data.mtime()));
        }
    }
    found
}

/// What builds have left in the store's `tmp/`.
fn left_of_builds(fixture: &Fixture) -> Vec<String> {
    let names = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    std::fs::read_dir(fixture.store.layout().tmp()).unwrap().map(names).collect()
}

/// How a bomb ends that may have so much on the disk.
fn blown_up(script: &str, disk_bytes: Allowance, disk_files: Allowance) -> Ending {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let drv = fixture.add("bomb", script, &[], &[tools]);
    let limits = RunLimits { disk_bytes, disk_files, ..RunLimits::default() };
    let builder = Builder::new(&fixture.store, Settings { limits, keep_failed: true, ..fixture.settings(1) });
    let (result, words) = told(&builder, &[drv], RunOptions::default());
    drop(builder);
    let [failure] = &result.failures[..] else { panic!("{words:?}") };
    let BuildError::Builder { ending, kept, lack, .. } = &*failure.error else { panic!("{failure:?}") };
    assert_eq!((kept, lack), (&None, &None), "what takes too much is not kept");
    assert_eq!(left_of_builds(&fixture), [""; 0], "the disk has its room again");
    assert_eq!(fixture.store.verify(None, true).unwrap(), []);
    *ending
}

#[test]
fn a_bomb_of_bytes_is_stopped_and_cleared_away() {
    const MOST: u64 = 32 << 20;
    for place in ["/build/x", "/larder/out/out"] {
        let script = format!(
            "#\nmkdir /build/deep; exec perl -e 'open(F, q(>), q({place})); $x = q(x) x 1048576; syswrite(F, $x) and select(undef, undef, undef, 0.01) while 1'"
        );
        assert_eq!(
            blown_up(&script, Allowance::Of(MOST), Allowance::Any),
            Ending::Stopped(Overrun::Disk(MOST)),
            "{place}"
        );
    }
    // Nameless: one that lost its name, and one that never had any (O_TMPFILE and O_RDWR), held by a process that has ended but for its child.
    for opening in [r"open(F, q(>), q(/build/x)); unlink q(/build/x)", "sysopen(F, q(/build), 0x410002, 0600) or die"] {
        let script = format!(
            "#\nexec perl -e '{opening}; fork and exec q(sleep), 60; $x = q(x) x 1048576; syswrite(F, $x) and select(undef, undef, undef, 0.01) while 1'"
        );
        let ended = blown_up(&script, Allowance::Of(MOST), Allowance::Any);
        assert_eq!(ended, Ending::Stopped(Overrun::Disk(MOST)), "{opening}");
    }
    // However fast it was, and however well it ended.
    let ended = blown_up("#\nhead -c 64M /dev/zero > $out", Allowance::Of(MOST), Allowance::Any);
    assert_eq!(ended, Ending::Stopped(Overrun::Disk(MOST)));
}

#[test]
fn a_bomb_of_files_is_stopped_and_cleared_away() {
    if rustix::fs::statvfs("/tmp").unwrap().f_files == 0 {
        eprintln!("not tested: bombs of files, for this file system does not count them");
        return;
    }
    let script = "#\nexec perl -e 'for ($n = 0;;) { mkdir $n or die; open(F, q(>), qq($n/$_)) for 1..99; $n++; select(undef, undef, undef, 0.01) }'";
    assert_eq!(blown_up(script, Allowance::Any, Allowance::Of(5000)), Ending::Stopped(Overrun::Files(5000)));
}

/// Attempts, each of which leaves an output all the same.
const ATTEMPTS: [&str; 12] = [
    // Other builds and the store, by their host paths and through processes.
    "echo x > @STORE@/invented; ln -s @STORE@ $out/host; for file in /proc/[0-9]*/root@STORE@/format; do echo x > $file; done",
    "perl -e 'chmod 0777, $_ for </larder/store/*>, </larder/store/*/*>; rename $_, qq($_.x) for </larder/store/*>'",
    // A daemon that goes on to write into the output, and signals to whoever is there.
    "(setsid perl -e 'fork and exit; while (1) { open(F, q(>>), q(/larder/out/out/late)); print F q(x) x 99 }' &); kill -9 -1; kill -STOP 1",
    // Bits and devices.
    "touch() { : > $1; }; touch $out/s; chmod 4755 $out/s; chmod 2755 $out; mknod $out/null c 1 3; mknod $out/disk b 8 0",
    // Namespaces, io_uring, keys, bpf, tracing of the first process.
    "perl -e 'for ([272, 0x10000000], [425, 8, 0], [250, 0, -3, 0], [321, 0, 0, 0], [101, 16, 1, 0]) { my @c = @$_; print syscall(shift @c, @c), qq(\\n) }' > $out/calls",
    // More descriptors and processes than there may be.
    "perl -e 'open($f[$n++], q(<), q(/dev/null)) or last while 1'; perl -e 'for (1..300) { $p = fork // last; exec q(sleep), 1000 unless $p }'",
    // The FIFO of the job server is a pipe of its own.
    "perl -e 'open(F, q(+<), q(/larder/jobs)); syswrite(F, q(+) x 4096)'",
    // Names that are none, links around.
    "mkdir -p $out/$(printf '\\377\\033[2J'); ln -s . $out/loop; ln -s /larder/out/out $out/self; ln -s /proc/self/root $out/root",
    // A terminal and its control sequences.
    "printf '\\033]0;owned\\007\\033[2J'; echo x > /dev/tty",
    // A directory that nobody may read, and one that is gone.
    "mkdir /build/a; chmod 0 /build/a; mkdir $out/d; chmod 0 $out/d",
    "cd /build; mkdir x; cd x; perl -e 'rmdir q(../x)'",
    // Sparse: much to say, little to keep.
    "perl -e 'open(F, q(>), q(/larder/out/out/sparse)); truncate(F, 64 << 20)'",
];

#[test]
fn whatever_a_build_tries_the_store_is_as_it_was() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let root = fixture.store.layout().root().to_owned();
    let trees = || snapshot(&root.join("store")).into_iter().filter(|(path, _)| path.contains("-tools")).collect();
    let before: BTreeMap<_, _> = trees();
    for (number, attempt) in ATTEMPTS.iter().enumerate() {
        let attempt = attempt.replace("@STORE@", root.to_str().unwrap());
        let script = format!("#\nmkdir $out; ({attempt}) 2>/dev/null || true");
        let drv = fixture.add(&format!("attempt-{number}"), &script, &[], std::slice::from_ref(&tools));
        let builder = fixture.builder(1);
        let (result, words) = told(&builder, std::slice::from_ref(&drv), RunOptions::default());
        drop(builder);
        // `kill -9 -1` may take the shell with it; all others end well.
        assert!(result.built == 1 || attempt.contains("kill -9"), "{attempt}: {words:?} {:?}", result.failures);
        assert!(words.iter().all(|word| !word.chars().any(char::is_control)), "{words:?}");
        assert_eq!(fixture.store.verify(None, true).unwrap(), [], "{attempt}");
        assert_eq!(left_of_builds(&fixture), [""; 0], "{attempt}");
        assert!(!root.join("invented").exists() && root.join("format").exists());
    }
    assert_eq!(trees(), before);
    let modes = snapshot(&root.join("store"));
    assert!(modes.values().all(|(mode, ..)| mode & 0o6222 == 0 || mode & 0o170_000 == 0o120_000), "{modes:?}");
}

/// A link as an output is only a link to whoever has it as an input: where it leads on this machine is nobody's business.
#[test]
fn an_output_that_is_a_link_leads_nowhere_outside() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let secret = fixture.top.path().join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("key"), "secret\n").unwrap();
    let link = |name: &str, target: &str| {
        fixture.add(name, &format!("#\nln -s {target} $out"), &[], std::slice::from_ref(&tools))
    };
    let directory = link("directory", secret.to_str().unwrap());
    let file = link("file", secret.join("key").to_str().unwrap());
    let host = link("host", "/");
    let users = link("users", "/etc/passwd");
    let script = "#\ncd /larder/store; { cat *-directory/key || echo no directory; cat *-file || echo no file; \
                  cat *-host@KEY@ || echo no host; head -c 6 *-users; } > $out 2>/dev/null"
        .replace("@KEY@", secret.join("key").to_str().unwrap());
    let reader = fixture.add("reader", &script, &[&directory, &file, &host, &users], std::slice::from_ref(&tools));
    let (result, words) = told(&fixture.builder(1), std::slice::from_ref(&reader), RunOptions::default());
    assert_eq!(result.built, 5, "{words:?} {:?}", result.failures);
    // Inside, they lead where they do there.
    assert_eq!(fixture.content(&result, &reader), "no directory\nno file\nno host\nbuild:");
    // Nor is one a part of a root.
    let below = fixture.add_changed("below", "add /key $out", &[], &[], |derivation| {
        derivation.root.push(output_of(&directory));
    });
    let (result, words) = told(&fixture.builder(1), &[below], RunOptions::default());
    assert_eq!((result.built, result.failures.len()), (0, 1), "{words:?}");
}

/// A derivation whose output's hash is known beforehand.
fn fixed(fixture: &Fixture, tools: &StorePath, name: &str, script: &str) -> StorePath {
    let digest = blake3::hash(b"alone\n").to_hex();
    let derivation = Derivation {
        name: StoreName::parse(name).unwrap(),
        system: SYSTEM.to_owned(),
        builder: "/usr/bin/bash".to_owned(),
        args: vec!["-euc".to_owned(), script.to_owned()],
        env: BTreeMap::from([("out".to_owned(), "/larder/out/out".to_owned())]),
        inputs: BTreeSet::new(),
        root: [&fixture.seed, tools].into_iter().cloned().map(Input::Tree).collect(),
        overrides: Vec::new(),
        runtime: Vec::new(),
        outputs: BTreeSet::from([OutputName::out()]),
        fixed: Some(FixedOutput {
            mode: HashMode::File,
            hash: FileHash::parse(&format!("blake3:{digest}"), None).unwrap(),
        }),
    };
    let path = derivation.store_path().unwrap();
    fixture.store.add_derivation(derivation).unwrap();
    path
}

/// Where fixed outputs share a network, one build can hand another a descriptor of its output, to change that after it was checked.
#[test]
fn two_fixed_output_derivations_that_run_at_once_cannot_meet() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let name = format!("larder-fixed-{}", std::process::id());
    // One listens at an abstract name, on the loopback interface and at a FIFO in every place that both can write to; the other one asks.
    let sockets = format!(
        "$a = pack(q(S a*), 1, qq(\\0{name})); $i = pack(q(S n C4 x8), 2, 47113, 127, 0, 0, 1); \
         socket($u, 1, 1, 0) or die; socket($t, 2, 1, 0) or die;"
    );
    let end = "print $met ? qq(met\\n) : qq(alone\\n)";
    let giver = format!(
        "{sockets} bind($u, $a) or die; listen($u, 1) or die; bind($t, $i) or die; listen($t, 1) or die; \
         open(F, q(>), $_) for map {{ qq($_/{name}) }} qw(/tmp /dev/shm /build /larder/out /larder/store); unlink qq(/larder/out/{name}); \
         vec($r, fileno($_), 1) = 1 for $u, $t; $met = select($r, undef, undef, 3); {end}"
    );
    let taker = format!(
        "{sockets} for (1..20) {{ $met ||= connect($u, $a) || connect($t, $i) || grep {{ -e qq($_/{name}) }} \
         qw(/tmp /dev/shm /build /larder/out /larder/store); select(undef, undef, undef, 0.1) }} {end}"
    );
    let of = |part: &str, perl: &str| {
        fixed(
            &fixture,
            &tools,
            part,
            &format!("perl -e '{perl}' > /build/said; read said < /build/said; echo $said; echo $said > $out"),
        )
    };
    let targets = [of("giver", &giver), of("taker", &taker)];
    let builder = fixture.builder(2);
    let (result, words) = told(&builder, &targets, RunOptions { keep_going: true, ..RunOptions::default() });
    drop(builder);
    assert_eq!(result.built, 2, "{words:?} {:?}", result.failures);
    let at = |wanted: &str| words.iter().position(|word| word == wanted).unwrap_or_else(|| panic!("{words:?}"));
    assert!(
        at("started taker").max(at("started giver")) < at("built taker").min(at("built giver")),
        "at once: {words:?}"
    );
    assert!(words.contains(&"giver: alone".to_owned()) && words.contains(&"taker: alone".to_owned()), "{words:?}");
    assert_eq!(fixture.store.verify(None, true).unwrap(), []);
}

/// Builds that run at once do not see each other's processes, and what one kills are its own.
#[test]
fn a_build_reaches_no_process_of_another_one() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let of = |name: &str, script: &str| fixture.add(name, &format!("#\n{script}"), &[], std::slice::from_ref(&tools));
    let victim = of("victim", "echo alive > /tmp/victims-mark; perl -e 'sleep 3' victims-mark; echo alive > $out");
    let attacker = of(
        "attacker",
        "sleep 1; found=none; for one in /proc/[0-9]*; do \
             [[ $(tr '\\0' ' ' < $one/cmdline) != *'sleep 3'*victims*mark* || $one == /proc/$$ ]] || found=$one; \
             [[ ! -e $one/root/tmp/victims-mark ]] || found=$one; done; \
         perl -e 'kill 9, grep { $_ != $$ && $_ != getppid } 2..40000'; echo $found > $out",
    );
    let builder = fixture.builder(2);
    let (result, words) = told(&builder, &[victim.clone(), attacker.clone()], RunOptions::default());
    assert_eq!(result.built, 2, "{words:?} {:?}", result.failures);
    let at = |wanted: &str| words.iter().position(|word| word == wanted).unwrap_or_else(|| panic!("{words:?}"));
    assert!(at("started attacker") < at("built victim") && at("built attacker") < at("built victim"), "{words:?}");
    assert_eq!(fixture.content(&result, &attacker), "none\n");
    assert_eq!(fixture.content(&result, &victim), "alive\n");
}

#[test]
fn sockets_and_pipes_are_no_outputs() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let socket =
        |place: &str| format!("perl -e 'socket(S, 1, 1, 0) or die; bind(S, pack(q(S a*), 1, q({place}))) or die $!'");
    let attempts = [
        (socket("/larder/out/out"), "socket"),
        (format!("mkdir $out; {}", socket("/larder/out/out/deep")), "socket"),
        ("perl -e '$p = q(/larder/out/out); syscall(133, $p, 4516, 0) == 0 or die $!'".to_owned(), "named pipe"),
    ];
    for (number, (script, kind)) in attempts.iter().enumerate() {
        let drv = fixture.add(&format!("special-{number}"), &format!("#\n{script}"), &[], std::slice::from_ref(&tools));
        let (result, words) = told(&fixture.builder(1), &[drv], RunOptions::default());
        let [failure] = &result.failures[..] else { panic!("{script}: {words:?}") };
        let text = failure.error.to_string();
        assert!(text.contains("output `out`") && text.contains(&format!("is a {kind}")), "{script}: {text}");
        assert_eq!(fixture.store.verify(None, true).unwrap(), []);
    }
}
