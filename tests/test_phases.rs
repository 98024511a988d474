//! Entering a build at a phase, with the script that the recipes' builds run and this machine's own bash.

use crate::harness::{Ran, Scratch, skipped};
use std::path::Path;
use std::process::Command;

/// What the script of phases runs.
const PROGRAMS: [&str; 10] = ["bash", "chmod", "cp", "find", "mkdir", "od", "rm", "rmdir", "tail", "touch"];

const RECIPE: &str = r#"let
  package = tests: more: derivation ({
    name = "package";
    inherit system;
    builder = "/usr/bin/bash";
    args = [ "${./phases.sh}" ];
    root = [ ./tools ];
    larder_package = "package 1";
    larder_style = "${./style.sh}";
    larder_sources = "";
    larder_patches = "";
    larder_configure_flags = "--colour=blue 'two words'";
    larder_make_flags = "";
    larder_metapackage = "no";
    larder_processors = "${./processors.sh}";
    larder_promise_check = "${./promises.sh}";
    larder_promises = "";
    larder_moves = "";
    larder_tests = tests;
    larder_tests_reason = "none";
    larder_strip = "no";
    larder_phase_configure = "printf '%s\n' \"\${configure_flags[@]}\" >configured";
    larder_phase_install = "mkdir -p $out; cp configured $out/configured";
  } // more);
in
{
  tested = package "on" { };
  partly = package "known-failures" { };
  broken = package "on" { larder_phase_build = "seen='a b'; touch /tmp/left; mkdir deep; cd deep; false; touch reached"; };
  endless = package "on" { larder_phase_build = "seen=yes; while :; do :; done"; };
  needing = package "on" { inputs = [ (mini "needed" "write $out 1" { }) ]; };
  written = package "on" { args = [ "${mini "script" "copy ${./phases.sh} $out" { }}" ]; };
  unclear = package "on" { larder_phase_build = "for current_phase in one two; do :; done"; };
  plain = mini "plain" "mkdir $out" { };
}"#;

/// Copies programs of this machine with the libraries they need; `None` if one is not there.
fn copy_programs(into: &Path) -> Option<()> {
    for program in PROGRAMS {
        let path = format!("/usr/bin/{program}");
        let listed = Command::new("ldd").arg(&path).output().ok().filter(|ran| ran.status.success())?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned);
        for file in libraries.chain([path]) {
            let target = into.join(file.trim_start_matches('/'));
            std::fs::create_dir_all(target.parent()?).ok()?;
            std::fs::copy(&file, &target).ok()?;
        }
    }
    Some(())
}

fn packages() -> Option<Scratch> {
    let scratch = Scratch::new(RECIPE);
    if copy_programs(&scratch.path("tools")).is_none() {
        skipped("bash, find and the core utilities of this machine cannot be copied, so no phase was entered");
        return None;
    }
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/lib");
    for name in ["phases.sh", "processors.sh", "promises.sh"] {
        std::fs::copy(recipes.join(name), scratch.path(name)).unwrap();
    }
    let style = "default_build() { touch built; }\ndefault_check() { touch checked; }\ndefault_install() { :; }\n";
    scratch.write("style.sh", style);
    Some(scratch)
}

/// Enters `attribute` before a phase and runs a script of bash there.
fn at(scratch: &Scratch, attribute: &str, phase: &str, script: &str) -> Ran {
    scratch.larder_with(&["debug", attribute, "--phase", phase, "--", "bash", "-c", script])
}

#[test]
fn a_build_is_entered_where_a_phase_would_begin() {
    let Some(scratch) = packages() else { return };
    let early = at(&scratch, ".#tested", "configure", "echo $PWD *; exit 7");
    assert_eq!(early.code, Some(7), "{}", early.stderr);
    assert_eq!(early.stdout, "larder: phase patch\n/build/source *\n", "nothing has been configured");
    let late = at(&scratch, ".#tested", "install", "echo *; read -r line; echo $line $out ${BASH_ENV-none}").ok();
    assert_eq!(late.lines()[3..], ["larder: phase check", "built checked configured", "/larder/out/out none"]);
    assert_eq!(scratch.entries("tmp"), [""; 0], "nothing is left");
    let path = scratch.line("build .#tested --no-link");
    assert_eq!(scratch.larder_with(&["cat", &path, "configured"]).ok().stdout, "--colour=blue\ntwo words\n");
    let after = at(&scratch, ".#tested", "check", "echo *").ok();
    assert_eq!(after.lines().last(), Some(&"built configured"), "also what succeeded is entered");
    scratch.assert_sound();
}

#[test]
fn variables_and_functions_of_the_script_are_there() {
    let Some(scratch) = packages() else { return };
    let script = "source /build/.larder-phase 2>/dev/null; set +e; trap - ERR EXIT; run_phase build; run_phase install; \
                  echo \"${#configure_flags[@]} $current_phase\"; echo $out/*";
    let ran = at(&scratch, ".#tested", "build", script).ok();
    let expected = ["larder: phase build", "larder: phase install", "2 install", "/larder/out/out/configured"];
    assert_eq!(ran.lines()[2..], expected, "{}", ran.stderr);
    scratch.write("typed", "type -t default_build; echo $larder_style; run_phase build; false; echo *; exit 3\n");
    let mut shell = scratch.command(["debug", ".#tested", "--phase", "build"]);
    let shell = Ran::of(shell.stdin(std::fs::File::open(scratch.path("typed")).unwrap()));
    assert_eq!(shell.code, Some(3), "{}", shell.stderr);
    let (lines, style) = (shell.lines(), |line: &&str| line.ends_with("-style.sh"));
    assert_eq!(
        (lines[2], style(&lines[3]), &lines[4..]),
        ("function", true, &["larder: phase build", "built configured"][..])
    );
}

