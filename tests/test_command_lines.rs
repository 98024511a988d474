//! What the command line makes of attribute paths, arguments, search paths and ways to print: the same as the real Nix.
//!
//! Needs `nix-instantiate` 2.34, which `LARDER_NIX` names; without it only what was printed by it once is compared.

use crate::harness::{Ran, Scratch, skipped};
use std::io::Write;
use std::process::{Command, Stdio};

const ATTRS: &str = r#"{ x ? 1, y ? "d" }: {
  a.b.c = x; inherit y; n = null; e = { }; thunk = [ (1 + 1) ];
  list = [ 1 { z = 2; } [ 3 ] ]; "q r" = 5; "d.e" = { f = 6; };
  fn = { x ? 3 }: { r = x; }; fn2 = { z }: z; fn3 = w: w;
  fo = { __functor = self: { x ? 8 }: { v = x; }; };
}
"#;

/// Words of the command line, and what is printed; `None` where it fails.
const LINES: &[(&str, Option<&str>)] = &[
    ("attrs.nix", Some("<LAMBDA>\n")),
    ("attrs.nix -A a", Some("{ b = <CODE>; }\n")),
    ("attrs.nix -A a.b.c", Some("1\n")),
    ("attrs.nix -A a.b.c --arg x 5", Some("5\n")),
    ("attrs.nix -A a.b.c --argstr x 5", Some("\"5\"\n")),
    ("attrs.nix -A y --argstr y hello --raw", Some("hello")),
    ("attrs.nix -A list.1.z", Some("2\n")),
    ("attrs.nix -A list.9", None),
    ("attrs.nix -A list.x", None),
    ("attrs.nix -A q%20r", Some("5\n")),
    ("attrs.nix -A \"d.e\".f", Some("6\n")),
    ("attrs.nix -A d.e.f", None),
    ("attrs.nix -A a..c", None),
    ("attrs.nix -A n.x", None),
    ("attrs.nix -A e.x", None),
    // Functions are called on the way; at the end only where there are arguments.
    ("attrs.nix -A fn", Some("<LAMBDA>\n")),
    ("attrs.nix -A fn.r", Some("3\n")),
    ("attrs.nix -A fn --arg x 4 --strict", Some("{ r = 4; }\n")),
    ("attrs.nix -A fn.r --arg x 4", Some("4\n")),
    ("attrs.nix -A fn2 --arg x 4", None),
    ("attrs.nix -A fn2 --arg z 4", Some("4\n")),
    ("attrs.nix -A fn2.r", None),
    ("attrs.nix -A fn3 --arg x 3", Some("<LAMBDA>\n")),
    ("attrs.nix -A fo", Some("{ __functor = <CODE>; }\n")),
    ("attrs.nix -A fo.v --arg x 4", Some("4\n")),
    ("attrs.nix -A a.b -A list --strict", Some("{ c = 1; }\n[ 1 { z = 2; } [ 3 ] ]\n")),
    ("attrs.nix -A thunk", Some("[ <CODE> ]\n")),
    ("attrs.nix -A thunk --json --strict", Some("[2]\n")),
    ("attrs.nix -A fn3 --json", None),
    // Arguments are evaluated when they are needed.
    ("attrs.nix -A y --arg x throw%20\"z\"", Some("\"d\"\n")),
    ("attrs.nix -A a.b.c --arg x throw%20\"z\"", None),
    ("attrs.nix -A y --arg x 1%20+", None),
    ("attrs.nix -A y --arg nope 1", Some("\"d\"\n")),
    ("attrs.nix -A a.b.c --arg x import%20./two.nix", Some("2\n")),
    // The last one counts, of whichever kind.
    ("attrs.nix -A a.b.c --arg x 5 --arg x 6", Some("6\n")),
    ("attrs.nix -A a.b.c --arg x 5 --argstr x 6", Some("\"6\"\n")),
    ("attrs.nix -A a.b.c --argstr x 6 --argstr y 7 --arg x 5", Some("5\n")),
    ("attrs.nix --argstr x 6 -A a.b.c --arg y 7 --arg x 5 --argstr y 8", Some("5\n")),
    ("attrs.nix -A a.b.c --arg x 1%20+ --argstr x 6", Some("\"6\"\n")),
    ("two.nix text.nix", Some("2\n\"s\"\n")),
    ("text.nix text.nix --raw", Some("ss")),
    ("two.nix throws.nix text.nix", None),
    ("directory", Some("{ a = 1; }\n")),
    ("nothing.nix", None),
    ("look.nix -I sub=directory --strict", Some("{ a = { a = 1; }; b = true; }\n")),
    ("look.nix -I . -I sub=directory -A a", Some("{ a = 1; }\n")),
    ("look.nix -I nope -A a", None),
    ("look.nix -I sub=nope -A a", None),
    ("-E 1 -E 2", Some("1\n2\n")),
    ("-E {x?1}:x", Some("<LAMBDA>\n")),
    ("-E {x?1}:x --arg x 2", Some("2\n")),
    ("-E {x}:x --arg y 2", None),
    ("-E {x,...}@a:%20a --arg x 2 --arg y 3", Some("{ x = <CODE>; y = <CODE>; }\n")),
    ("-E {x}@a:%20a --arg x 2 --arg y 3", Some("{ x = <CODE>; }\n")),
    ("-E import%20./two.nix", Some("2\n")),
    ("-E <sub/default.nix> -I sub=nope", None),
    ("-E {outPath=\"x\";} --raw", Some("x")),
    ("-E {outPath=\"x\";} --json", Some("\"x\"\n")),
    ("-E 1 --raw", None),
];

