//! Failures that are remembered: which are, for how long, and who shares them.

use crate::realising::{Fixture, told, tools};
use builder::{BuildError, Builder, Event, RunLimits, RunOptions, RunResult, Settings};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::StorePath;

const RETRY: bool = true;

/// Realises; gives the result and how often the builder said that it tries.
fn run(fixture: &Fixture, targets: &[StorePath], settings: Settings) -> (RunResult, usize) {
    let builder = Builder::new(&fixture.store, settings);
    let (result, words) = told(&builder, targets, RunOptions { keep_going: true, rebuild: false });
    (result, words.iter().filter(|word| word.ends_with(": try")).count())
}

fn was_known(result: &RunResult) -> Vec<bool> {
    result.failures.iter().map(|failure| matches!(&*failure.error, BuildError::FailedBefore { .. })).collect()
}

#[test]
fn a_failure_is_known_until_it_is_asked_to_be_tried_again() {
    let fixture = Fixture::new();
    let exit = fixture.add("exit", "say try\nexit 3", &[], &[]);
    let missing = fixture.add("missing", "say try\nsay nothing more", &[], &[]);
    let extra = fixture.add("extra", "say try\nwrite $out x\nwrite /larder/out/other x", &[], &[]);
    let after = fixture.add("after", "say try\nwrite $out after", &[&exit], &[]);
    let targets = [exit, missing, extra, after];
    let (result, tried) = run(&fixture, &targets, fixture.settings(1));
    assert_eq!((tried, was_known(&result), result.skipped.len()), (3, vec![false; 3], 1));
    let (result, tried) = run(&fixture, &targets, fixture.settings(1));
    assert_eq!((tried, was_known(&result), result.skipped.len()), (0, vec![true; 3], 1));
    let told: Vec<_> = result.failures.iter().map(|failure| failure.error.to_string()).collect();
    assert!(
        told.iter().any(|text| text.starts_with("it failed before, ") && text.contains("exit status 3")),
        "{told:?}"
    );
    let hints = result.failures[0].error.hints().join(" ");
    assert!(hints.contains(&format!("larder build --retry {}", result.failures[0].derivation)), "{hints}");
    let (result, tried) = run(&fixture, &targets, Settings { retry: RETRY, ..fixture.settings(1) });
    assert_eq!((tried, was_known(&result)), (3, vec![false; 3]));
}

#[test]
fn another_action_is_not_affected_and_the_same_action_of_another_derivation_is() {
    let fixture = Fixture::new();
    let first = fixture.add("first", "say try\nexit 3", &[], &[]);
    let changed = fixture.add("first", "say try\nexit 4", &[], &[]);
    let same = fixture.add("second", "say try\nexit 3", &[], &[]);
    assert_eq!(run(&fixture, &[first], fixture.settings(1)).1, 1);
    assert_eq!(run(&fixture, &[changed], fixture.settings(1)).1, 1);
    let (result, tried) = run(&fixture, &[same], fixture.settings(1));
    assert_eq!((tried, was_known(&result)), (0, vec![true]));
}

#[test]
fn what_was_stopped_or_killed_is_tried_again() {
    let fixture = Fixture::new();
    let killed = fixture.add("killed", "say try\nkill 9", &[], &[]);
    assert_eq!([(); 2].map(|()| run(&fixture, std::slice::from_ref(&killed), fixture.settings(1)).1), [1, 1]);
    let slow = fixture.add("slow", "say try\nsleep 600", &[], &[]);
    let limits = RunLimits { total: Some(Duration::from_millis(500)), ..RunLimits::default() };
    let stop = || run(&fixture, std::slice::from_ref(&slow), Settings { limits, ..fixture.settings(1) }).1;
    assert_eq!([stop(), stop()], [1, 1]);
    let builder = fixture.builder(1);
    let interrupt = |event: Event| {
        if matches!(event, Event::Output { .. }) {
            builder.cancel();
        }
    };
    builder.realise_all(std::slice::from_ref(&slow), RunOptions::default(), &interrupt).unwrap();
    assert_eq!(stop(), 1);
}

#[test]
fn a_failure_is_forgotten_by_a_success() {
    let fixture = Fixture::new();
    let tools = tools(&fixture);
    // It depends on the circumstances, as it should not.
    let moody = fixture.add("moody", "#\necho try; [[ $LARDER_JOBS == 2 ]]; echo done > $out", &[], &[tools]);
    let run =
        |cores, retry| run(&fixture, std::slice::from_ref(&moody), Settings { cores, retry, ..fixture.settings(1) });
    assert_eq!(run(1, false).1, 1);
    assert_eq!(run(2, false).1, 0);
    let (result, _) = run(2, RETRY);
    assert_eq!(result.built, 1, "{:?}", result.failures);
    let left = std::fs::read_dir(fixture.store.layout().logs()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("failed")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn who_waits_for_another_larder_shares_its_failure() {
    let fixture = Fixture::new();
    let slow = fixture.add("slow", "say try\nsleep 1\nexit 3", &[], &[]);
    let tried = AtomicUsize::new(0);
    let run = || {
        let (result, count) =
            run(&fixture, std::slice::from_ref(&slow), Settings { retry: RETRY, ..fixture.settings(1) });
        tried.fetch_add(count, Ordering::SeqCst);
        was_known(&result)
    };
    let mut known = std::thread::scope(|scope| [scope.spawn(run), scope.spawn(run)].map(|run| run.join().unwrap()));
    known.sort_unstable();
    assert_eq!((known, tried.into_inner()), ([vec![false], vec![true]], 1));
}
