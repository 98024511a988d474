//! Fixes of lint, and formatting, change no value and no trace: of the cases of the language, of random programs, of
//! random texts.

use crate::host_io::HostIo;
use crate::programs::Programs;
use crate::rough::Rough;
use crate::test_language::{cases, remark};
use eval::analysis::Resolution;
use eval::lint::{fix, lint};
use eval::syntax::{ParseOptions, parse_tree};
use eval::{Session, Settings};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn options(pipe_operators: bool) -> ParseOptions {
    ParseOptions { pipe_operators, ..ParseOptions::default() }
}

/// What a text prints, or the codes of what is wrong with it; and what it traces.
type Outcome = (Result<String, Vec<&'static str>>, Vec<String>);

fn outcome(text: &[u8], directory: &Path, pipes: bool, strict: bool) -> Outcome {
    let mut settings = Settings::new("x86_64-linux");
    settings.pipe_operators = pipes;
    let io = Arc::new(HostIo::default());
    let session = Session::new(settings, Arc::clone(&io) as Arc<dyn eval::EvalIo>);
    let printed = session.eval_expr(text, directory).and_then(|value| session.print(value, strict));
    let printed = printed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let printed = printed.map_err(|failure| failure.iter().map(|diagnostic| diagnostic.code.number()).collect());
    // Warnings show their places, and that of a URL goes away with its fix.
    let traced = io.memory.traced.lock().unwrap();
    let first_lines = traced.iter().filter_map(|text| text.lines().next());
    (printed, first_lines.filter(|line| !line.starts_with("warning[W0002]")).map(str::to_owned).collect())
}

#[test]
fn fixes_change_no_value() {
    for case in cases("okay").into_iter().chain(cases("fail")) {
        let (text, remark) = (std::fs::read(&case).unwrap(), remark(&case));
        let (pipes, strict) = (remark.contains("pipes"), !remark.contains("not strict"));
        let (fixed, count) = fix(&text, options(pipes));
        // Places may move, and what is not evaluated prints as `<CODE>`.
        let place = ["__curPos", "unsafeGetAttrPos"].iter().any(|word| String::from_utf8_lossy(&text).contains(word));
        if count > 0 && strict && !place {
            let directory = case.parent().unwrap();
            let (before, after) = (outcome(&text, directory, pipes, true), outcome(&fixed, directory, pipes, true));
            assert_eq!(before, after, "{}:\n{}", case.display(), String::from_utf8_lossy(&fixed));
        }
        assert_eq!(fix(&fixed, options(pipes)).1, 0, "{}", case.display());
    }
}

/// Random programs as they may stand in files.
fn rough_programs() -> impl Iterator<Item = String> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (count, seed) = (number("LARDER_PROGRAMS").unwrap_or(300_usize), number("LARDER_SEED").unwrap_or(1));
    let (mut programs, mut rough) = (Programs::new(seed as u64, true), Rough::new(seed as u64));
    (0..count).map(move |_| rough.roughen(&programs.program()))
}

#[test]
fn formatting_changes_no_value_of_rough_programs() {
    for text in rough_programs() {
        let formatted = eval::format::format("program", text.as_bytes()).expect("no errors");
        let shown = String::from_utf8_lossy(&formatted);
        let outcomes = [text.as_bytes(), &formatted].map(|text| outcome(text, Path::new("/"), false, true));
        assert_eq!(outcomes[0], outcomes[1], "\n{text}\nbecomes\n{shown}");
    }
}

#[test]
fn fixes_change_no_value_of_rough_programs() {
    let (mut fixes, mut failed, mut traced, mut count) = (0, 0, 0, 0);
    for text in rough_programs() {
        count += 1;
        let (fixed, fixed_count) = fix(text.as_bytes(), options(false));
        let directory = Path::new("/");
        let before = outcome(text.as_bytes(), directory, false, true);
        let shown = String::from_utf8_lossy(&fixed);
        assert_eq!(outcome(&fixed, directory, false, true), before, "\n{text}\nbecomes\n{shown}");
        (fixes, failed) = (fixes + fixed_count, failed + usize::from(before.0.is_err()));
        traced += usize::from(!before.1.is_empty());
    }
    assert!(fixes > count && traced > count / 8, "{fixes} fixes, {traced} programs with traces");
    assert!(failed < count / 3, "{failed} of {count} programs fail");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_is_linted_and_fixed(text in super::test_properties::pieces()) {
        let parsed = parse_tree(text.as_bytes(), options(false));
        let _ = lint(&parsed, &Resolution::of(parsed.tree()));
        let (fixed, _) = fix(text.as_bytes(), options(false));
        prop_assert_eq!(fix(&fixed, options(false)).1, 0);
        let sound = parsed.diagnostics().is_empty();
        prop_assert_eq!(parse_tree(&fixed, options(false)).diagnostics().is_empty(), sound);
        if sound && !text.contains("__curPos") {
            let directory = Path::new("/");
            prop_assert_eq!(outcome(text.as_bytes(), directory, false, true), outcome(&fixed, directory, false, true), "{}", String::from_utf8_lossy(&fixed));
        }
    }
}
