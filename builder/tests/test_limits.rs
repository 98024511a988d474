//! Limits of builds: what takes too long, is silent for too long or prints too much is stopped, and the result says why.

use crate::realising::{Fixture, told, tools};
use builder::{Allowance, BuildError, Builder, Ending, Overrun, RunLimits, RunOptions, Settings};
use std::path::Path;
use std::time::{Duration, Instant};

const NONE: RunLimits =
    RunLimits { total: None, silence: None, log_bytes: None, disk_bytes: Allowance::Any, disk_files: Allowance::Any };

/// What came of a script within limits, with the length of its log, and whether it left a process.
fn ending(script: &str, limits: RunLimits) -> (Result<usize, Ending>, usize) {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let drv = fixture.add("p", script, &[], &[tools]);
    let builder = Builder::new(&fixture.store, Settings { limits, ..fixture.settings(1) });
    let started = Instant::now();
    let (result, words) = told(&builder, &[drv], RunOptions::default());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let kept = std::fs::read_dir(fixture.store.layout().logs()).unwrap().map(|kept| kept.unwrap().path());
    let logs: Vec<_> = kept.filter(|kept| kept.extension().is_some_and(|kind| kind == "zst")).collect();
    let [log] = &logs[..] else { panic!("{logs:?}") };
    let mut text = Vec::new();
    builder::log::copy(log, &mut text).unwrap();
    let ending = match result.failures.first().map(|failure| &*failure.error) {
        None => Ok(result.built),
        Some(BuildError::Builder { ending, .. }) => Err(*ending),
        Some(other) => panic!("{other} {words:?}"),
    };
    (ending, text.len())
}

#[test]
fn what_takes_too_long_is_stopped_whatever_it_prints() {
    let limit = Duration::from_millis(700);
    let limits = RunLimits { total: Some(limit), ..NONE };
    let script = "#\ntrap '' TERM; (setsid sleep 600 &); while :; do echo on; sleep 0.1; done";
    assert_eq!(ending(script, limits).0, Err(Ending::Stopped(Overrun::Total(limit))));
    assert_eq!(ending("write $out done", limits).0, Ok(1));
}

#[test]
fn what_is_silent_for_too_long_is_stopped_but_not_what_prints_slowly() {
    let limit = Duration::from_millis(1500);
    let limits = RunLimits { silence: Some(limit), ..NONE };
    assert_eq!(ending("say begun\nsleep 600", limits).0, Err(Ending::Stopped(Overrun::Silence(limit))));
    // Bytes without the end of a line are no silence.
    let slow = "#\nfor i in 1 2 3 4 5 6; do echo -n .; sleep 0.5; done; echo done > $out";
    assert_eq!(ending(slow, limits).0, Ok(1));
}

/// Who closes its output has no log any more, but still takes time.
#[test]
fn what_closes_its_output_is_stopped_all_the_same() {
    let limit = Duration::from_millis(1500);
    let script = "#\nexec > /dev/null 2>&1; sleep 600";
    let total = RunLimits { total: Some(limit), ..NONE };
    assert_eq!(ending(script, total).0, Err(Ending::Stopped(Overrun::Total(limit))));
    let silence = RunLimits { silence: Some(limit), ..NONE };
    assert_eq!(ending(script, silence).0, Err(Ending::Stopped(Overrun::Silence(limit))));
    assert_eq!(ending("#\nexec > /dev/null 2>&1; sleep 0.5; echo done > $out", total).0, Ok(1));
}

#[test]
fn a_log_without_end_is_cut_and_its_build_stopped() {
    let limit = 1 << 20;
    let limits = RunLimits { log_bytes: Some(limit), ..NONE };
    for script in ["#\nwhile :; do echo y; done", "#\nexec cat /dev/zero", "#\nexec cat /dev/urandom"] {
        let (ended, length) = ending(script, limits);
        assert_eq!(ended, Err(Ending::Stopped(Overrun::Log(limit))), "{script}");
        assert!((1 << 20..(1 << 20) + 100).contains(&length), "{length}");
    }
    // However fast it was.
    let (ended, _) = ending("#\nhead -c 1048577 /dev/zero; echo done > $out", limits);
    assert_eq!(ended, Err(Ending::Stopped(Overrun::Log(limit))));
    let (ended, length) = ending("#\nhead -c 1000000 /dev/zero 2>/dev/null; echo done > $out", limits);
    assert_eq!((ended, length >= 1_000_000), (Ok(1), true));
}

