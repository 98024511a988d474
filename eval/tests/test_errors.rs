//! What errors tell beyond the cases in `testdata/eval/fail`: whose code is shown, explanations, forms of output.

use eval::{Code, Failure, MemoryIo, RenderOptions, Session, Settings, Severity, render, to_json};
use std::path::Path;
use std::sync::Arc;

fn session(files: &[(&str, &str)]) -> Session {
    let io = files.iter().fold(MemoryIo::default(), |io, (path, text)| io.with_file(*path, *text));
    Session::new(Settings::new("x86_64-linux"), Arc::new(io))
}

fn failure(session: &Session, file: &str) -> Failure {
    let printed = session.eval_file(Path::new(file)).and_then(|value| session.print(value, true));
    printed.map(|text| String::from_utf8_lossy(&text).into_owned()).expect_err("it is wrong")
}

fn shown(files: &[(&str, &str)], file: &str) -> String {
    let session = session(files);
    let failure = failure(&session, file);
    failure.iter().map(|one| render(one, session.sources(), RenderOptions::default())).collect()
}

/// The places of the excerpts, in order.
fn places(shown: &str) -> Vec<&str> {
    shown.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")).collect()
}

const LIBRARY: &str = "{
  join = list: builtins.concatStringsSep \",\" list;
  names = list: map (x: x.name) list;
  call = f: f { one = 1; };
  deep = f: x: (y: z: f y) x x;
  broken = undefined;
}";

#[test]
fn the_users_own_line_comes_first() {
    for (main, expected) in [
        // The call that was wrong, then the place inside.
        ("let lib = import /lib; in { a = lib.join [ 1 ]; }", ["/me/main.nix:1:33", "/lib/default.nix:2:46"]),
        // The set that lacks an attribute.
        (
            "let lib = import /lib; in { a = lib.names [ { nam = 1; } ]; }",
            ["/me/main.nix:1:47", "/lib/default.nix:3:27"],
        ),
        // The function that asks for too much.
        (
            "let lib = import /lib; in { a = lib.call ({ one, two }: one); }",
            ["/me/main.nix:1:50", "/lib/default.nix:4:13"],
        ),
        // The function of the user's that fails stays first; no line of the library matters.
        ("let lib = import /lib; in { a = lib.deep (x: 1 + \"\") 1; }", ["/me/main.nix:1:50", ""]),
    ] {
        let shown =
            shown(&[("/me/main.nix", main), ("/lib/default.nix", &LIBRARY.replace("undefined", "1"))], "/me/main.nix");
        let expected: Vec<_> = expected.into_iter().filter(|place| !place.is_empty()).collect();
        assert_eq!(places(&shown), expected, "{shown}");
    }
}

/// `default.nix` is looked for once, as in Nix: where it leads back to its directory, looking on would not end.
#[test]
fn a_default_file_that_is_a_directory_is_an_error() {
    for main in ["import /links", "import /nested", "scopedImport { } /links"] {
        let io = MemoryIo::default().with_file("/main.nix", main).with_file("/nested/default.nix/default.nix", "1");
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(io.with_link("/links/default.nix", ".")));
        let failure = failure(&session, "/main.nix");
        let messages: Vec<_> = failure.iter().map(|one| one.message.as_str()).collect();
        assert!(matches!(messages[..], [one] if one.ends_with("is a directory, not a file")), "{main}: {messages:?}");
    }
}

#[test]
fn what_is_wrong_in_the_text_of_a_library_stays_there() {
    let files = [("/me/main.nix", "(import /lib).join [ ]"), ("/lib/default.nix", LIBRARY)];
    let shown = shown(&files, "/me/main.nix");
    assert_eq!(places(&shown), ["/lib/default.nix:6:12", "/me/main.nix:1:1"], "{shown}");
}

#[test]
fn files_beside_and_below_the_first_one_are_the_users() {
    let files = [("/me/main.nix", "import ./below/part.nix 1"), ("/me/below/part.nix", "x: x.a")];
    let shown = shown(&files, "/me/main.nix");
    assert_eq!(places(&shown), ["/me/below/part.nix:1:4", "/me/main.nix:1:1"], "{shown}");
}

