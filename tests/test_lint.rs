//! Lint on the command line: what it tells and how, what it writes.

use crate::harness::{Ran, Scratch};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const BAD: &str = "let\n  unused = 1;\n  é = 2;\nin rec { \"a\" = https://example.org/x; }\n";

fn scratch() -> Scratch {
    let scratch = Scratch::new("{ }");
    for directory in ["files/inner", "files/.hidden"] {
        std::fs::create_dir_all(scratch.path(directory)).unwrap();
    }
    scratch.write("files/inner/bad.nix", BAD.replace("é", "__e"));
    scratch.write("files/good.nix", "{ a = 1; }\n");
    scratch.write("files/.hidden/bad.nix", BAD);
    scratch.write("files/text", BAD);
    scratch
}

#[test]
fn findings_are_told_of() {
    let scratch = scratch();
    let ran = scratch.larder("lint files").fails(1, &["4 findings in 2 files; --fix puts 3 of them right"]);
    let first = "warning[L0001]: `unused` is never used\n --> files/inner/bad.nix:2:3\n";
    assert!(ran.stdout.starts_with(first), "{}", ran.stdout);
    assert_eq!(scratch.larder("lint files/good.nix").ok().stdout, "");
    let ran = scratch.larder("lint files --allow l0001,L0020,L0027 --allow L0010").ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "0 findings in 2 files\n"));
    scratch.larder("lint files --allow L9999").fails(2, &["`L9999`", "lint-rules"]);
    scratch.larder("lint missing").fails(2, &["missing does not exist"]);
}

#[test]
fn standard_input_is_linted() {
    let scratch = scratch();
    let lint = |arguments: &[&str], text: &str| {
        let mut command = scratch.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who refuses its arguments reads nothing.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        Ran::from(child.wait_with_output().unwrap())
    };
    let ran = lint(&["lint", "-"], "rec { a = 1; }").fails(1, &["1 finding in 1 file; --fix puts 1 of them right"]);
    assert!(ran.stdout.starts_with("warning[L0020]: ") && ran.stdout.contains(" --> <stdin>:1:1\n"), "{}", ran.stdout);
    assert_eq!(lint(&["lint", "-"], "{ a = 1; }").ok().stdout, "");
    lint(&["lint", "-"], "{ a = ").fails(1, &["1 finding in 1 file\n"]);
    assert_eq!(lint(&["lint", "--json", "-"], "{ \"a\" = 1; }").json("lint")["findings"][0]["file"], "<stdin>");
    lint(&["lint", "--fix", "-"], "").fails(2, &["`--fix` writes files"]);
    lint(&["lint", "-", "files"], "").fails(2, &["`-` stands alone"]);
}

#[test]
fn findings_are_json() {
    let scratch = scratch();
    let json = scratch.larder("lint --json files").json("lint");
    let url = json["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "L0010").unwrap();
    assert_eq!((&url["file"], &url["severity"]), (&"files/inner/bad.nix".into(), &"warning".into()));
    assert_eq!((&url["start"]["line"], &url["start"]["column"]), (&4.into(), &16.into()));
    assert_eq!((&url["end"]["column"], &url["fixable"]), (&37.into(), &true.into()));
}

#[test]
fn fixes_are_written() {
    let scratch = scratch();
    let file = scratch.path("files/inner/bad.nix");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    scratch.larder("lint --fix files").fails(1, &["3 put right; 1 finding in 2 files"]);
    let fixed = std::fs::read_to_string(&file).unwrap();
    assert_eq!(fixed, "let\n  unused = 1;\n  __e = 2;\nin { a = \"https://example.org/x\"; }\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(scratch.path("files/inner")).unwrap().count(), 1, "nothing is left over");
    scratch.larder("lint --fix files").fails(1, &["1 finding in 2 files"]);
}

#[test]
fn errors_are_findings() {
    let scratch = scratch();
    scratch.write("broken.nix", "{ a = ; \"b\" = 1; }");
    scratch.write("undefined.nix", "{ \"a\" = lenght; length = 1; }");
    let ran = scratch.larder("lint broken.nix undefined.nix --fix").fails(1, &[]);
    assert!(ran.stdout.contains("error[E0001]") && ran.stdout.contains("broken.nix:1:7"), "{}", ran.stdout);
    assert!(ran.stdout.contains("error[E0005]: undefined variable `lenght`"), "{}", ran.stdout);
    assert_eq!(std::fs::read_to_string(scratch.path("broken.nix")).unwrap(), "{ a = ; \"b\" = 1; }");
    assert_eq!(std::fs::read_to_string(scratch.path("undefined.nix")).unwrap(), "{ a = lenght; length = 1; }");
}

#[test]
fn rules_are_explained() {
    let scratch = Scratch::new("{ }");
    let ran = scratch.larder("help L0020").ok();
    assert!(ran.stdout.starts_with("L0020: a `rec` that nothing needs\n\n    rec {"), "{}", ran.stdout);
    assert!(scratch.larder("help lint-rules").ok().stdout.lines().count() > 15);
}
