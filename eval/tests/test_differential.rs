//! The same cases by the real Nix: what it prints, larder prints, byte for byte.
//!
//! Needs `nix-instantiate` (the package `nix-bin` of Debian will do). Without it the test says so and compares nothing.

use crate::host_io::HostIo;
use crate::test_language::{cases, remark};
use eval::{Session, Settings};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn by_nix(case: &Path, strict: bool) -> std::io::Result<std::process::Output> {
    let mut command = Command::new("nix-instantiate");
    // Without a store of its own: an ordinary user may not use the machine's.
    command.env("NIX_REMOTE", "dummy://");
    command.args(["--eval", "--option", "restrict-eval", "false"]).args(strict.then_some("--strict")).arg(case);
    command.output()
}

#[test]
fn okay_cases_print_what_nix_prints() {
    if Command::new("nix-instantiate").arg("--version").output().is_err() {
        eprintln!("skipped: nix-instantiate is not installed, so 0 cases were compared with Nix");
        return;
    }
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in cases("okay").iter().filter(|case| !remark(case).contains("larder only")) {
        let strict = !remark(case).contains("not strict");
        let output = by_nix(case, strict).expect("nix-instantiate runs");
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(HostIo::default()));
        let printed = session.eval_file(case).and_then(|value| session.print(value, strict)).unwrap_or_default();
        let printed = format!("{}\n", String::from_utf8_lossy(&printed));
        compared += 1;
        if output.stdout != printed.as_bytes() {
            let nix = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{}:\n  nix:    {nix}{error}\n  larder: {printed}", case.display()));
        }
    }
    eprintln!("compared {compared} cases with Nix");
    assert!(compared > 20, "only {compared} cases were compared");
    assert!(wrong.is_empty(), "{} of {compared} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}
