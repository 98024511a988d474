//! What a well-behaved guest sees.

use crate::testutil::Fixture;
use builder::sandbox::Status;

#[test]
fn a_command_runs_in_a_composed_root() {
    let fixture = Fixture::script("cat /data/file; pwd; id -un; hostname; umask; echo text > /larder/out/result");
    assert_eq!(fixture.output(), "layer\n/build\nbuild\nlarder\n0022\n");
    assert_eq!(std::fs::read_to_string(fixture.path("out/result")).unwrap(), "text\n");
}

#[test]
fn exit_status_and_signal_are_reported() {
    assert_eq!(Fixture::script("exit 7").run().0.status, Status::Exited(7));
    assert_eq!(Fixture::script("kill -TERM $$").run().0.status, Status::Signalled(15));
}

#[test]
fn the_root_has_what_it_should_and_no_more() {
    let fixture = Fixture::script("ls -A / | tr '\\n' ' '; ls -A /larder /etc | tr '\\n' ' '");
    let (root, below) = (
        "bin build data dev etc larder lib lib64 proc sbin sys tmp usr ",
        "/etc: alternatives group hosts ld.so.cache passwd  /larder: out store ",
    );
    assert_eq!(fixture.output(), format!("{root}{below}"));
}

#[test]
fn it_is_told_of_processes_that_were_killed_and_had_lost_their_parents() {
    let orphan = "(sleep 100 & echo $! > orphan)";
    // Looking at a directory wakes a first process that supervises.
    for (script, killed) in [
        (format!("{orphan}; kill -9 $(cat orphan); while [ -e /proc/$(cat orphan) ]; do ls / > /dev/null; done"), true),
        // Its parent knows, and nobody else.
        ("sleep 100 & kill -9 $!; wait $!; true".to_owned(), false),
        (format!("{orphan}; kill $(cat orphan); while [ -e /proc/$(cat orphan) ]; do ls / > /dev/null; done"), false),
        // What is left is killed by us.
        (orphan.to_owned(), false),
    ] {
        for supervised in [false, true] {
            let mut fixture = Fixture::script(&script);
            fixture.spec.circumstances.reverse_directories = supervised;
            let (outcome, log) = fixture.run();
            assert_eq!((outcome.status, outcome.killed), (Status::Exited(0), killed), "{script}, {supervised}: {log}");
        }
    }
    assert!(Fixture::script("kill -9 $$").run().0.killed);
}
