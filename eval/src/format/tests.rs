//! What must hold of every formatted text: the same program, the same comments, and nothing left to format.

use super::format;
use crate::source::{Origin, Sources};
use crate::symbol::Symbols;
use crate::syntax::{Kind, ParseOptions, parse, parse_tree};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const OPTIONS: ParseOptions = ParseOptions { pipe_operators: true, max_depth: 300 };

/// The Nix files of the repository that have no errors.
#[expect(clippy::disallowed_methods, reason = "tests read their data")]
fn programs() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut pending: Vec<_> =
        ["testdata/eval", "testdata/format", "recipes", "benches", "examples"].map(|name| root.join(name)).into();
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() && !path.is_symlink() {
            pending.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
        } else if path.extension().is_some_and(|extension| extension == "nix") && path.is_file() {
            let text = std::fs::read(&path).expect("readable");
            if parse_tree(&text, OPTIONS).diagnostics().is_empty() {
                found.push((path, text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 80, "the files are found");
    found
}

/// The program without places.
fn meaning(text: &[u8]) -> String {
    let sources = Sources::default();
    let source = sources.add(Origin::Text(String::new()), text.into()).expect("small");
    let symbols = Symbols::default();
    let tree = parse(&source, &symbols, OPTIONS).expect("it has no errors");
    let spans = regex::Regex::new(r"Pos\([0-9]+\)").expect("a regular expression");
    let shown = format!("{tree:?}");
    // Symbols are numbered in the order in which they are met, which is the same.
    spans.replace_all(&shown, "").into_owned()
}

/// The words of all comments, sorted.
fn comment_words(text: &[u8]) -> Vec<String> {
    let parsed = parse_tree(text, OPTIONS);
    let comments = parsed.tree().tokens().filter(|token| token.kind().is_comment());
    let mut words: Vec<String> = comments
        .flat_map(|comment| {
            let text = String::from_utf8_lossy(comment.text()).into_owned();
            text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty())
        .collect();
    words.sort();
    words
}

/// The lines around the first difference.
fn first_difference(once: &[u8], twice: &[u8]) -> String {
    let (once, twice) = (String::from_utf8_lossy(once).into_owned(), String::from_utf8_lossy(twice).into_owned());
    let same = once.lines().zip(twice.lines()).take_while(|(a, b)| a == b).count().saturating_sub(6);
    let part = |text: &str| text.lines().skip(same).take(16).collect::<Vec<_>>().join("\n");
    format!("\n{}\nbecomes\n{}\n", part(&once), part(&twice))
}

fn check(name: &str, text: &[u8]) -> Result<(), String> {
    let show = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let once = format(name, text).map_err(|parsed| format!("{:?} of {}", parsed.diagnostics(), show(text)))?;
    let twice = format(name, &once).map_err(|_| format!("{name}: {}\nbecomes wrong:\n{}", show(text), show(&once)))?;
    if once != twice {
        return Err(format!("{name}: {}\nis not settled: {}", show(text), first_difference(&once, &twice)));
    }
    let (before, after) = (meaning(text), meaning(&once));
    if before != after {
        let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(80);
        let part =
            |text: &str| String::from_utf8_lossy(&text.as_bytes()[same..text.len().min(same + 200)]).into_owned();
        let parts = format!("{}\nand\n{}", part(&before), part(&after));
        return Err(format!("{name}: {}\nmeans something else:\n{}\n{parts}", show(text), show(&once)));
    }
    if comment_words(text) != comment_words(&once) {
        return Err(format!("{name}: {}\nloses comments:\n{}", show(text), show(&once)));
    }
    Ok(())
}

/// The tokens of a text with other white space and comments between them.
fn shaken(text: &[u8], gaps: &[u8]) -> Vec<u8> {
    let parsed = parse_tree(text, OPTIONS);
    let mut out = Vec::new();
    let mut gaps = gaps.iter().cycle();
    for token in parsed.tree().tokens().filter(|token| !token.kind().is_trivia()) {
        let in_text = |kind| matches!(kind, Kind::String | Kind::IndentedString | Kind::Path);
        let opens = matches!(token.kind(), Kind::Quote | Kind::IndentedQuote | Kind::PathText)
            && token.parent().is_some_and(|parent| parent.range().start == token.range().start);
        let start = token.range().start;
        let inside = token.kind() == Kind::StringText
            || token.parent().is_some_and(|parent| in_text(parent.kind())) && !opens
            || token.kind() == Kind::InterpolationStart
                && token
                    .parent()
                    .and_then(|parent| parent.parent())
                    .is_some_and(|outer| in_text(outer.kind()) && start > outer.range().start);
        if !inside {
            let had_space = token.token_before().is_none_or(|before| before.kind().is_trivia());
            out.extend_from_slice(match gaps.next().copied().unwrap_or(0) % 16 {
                0 => b"\n",
                1 => b"\n\n",
                2 => b" # c1\n",
                3 => b"\n  # c2\n",
                4 => b" /* c3 */ ",
                5 => b"\n/* c4\n  c5 */\n",
                6..=9 if !had_space => b"",
                _ => b" ",
            });
        }
        out.extend_from_slice(token.text());
    }
    out
}

#[test]
fn files_keep_their_meaning_and_comments() {
    for (path, text) in programs() {
        check(&path.display().to_string(), &text).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn shaken_files_keep_their_meaning_and_comments() {
    let programs = programs();
    let cases = option_env!("LARDER_CASES").and_then(|cases| cases.parse().ok()).unwrap_or(200);
    let config = ProptestConfig { cases, ..ProptestConfig::default() };
    let strategy = (0..programs.len(), prop::collection::vec(any::<u8>(), 1..200));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&strategy, |(index, gaps)| {
            let text = shaken(&programs[index].1, &gaps);
            check(&programs[index].0.display().to_string(), &text).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Indented strings with all that is special in them, in what may stand around strings.
fn programs_with_strings() -> impl Strategy<Value = String> {
    let white = prop::sample::select(vec!["\n", "\n", "\n\n", "\r\n", " ", "  ", "    ", "\t", " \t "]);
    let plain = prop::sample::select(vec!["a", "b c", "é", "$", "$$", "$${", "'", "\"", "\\", "\\n", "}", "#"]);
    let escape = prop::sample::select(vec!["''$", "''${", "'''", r"''\n", r"''\t", r"''\\", r"''\ ", r"''\${"]);
    let interpolation =
        prop::sample::select(vec!["${x}", "${ x }", "${\n x}", "${''\n  a''}", "${\"a\"}", "${f {\n}}"]);
    let body = prop::collection::vec(prop_oneof![white, plain, escape, interpolation], 0..14);
    let around = prop::sample::select(vec![
        ["", ""],
        ["[ ", " ]"],
        ["{ a.b =\n", "; }"],
        ["f ", " x"],
        ["(x: ", " + ''a'')"],
        ["{\n\n   a = f { b = ", "; };\n }"],
        ["''  ${", "}\n b''"],
        ["let a = 1; in if a == ", " then 1 else 2"],
    ]);
    (around, body).prop_map(|([before, after], body)| format!("x: f:\n{before}''{}''{after}", body.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn indented_strings_keep_their_value(text in programs_with_strings()) {
        // With an escape at its end a string may not be closed.
        if parse_tree(text.as_bytes(), OPTIONS).diagnostics().is_empty() {
            check("", text.as_bytes()).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn random_texts_do_not_panic(text in "[ab1\\{\\}\\(\\)\\[\\];:,@=.?!+\\-*/<> \n\r\"'$#]{0,60}") {
        if parse_tree(text.as_bytes(), OPTIONS).diagnostics().is_empty() {
            check("", text.as_bytes()).map_err(TestCaseError::fail)?;
        }
    }
}