#[test]
fn a_line_of_a_gibibyte_is_contained() {
    let before = peak_memory();
    let (ended, length) =
        ending("#\nhead -c 1073741824 /dev/zero; echo done > $out", RunLimits { log_bytes: Some(10 << 20), ..NONE });
    assert_eq!(ended, Err(Ending::Stopped(Overrun::Log(10 << 20))));
    assert!(length < (10 << 20) + 100, "{length}");
    let grown = peak_memory() - before;
    assert!(grown < 100 << 20, "{grown} bytes more");
}

/// The largest that this process has been, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn what_is_told_of_a_log_cannot_act_on_a_terminal() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let script = r"#
printf 'a\033]0;title\007b\033[2Jc\ttab\r\nover\rwritten\n\377\376\n\033]52;c;aGVsbG8=\033\\d\233e\033Pq#0\033\\f\n\302\2332J\n'; echo done > $out";
    let drv = fixture.add("p", script, &[], &[tools]);
    let (result, words) = told(&fixture.builder(1), &[drv], RunOptions::default());
    assert_eq!(result.built, 1, "{words:?}");
    assert!(words.iter().all(|word| !word.chars().any(char::is_control)), "{words:?}");
    let lines: Vec<_> =
        words.iter().filter_map(|word| word.strip_prefix("p: ")).filter(|line| !line.contains("setlocale")).collect();
    assert_eq!(lines, ["abc tab", "written", "\u{fffd}\u{fffd}", "d\u{fffd}ef", "2J"]);
}

/// A group of this machine's with 64 MiB of memory, for the spawner and all that it starts; removed when dropped.
struct SmallGroup(std::path::PathBuf);

impl SmallGroup {
    /// `None` where this user may not make one.
    fn make() -> Option<Self> {
        let name = format!("larder-test-{}", std::process::id());
        let old = Path::new("/sys/fs/cgroup/memory").join(&name);
        let new = Path::new("/sys/fs/cgroup").join(&name);
        let made = [(old, "memory.limit_in_bytes"), (new, "memory.max")].into_iter().find_map(|(group, limit)| {
            std::fs::create_dir(&group).ok()?;
            let group = Self(group);
            std::fs::write(group.0.join(limit), "67108864").ok()?;
            Some(group)
        });
        // Where there is swap space it would be used first.
        if let Some(group) = &made {
            let _ = std::fs::write(group.0.join("memory.memsw.limit_in_bytes"), "67108864");
            let _ = std::fs::write(group.0.join("memory.swap.max"), "0");
        }
        made
    }
}

impl SmallGroup {
    /// A shell command that goes into the group and becomes another one.
    fn entering(&self, command: &str) -> Vec<String> {
        vec!["-c".to_owned(), format!("echo $$ > {}/cgroup.procs && exec {command}", self.0.display())]
    }

    /// Settings by which all builds are in the group.
    fn with_spawner(&self, settings: Settings) -> Settings {
        let program = settings.spawner.0.display().to_string();
        Settings { spawner: ("/bin/sh".into(), self.entering(&program)), ..settings }
    }
}

