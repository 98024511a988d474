//! What is told of builds while they run: lines, events for programs, and the timeline.

use crate::harness::Scratch;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const GRAPH: &str = r#"rec {
  first = mini "first" "say one\nsay two\nwrite $out 1" { };
  second = mini "second" "say three\nwrite $out 2" { inherit first; };
  bad = mini "bad" "say oops\nexit 3" { };
  broken = mini "broken" "write $out 3" { inherit bad; };
}"#;

/// The events of a run, each of which is as its document says.
fn events(stderr: &str) -> Vec<Value> {
    let document = include_str!("../docs/events.md");
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let events: Vec<_> = stderr.lines().map(read).collect();
    for event in &events {
        let name = event["event"].as_str().expect("a name");
        let row = document.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).expect(name);
        for member in
            event.as_object().expect("an object").keys().filter(|key| !["event", "time_ms"].contains(&key.as_str()))
        {
            assert!(row.contains(&format!("`{member}`")), "`{member}` of `{name}` is not documented");
        }
    }
    events
}

fn names<'e>(events: &'e [Value], event: &str) -> Vec<&'e str> {
    let named = events.iter().filter(|value| value["event"] == event);
    named.map(|value| value["name"].as_str().expect("a name")).collect()
}

#[test]
fn programs_read_a_run_as_json() {
    let scratch = Scratch::new(GRAPH);
    let ran = scratch.larder("build .#second --no-link --log-format json").ok();
    let events = events(&ran.stderr);
    assert_eq!(events[0]["schema"], "larder/events/1");
    let planned = &events[1]["jobs"];
    assert_eq!(planned[1]["needs"], serde_json::json!([planned[0]["derivation"]]));
    assert_eq!(names(&events, "started"), ["first", "second"]);
    assert_eq!(names(&events, "realised"), ["first", "second"]);
    let lines: Vec<_> = events.iter().filter(|event| event["event"] == "output").map(|event| &event["line"]).collect();
    assert_eq!(lines, ["one", "two", "three"]);
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["built"], &end["failed"]), (&"end".into(), &2.into(), &0.into()));
}

#[test]
fn failures_are_told_as_json_only() {
    let scratch = Scratch::new(GRAPH);
    // The second time it is known to have failed before, of which the same is told.
    for _ in 0..2 {
        let ran = scratch.larder("build .#broken --no-link --log-format json");
        assert_eq!(ran.code, Some(1));
        let events = events(&ran.stderr);
        assert_eq!((names(&events, "failed"), names(&events, "skipped")), (vec!["bad"], vec!["broken"]));
        let failed = events.iter().find(|event| event["event"] == "failed").unwrap();
        assert_eq!(failed["tail"], serde_json::json!(["oops"]));
        assert!(std::path::Path::new(failed["log"].as_str().unwrap()).is_file());
        assert!(std::path::Path::new(failed["kept"].as_str().unwrap()).is_dir());
        assert_eq!(events.last().unwrap()["skipped"], 1);
    }
}

#[test]
fn logs_are_shown_by_build_if_wanted() {
    let scratch = Scratch::new(GRAPH);
    let ran = scratch.larder("build .#second --no-link -L").ok();
    // That this machine cannot limit something is told once, if it is so.
    let lines: Vec<_> = ran.stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert!(ran.stderr.matches("note: ").count() <= 1, "{}", ran.stderr);
    assert_eq!(
        lines[..7],
        [
            "building first",
            "first> one",
            "first> two",
            "built first",
            "building second",
            "second> three",
            "built second"
        ]
    );
}

#[test]
fn a_timeline_is_written_whatever_becomes_of_the_builds() {
    let scratch = Scratch::new(GRAPH);
    scratch.larder("build .#second .#broken --no-link -j 1 --keep-going --trace-out trace.json").fails(1, &["bad"]);
    let results = [("bad", "failed"), ("first", "built"), ("second", "built")];
    assert_eq!(timeline(&scratch), results.map(|(name, result)| (name.to_owned(), result.to_owned())));
    scratch.larder("build .#second --trace-out missing/trace.json").fails(1, &["missing/trace.json", "No such file"]);
}

const NEEDED: &str = r#"rec {
  made = mini "made" "say making\nwrite $out text" { };
  user = mini "user" "say using\nwrite $out 1" { text = builtins.readFile made; };
  bad = mini "bad" "say oops\nexit 3" { };
  never = mini "never" "write $out 1" { text = builtins.readFile bad; };
}"#;

#[test]
fn what_evaluation_needs_is_told_in_the_same_run() {
    let scratch = Scratch::new(NEEDED);
    let ran = scratch.larder("build .#user --no-link --log-format json --trace-out trace.json").ok();
    let told = events(&ran.stderr);
    assert_eq!((names(&told, "started"), names(&told, "realised")), (vec!["made", "user"], vec!["made", "user"]));
    let count = |name: &str| told.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("begin"), count("planned"), count("output"), count("end")), (1, 2, 2, 1));
    assert_eq!((&told[0]["event"], &told.last().unwrap()["built"]), (&"begin".into(), &1.into()));
    let built = |name: &str| (name.to_owned(), "built".to_owned());
    assert_eq!(timeline(&scratch), [built("made"), built("user")]);
    // Nothing is needed any more.
    let again = scratch.larder("build .#user --no-link --log-format json").ok();
    assert_eq!(names(&events(&again.stderr), "started"), [""; 0]);
}