#[test]
fn a_build_that_took_too_long_is_entered_with_what_its_phase_began_with() {
    let Some(scratch) = packages() else { return };
    scratch.larder("build .#endless --timeout 2").fails(1, &["2 s"]);
    let script = "pwd; declare -F run_phase default_build; echo $current_phase ${#configure_flags[@]} ${seen-unknown}";
    let entered = scratch.larder_with(&["debug", ".#endless", "--", "bash", "-c", script]).ok();
    assert_eq!(entered.stdout, "/build/source\nrun_phase\ndefault_build\nbuild 2 unknown\n", "{}", entered.stderr);
}

#[test]
fn a_failed_build_is_entered_where_its_script_ended() {
    let Some(scratch) = packages() else { return };
    scratch.larder("build .#broken").fails(1, &["phase build failed", "larder debug"]);
    let script = "pwd; declare -F run_phase default_build; echo $seen ${BASH_ENV-none} /tmp/*; bash -c 'echo ${seen-none}'; exit 5";
    let entered = scratch.larder_with(&["debug", ".#broken", "--", "bash", "-c", script]);
    assert_eq!(entered.code, Some(5), "{}", entered.stderr);
    assert_eq!(entered.stdout, "/build/source/deep\nrun_phase\ndefault_build\na b none /tmp/left\nnone\n");
    scratch.write("typed", "pwd; echo $seen; cd ..; run_phase check; false; exit 3\n");
    let mut shell = scratch.command(["debug", ".#broken"]);
    let shell = Ran::of(shell.stdin(std::fs::File::open(scratch.path("typed")).unwrap()));
    assert_eq!(shell.code, Some(3), "{}", shell.stderr);
    assert_eq!(shell.stdout, "/build/source/deep\na b\nlarder: phase check\n");
    assert!(shell.stderr.contains("this is the sandbox as the failed build left it"), "{}", shell.stderr);
}

#[test]
fn a_phase_in_a_subshell_and_what_is_no_phase_of_a_recipe_are_entered() {
    let Some(scratch) = packages() else { return };
    let checked = at(&scratch, ".#partly", "check", "echo *; exit 5");
    assert_eq!(checked.code, Some(5), "{}", checked.stderr);
    assert_eq!(checked.lines()[2..], ["larder: phase build", "built configured"], "and nothing comes after it");
    let verified = at(&scratch, ".#partly", "verify", "echo $out/*").ok();
    assert_eq!(verified.lines().last(), Some(&"/larder/out/out/configured"));
}

#[test]
fn who_names_no_phase_is_told() {
    let Some(scratch) = packages() else { return };
    let words =
        ["no phase `instal`", "did you mean `install`?", "start, patch, configure, build, check, install, finish"];
    for attribute in [".#tested", ".#needing"] {
        let ran = at(&scratch, attribute, "instal", "echo reached").fails(2, &words);
        assert!(ran.stdout.is_empty() && !ran.stderr.contains("needed"), "nothing is built: {}", ran.stderr);
    }
    let ran = at(&scratch, ".#written", "instal", "echo reached").fails(2, &words);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("built script"), "only what it needs: {}", ran.stderr);
    at(&scratch, ".#unclear", "instal", "echo reached")
        .fails(1, &["ended before a phase `instal` began", "larder: phase"]);
    assert_eq!(at(&scratch, ".#unclear", "two", "echo reached").ok().lines().last(), Some(&"reached"));
    at(&scratch, ".#plain", "build", "").fails(1, &["/bin/mini", "no script of bash", "larder shell"]);
    scratch.assert_sound();
}

#[test]
fn what_has_no_phases_is_told_before_anything_is_built() {
    let scratch = Scratch::new(
        r#"rec {
          needed = mini "needed" "say built\nwrite $out needed" { };
          plain = mini "plain" "mkdir $out" { inherit needed; };
          written = derivation {
            name = "written";
            inherit system;
            builder = "builtin:write";
            entries = ''[ { "type": "file", "path": "", "text": "${needed}" } ]'';
          };
        }"#,
    );
    let plain = at(&scratch, ".#plain", "build", "").fails(1, &["/bin/mini", "no script of bash", "larder shell"]);
    let written = at(&scratch, ".#written", "build", "").fails(1, &["builtin:write", "no phases"]);
    assert!(!written.stderr.contains("larder shell"), "{}", written.stderr);
    for ran in [plain, written] {
        assert!(!ran.stderr.contains("needed"), "{}", ran.stderr);
    }
    scratch.larder("query size .#needed").fails(1, &["is not realised"]);
}

#[test]
fn options_of_building_want_a_phase() {
    let scratch = Scratch::new(r#"{ plain = mini "plain" "mkdir $out" { }; }"#);
    for option in ["--keep-going", "-k", "-L", "--log-format plain", "--trace-out trace.json"] {
        scratch.larder(&format!("debug .#plain {option}")).fails(2, &["--phase <NAME>"]);
        scratch.larder(&format!("debug .#plain {option} --phase build")).fails(1, &["no script of bash"]);
    }
    // What evaluation has to build is limited without a phase, too.
    scratch.larder("debug .#plain --cores 1").fails(1, &["no failed build of"]);
}