fn scratch() -> Scratch {
    let scratch = Scratch::new("{ }");
    std::fs::create_dir(scratch.path("directory")).unwrap();
    for (name, text) in [
        ("attrs.nix", ATTRS),
        ("two.nix", "1 + 1"),
        ("text.nix", "\"s\""),
        ("throws.nix", "throw \"no\""),
        ("look.nix", "{ a = import <sub>; b = builtins.isPath <sub/default.nix>; }"),
        ("directory/default.nix", "{ a = 1; }"),
    ] {
        scratch.write(name, text);
    }
    scratch
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace("%20", " ")).collect()
}

#[test]
fn command_lines_print_what_nix_prints() {
    let scratch = scratch();
    let nix = std::env::var("LARDER_NIX").ok();
    if nix.is_none() {
        skipped("LARDER_NIX names no nix-instantiate 2.34, so no command line was compared with it again");
    }
    for (line, expected) in LINES {
        let mut arguments = vec!["eval".to_owned(), "--no-eval-cache".to_owned()];
        arguments.extend(words(line));
        let ran = Ran::of(&mut scratch.command(arguments));
        let printed = (ran.code == Some(0)).then_some(ran.stdout.as_str());
        assert_eq!(printed, *expected, "{line}: {}", ran.stderr);
        if let Some(nix) = &nix {
            let mut command = Command::new(nix);
            command.arg("--eval").args(words(line)).current_dir(scratch.path("")).env("NIX_REMOTE", "dummy://");
            let output = command.output().unwrap();
            let printed = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned());
            assert_eq!(printed.as_deref(), *expected, "{line} with Nix");
        }
    }
}

#[test]
fn standard_input_is_an_expression() {
    let scratch = scratch();
    for arguments in [&["eval", "-"][..], &["eval", "--file", "-"], &["eval", "-E", "-"], &["eval", "-", "-A", "a.b"]] {
        let mut command = scratch.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let text: &[u8] = if arguments.len() == 4 { b"{ a.b = import ./two.nix; }" } else { b"import ./two.nix" };
        child.stdin.take().unwrap().write_all(text).unwrap();
        assert_eq!(Ran::from(child.wait_with_output().unwrap()).ok().stdout, "2\n", "{arguments:?}");
    }
}

/// Nix gives the same bytes.
#[test]
fn standard_input_is_bytes() {
    let scratch = scratch();
    let mut command = scratch.command(["eval", "--raw", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\"\xff\"").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"\xff"[..], &b""[..]));
    for line in ["eval - -", "eval --file - --file -", "eval -E - -E 1 -E -", "instantiate - -"] {
        scratch.larder(line).fails(2, &["`-` is there more than once"]);
    }
}

#[test]
fn nix_path_is_seen_when_impurity_is_asked_for() {
    let scratch = scratch();
    for (impure, expected) in [(true, Some("{ a = 1; }\n")), (false, None)] {
        let mut arguments = vec!["eval", "-E", "import <sub>"];
        arguments.extend(impure.then_some("--impure"));
        let ran = Ran::of(scratch.command(arguments).env("NIX_PATH", "nothing:sub=directory"));
        assert_eq!((ran.code == Some(0)).then_some(ran.stdout.as_str()), expected);
    }
}

#[test]
fn what_is_named_is_instantiated() {
    let scratch = scratch();
    scratch.write("drv.nix", "{ n }: { d = derivation { name = n; system = \"s\"; builder = \"/b\"; }; }");
    let by_file = scratch.larder("instantiate --file drv.nix -A d --argstr n name").ok().stdout;
    assert!(by_file.ends_with("-name.drv\n"), "{by_file}");
    assert_eq!(scratch.larder("instantiate drv.nix#d --argstr n name").ok().stdout, by_file);
    let text = "derivation { name = \"name\"; system = \"s\"; builder = \"/b\"; }";
    assert_eq!(scratch.larder_with(&["instantiate", "-E", text]).ok().stdout, by_file);
}
