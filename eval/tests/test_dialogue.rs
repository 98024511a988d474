//! Dialogues: definitions that build on each other, values laid out for people, documentation, interruption.
//!
//! The layouts are those of `nix repl` 2.34, but for empty sets and lists, which it shows as `{ ... }` below the top.

use eval::interactive::Documentation;
use eval::{Code, Layout, MemoryIo, Origin, Session, Settings, Variables};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Dialogue {
    session: Session,
    variables: Variables,
}

impl Dialogue {
    fn new() -> Self {
        let io = MemoryIo::default()
            .with_file("/d/f.nix", "{\n  /** Adds one. */\n  f = x: x + 1;\n  /** A number. */\n  n = 1;\n}\n");
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(io));
        Self { session, variables: Variables::default() }
    }

    fn define(&mut self, text: &str) -> Result<Vec<String>, Code> {
        let defined = self.session.define(&mut self.variables, origin(), text.as_bytes(), Path::new("/d"));
        defined.map_err(|failure| failure[0].code)
    }

    fn show(&self, text: &str, deep: bool) -> Result<String, Code> {
        let value = self.session.eval_with(&self.variables, origin(), text.as_bytes(), Path::new("/d"));
        let shown = value.and_then(|value| self.session.show(value, Layout { deep, colour: false }));
        shown.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|failure| failure[0].code)
    }

    fn document(&self, text: &str) -> Documentation {
        self.session.document(&self.variables, origin(), text.as_bytes(), Path::new("/d")).unwrap()
    }
}

fn origin() -> Origin {
    Origin::Text("(input)".to_owned())
}

#[test]
fn definitions_build_on_each_other() {
    let mut dialogue = Dialogue::new();
    assert_eq!(dialogue.define("x = 1").unwrap(), ["x"]);
    assert_eq!(dialogue.define("y = x + 1; set.a.b = x + 1").unwrap(), ["set", "y"]);
    assert_eq!(dialogue.define("inherit (set.a) b").unwrap(), ["b"]);
    assert_eq!(dialogue.show("[ x y b ]", false).unwrap(), "[\n  1\n  2\n  2\n]");
    assert_eq!(dialogue.define("x = x + 40").unwrap(), ["x"]);
    assert_eq!(dialogue.show("x + y", false).unwrap(), "43");
    assert_eq!(dialogue.define("x = 1; z = undefined"), Err(Code::UndefinedVariable));
    assert_eq!(dialogue.define("x = 1 +"), Err(Code::Syntax));
    assert_eq!(dialogue.show("x", false).unwrap(), "41", "what fails defines nothing");
    assert_eq!(dialogue.show("with { q = 1; }; q + (let x = 1; in x)", false).unwrap(), "2");
}

