//! Lint: what is found and what is not, and what fixes make of it.

use eval::analysis::Resolution;
use eval::lint::{Finding, fix, lint};
use eval::syntax::{ParseOptions, parse_tree};
use std::time::Duration;

fn options(pipe_operators: bool) -> ParseOptions {
    ParseOptions { pipe_operators, ..ParseOptions::default() }
}

fn findings(text: &str) -> Vec<Finding> {
    let parsed = parse_tree(text.as_bytes(), options(false));
    assert!(parsed.diagnostics().is_empty(), "{text}: {:?}", parsed.diagnostics());
    lint(&parsed, &Resolution::of(parsed.tree()))
}

/// The findings of a text: `CODE text`, separated by semicolons.
fn found(text: &str) -> String {
    let findings = findings(text);
    let one = |finding: &Finding| format!("{} {}", finding.code.number(), &text[finding.range.clone()]);
    findings.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn fixed(text: &str) -> String {
    String::from_utf8(fix(text.as_bytes(), options(false)).0).unwrap()
}

#[test]
fn names_are_checked() {
    for (text, expected) in [
        ("let a = 1; b = 2; in b", "L0001 a"),
        ("let a = 1; in { inherit a; }", ""),
        ("let a = n: a n; in 1", "L0001 a"),
        ("let a = n: b n; b = n: a n; in 1", ""),
        ("let _a = 1; in 1", ""),
        ("let inherit (builtins) map head; in head", "L0001 map"),
        ("let a.b = 1; a.c = 2; in a", ""),
        ("let { body = 1; a = 2; }", "L0011 let; L0001 a"),
        ("rec { a = 1; b = a; }", ""),
        ("x: 1", "L0002 x"),
        ("_: _x: 1", ""),
        ("{ a, b }: a", "L0003 b"),
        ("{ a, b ? a }: b", ""),
        ("{ a, ... } @ args: a", "L0004 args"),
        ("{ a, ... } @ args: args.b", ""),
        ("x: y: let x = y; in x", "L0002 x; L0005 x"),
        ("{ x }: [ x ({ x }: x) ]", ""),
        ("x: let inherit (x) y; in y", ""),
        ("let map = 1; in map", "L0006 map"),
        ("{ map }: map", ""),
        ("a", "E0005 a"),
        ("{ a }: with a; b", ""),
        ("{ inherit nothing; }", "E0005 nothing"),
        ("{ a = 1; b = a; }", "E0005 a"),
        ("rec { a.b = c; c = 1; }", ""),
        ("let x = 1; in let inherit x; in x", ""),
        ("__curPos.line", ""),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn forms_are_checked_and_fixed() {
    for (text, codes, expected) in [
        ("https://example.org/a", "L0010", "\"https://example.org/a\""),
        ("[ a:b ]", "L0010", "[ \"a:b\" ]"),
        ("let { a = 1; body = a; }", "L0011", "rec { a = 1; body = a; }.body"),
        ("isNull 1", "L0012", "isNull 1"),
        ("builtins.isNull 1", "L0012", "builtins.isNull 1"),
        ("{ builtins }: builtins.isNull 1", "", "{ builtins }: builtins.isNull 1"),
        ("__head [ 1 ]", "L0013", "builtins.head [ 1 ]"),
        ("let __head = 1; in __head", "", "let __head = 1; in __head"),
        ("rec { a = 1; }", "L0020", "{ a = 1; }"),
        ("rec { \"\\a\" = 1; b = a; }", "L0027", "rec { a = 1; b = a; }"),
        ("rec/* why */{ a = 1; }", "L0020", "/* why */{ a = 1; }"),
        ("rec { a = 1; __overrides = { }; }", "", "rec { a = 1; __overrides = { }; }"),
        ("rec { __sub = a: b: 42; x = 3 - 2; }", "L0002 L0002", "rec { __sub = a: b: 42; x = 3 - 2; }"),
        ("x: { a = rec { b = 1; }; a.x = x; }", "", "x: { a = rec { b = 1; }; a.x = x; }"),
        ("x: { \"a\" = (rec { b = 1; }); a.x = x; }", "L0027 L0025", "x: { a = rec { b = 1; }; a.x = x; }"),
        ("x: { a = { b = rec { c = 1; }; }; a.b.y = x; }", "", "x: { a = { b = rec { c = 1; }; }; a.b.y = x; }"),
        ("x: { a = { b = rec { c = 1; }; }; d.b.y = x; }", "L0020", "x: { a = { b = { c = 1; }; }; d.b.y = x; }"),
        ("x: { a.b.c = rec { c = 1; }; a.b = { y = x; }; }", "", "x: { a.b.c = rec { c = 1; }; a.b = { y = x; }; }"),
        ("x: { a.b = rec { c = 1; }; a.c.b = x; }", "L0020", "x: { a.b = { c = 1; }; a.c.b = x; }"),
        ("x: { ${x} = 1; a = { x = x; }; }", "L0024", "x: { ${x} = 1; a = { inherit x; }; }"),
        ("x: { a.b = { x = x; }; a.c = 1; }", "L0024", "x: { a.b = { inherit x; }; a.c = 1; }"),
        ("x: { a = rec { b = 1; }; a = { x = x; }; }", "", "x: { a = rec { b = 1; }; a = { x = x; }; }"),
        ("x: with x; 1", "L0021", "x: 1"),
        ("x: with x; y: with y; z", "", "x: with x; y: with y; z"),
        ("x: with /* why */ x; 1", "L0021", "x: with /* why */ x; 1"),
        ("let in 1", "L0022", "1"),
        ("{ inherit; a = 1; }", "L0023", "{ a = 1; }"),
        ("x: { inherit (x); }", "L0023", "x: { }"),
        ("a: { a = a; b = a.b; }", "L0024 L0024", "a: { inherit a; inherit (a) b; }"),
        ("a: rec { b = a.b; c = b; }", "L0024", "a: rec { inherit (a) b; c = b; }"),
        ("a: { a = /* why */ a; }", "L0024", "a: { a = /* why */ a; }"),
        ("a: { a.a = a; }", "", "a: { a.a = a; }"),
        ("{ __curPos = __curPos; }", "", "{ __curPos = __curPos; }"),
        ("a: { b = a.b or 1; }", "", "a: { b = a.b or 1; }"),
        ("f: f(f)", "L0025", "f: f f"),
        ("f: f ((f))", "L0025 L0025", "f: f f"),
        ("f: [ (f 1) (f) ]", "L0025", "f: [ (f 1) f ]"),
        ("f: -(f)", "L0025", "f: - f"),
        ("f: (f).a", "L0025", "f: f.a"),
        ("(./a).b", "", "(./a).b"),
        ("(1).b", "", "(1).b"),
        ("x:(x)", "L0025", "x: x"),
        ("{ a = (1 + 2); }", "L0025", "{ a = 1 + 2; }"),
        ("(1 + 2) * 3", "", "(1 + 2) * 3"),
        ("x: x.${\"a\"}", "L0026", "x: x.a"),
        ("x: x.${\"a b\"}", "L0026", "x: x.\"a b\""),
        ("x: x.${\"in\"}", "L0026", "x: x.\"in\""),
        ("rec { ${\"a\"} = b; b = 1; }", "L0026", "rec { a = b; b = 1; }"),
        ("rec { ${\"a\"} = 1; b = a; }", "L0026", "rec { a = 1; b = a; }"),
        ("let ${(''a'')} = 1; in a", "L0025", "let ${''a''} = 1; in a"),
        ("{ \"a\" = 1; \"a b\" = 2; \"if\" = 3; }", "L0027", "{ a = 1; \"a b\" = 2; \"if\" = 3; }"),
        ("x: if x == 1 then true else false", "L0028", "x: x == 1"),
        ("x: if x then true else false", "L0028", "x: if x then true else false"),
        ("x: if x == 1 then false else true", "L0028", "x: !(x == 1)"),
        ("x: if x then false else true", "L0028", "x: !x"),
        (
            "let __lessThan = a: b: 1; in if 1 < 2 then true else false",
            "L0002 L0002 L0028",
            "let __lessThan = a: b: 1; in if 1 < 2 then true else false",
        ),
        ("let or = 1; in [ __head or 1 ]", "L0013", "let or = 1; in [ __head or 1 ]"),
        ("true: x: if true x then x else false", "L0006", "true: x: if true x then x else false"),
        ("x: x == true", "L0029", "x: x == true"),
        ("toString \"a\"", "L0030", "\"a\""),
        ("toString 1", "", "toString 1"),
        // What would join what stands beside it.
        ("let a=1; in [(a)./b]", "L0025", "let a=1; in [a ./b]"),
        ("let a=1; in [(a).b/c]", "L0025", "let a=1; in [a .b/c]"),
        ("a: (a).b", "L0025", "a: a.b"),
        ("a: a.\"b\"-1", "L0027", "a: a.b -1"),
        ("a: a.${\"b\"}-1", "L0026", "a: a.b -1"),
        ("a: a.\"b\"or 3", "L0027", "a: a.b or 3"),
        ("a: a.\"b\"/c", "L0027", "a: a.b /c"),
        ("a: [a.\"b\"./c]", "L0027", "a: [a.b ./c]"),
        ("a: a.\"b\".c.\"d\"+e/f", "L0027 L0027", "a: a.b.c.d +e/f"),
        ("a: [a.\"b\"c:d]", "L0027 L0010", "a: [a.b \"c:d\"]"),
        ("x: x ? \"a\"-> true", "L0027", "x: x ? a -> true"),
        ("x: x?\"a\"&&true", "L0027", "x: x?a&&true"),
        ("let\"a\"=1;in a", "L0027", "let a=1;in a"),
        ("let${\"a\"}=1;in a", "L0026", "let a=1;in a"),
        ("x: let\"a\"=x.a;in a", "L0027 L0024", "x: let inherit (x) a;in a"),
        ("[let{body=1;}true]", "L0011", "[{body=1;}.body true]"),
        ("[let{body=1;}./a]", "L0011", "[{body=1;}.body ./a]"),
    ] {
        let codes: Vec<_> = codes.split_whitespace().collect();
        let found: Vec<_> = findings(text).iter().map(|finding| finding.code.number()).collect();
        let found: Vec<_> = found.into_iter().filter(|code| *code != "L0002" || codes.contains(code)).collect();
        assert_eq!(found, codes, "{text}");
        assert_eq!(fixed(text), expected, "{text}");
    }
}

#[test]
fn a_with_around_a_long_file_is_told_of() {
    let lines: String = (0..12).map(|number| format!("  a{number} = b;\n")).collect();
    assert_eq!(found(&format!("{{ x }}:\nlet\n  y = x;\nin\nwith y; {{\n{lines}}}")), "L0014 with y");
    assert_eq!(found(&format!("x: {{ a = with x; {{\n{lines}}}; }}")), "");
    assert_eq!(found("x: with x; [ y ]"), "");
}

#[test]
fn comments_allow() {
    let text = "# larder-lint: allow-file(L0002)\nlet\n  a = 1; # larder-lint: allow(L0001)\n  # larder-lint: allow(L0001, L0006)\n  # and why\n  map = 2;\n  c = 3;\n  # larder-lint: allow(l0005)\n  d = 4;\nin x: 1\n";
    assert_eq!(found(text), "L0001 c; L0001 d");
    assert_eq!(found("/* larder-lint: allow(all) */ let a = 1; map = 2; in 1"), "");
}

#[test]
fn fixes_keep_comments() {
    let text = "# first\nrec {\n  # of a\n  a = (/* one */ 1 # two\n  ); # three\n  /* of b */ \"b\" = 2;\n}\n# last\n";
    let expected = "# first\n{\n  # of a\n  a = /* one */ 1 # two\n  ; # three\n  /* of b */ b = 2;\n}\n# last\n";
    assert_eq!(fixed(text), expected);
}

#[test]
fn fixes_keep_bytes_that_are_no_text() {
    for (text, expected) in [
        (&b"x: if x == \"\xff\" then true else false"[..], &b"x: x == \"\xff\""[..]),
        (b"x: if x == \"\xff\" then false else true", b"x: !(x == \"\xff\")"),
        (b"x: { a = (\"\xff\"); b = x.b; } # \xff", b"x: { a = \"\xff\"; inherit (x) b; } # \xff"),
    ] {
        assert_eq!(fix(text, options(false)).0, expected);
    }
}

/// What this thread has computed for, however busy the machine is.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells");
    // Behind the name in brackets, the eleventh and twelfth field count hundredths of seconds.
    let fields = text.rsplit(") ").next().expect("there is a name").split(' ');
    Duration::from_millis(
        10 * fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>(),
    )
}

#[test]
fn long_texts_are_linted() {
    const PARTS: usize = 20_000;
    let repeated = |before: &str, part: &dyn Fn(usize) -> String, after: &str| {
        [before, &(0..PARTS).map(part).collect::<String>(), after].concat()
    };
    let names = repeated("let ", &|number| format!("name{number} = {number}; "), "in [ ");
    for (text, least) in [
        (repeated(&names, &|number| format!("nome{number} "), "]"), PARTS),
        (repeated("{ ", &|number| format!("x{number} = rec {{ }}; "), "}"), PARTS),
        (repeated("{ ", &|number| format!("a.b{number} = (1); "), "}"), PARTS),
        (repeated("{ ", &|number| format!("x{number} = y: y: y; "), "}"), PARTS),
        (repeated("", &|_| "# larder-lint: allow(L0002)\n".to_owned(), &names) + "(x: 1) ]", PARTS),
    ] {
        let started = processor_time();
        assert!(findings(&text).len() >= least, "{}", &text[..60]);
        // What costs the square of its length takes far longer.
        let taken = processor_time() - started;
        assert!(taken.as_secs() < 30, "{}: {taken:?}", &text[..60]);
    }
}

#[test]
fn texts_with_errors_stay_as_they_are() {
    for text in ["{ a = ", "((1)", "let in", ""] {
        assert_eq!(fixed(text), text);
    }
}
