//! Analysis: what names mean, what sets have, and renaming.

use crate::host_io::HostIo;
use crate::test_language::{cases, remark};
use eval::analysis::{File, Files, Place, RenameError, Resolution, Target, Value, Values, rename};
use eval::lint::apply;
use eval::syntax::{ParseOptions, parse_tree};
use eval::{Session, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the use at `@` means: the offset of a definition (without the marks), a builtin, a `with`, or nothing.
fn meaning(marked: &str) -> String {
    let offset = marked.find('@').unwrap();
    let text = marked.replacen('@', "", 1);
    let parsed = parse_tree(text.as_bytes(), ParseOptions::default());
    let resolution = Resolution::of(parsed.tree());
    let found = resolution.uses().iter().find(|found| found.range.start == offset).expect("a use");
    match found.target {
        Target::Definition(definition) => resolution.definitions()[definition].places[0].start.to_string(),
        Target::Builtin(name) => name.to_owned(),
        Target::With(scope) => format!("with {}", parsed.tree().nth(resolution.scopes()[scope].element).range().start),
        Target::Undefined => "nothing".to_owned(),
    }
}

#[test]
fn names_mean_the_innermost_definition() {
    for (text, expected) in [
        ("let a = 1; in @a", "4"),
        ("let a = @a; in 1", "4"),
        ("let a = 1; b = @a; in 1", "4"),
        ("a: let inherit a; in @a", "15"),
        ("a: let inherit @a; in a", "0"),
        ("a: rec { inherit @a; }", "0"),
        ("a: { inherit @a; }", "0"),
        ("a: { a = @a; }", "0"),
        ("a: rec { a = @a; }", "9"),
        ("a: rec { b.a = @a; }", "0"),
        ("a: rec { a.b = 1; a.c = @a; }", "9"),
        ("a: rec { ${@a} = 1; }", "0"),
        ("a: let inherit (@a) a; in 1", "19"),
        ("a: { inherit (@a) a; }", "0"),
        ("{ a, b ? @a }: 1", "2"),
        ("{ a, b ? @c } @ c: 1", "15"),
        ("a: a: @a", "3"),
        ("a: with a; @a", "0"),
        ("a: with @a; 1", "0"),
        ("a: with a; @b", "with 3"),
        ("a: with a; with a.b; @b", "with 11"),
        ("a: with (with a; 1); @b", "with 3"),
        ("a: [ (with a; 1) @b ]", "nothing"),
        ("let { a = 1; body = @a; }", "6"),
        ("let \"a\" = 1; in @a", "4"),
        ("let ${(\"a\")} = 1; in @a", "4"),
        ("let \"\\a\" = 1; in @a", "4"),
        ("rec { \"$\" = 1; \"\\x\" = @x; }", "15"),
        ("let ${''a''} = 1; in @a", "4"),
        ("let a = 1; ${''${\"a\"}''} = 1; in @a", "4"),
        ("@map", "map"),
        ("@__head", "head"),
        ("with { }; @map", "map"),
        ("let map = 1; in @map", "4"),
        ("@__curPos", "__curPos"),
        ("@x", "nothing"),
        ("\"${let a = 1; in @a}\"", "7"),
        ("let a = 1; in ./${@a}", "4"),
        ("let a = 1; in { b = @a; ", "4"),
    ] {
        assert_eq!(meaning(text), expected, "{text}");
    }
}

#[derive(Default)]
struct Texts(BTreeMap<PathBuf, Arc<File>>);

impl Files for Texts {
    fn file(&self, path: &Path) -> Option<Arc<File>> {
        self.0.get(path).or_else(|| self.0.get(&path.join("default.nix"))).cloned()
    }
}

/// The names of the attributes of what a text gives.
fn attributes(text: &str) -> Vec<String> {
    let mut texts = Texts::default();
    for (path, text) in [
        ("/d/lib/default.nix", "{ x ? 1 }: rec { inherit (import ./more.nix) deep; f = a: { given = a; }; }"),
        ("/d/lib/more.nix", "{ deep.er = { }; deep.est = 1; }"),
    ] {
        texts.0.insert(path.into(), Arc::new(File::new(path.into(), text.as_bytes())));
    }
    let file = Arc::new(File::new("/d/main.nix".into(), text.as_bytes()));
    let mut values = Values::new(&texts);
    let found = values.of(&Place { file, element: 0 });
    let mut names = Vec::new();
    for value in found {
        match value {
            Value::Builtins => names.push("(builtins)".to_owned()),
            Value::Function(_) => names.push("(function)".to_owned()),
            set => names.extend(values.attributes(&set).into_iter().map(|attribute| attribute.name)),
        }
    }
    names.dedup();
    names
}

#[test]
fn static_sets_are_known() {
    for (text, expected) in [
        ("{ a = 1; b.c = 2; }", "a b"),
        ("{ b.c.d = 2; b.e = 1; }.b", "c e"),
        ("{ b.c.d = 2; }.b.c", "d"),
        ("{ \"$\" = 1; \"\\b\\t\" = 2; }", "$ b\t"),
        ("let s = { a = 1; }; in s // { b = 1; }", "b a"),
        ("let s.a = 1; in s", "a"),
        ("rec { s = { a = 1; }; t = s; }.t", "a"),
        ("let inherit ({ s = { a = 1; }; }) s; in s", "a"),
        ("with { s = { a = 1; }; }; s", "a"),
        ("(x: { a = x; }) 1", "a"),
        ("let f = { a, b }: c: { d = 1; }; in f { } 1", "d"),
        ("let f = { a, b }: c: { d = 1; }; in f { }", "(function)"),
        ("if true then { a = 1; } else { b = 1; }", "a b"),
        ("{ a ? { b = 1; } }: a", "(function)"),
        ("({ a ? { b = 1; } }: a) { }", "b"),
        ("import ./lib", "(function)"),
        ("import ./lib { }", "deep f"),
        ("(import ./lib { }).deep", "er est"),
        ("(import ./lib/default.nix { }).f 1", "given"),
        ("import ./missing.nix", ""),
        ("builtins", "(builtins)"),
        ("let { body = { a = 1; }; }", "a"),
        ("let a = a; in a", ""),
        ("let a = b; b = a // a; in a", ""),
        ("let f = x: f x; in f 1", ""),
    ] {
        assert_eq!(attributes(text).join(" "), expected, "{text}");
    }
}

/// A text with the definition whose name is at `§` renamed, or why not.
fn renamed(marked: &str, new: &str) -> String {
    let offset = marked.find('§').unwrap();
    let text = marked.replacen('§', "", 1);
    let parsed = parse_tree(text.as_bytes(), ParseOptions::default());
    let resolution = Resolution::of(parsed.tree());
    let definition = resolution.definition_at(offset).expect("a definition");
    match rename(parsed.tree(), &resolution, definition, new) {
        Ok(edits) => String::from_utf8(apply(text.as_bytes(), &edits)).unwrap(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn definitions_are_renamed() {
    for (text, expected) in [
        ("let §x = 1; in x + (x: x) x", "let y = 1; in y + (x: x) y"),
        ("§x: { inherit x; }", "y: { x = y; }"),
        ("a: §x: { inherit a x; b = x; }", "a: y: { inherit a; x = y; b = y; }"),
        ("x: let inherit §x; in x", "x: let y = x; in y"),
        ("§x: let inherit x; in x", "y: let x = y; in x"),
        ("let inherit (1 + 1) §x z; in x", "let inherit (1 + 1) z; y = (1 + 1).x; in y"),
        ("a: let inherit (a) §x; in x", "a: let y = a.x; in y"),
        ("let §x.a = 1; x.b = x; in x.x", "let y.a = 1; y.b = y; in y.x"),
        ("{ §x ? 1, z ? x } @ w: x", "error: `x` is known outside of this text, where it would keep its name"),
        ("rec { §x = 1; z = x; }", "error: `x` is known outside of this text, where it would keep its name"),
        ("let { §body = x; x = 1; }", "error: `body` is known outside of this text, where it would keep its name"),
        ("let { body = x; §x = 1; }", "let { body = y; y = 1; }"),
        ("let §body = 1; in body", "let y = 1; in y"),
        ("{ a } @ §x: x", "{ a } @ y: y"),
        ("let §x = 1; y = 2; in x", "error: `y` is defined there already"),
        ("let §x = 1; in y: x", "error: another `y` is nearer to a use: it would be meant instead"),
        (
            "let §x = 1; in let inherit x; y = 1; in x",
            "error: another `y` is nearer to a use: it would be meant instead",
        ),
        ("y: let §x = 1; in y", "error: `y` is used for something else there: it would mean this definition instead"),
        (
            "with { }; let §x = 1; in y",
            "error: `y` is used for something else there: it would mean this definition instead",
        ),
        ("y: let §x = 1; in let y = 2; in y", "y: let y = 1; in let y = 2; in y"),
    ] {
        assert_eq!(renamed(text, "y"), expected, "{text}");
    }
    for bad in ["", "a b", "in", "1a", "a.b"] {
        assert!(renamed("let §x = 1; in x", bad).ends_with("is not a name"), "{bad}");
    }
    assert!(renamed("let §x = 1; in map", "map").starts_with("error: `map` is used"));
}

#[test]
fn bytes_that_are_no_text_are_not_moved() {
    let text = b"let inherit ({ x = \"\xff\"; }) x; in x";
    let parsed = parse_tree(text, ParseOptions::default());
    let resolution = Resolution::of(parsed.tree());
    let refused = rename(parsed.tree(), &resolution, 0, "y");
    assert_eq!(refused, Err(RenameError::NotText { name: "x".to_owned(), place: 13..25 }));
}

fn printed(text: &[u8], directory: &Path) -> Result<String, Vec<&'static str>> {
    let session = Session::new(Settings::new("x86_64-linux"), Arc::new(HostIo::default()));
    let printed = session.eval_expr(text, directory).and_then(|value| session.print(value, true));
    let printed = printed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    printed.map_err(|failure| failure.iter().map(|diagnostic| diagnostic.code.number()).collect())
}

/// How many definitions of a text are renamed.
const MOST_RENAMED: usize = 6;

/// Whether a program may show names of arguments, or where they are.
fn shows_names(text: &[u8]) -> bool {
    ["Pos", "toXML", "trace"].iter().any(|word| String::from_utf8_lossy(text).contains(word))
}

/// Renames what can be renamed to a name that is new, and compares the values.
fn check_renaming(text: &[u8], directory: &Path) {
    let parsed = parse_tree(text, ParseOptions::default());
    if !parsed.diagnostics().is_empty() || shows_names(text) {
        return;
    }
    let resolution = Resolution::of(parsed.tree());
    let before = printed(text, directory);
    let numbers = 0..resolution.definitions().len();
    let all_edits = numbers.filter_map(|number| match rename(parsed.tree(), &resolution, number, "fresh_name") {
        Err(RenameError::Operator(_) | RenameError::Interface(_)) => None,
        edits => Some(edits.expect("the name is new")),
    });
    // Evaluating a case for each of very many would take long.
    for edits in all_edits.take(MOST_RENAMED) {
        let renamed = apply(text, &edits);
        assert_eq!(printed(&renamed, directory), before, "{}", String::from_utf8_lossy(&renamed));
    }
}

#[test]
fn renaming_changes_no_value() {
    for case in cases("okay") {
        let remark = remark(&case);
        // XML shows the names of arguments.
        if !["not strict", "pipes"].iter().any(|word| remark.contains(word)) && !case.ends_with("xml.nix") {
            check_renaming(&std::fs::read(&case).unwrap(), case.parent().unwrap());
        }
    }
}

/// Programs in which few names are defined and used in many ways.
fn programs() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let leaf = prop_oneof![name().prop_map(str::to_owned), Just("1".to_owned()), Just("{ a = 1; b = 2; }".to_owned())];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let expr = || inner.clone();
        prop_oneof![
            (name(), expr(), expr()).prop_map(|(x, e, f)| format!("let {x} = {e}; in {f}")),
            (name(), name(), expr(), expr()).prop_map(|(x, y, e, f)| format!("(let inherit {x}; z{y} = {e}; in {f})")),
            (name(), expr(), expr()).prop_map(|(x, e, f)| format!("(let inherit ({e}) {x}; in {f})")),
            (name(), expr(), expr()).prop_map(|(x, e, f)| format!("(({x}: {e}) ({f}))")),
            (name(), name(), expr()).prop_map(|(x, y, e)| format!("(({{ {x} ? 1, ... }} @ z{y}: {e}) {{ }})")),
            (expr(), expr()).prop_map(|(e, f)| format!("(with {e}; {f})")),
            (name(), expr()).prop_map(|(x, e)| format!("rec {{ {x} = {e}; inherit (rec {{ }}) ; z = {x}; }}")),
            name().prop_map(|x| format!("{{ inherit {x}; }}")),
            (expr(), name()).prop_map(|(e, x)| format!("(({e}).{x} or 3)")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn renaming_in_programs_changes_no_value(text in programs()) {
        check_renaming(format!("a: b: c: {text}").as_bytes(), Path::new("/"));
        check_renaming(format!("(a: b: c: {text}) {{ b = 1; }} 2 [ ]").as_bytes(), Path::new("/"));
    }

    #[test]
    fn undefined_variables_are_those_of_the_evaluator(text in programs()) {
        let parsed = parse_tree(text.as_bytes(), ParseOptions::default());
        prop_assert!(parsed.diagnostics().is_empty(), "{}", text);
        let resolution = Resolution::of(parsed.tree());
        // The evaluator says once of each name that it is undefined.
        let undefined = resolution.uses().iter().filter(|found| found.target == Target::Undefined);
        let undefined = undefined.map(|found| &found.name).collect::<std::collections::BTreeSet<_>>().len();
        let failure = printed(text.as_bytes(), Path::new("/")).err().unwrap_or_default();
        let told = failure.iter().filter(|code| **code == "E0005").count();
        // What a `with` should have had is missed at run time only.
        prop_assert!(undefined == told || (undefined == 0 && text.contains("with")), "{}", text);
    }
}
