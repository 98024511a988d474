//! The programs that larder is measured with: small ones of each kind, which must print what they print in Nix.

use crate::harness::skipped;
use std::path::Path;
use std::process::Command;

#[test]
fn measured_programs_print_what_nix_prints() {
    for program in ["nix-instantiate", "python3", "time"] {
        // GNU time is a program of its own, whatever a shell has.
        if Command::new(program).arg("--version").output().is_err() {
            skipped(&format!("{program} is not installed, so no measured program was compared with Nix"));
            return;
        }
    }
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/eval/run");
    let mut command = Command::new("python3");
    // Python would leave its compiled modules in the source tree.
    command.arg("-B").arg(benches).args(["--small", "--runs", "1", "--larder", env!("CARGO_BIN_EXE_larder")]);
    let output = command.output().expect("python3 starts");
    let (table, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{table}\n{error}");
    for program in ["fib", "json", "options-5000", "packages-50", "instantiate-50", "geometric mean"] {
        assert!(table.contains(program), "no {program} in\n{table}");
    }
}
