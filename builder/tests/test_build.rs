//! Realising derivations: what happens is told in order, what is asked to end ends, and limits are kept.

use crate::build_scene::{BuildScene, output_of};
use builder::sandbox::MAX_LAYERS;
use builder::{BuildError, Builder, Event, How, Kind, RunOptions, RunResult};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::StorePath;

/// Realises, and returns what was told as words.
fn told(builder: &Builder<'_>, targets: &[StorePath], options: RunOptions) -> (RunResult, Vec<String>) {
    let words = Mutex::new(Vec::new());
    let result = builder.realise_all(targets, options, &|event| words.lock().unwrap().extend(word(&event))).unwrap();
    (result, words.into_inner().unwrap())
}

fn word(event: &Event) -> Option<String> {
    let name = |path: &StorePath| path.name().as_str().trim_end_matches(".drv").to_owned();
    Some(match event {
        Event::Planned { jobs } => format!("planned {}", jobs.len()),
        Event::Started { derivation, kind: Kind::Build, .. } => format!("started {}", name(derivation)),
        Event::Output { derivation, line } => format!("{}: {line}", name(derivation)),
        Event::Realised { derivation, how: How::Built, .. } => format!("built {}", name(derivation)),
        Event::Realised { derivation, how: How::Reused, .. } => format!("reused {}", name(derivation)),
        Event::Failed { derivation, .. } => format!("failed {}", name(derivation)),
        Event::Skipped { derivation, because } => format!("skipped {} for {}", name(derivation), name(because)),
        _ => return None,
    })
}

#[test]
fn what_happens_is_told_in_order() {
    let fixture = BuildScene::new();
    let first = fixture.add("first", "say one\nwrite $out first", &[], &[]);
    let second = fixture.add("second", "say two\nwrite $out second", &[output_of(&first)], &[]);
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
    let fixture = BuildScene::new();
    let variants = ["say a", "say b"].map(|say| fixture.add("first", &format!("{say}\nwrite $out same"), &[], &[]));
    let users = variants.each_ref().map(|first| fixture.add("user", "write $out user", &[output_of(first)], &[]));
    let builder = fixture.builder(1);
    told(&builder, &users[..1], RunOptions::default());
    let (result, words) = told(&builder, &users[1..], RunOptions::default());
    assert_eq!(words, ["planned 2", "started first", "first: b", "built first", "started user", "reused user"]);
    assert_eq!((result.built, result.reused), (1, 1));
}

#[test]
fn what_needs_a_failure_is_skipped_and_the_rest_goes_on_when_asked() {
    let fixture = BuildScene::new();
    let bad = fixture.add("bad", "exit 3", &[], &[]);
    let after = fixture.add("after", "write $out after", &[output_of(&bad)], &[]);
    let good = fixture.add("good", "write $out good", &[], &[]);
    let options = RunOptions { keep_going: true, rebuild: false };
    let (result, words) = told(&fixture.builder(1), &[after, good], options);
    assert_eq!(words[1..4], ["started bad", "failed bad", "skipped after for bad"]);
    assert!(words.contains(&"built good".to_owned()));
    assert!(
        matches!(&*result.failures[0].error, BuildError::Builder { how, .. } if how == "failed with exit status 3")
    );
    assert_eq!((result.failures.len(), result.skipped.len(), result.built), (1, 1, 1));
}

#[test]
fn no_more_builds_run_at_once_than_are_allowed() {
    let fixture = BuildScene::new();
    let targets: Vec<_> =
        (0..6).map(|number| fixture.add(&format!("p{number}"), "sleep 1\nwrite $out x", &[], &[])).collect();
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
    let fixture = BuildScene::new();
    let slow = fixture.add("slow", "write $out half\nsay begun\nsleep 600", &[], &[]);
    let later = fixture.add("later", "write $out later", &[output_of(&slow)], &[]);
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
    let fixture = BuildScene::new();
    let tree =
        |number: usize| fixture.add_tree(&format!("tree-{number}"), &format!("share/{number}"), &format!("{number}\n"));
    for count in [MAX_LAYERS - 1, MAX_LAYERS, MAX_LAYERS + 10] {
        let trees: Vec<_> = (0..count).map(tree).collect();
        let last = count - 1;
        let script = format!("add /share/0 $out\nadd /share/{last} $out");
        let user = fixture.add("user", &script, &[], &trees);
        let (result, words) = told(&fixture.builder(1), std::slice::from_ref(&user), RunOptions::default());
        assert_eq!(result.built, 1, "{count}: {words:?} {:?}", result.failures);
        assert_eq!(fixture.content(&result, &user), format!("0\n{last}\n"));
    }
}

#[test]
fn who_comes_second_waits_and_reuses() {
    let fixture = BuildScene::new();
    let slow = fixture.add("slow", "say begun\nsleep 1\nwrite $out slow", &[], &[]);
    let run = || {
        let waited = AtomicUsize::new(0);
        let count = |event: Event| {
            waited.fetch_add(usize::from(matches!(event, Event::Waiting { .. })), Ordering::SeqCst);
        };
        let builder = fixture.builder(1);
        let result = builder.realise_all(std::slice::from_ref(&slow), RunOptions::default(), &count).unwrap();
        (result.built, result.reused, waited.into_inner())
    };
    let mut results = std::thread::scope(|scope| [scope.spawn(run), scope.spawn(run)].map(|run| run.join().unwrap()));
    results.sort_unstable();
    assert_eq!(results, [(0, 1, 1), (1, 0, 0)]);
}
