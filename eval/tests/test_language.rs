//! The cases in `testdata/eval`: `okay/NAME.nix` prints `NAME.exp`, `fail/NAME.nix` fails with the text in `NAME.err`.
//!
//! The first line of a case may be a comment: `# not strict` prints without evaluating everything, `# larder only: …`
//! keeps it out of the comparison with the real Nix, `# pipes` allows pipe operators. With `LARDER_ACCEPT=1` in the
//! environment the results are written instead of compared.

use crate::host_io::HostIo;
use eval::{Failure, RenderOptions, Session, Settings, render};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of the cases.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("testdata/eval")
}

/// The cases in a directory, sorted.
pub fn cases(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory().join(kind)).expect("the cases are in the repository");
    let mut cases: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "nix"));
    cases.sort();
    cases
}

/// The comment on the first line of a case.
pub fn remark(case: &Path) -> String {
    let text = std::fs::read(case).expect("readable");
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line.strip_prefix(b"# ").unwrap_or_default()).into_owned()
}

fn run(case: &Path) -> (Session, Result<Vec<u8>, Failure>) {
    let remark = remark(case);
    let mut settings = Settings::new("x86_64-linux");
    settings.pipe_operators = remark.contains("pipes");
    let session = Session::new(settings, Arc::new(HostIo::default()));
    let printed = session.eval_file(case).and_then(|value| session.print(value, !remark.contains("not strict")));
    (session, printed)
}

/// The text of a failure; the directory of the cases is left out of it.
fn failure_text(session: &Session, failure: &Failure) -> String {
    let shown = failure.iter().map(|diagnostic| render(diagnostic, session.sources(), RenderOptions::default()));
    shown.collect::<String>().replace(&format!("{}/", directory().display()), "")
}

/// Compares with a file, or writes it when that is asked for. Gives what is wrong.
fn check(expected: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("LARDER_ACCEPT").is_some() {
        std::fs::write(expected, actual).expect("writable");
        return None;
    }
    let text = std::fs::read_to_string(expected).unwrap_or_default();
    (text != actual).then(|| format!("{}:\n  expected: {text}\n  actual:   {actual}", expected.display()))
}

fn all_pass(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn okay_cases_print_what_is_expected() {
    let cases = cases("okay");
    assert!(cases.len() > 20, "the cases are found");
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| match run(case) {
            (_, Ok(printed)) => {
                let printed = format!("{}\n", String::from_utf8_lossy(&printed));
                check(&case.with_extension("exp"), &printed.replace(&format!("{}", directory().display()), "DIR"))
            }
            (session, Err(failure)) => Some(format!("{}: {}", case.display(), failure_text(&session, &failure))),
        })
        .collect();
    all_pass(&wrong);
}

#[test]
fn fail_cases_say_what_is_expected() {
    let cases = cases("fail");
    assert!(cases.len() > 20, "the cases are found");
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| match run(case) {
            (_, Ok(printed)) => Some(format!("{} gives {}", case.display(), String::from_utf8_lossy(&printed))),
            (session, Err(failure)) => check(&case.with_extension("err"), &failure_text(&session, &failure)),
        })
        .collect();
    all_pass(&wrong);
}

/// Expressions that are refused, by Nix 2.34 too: in `refused.txt`, with a line `---` between them.
pub fn refused() -> Vec<String> {
    let text = std::fs::read_to_string(directory().join("refused.txt")).expect("the expressions are in the repository");
    text.trim_end().split("\n---\n").map(str::to_owned).collect()
}

#[test]
fn refused_expressions_fail() {
    let refused = refused();
    assert!(refused.len() > 400, "the expressions are found");
    let gives = |text: &String| {
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(HostIo::default()));
        let printed = session.eval_expr(text.as_bytes(), Path::new("/")).and_then(|value| session.print(value, true));
        printed.ok().map(|printed| format!("{text} gives {}", String::from_utf8_lossy(&printed)))
    };
    all_pass(&refused.iter().filter_map(gives).collect::<Vec<_>>());
}