impl Drop for SmallGroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn what_lacked_memory_is_tried_once_more_alone_and_the_reason_is_told() {
    let Some(group) = SmallGroup::make() else {
        eprintln!("not tested: lack of memory, for no control group with a limit can be made");
        return;
    };
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let bomb = fixture.add("bomb", "#\necho begun; tail /dev/zero; echo done > $out", &[], &[tools]);
    let other = fixture.add("other", "sleep 1\nwrite $out other", &[], &[]);
    let builder = Builder::new(&fixture.store, group.with_spawner(fixture.settings(2)));
    let (result, words) = told(&builder, &[bomb, other], RunOptions { keep_going: true, rebuild: false });
    drop(builder);
    assert_eq!(words.iter().filter(|word| *word == "bomb: begun").count(), 2, "{words:?}");
    let place =
        |wanted: &str| words.iter().position(|word| word == wanted).unwrap_or_else(|| panic!("{wanted}: {words:?}"));
    assert!(place("postponed bomb") < place("failed bomb") && place("built other") < place("failed bomb"));
    let again = words.iter().rposition(|word| word == "bomb: begun").unwrap();
    assert!(place("built other") < again, "alone: {words:?}");
    let [failure] = &result.failures[..] else { panic!("{:?}", result.failures) };
    assert!(
        matches!(&*failure.error, BuildError::Builder { ending: Ending::OutOfMemory { limit: None }, .. }),
        "{failure:?}"
    );
    assert_eq!(fixture.store.verify(None, true).unwrap(), []);
}

#[test]
fn what_is_told_in_words_of_a_killed_process_is_tried_once_more() {
    let Some(group) = SmallGroup::make() else {
        eprintln!("not tested: lack of memory, for no control group with a limit can be made");
        return;
    };
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    // As make does of a compiler: nobody but it sees how that ended.
    let script =
        "#\necho begun; (tail /dev/zero) 2> /dev/null || { echo 'make: *** [Makefile:1: all] Killed'; exit 2; }";
    let drv = fixture.add("p", script, &[], &[tools]);
    let (result, words) =
        told(&Builder::new(&fixture.store, group.with_spawner(fixture.settings(1))), &[drv], RunOptions::default());
    assert_eq!(words.iter().filter(|word| *word == "p: begun").count(), 2, "{words:?}");
    assert!(result.failures[0].error.is_lack_of_memory(), "{result:?}");
}

#[test]
fn a_process_of_somebody_else_that_was_killed_makes_no_build_run_again() {
    let Some(group) = SmallGroup::make() else {
        eprintln!("not tested: lack of memory, for no control group with a limit can be made");
        return;
    };
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let drv = fixture.add("p", "#\necho begun; sleep 4; exit 3", &[], &[tools]);
    let (result, words) = std::thread::scope(|scope| {
        let run = scope.spawn(|| told(&fixture.builder(1), std::slice::from_ref(&drv), RunOptions::default()));
        std::thread::sleep(Duration::from_secs(1));
        let killed = std::process::Command::new("/bin/sh").args(group.entering("tail /dev/zero")).status().unwrap();
        assert!(!killed.success(), "{killed}");
        run.join().unwrap()
    });
    assert_eq!(words.iter().filter(|word| *word == "p: begun").count(), 1, "{words:?}");
    let error = &*result.failures[0].error;
    assert!(matches!(error, BuildError::Builder { ending: Ending::Exited(3), .. }), "{error:?}");
    // But it may have been one of its own that nobody spoke of.
    assert!(!error.is_lasting() && error.hints().join(" ").contains("lack of memory"), "{:?}", error.hints());
}

#[test]
fn builds_that_needed_much_memory_last_time_wait_for_each_other() {
    let fixture = Fixture::new();
    let targets: Vec<_> = (0..2)
        .map(|number| fixture.add(&format!("p{number}"), &format!("sleep 1\nwrite $out {number}"), &[], &[]))
        .collect();
    let most = |memory: Option<u64>| {
        let builder = Builder::new(&fixture.store, Settings { memory, ..fixture.settings(2) });
        let (result, words) = told(&builder, &targets, RunOptions { keep_going: false, rebuild: true });
        assert_eq!(result.built, 2, "{words:?}");
        words.iter().take_while(|word| !word.starts_with("built")).filter(|word| word.starts_with("started")).count()
    };
    assert_eq!(most(Some(1)), 2, "nothing is known yet");
    assert_eq!(most(Some(1)), 1, "either is let in only alone");
    assert_eq!(most(Some(1 << 40)), 2);
}
