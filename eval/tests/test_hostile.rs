//! Hostile input: an answer or a clear error in bounded time and memory, never a crash.

use eval::{Code, Failure, MemoryIo, RenderOptions, Session, Settings, render, to_json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one program may take, without optimisation and beside other tests; they are far below it.
const TIME: Duration = Duration::from_secs(180);
const MEMORY: usize = 64 << 20;

fn session() -> Session {
    let mut settings = Settings::new("x86_64-linux");
    settings.max_memory = Some(MEMORY);
    Session::new(settings, Arc::new(MemoryIo::default()))
}

fn evaluate(text: &[u8]) -> Result<String, Code> {
    let started = Instant::now();
    let session = session();
    let result = session.eval_expr(text, Path::new("/")).and_then(|value| session.print(value, true));
    assert!(started.elapsed() < TIME, "{}", String::from_utf8_lossy(&text[..text.len().min(200)]));
    match result {
        Ok(printed) => Ok(String::from_utf8_lossy(&printed).into_owned()),
        Err(failure) => {
            can_be_shown(&session, &failure);
            Err(failure[0].code)
        }
    }
}

/// A report is of bounded size, whatever it is about.
fn can_be_shown(session: &Session, failure: &Failure) {
    for diagnostic in failure {
        let shown = render(diagnostic, session.sources(), RenderOptions::default());
        assert!(shown.starts_with("error[E") && shown.len() < 20_000, "{}", &shown[..shown.len().min(500)]);
        assert!(!shown.contains('\0') && !shown.contains('\x1b'));
        assert!(to_json(diagnostic, session.sources())["code"].is_string());
    }
}

#[test]
fn endless_xml_ends() {
    // Within a limit of memory that its first 10,000 levels do not reach.
    let mut settings = Settings::new("x86_64-linux");
    settings.max_memory = Some(1 << 30);
    let session = Session::new(settings, Arc::new(MemoryIo::default()));
    let value = session.eval_expr(b"let list = [ list ]; in list", Path::new("/")).expect("a list");
    assert_eq!(session.print_xml(value, true).expect_err("it has no end")[0].code, Code::TooManyCalls);
}

#[test]
fn what_outgrows_memory_is_an_error() {
    for text in [
        "builtins.genList (x: x) 4000000000",
        "let f = n: if n == 0 then \"x\" else let r = f (n - 1); in r + r; in builtins.stringLength (f 60)",
        "let f = n: if n == 0 then [ 1 ] else let r = f (n - 1); in r ++ r; in builtins.length (f 60)",
        "let r = { self = r; }; in builtins.toXML r",
        "let f = n: if n == 0 then [ 1 ] else let r = f (n - 1); in [ r r ]; in builtins.toJSON (f 60)",
        "let f = n: if n == 0 then [ 1 ] else let r = f (n - 1); in [ r r ]; in toString (f 60)",
        "let f = x: f { a = x; b = x; }; in f 1",
        "let base = builtins.listToAttrs (builtins.genList (i: { name = \"n${toString i}\"; value = i; }) 5000); in
         builtins.all (i: base // { y = i; } != base // { z = i; }) (builtins.genList (x: x) 2000)",
        "let f = x: [ (f (x + 1)) x ]; in builtins.deepSeq (f 0) 1",
        "let f = xs: f (xs ++ [ 1 ]); in f [ ]",
        "builtins.genericClosure { startSet = [ { key = 0; } ]; operator = x: [ { key = x.key + 1; } ]; }",
        "let s = builtins.concatStringsSep \"\" (builtins.genList (x: \"a\") 100000); in
         builtins.replaceStrings [ \"a\" ] [ s ] s",
        "let s = builtins.concatStringsSep \"\" (builtins.genList (x: \"0123456789abcdef\") 100000); in
         builtins.concatStringsSep \"\" (builtins.genList (x: s) 1000000)",
    ] {
        assert!(matches!(evaluate(text.as_bytes()), Err(Code::MemoryLimit | Code::TooManyCalls)), "{text}");
    }
}

#[test]
fn after_memory_is_used_up_a_session_says_so_again() {
    let session = session();
    for _ in 0..2 {
        let failure = session.eval_expr(b"builtins.genList (x: x) 4000000000", Path::new("/")).expect_err("too large");
        assert_eq!(failure[0].code, Code::MemoryLimit);
    }
}

#[test]
fn regular_expressions_take_bounded_time() {
    let text = "builtins.concatStringsSep \"\" (builtins.genList (x: \"a\") 20000)";
    for pattern in ["(a*)*b", "(a|aa)+b", "(a|a?)+b", "(.*)(.*)(.*)(.*)b", "((a?){100}){100}b", "(a{1,100}){1,100}b"] {
        let matched = evaluate(format!("builtins.match \"{pattern}\" ({text})").as_bytes());
        assert!(matches!(matched.as_deref(), Ok("null") | Err(Code::BadArgument)), "{pattern}: {matched:?}");
        let split = evaluate(format!("builtins.length (builtins.split \"{pattern}\" ({text}))").as_bytes());
        assert!(matches!(split.as_deref(), Ok("1") | Err(Code::BadArgument)), "{pattern}: {split:?}");
    }
    for pattern in
        ["((((a{1,255}){1,255}){1,255}){1,255}){1,255}", "a{1,1000000000}", "(", "[", "*", "a{2,1}", "\\\\", "[[:x:]]"]
    {
        let matched = evaluate(format!("builtins.match \"{pattern}\" \"a\"").as_bytes());
        assert!(matches!(matched.as_deref(), Ok(_) | Err(Code::BadArgument)), "{pattern}: {matched:?}");
    }
}

#[test]
fn bytes_that_are_no_text() {
    for (text, expected) in [
        (&b"\"\xff\xfe\""[..], Ok("\"\u{fffd}\u{fffd}\"")),
        (b"# \xff\n1", Ok("1")),
        (b"{ \xff = 1; }", Err(Code::Syntax)),
        (b"1\r\n+ 1\r\n", Ok("2")),
        (b"\xef\xbb\xbf1", Err(Code::Syntax)),
        (b"1 \0", Err(Code::Syntax)),
        (b"\0", Err(Code::Syntax)),
        (b"", Err(Code::Syntax)),
        (b"\r", Err(Code::Syntax)),
        (b"\x1b[31m", Err(Code::Syntax)),
    ] {
        assert_eq!(evaluate(text).as_deref().map_err(|code| *code), expected, "{text:?}");
    }
    // What a program throws does not reach the terminal as it is.
    assert_eq!(evaluate(b"throw \"\x1b[2J\x00\x07\""), Err(Code::Thrown));
}

#[test]
fn many_of_everything() {
    let many = |piece: &str| piece.repeat(100_000);
    for (text, expected) in [
        (format!("builtins.length [ {} ]", many("1 ")), Ok("100000")),
        (format!("builtins.stringLength \"{}\"", many("ab")), Ok("200000")),
        (format!("\"{}\" == \"\"", many("${\"\"}")), Ok("true")),
        (format!("{}1", many("/* */")), Ok("1")),
        (format!("{}1", many("\n")), Ok("1")),
        (many("1;"), Err(Code::Syntax)),
        (many("{"), Err(Code::Syntax)),
        (many("}"), Err(Code::Syntax)),
        (many("a "), Err(Code::UndefinedVariable)),
        (format!("[ {}", many("x ")), Err(Code::Unclosed)),
    ] {
        assert_eq!(evaluate(text.as_bytes()).as_deref().map_err(|code| *code), expected, "{}", &text[..40]);
    }
    let attributes: String = (0..100_000).map(|n| format!("a{n} = {n};")).collect();
    assert_eq!(evaluate(format!("{{ {attributes} }}.a99999").as_bytes()).as_deref(), Ok("99999"));
    let missing = evaluate(format!("{{ {attributes} }}.b99999").as_bytes());
    assert_eq!(missing, Err(Code::MissingAttribute));
    let same: String = (0..10_000).map(|_| "a = 1;".to_owned()).collect();
    assert_eq!(evaluate(format!("{{ {same} }}").as_bytes()), Err(Code::DuplicateName));
}

#[test]
fn one_long_line_is_shown_in_part() {
    let session = session();
    let text = format!("[ {} undefined {} ]", "1 ".repeat(500_000), "1 ".repeat(500_000));
    let failure = session.eval_expr(text.as_bytes(), Path::new("/")).expect_err("undefined");
    let shown = render(&failure[0], session.sources(), RenderOptions::default());
    assert!(shown.len() < 2_000 && shown.contains(" undefined "), "{shown}");
    let marked = shown.lines().find(|line| line.contains('^')).expect("a mark");
    let source = shown.lines().find(|line| line.contains("undefined ")).expect("the line").to_owned();
    let line = shown.lines().find(|line| line.starts_with("1 |")).unwrap_or(&source);
    let column = line.chars().take_while(|character| *character != 'u').count();
    assert_eq!(marked.chars().take_while(|character| *character != '^').count(), column, "{shown}");
}
