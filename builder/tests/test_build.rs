//! Realising derivations: what happens is told in order, what is asked to end ends, and limits are kept.

use crate::realising::{Fixture, told, tools};
use builder::sandbox::MAX_LAYERS;
use builder::{BuildError, Builder, Ending, Event, RunOptions, Settings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::{StoreName, StorePath};

#[test]
fn what_happens_is_told_in_order() {
    let fixture = Fixture::new();
    let first = fixture.add("first", "say one\nwrite $out first", &[], &[]);
    let second = fixture.add("second", "say two\nwrite $out second", &[&first], &[]);
    let builder = fixture.builder(2);
    let (result, words) = told(&builder, std::slice::from_ref(&second), RunOptions::default());
    let expected =
        ["planned 2", "started first", "first: one", "built first", "started second", "second: two", "built second"];
    assert_eq!(words, expected);
    assert_eq!((result.built, result.reused, result.failures.len()), (2, 0, 0));
    assert_eq!(fixture.content(&result, &second), "second\n");
    let (again, words) = told(&builder, &[second], RunOptions::default());
    assert_eq!((words, again.built), (Vec::<String>::new(), 0), "nothing is left to be told");
}

#[test]
fn an_input_that_came_out_identical_is_told_as_reuse() {
    let fixture = Fixture::new();
    let variants = ["say a", "say b"].map(|say| fixture.add("first", &format!("{say}\nwrite $out same"), &[], &[]));
    let users = variants.each_ref().map(|first| fixture.add("user", "write $out user", &[first], &[]));
    let builder = fixture.builder(1);
    told(&builder, &users[..1], RunOptions::default());
    let (result, words) = told(&builder, &users[1..], RunOptions::default());
    assert_eq!(words, ["planned 2", "started first", "first: b", "built first", "reused user"]);
    assert_eq!((result.built, result.reused), (1, 1));
}

#[test]
fn what_needs_a_failure_is_skipped_and_the_rest_goes_on_when_asked() {
    let fixture = Fixture::new();
    let bad = fixture.add("bad", "exit 3", &[], &[]);
    let after = fixture.add("after", "write $out after", &[&bad], &[]);
    let good = fixture.add("good", "write $out good", &[], &[]);
    let options = RunOptions { keep_going: true, rebuild: false };
    let (result, words) = told(&fixture.builder(1), &[after, good], options);
    assert_eq!(words[1..4], ["started bad", "failed bad", "skipped after for bad"]);
    assert!(words.contains(&"built good".to_owned()));
    assert!(matches!(&*result.failures[0].error, BuildError::Builder { ending: Ending::Exited(3), .. }));
    assert_eq!((result.failures.len(), result.skipped.len(), result.built), (1, 1, 1));
}

#[test]
fn an_input_that_nobody_knows_is_named_before_anything_runs() {
    let fixture = Fixture::new();
    let digest = store::DerivationDigest::from_bytes([7; 32]);
    let absent = StorePath::from_derivation(digest, &StoreName::parse("absent").unwrap()).unwrap();
    let other = fixture.add("other", "write $out other", &[], &[]);
    let user = fixture.add("user", "write $out user", &[&absent, &other], &[]);
    let error =
        fixture.builder(1).realise_all(&[user], RunOptions::default(), &|_| panic!("nothing is told")).unwrap_err();
    assert!(error.to_string().contains(&digest.to_string()), "{error}");
    assert_eq!(fixture.store.verify(None, true).unwrap(), []);
}

#[test]
fn no_more_builds_run_at_once_than_are_allowed() {
    let fixture = Fixture::new();
    // Each is an action of its own: of the same one only one runs at a time.
    let add = |number| fixture.add(&format!("p{number}"), &format!("sleep 1\nwrite $out {number}"), &[], &[]);
    let targets: Vec<_> = (0..6).map(add).collect();
    let most = |jobs: usize| {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = |event: Event| match event {
            Event::Started { .. } => {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            }
            Event::Realised { .. } => {
                running.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        };
        let builder = fixture.builder(jobs);
        let options = RunOptions { keep_going: false, rebuild: true };
        assert_eq!(builder.realise_all(&targets[..jobs * 2], options, &count).unwrap().built, jobs * 2);
        most.into_inner()
    };
    assert_eq!((most(1), most(3)), (1, 3));
}

#[test]
fn a_cancelled_run_ends_at_once_and_publishes_nothing() {
    let fixture = Fixture::new();
    let slow = fixture.add("slow", "write $out half\nsay begun\nsleep 600", &[], &[]);
    let later = fixture.add("later", "write $out later", &[&slow], &[]);
    let builder = fixture.builder(2);
    let started = Instant::now();
    let cancel_when_it_runs = |event: Event| {
        if matches!(event, Event::Output { .. }) {
            builder.cancel();
        }
    };
    let result = builder.realise_all(&[later], RunOptions::default(), &cancel_when_it_runs).unwrap();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(matches!(*result.failures[0].error, BuildError::Cancelled), "{:?}", result.failures);
    assert_eq!((result.built, result.outputs.len()), (0, 0));
    drop(builder);
    let published: Vec<_> = fixture.store.paths().unwrap().into_iter().map(|info| info.path).collect();
    assert_eq!(published, std::slice::from_ref(&fixture.seed));
    let (result, _) = told(&fixture.builder(1), &[fixture.add("x", "write $out x", &[], &[])], RunOptions::default());
    assert_eq!(result.built, 1, "another run is not cancelled");
}

#[test]
fn a_root_may_have_more_trees_than_an_overlay_has_layers() {
    let fixture = Fixture::new();
    let tree = |number: usize| {
        let directory = fixture.top.path().join(format!("tree-{number}"));
        std::fs::create_dir_all(directory.join("share")).unwrap();
        std::fs::write(directory.join(format!("share/{number}")), format!("{number}\n")).unwrap();
        fixture.store.add_path(&directory, StoreName::parse("tree").unwrap(), None).unwrap()
    };
    for count in [MAX_LAYERS - 1, MAX_LAYERS, MAX_LAYERS + 10] {
        let trees: Vec<_> = (0..count).map(tree).collect();
        let last = count - 1;
        let script = format!("add /share/0 $out\nadd /share/{last} $out");
        let user = fixture.add("user", &script, &[], &trees);
        let (result, words) = told(&fixture.builder(1), std::slice::from_ref(&user), RunOptions::default());
        assert_eq!(result.built, 1, "{count}: {words:?} {:?}", result.failures);
        assert_eq!(fixture.content(&result, &user), format!("0\n{last}\n"));
    }
    let merged = || {
        let paths = fixture.store.paths().unwrap().into_iter();
        paths.filter(|info| info.path.name().as_str() == "merged-trees").count()
    };
    let groups = merged();
    let one_more: Vec<_> = (0..MAX_LAYERS + 11).map(tree).collect();
    let user = fixture.add("other", "add /share/0 $out", &[], &one_more);
    let (result, words) = told(&fixture.builder(1), std::slice::from_ref(&user), RunOptions::default());
    assert_eq!(result.built, 1, "{words:?} {:?}", result.failures);
    assert!(groups > 4 && merged() <= groups + 2, "{groups} groups, then {}", merged());
}

#[test]
fn of_more_trees_than_an_overlay_has_layers_those_that_override_win() {
    let fixture = Fixture::new();
    let tree = |name: &str, content: &str| {
        let directory = fixture.top.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("same"), content).unwrap();
        std::fs::write(directory.join(name), content).unwrap();
        fixture.store.add_path(&directory, StoreName::parse(name).unwrap(), None).unwrap()
    };
    let mut trees: Vec<_> = (0..MAX_LAYERS + 10).map(|number| tree(&format!("tree-{number}"), "hidden\n")).collect();
    let winner = tree("winner", "shown\n");
    trees.push(winner.clone());
    let user = fixture.add_changed("user", "add /same $out\nadd /tree-7 $out", &[], &trees, |derivation| {
        derivation.overrides = vec![store::Input::Tree(winner)];
    });
    let (result, words) = told(&fixture.builder(1), std::slice::from_ref(&user), RunOptions::default());
    assert_eq!(result.built, 1, "{words:?} {:?}", result.failures);
    assert_eq!(fixture.content(&result, &user), "shown\nhidden\n");
}

#[test]
fn a_new_version_is_expected_to_take_what_the_last_one_took() {
    let fixture = Fixture::new();
    let [old, other, new] =
        ["tool-1.9", "tools-1.0", "tool-1.10"].map(|name| fixture.add(name, "write $out x", &[], &[]));
    let builder = fixture.builder(1);
    let expected = || builder.plan(std::slice::from_ref(&new), RunOptions::default()).unwrap().jobs[0].expected;
    told(&builder, &[other], RunOptions::default());
    assert_eq!(expected(), None, "that is another package");
    // What larder makes itself has such a name, too: an archive.
    let archive = fixture.add_changed("tool-1.10.tar", "", &[], &[], |derivation| {
        derivation.builder = "builtin:write".to_owned();
        derivation.env = [("entries".to_owned(), r#"{"x":{"text":"x"}}"#.to_owned())].into();
        (derivation.args, derivation.root) = (Vec::new(), Vec::new());
    });
    assert_eq!(told(&builder, &[archive], RunOptions::default()).0.failures.len(), 0);
    assert_eq!(expected(), None, "that is no build");
    told(&builder, &[old], RunOptions::default());
    assert!(expected().is_some());
}

#[test]
fn who_comes_second_waits_and_reuses() {
    let fixture = Fixture::new();
    let slow = fixture.add("slow", "say begun\nsleep 1\nwrite $out slow", &[], &[]);
    let run = || {
        let told = Mutex::new(Vec::new());
        let tell = |event: Event| {
            let word = match event {
                Event::Waiting { .. } => "waiting".to_owned(),
                Event::Started { .. } => "started".to_owned(),
                Event::Realised { how, duration, .. } => {
                    format!("{how:?} {}", if duration.as_millis() < 900 { "at once" } else { "after a while" })
                }
                _ => return,
            };
            told.lock().unwrap().push(word);
        };
        fixture.builder(1).realise_all(std::slice::from_ref(&slow), RunOptions::default(), &tell).unwrap();
        told.into_inner().unwrap()
    };
    let mut results = std::thread::scope(|scope| [scope.spawn(run), scope.spawn(run)].map(|run| run.join().unwrap()));
    results.sort_unstable();
    assert_eq!(results, [["started", "Built after a while"], ["waiting", "Reused at once"]]);
}

/// Each of the thirteen steps of the makefile notes for how long it ran; steps are so many that every token is used.
const STEPS: &str = r#"#
printf 'all: %s\n%%:\n\t@echo start $$(date +%%s%%N); sleep 0.1; echo end $$(date +%%s%%N)\n' "$(echo {1..12})" > Makefile
make
echo done > $out"#;

/// The most steps that ran at once, from the lines that they printed.
fn most_at_once(words: &[String]) -> usize {
    let event = |word: &String| {
        let (_, line) = word.split_once(": ")?;
        let (what, time) = line.split_once(' ')?;
        Some((time.parse::<u64>().ok()?, what == "start"))
    };
    let mut events: Vec<_> = words.iter().filter_map(event).collect();
    assert_eq!(events.len() % 26, 0, "{words:?}");
    events.sort_unstable();
    let mut running = 0;
    events
        .iter()
        .map(|(_, start)| {
            if *start {
                running += 1;
                running
            } else {
                running -= 1;
                running
            }
        })
        .max()
        .unwrap()
}

#[test]
fn builds_that_use_make_share_one_budget_of_processors() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    // Each is an action of its own.
    let add = |number| fixture.add("p", &format!("{STEPS} {number}"), &[], std::slice::from_ref(&tools));
    let targets: Vec<_> = (0..3).map(add).collect();
    let run = |jobs: usize, cores: usize, targets: &[StorePath]| {
        let mut builder = fixture.settings(jobs);
        builder.cores = cores;
        let options = RunOptions { keep_going: false, rebuild: true };
        let (result, words) = told(&Builder::new(&fixture.store, builder), targets, options);
        assert_eq!(result.built, targets.len(), "{words:?}");
        most_at_once(&words)
    };
    assert_eq!(run(1, 4, &targets[..1]), 4, "a build alone has all tokens");
    assert_eq!(run(3, 4, &targets), 4, "three have no more together");
    assert_eq!(run(2, 1, &targets), 2, "a build never has more than its own limit");
}

#[test]
fn a_build_that_hoards_and_invents_tokens_costs_no_other_any() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let hostile = "# \nhead -c 100000 /dev/zero > /larder/jobs & head -c 60000 /dev/zero >&101 & sleep 0.3; \
                   cat <&100 >/dev/null & (setsid bash -c 'sleep 600' &); sleep 0.5; kill -9 $$";
    let hostile = fixture.add("hostile", hostile, &[], std::slice::from_ref(&tools));
    let honest = fixture.add("honest", STEPS, &[], std::slice::from_ref(&tools));
    let builder = Builder::new(&fixture.store, Settings { cores: 4, ..fixture.settings(1) });
    let options = RunOptions { keep_going: true, rebuild: false };
    let (result, words) = told(&builder, &[hostile.clone(), honest], options);
    assert!(words.contains(&"failed hostile".to_owned()), "{words:?}");
    assert_eq!((result.built, most_at_once(&words)), (1, 4), "{words:?}");
}

#[test]
fn a_build_finds_the_same_job_server_whatever_the_budget() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    let script = "#\n[[ -p /larder/jobs && -p /proc/self/fd/100 && -p /proc/self/fd/101 ]]; echo $MAKEFLAGS > $out";
    let target = fixture.add("p", script, &[], &[tools]);
    let options = RunOptions { keep_going: false, rebuild: true };
    for cores in [1, 4] {
        let builder = Builder::new(&fixture.store, Settings { cores, ..fixture.settings(1) });
        let (result, words) = told(&builder, std::slice::from_ref(&target), options);
        assert_eq!((result.built, result.conflicts.len()), (1, 0), "{words:?}");
        let expected = "--jobserver-auth=fifo:/larder/jobs --jobserver-aut=100,101\n";
        assert_eq!(fixture.content(&result, &target), expected);
    }
}