#[test]
fn what_evaluation_needs_and_fails_is_told() {
    let scratch = Scratch::new(NEEDED);
    let ran = scratch.larder("build .#never --no-link --log-format json --trace-out trace.json").fails(3, &["E0204"]);
    let lines: Vec<_> = ran.stderr.lines().take_while(|line| line.starts_with('{')).collect();
    let events = events(&lines.join("\n"));
    assert_eq!(names(&events, "failed"), ["bad"]);
    assert!(!ran.stderr.contains("failed: bad"), "only as JSON: {}", ran.stderr);
    assert_eq!(timeline(&scratch), [("bad".to_owned(), "failed".to_owned())]);
}

/// Names and results of what is in a timeline, sorted.
fn timeline(scratch: &Scratch) -> Vec<(String, String)> {
    let trace: Value = serde_json::from_slice(&std::fs::read(scratch.path("trace.json")).unwrap()).unwrap();
    let complete = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut results: Vec<_> = complete.map(|event| (text(&event["name"]), text(&event["args"]["result"]))).collect();
    results.sort_unstable();
    results
}

/// Starts a build that prints a line and waits.
fn start(scratch: &Scratch, seconds: u32) -> Child {
    scratch
        .recipes(&format!(r#"{{ slow = mini "slow" "say begun\nsleep {seconds}\nsay ended\nwrite $out 1" {{ }}; }}"#));
    scratch.command(["build", ".#slow", "--no-link"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// What `ps` lists, once it lists anything.
fn listed(scratch: &Scratch) -> Value {
    let begun = Instant::now();
    loop {
        let builds = scratch.larder("ps --json").ok().json("ps")["builds"].take();
        // Before the build is executed its first process is a copy of larder's.
        if builds[0]["processes"][0]["command"].as_str().is_some_and(|command| command.starts_with("/bin/mini say")) {
            return builds;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing is listed: {builds}");
    }
}

#[test]
fn running_builds_are_listed_with_their_processes() {
    let scratch = Scratch::new("{ }");
    assert_eq!(scratch.larder("ps").ok().stdout, "", "nothing runs");
    let mut larder = start(&scratch, 60);
    let builds = listed(&scratch);
    assert_eq!((&builds[0]["name"], &builds[0]["larder"]), (&"slow".into(), &larder.id().into()));
    let text = scratch.larder("ps").ok();
    assert!(
        text.lines()[0].starts_with("slow  ") && text.lines()[1].contains(" /bin/mini say begun sleep"),
        "{}",
        text.stdout
    );
    larder.kill().unwrap();
    larder.wait().unwrap();
    assert_eq!(scratch.larder("ps").ok().stdout, "", "of a dead larder nothing runs");
}

#[test]
fn what_another_larder_builds_is_begun_when_that_is_gone() {
    let scratch = Scratch::new("{ }");
    let mut first = start(&scratch, 10);
    listed(&scratch);
    let mut second = scratch.command(["build", ".#slow", "--no-link", "--log-format", "json"]);
    let mut second = second.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut told: Vec<_> = Vec::new();
    while !told.last().is_some_and(|line: &String| line.contains("\"waiting\"")) {
        told.push(lines.next().expect("it waits"));
    }
    std::thread::sleep(Duration::from_millis(400));
    first.kill().unwrap();
    first.wait().unwrap();
    told.extend(lines);
    assert!(second.wait().unwrap().success(), "{told:?}");
    let events = events(&told.join("\n"));
    let told: Vec<_> = ["waiting", "started", "realised"]
        .map(|name| events.iter().position(|event| event["event"] == name).expect(name))
        .to_vec();
    assert!(told.is_sorted(), "{events:?}");
    let [waiting, started, realised] = [0, 1, 2].map(|number| &events[told[number]]);
    let time = |event: &Value| event["time_ms"].as_u64().unwrap();
    assert!(time(started) - time(waiting) > 300, "it waited: {events:?}");
    let took = realised["duration_ms"].as_u64().unwrap();
    assert!(took <= time(realised) - time(started) + 1000, "the waiting is none of it: {events:?}");
}

#[test]
fn the_log_of_a_running_build_is_followed_to_its_end() {
    let scratch = Scratch::new("{ }");
    let mut larder = start(&scratch, 2);
    listed(&scratch);
    let begun = Instant::now();
    while scratch.larder("log .#slow").ok().stdout != "begun\n" {
        assert!(begun.elapsed() < Duration::from_secs(2), "what is printed is not shown while it runs");
    }
    assert_eq!(scratch.larder("log -f .#slow").ok().stdout, "begun\nended\n");
    assert!(larder.wait().unwrap().success());
    assert_eq!(scratch.larder("log -f .#slow").ok().stdout, "begun\nended\n", "afterwards it is there as ever");
}