#[test]
fn every_code_is_explained_by_a_program_that_gives_it() {
    for code in Code::ALL {
        let explanation = code.explanation();
        assert!(explanation.text.len() > 20, "{code:?}");
        assert!(explanation.text.lines().all(|line| line.chars().count() <= 120), "{code:?}");
        if explanation.wrong.is_empty() {
            continue;
        }
        let session = session(&[]);
        let run = |text: &str| {
            session.eval_expr(text.as_bytes(), Path::new("/")).and_then(|value| session.print(value, true))
        };
        if code.number().starts_with('W') {
            assert!(run(explanation.wrong).is_ok() && run(explanation.right).is_ok(), "{code:?}");
            continue;
        }
        let failure = run(explanation.wrong).expect_err(explanation.wrong);
        assert_eq!(failure[0].code, *code, "{}", explanation.wrong);
        let right = session.eval_expr(explanation.right.as_bytes(), Path::new("/"));
        assert!(right.is_ok(), "{}: {:?}", explanation.right, right.err());
    }
}

#[test]
fn errors_for_programs_have_all_that_is_shown() {
    let session = session(&[("/me/main.nix", "let f = x:\n  x.b;\nin f { a = 1; }")]);
    let json = to_json(&failure(&session, "/me/main.nix")[0], session.sources());
    assert_eq!(json["schema"], "larder/diagnostic/1");
    assert_eq!((&json["code"], &json["severity"]), (&"E0101".into(), &"error".into()));
    assert_eq!(json["message"], "attribute `b` missing");
    let primary = &json["primary"];
    assert_eq!((&primary["file"], &primary["line"]), (&"/me/main.nix".into(), &2.into()));
    assert_eq!((&primary["column"], &primary["endColumn"]), (&5.into(), &6.into()));
    assert_eq!(json["hints"][0], "the set has: a");
    assert_eq!(json["trace"][0]["message"], "while calling `f`");
    assert_eq!(json["trace"][0]["line"], 3);
}

#[test]
fn the_trace_can_be_widened() {
    let text =
        "let a = x: b x + 1; b = x: c x + 1; c = x: d x + 1; d = x: e x + 1; e = x: f x + 1; f = x: x.y; in a { }";
    let session = session(&[("/me/main.nix", text)]);
    let failure = failure(&session, "/me/main.nix");
    let few = render(&failure[0], session.sources(), RenderOptions::default());
    assert!(few.contains("calling `c`") && !few.contains("calling `b`") && few.contains("and 2 more frames"), "{few}");
    let all = render(&failure[0], session.sources(), RenderOptions { trace: true, ..RenderOptions::default() });
    assert!(all.contains("calling `a`") && places(&all).len() == 7, "{all}");
}

#[test]
fn colours_are_used_only_when_asked_for() {
    let session = session(&[("/me/main.nix", "{ a = 1 + \"\x1b[31m\"; }")]);
    let failure = failure(&session, "/me/main.nix");
    let plain = render(&failure[0], session.sources(), RenderOptions::default());
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let coloured = render(&failure[0], session.sources(), RenderOptions { colour: true, ..RenderOptions::default() });
    assert!(coloured.contains("\x1b[1;31m^"), "{coloured:?}");
    assert_eq!(failure[0].severity, Severity::Error);
}

#[test]
fn warnings_look_like_errors() {
    let io =
        Arc::new(MemoryIo::default().with_file("/lib/default.nix", "{ old = x: builtins.warn \"old is old\" x; }"));
    let session = Session::new(Settings::new("x86_64-linux"), Arc::clone(&io) as Arc<dyn eval::EvalIo>);
    let text = "builtins.warn \"mine\" [ https://example.org ((import /lib).old 1) ]";
    let value = session.eval_expr(text.as_bytes(), Path::new("/me")).expect("evaluates");
    session.print(value, true).expect("prints");
    let shown = io.traced.lock().expect("no panic").clone();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[0].starts_with("warning[W0002]: URLs without quotes are deprecated\n --> "), "{}", shown[0]);
    assert!(shown[0].contains("\n  |                        ^^^^^^^^^^^^^^^^^^^\n"), "{}", shown[0]);
    assert!(shown[1].starts_with("warning[W0001]: mine\n --> (expression):1:1\n"), "{}", shown[1]);
    // Of a warning that a library gives only the text is the user's business.
    assert_eq!(shown[2], "warning[W0001]: old is old");
}
