//! What a sandbox notes of the paths that are used in it: by whichever call, also by programs that are linked statically.

use crate::testutil::{Fixture, spawner};
use builder::sandbox::{Outcome, Status};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Command;

/// Runs a fixture and gives its notes, as letter and path.
fn notes(fixture: &Fixture) -> (Outcome, String, BTreeSet<String>) {
    let (log, trace) = (fixture.path("log"), fixture.path("trace"));
    let outcome = {
        let file = fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        let noted = File::create(&trace).unwrap();
        spawner().start_traced_run(&fixture.spec, file.into(), noted).unwrap().wait().unwrap()
    };
    let text = String::from_utf8_lossy(&fs::read(trace).unwrap()).into_owned();
    let notes = text.split_terminator('\0').map(str::to_owned).collect();
    (outcome, fs::read_to_string(log).unwrap(), notes)
}

fn noted(fixture: &Fixture) -> BTreeSet<String> {
    let (outcome, log, notes) = notes(fixture);
    assert_eq!(outcome.status, Status::Exited(0), "{log}");
    notes
}

fn assert_noted(notes: &BTreeSet<String>, wanted: &[&str]) {
    for note in wanted {
        assert!(notes.contains(*note), "{note} is not in {notes:#?}");
    }
}

#[test]
fn what_is_opened_asked_about_and_missed_is_told_apart() {
    let script = "read line </data/file; [ -e /data/none ] || cd /data; [ -f file ]; cat ../data/./none 2>/dev/null; \
        cat <file >/build/own; ln -s /data /build/way; cat /build/way/file; cat /build/way/missing 2>/dev/null; \
        echo x >/data/made; readlink /bin >/dev/null; true";
    let notes = noted(&Fixture::script(script));
    assert_noted(
        &notes,
        &[
            "o/bin/bash",
            "o/usr/bin/bash",
            "o/data/file",
            "m/data/none",
            "s/data/file",
            "m/data/../data/./none",
            "m/data/missing",
            "o/bin",
        ],
    );
    let own = ["/build", "/tmp", "/proc", "/dev", "/larder/out"];
    let strays: Vec<_> = notes.iter().filter(|note| own.iter().any(|own| note[1..].starts_with(own))).collect();
    assert!(strays.is_empty(), "{strays:?}");
    assert!(!notes.contains("m/data/made"), "what is made was not looked for");
}

#[test]
fn interpreters_of_programs_and_scripts_are_used() {
    let script = "printf '#!/usr/bin/env bash\\nexit 0\\n' >run; chmod +x run; ./run";
    let notes = noted(&Fixture::script(script));
    assert_noted(&notes, &["o/usr/bin/env"]);
    let loader = notes.iter().any(|note| note.starts_with("o/") && note.contains("/ld-linux"));
    assert!(loader, "{notes:#?}");
}

/// Children whose parents have ended are the first process's to reap, and who waits for their end must see it.
#[test]
fn no_zombies_are_left_while_it_runs() {
    let script = "(bash -c 'echo $$ >/build/pid; exec sleep 0.1' &); until [ -s /build/pid ]; do sleep 0.01; done; \
        read pid </build/pid; for i in {1..200}; do kill -0 $pid 2>/dev/null || exit 0; sleep 0.05; done; exit 1";
    noted(&Fixture::script(script));
}

/// What is executed may be nothing that can be read: opening it must not wait, nor take what is meant for others.
/// (By `env`, because a shell opens by itself what it could not execute.)
#[test]
fn what_cannot_be_executed_is_not_opened() {
    let script = "mkfifo fifo; chmod +x fifo; env ./fifo; ln -s /proc/self/fd/1 link; env ./link; echo reached";
    let (outcome, log, _) = notes(&Fixture::script(script));
    assert_eq!(outcome.status, Status::Exited(0), "{log}");
    assert!(log.ends_with("reached\n"), "{log}");
}

#[test]
fn statically_linked_programs_are_seen() {
    let mut fixture = Fixture::script("");
    let source = fixture.path("static.c");
    fs::write(
        &source,
        "#include <stdio.h>\nint main() { return !fopen(\"/data/file\", \"r\") || fopen(\"/data/no\", \"r\"); }",
    )
    .unwrap();
    let made = Command::new("cc").arg("-static").arg("-o").arg(fixture.path("build/static")).arg(&source).status();
    assert!(made.expect("a C compiler is installed").success());
    fixture.spec.command = "/build/static".to_owned();
    fixture.spec.args.clear();
    assert_noted(&noted(&fixture), &["o/data/file", "m/data/no"]);
}

#[test]
fn a_trace_changes_neither_the_end_nor_other_circumstances() {
    let mut fixture = Fixture::script("uname -r; ls -U /larder/out; exit 3");
    (0..50).for_each(|number| drop(File::create(fixture.path(&format!("out/{number}"))).unwrap()));
    fixture.spec.circumstances.kernel_release = Some("99.1.2".to_owned());
    fixture.spec.circumstances.reverse_directories = true;
    let (plain, expected) = fixture.run();
    fixture.use_memory();
    let (outcome, log, notes) = notes(&fixture);
    assert_eq!((outcome.status, plain.status), (Status::Exited(3), Status::Exited(3)));
    assert_eq!(log, expected);
    assert!(log.starts_with("99.1.2\n") && !notes.is_empty());
}

#[test]
fn many_threads_and_processes_at_once_are_served() {
    let script = "for i in $(seq 40); do (for j in $(seq 20); do [ -e /data/$i-$j ]; done) & done; wait; true";
    let notes = noted(&Fixture::script(script));
    assert_eq!(notes.iter().filter(|note| note.starts_with("m/data/")).count(), 800);
}
