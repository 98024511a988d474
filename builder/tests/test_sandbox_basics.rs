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