#[test]
fn values_are_laid_out() {
    let dialogue = Dialogue::new();
    for (text, expected) in [
        ("1.5", "1.5"),
        ("null", "null"),
        (r#""a\nb\${c}$d""#, r#""a\nb\${c}$d""#),
        ("./f", "/d/f"),
        ("{ }", "{ }"),
        ("[ ]", "[ ]"),
        ("{ a = 1; }", "{ a = 1; }"),
        ("[ 1 ]", "[ 1 ]"),
        ("{ a = { b = 1; }; }", "{\n  a = { ... };\n}"),
        ("[ [ 1 ] ]", "[\n  [ ... ]\n]"),
        ("{ a = { }; }", "{\n  a = { };\n}"),
        (r#"{ "a b" = 1; "if" = 2; or = 3; }"#, "{\n  \"a b\" = 1;\n  \"if\" = 2;\n  or = 3;\n}"),
        (r#"{ a = throw "no"; b = 1 + 1; }"#, "{\n  a = «error: no»;\n  b = 2;\n}"),
        ("builtins.map", "«primop map»"),
        ("builtins.add 1", "«partially applied primop add»"),
        ("let f = x: x; in f", "«lambda f @ (input):1:9»"),
        ("let a = { b = a; c = [ a ]; }; in a", "{\n  b = «repeated»;\n  c = [ ... ];\n}"),
        (r#"{ type = "derivation"; name = "q"; }"#, "«derivation»"),
        (r#"{ type = "derivation"; drvPath = "/x"; }"#, "«derivation /x»"),
    ] {
        assert_eq!(dialogue.show(text, false).as_deref(), Ok(expected), "{text}");
    }
    for (text, expected) in [
        (r#""a\nb""#, "a\nb"),
        (r#"[ "a\nb" ]"#, r#"[ "a\nb" ]"#),
        (
            "{ b = { c = 2; l = [ 1 2 [ 3 ] ]; }; }",
            "{\n  b = {\n    c = 2;\n    l = [\n      1\n      2\n      [ 3 ]\n    ];\n  };\n}",
        ),
        (
            "let r = { a = r; b = [ r ]; }; in { inherit r; }",
            "{\n  r = {\n    a = «repeated»;\n    b = [\n      «repeated»\n    ];\n  };\n}",
        ),
    ] {
        assert_eq!(dialogue.show(text, true).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(dialogue.show(r#"[ { a = throw "no"; } ]"#, true), Err(Code::Thrown));
    assert_eq!(dialogue.show(r#"throw "no""#, false), Err(Code::Thrown));
}

#[test]
fn deep_values_are_laid_out_without_a_deep_stack() {
    let dialogue = Dialogue::new();
    let deep = "builtins.foldl' (deep: _: [ deep ]) 1 (builtins.genList (x: x) 3000)";
    assert_eq!(dialogue.show(deep, true).unwrap().matches('[').count(), 3000);
}

#[test]
fn colours_are_only_there_when_wished() {
    let dialogue = Dialogue::new();
    let value = dialogue.session.eval_expr(b"{ a = 1; }", Path::new("/")).unwrap();
    let shown = dialogue.session.show(value, Layout { deep: false, colour: true }).unwrap();
    assert_eq!(String::from_utf8(shown).unwrap(), "{ a = \x1b[36;1m1\x1b[0m; }");
}

#[test]
fn documentation_is_found() {
    let mut dialogue = Dialogue::new();
    dialogue.define("lib = import ./f.nix; g = /** inline */ x: x").unwrap();
    let f = dialogue.document("lib.f");
    assert_eq!(f.subject, "function `f`");
    assert_eq!((f.place.as_deref(), f.text.as_deref()), (Some("/d/f.nix:3:7"), Some("Adds one.")));
    let n = dialogue.document("lib.n");
    assert_eq!((n.subject.as_str(), n.text.as_deref()), ("attribute `n`", Some("A number.")));
    assert_eq!(dialogue.document("g").text.as_deref(), Some("inline"));
    let map = dialogue.document("builtins.map");
    assert!(map.subject.contains("builtins.map") && map.text.is_some(), "{map:?}");
    assert_eq!(dialogue.document("1").text, None);
}

#[test]
fn kinds_are_described() {
    let dialogue = Dialogue::new();
    for (text, expected) in [
        ("1", "an integer"),
        ("x: x", "a function"),
        ("builtins.map", "the built-in function `map`"),
        ("builtins.add 1", "the partially applied built-in function `add`"),
        ("{ }", "a set"),
    ] {
        let value = dialogue.session.eval_expr(text.as_bytes(), Path::new("/")).unwrap();
        assert_eq!(dialogue.session.describe(value).unwrap(), expected, "{text}");
    }
}

#[test]
fn an_endless_evaluation_can_be_interrupted() {
    let dialogue = Dialogue::new();
    for endless in [
        "let f = n: if n < 0 then n else f (n + 1); in f 0",
        "builtins.foldl' (a: b: a + builtins.foldl' builtins.add b (builtins.genList (x: x) 1000)) 0 (builtins.genList (x: x) 1000000)",
    ] {
        let code = std::thread::scope(|scope| {
            let evaluation = scope.spawn(|| dialogue.show(endless, false));
            while !evaluation.is_finished() {
                std::thread::sleep(std::time::Duration::from_millis(20));
                dialogue.session.interrupt();
            }
            evaluation.join().unwrap()
        });
        assert!(matches!(code, Err(Code::Interrupted | Code::TooManyCalls)), "{endless}: {code:?}");
    }
    assert_eq!(dialogue.show("1 + 1", false).unwrap(), "2", "the session goes on");
}

/// Each byte is compared with thousands of patterns: what counts is all that is looked at, not how far in the text it is.
#[test]
fn replacing_many_patterns_can_be_interrupted() {
    let dialogue = Dialogue::new();
    let long = "let double = n: if n == 0 then \"a\" else let half = double (n - 1); in half + half; in
        builtins.replaceStrings (builtins.genList (n: \"a${toString n}\") 20000) (builtins.genList toString 20000) (double 20)";
    let waited = std::thread::scope(|scope| {
        let evaluation = scope.spawn(|| dialogue.show(long, false));
        std::thread::sleep(Duration::from_secs(1));
        dialogue.session.interrupt();
        let start = Instant::now();
        assert!(matches!(evaluation.join().unwrap(), Err(Code::Interrupted)));
        start.elapsed()
    });
    assert!(waited < Duration::from_secs(2), "{waited:?}");
}

/// Parsing is not interrupted; what is made of what was parsed is.
#[test]
fn reading_toml_can_be_interrupted() {
    let dialogue = Dialogue::new();
    let long = "let double = n: if n == 0 then \"1,\" else let half = double (n - 1); in half + half; in
        fromTOML \"a = [${double 22}]\"";
    let result = std::thread::scope(|scope| {
        let evaluation = scope.spawn(|| dialogue.show(long, false));
        std::thread::sleep(Duration::from_millis(200));
        dialogue.session.interrupt();
        evaluation.join().unwrap()
    });
    assert!(matches!(result, Err(Code::Interrupted)), "{:?}", result.map(|shown| shown.len()));
}
