//! The same programs by the real Nix: what it prints, larder prints, byte for byte; where it fails, larder fails, in the
//! same kind of way. The programs are the cases in `testdata/eval/okay` and random ones.
//!
//! Needs `nix-instantiate` (the package `nix-bin` of Debian will do); without it the tests say so and compare nothing.
//! `LARDER_NIX` names another one, which must be 2.34, and `LARDER_PROGRAMS` says how many random programs are compared.

use crate::host_io::HostIo;
use crate::programs::{NEWER, Programs};
use crate::skipped;
use crate::test_language::{cases, refused, remark};
use eval::{Code, Session, Settings};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// The real Nix.
struct Nix {
    program: String,
    /// Whether it is the version whose language larder has.
    newer: bool,
}

/// What became of a program.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Printed(String),
    /// What failed, in a word; all that has no word of its own is the same.
    Failed(&'static str),
}

impl Nix {
    fn find() -> Option<Self> {
        let named = std::env::var("LARDER_NIX").ok();
        let newer = named.is_some();
        let program = named.unwrap_or_else(|| "nix-instantiate".to_owned());
        if Command::new(&program).arg("--version").output().is_err() {
            skipped(&format!("{program} is not installed, so nothing was compared with Nix"));
            return None;
        }
        Some(Self { program, newer })
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(&self.program);
        // Without a store of its own: an ordinary user may not use the machine's.
        command.env("NIX_REMOTE", "dummy://");
        command.args(["--eval", "--option", "restrict-eval", "false"]).args(arguments);
        command.output().expect("nix-instantiate runs")
    }

    fn outcome(&self, program: &str) -> Outcome {
        let output = self.run(&["--strict", "-E", program]);
        if output.status.success() {
            return Outcome::Printed(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = [
            ("infinite recursion", "recursion"),
            ("evaluation aborted", "abort"),
            ("division by zero", "division"),
            ("undefined variable", "undefined"),
            ("missing", "attribute"),
        ];
        Outcome::Failed(words.iter().find(|(text, _)| message.contains(text)).map_or("other", |(_, word)| *word))
    }
}

fn outcome(program: &str) -> Outcome {
    let session = Session::new(Settings::new("x86_64-linux"), Arc::new(HostIo::default()));
    let printed = session.eval_expr(program.as_bytes(), Path::new("/")).and_then(|value| session.print(value, true));
    match printed {
        Ok(printed) => Outcome::Printed(String::from_utf8_lossy(&printed).into_owned()),
        Err(failure) => Outcome::Failed(match failure[0].code {
            Code::InfiniteRecursion => "recursion",
            Code::Aborted => "abort",
            Code::DivisionByZero => "division",
            Code::UndefinedVariable => "undefined",
            Code::MissingAttribute => "attribute",
            _ => "other",
        }),
    }
}

#[test]
fn okay_cases_print_what_nix_prints() {
    let Some(nix) = Nix::find() else { return };
    let (mut compared, mut wrong) = (0, Vec::new());
    // What Debian's version lacks is compared with the newer one only.
    let skip = |remark: &str| remark.contains("larder only") || remark.contains("newer") && !nix.newer;
    for case in cases("okay").iter().filter(|case| !skip(&remark(case))) {
        let remark = remark(case);
        let strict = !remark.contains("not strict");
        let mut arguments = vec![case.to_str().expect("plain names")];
        arguments.extend(strict.then_some("--strict"));
        arguments.extend(remark.contains("pipes").then_some("--extra-experimental-features"));
        arguments.extend(remark.contains("pipes").then_some("pipe-operators"));
        let output = nix.run(&arguments);
        let mut settings = Settings::new("x86_64-linux");
        settings.pipe_operators = remark.contains("pipes");
        let session = Session::new(settings, Arc::new(HostIo::default()));
        let printed = session.eval_file(case).and_then(|value| session.print(value, strict)).unwrap_or_default();
        let printed = format!("{}\n", String::from_utf8_lossy(&printed));
        compared += 1;
        if output.stdout != printed.as_bytes() {
            let found = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{}:\n  nix:    {found}{error}\n  larder: {printed}", case.display()));
        }
    }
    eprintln!("compared {compared} cases with Nix");
    assert!(compared > 20, "only {compared} cases were compared");
    assert!(wrong.is_empty(), "{} of {compared} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Only the newer Nix refuses them all.
#[test]
fn refused_expressions_are_refused_by_nix() {
    let Some(nix) = Nix::find().filter(|nix| nix.newer) else { return };
    let taken = refused().into_iter().filter(|text| {
        // What begins with a dash would be an option.
        !matches!(nix.outcome(&format!(" {text}")), Outcome::Failed(_))
    });
    assert_eq!(taken.collect::<Vec<_>>(), Vec::<String>::new());
}

/// Programs that are compared at once: starting Nix takes longer than a program.
const BATCH: usize = 20;

/// Whether the programs give the same in both, all in one list.
fn all_same(nix: &Nix, programs: &[String]) -> bool {
    let all = format!("[ {} ]", programs.iter().map(|program| format!("({program})")).collect::<Vec<_>>().join(" "));
    match outcome(&all) {
        Outcome::Failed(_) => false,
        ours => ours == nix.outcome(&all),
    }
}

#[test]
fn random_programs_give_what_nix_gives() {
    let Some(nix) = Nix::find() else { return };
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count = number("LARDER_PROGRAMS").unwrap_or(600usize);
    let mut source = Programs::new(number("LARDER_SEED").unwrap_or(1) as u64, nix.newer);
    let (mut failed, mut wrong) = (0, Vec::new());
    for _ in 0..count.div_ceil(BATCH) {
        // Failures a program may catch are values of it; with the others it stands alone.
        let programs: Vec<_> = (0..BATCH)
            .map(|_| format!("let r = {}; in builtins.tryEval (builtins.deepSeq r r)", source.program()))
            .collect();
        if all_same(&nix, &programs) {
            continue;
        }
        for program in programs {
            let (ours, theirs) = (outcome(&program), nix.outcome(&program));
            failed += usize::from(matches!(theirs, Outcome::Failed(_)));
            if ours != theirs {
                wrong.push(format!("{program}\n  nix:    {theirs:?}\n  larder: {ours:?}"));
            }
        }
    }
    eprintln!("compared {count} programs with Nix, of which {failed} fail beyond catching in both");
    if !nix.newer {
        eprintln!("left out {} times, because the versions differ: {}", source.left_out, NEWER.join(", "));
    }
    assert!(failed * 3 < count, "too many programs fail: {failed} of {count}");
    assert!(wrong.is_empty(), "{} of {count} programs differ:\n{}", wrong.len(), wrong.join("\n"));
}
