//! Any number of threads gives the same values, the same errors and the same traces.

use crate::host_io::HostIo;
use crate::test_language::{cases, remark};
use eval::{MemoryIo, RenderOptions, Session, Settings, render};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn settings(threads: usize) -> Settings {
    Settings { threads, ahead: true, ..Settings::new("x86_64-linux") }
}

fn outcome(session: &Session, printed: Result<Vec<u8>, eval::Failure>) -> String {
    match printed {
        Ok(printed) => String::from_utf8_lossy(&printed).into_owned(),
        Err(failure) => {
            failure.iter().map(|error| render(error, session.sources(), RenderOptions::default())).collect()
        }
    }
}

/// What a text gives, and what it traces.
fn run(text: &str, threads: usize) -> (String, Vec<String>) {
    let io = Arc::new(MemoryIo::default());
    let session = Session::new(settings(threads), Arc::clone(&io) as Arc<dyn eval::EvalIo>);
    let printed = session.eval_expr(text.as_bytes(), Path::new("/")).and_then(|value| session.print(value, true));
    let outcome = outcome(&session, printed);
    let traced = io.traced.lock().expect("no panic").clone();
    (outcome, traced)
}

fn same(text: &str) -> String {
    let alone = run(text, 1);
    for threads in [2, 8] {
        for _ in 0..5 {
            assert_eq!(run(text, threads), alone, "{text} on {threads} threads");
        }
    }
    alone.0
}

#[test]
fn cases_of_the_language() {
    let mut failed = 0;
    for case in cases("okay").into_iter().chain(cases("fail")) {
        let outcomes: Vec<_> = [(1, false), (1, true), (8, true)]
            .iter()
            .map(|(threads, ahead)| {
                let pipe_operators = remark(&case).contains("pipes");
                let settings = Settings { pipe_operators, ahead: *ahead, ..settings(*threads) };
                let session = Session::new(settings, Arc::new(HostIo::default()));
                let printed = session.eval_file(&case).and_then(|value| session.print(value, true));
                failed += usize::from(printed.is_err());
                outcome(&session, printed)
            })
            .collect();
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{}: {outcomes:?}", case.display());
    }
    assert!(failed > 40, "the cases that fail are among them");
}

#[test]
fn the_first_error_in_order_is_reported() {
    let text = "let slow = n: if n == 0 then 0 else slow (n - 1); in
        builtins.genList (i: if i >= 70 then throw \"number ${toString i}\" else slow 2000) 200";
    assert!(same(text).contains("number 70"));
}

#[test]
fn recursion_through_many_values() {
    // Whatever thread begins where, the circle is found, and described from where the main thread meets it.
    let text = "let s = builtins.listToAttrs (builtins.genList (i: {
            name = \"a${toString i}\";
            value = s.\"a${toString (i + 1 - (i + 1) / 50 * 50)}\" + 1;
        }) 50); in s";
    assert!(same(text).contains("infinite recursion"));
    let text = "let a = [ b c ]; b = builtins.length c + 1; c = builtins.genList (i: b) b; in { inherit a b c; }";
    assert!(same(text).contains("infinite recursion"));
}

/// A helper that gives up lets another one begin anew with what it was at: who waits has to notice that, or all wait.
#[test]
fn recursion_that_helpers_take_turns_at() {
    let text = "let slow = n: if n == 0 then 0 else 1 + slow (n - 1);
            work = k: builtins.foldl' (a: i: builtins.seq (slow 300) (a + i)) 0 (builtins.genList (x: x) k);
            u1 = work 100 + t1;
            t1 = work 800 + u1;
        in [ u1 (t1 + 0) (t1 + 1) (t1 + 2) (t1 + 3) (t1 + 4) (t1 + 5) (t1 + 6) (t1 + 7) ]";
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let outcomes: Vec<_> = [1, 3, 8, 8, 8].map(|threads| run(text, threads).0).into();
        done.send(outcomes)
    });
    let outcomes = waits.recv_timeout(std::time::Duration::from_secs(120)).expect("no thread waits for ever");
    assert!(outcomes[0].contains("infinite recursion"), "{}", outcomes[0]);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
}

#[test]
fn values_that_many_need() {
    let text = "let
            fib = n: if n < 2 then n else all.\"f${toString (n - 1)}\" + all.\"f${toString (n - 2)}\";
            all = builtins.listToAttrs (builtins.genList (n: { name = \"f${toString n}\"; value = fib n; }) 90);
        in all";
    assert!(same(text).contains("f89 = 1779979416004714189;"));
}

#[test]
fn traces_come_once_and_in_order() {
    let text = "builtins.genList (i: builtins.trace \"number ${toString i}\" (i * i)) 40";
    same(text);
    let (_, traced) = run(text, 8);
    assert_eq!(traced, (0..40).map(|i| format!("trace: number {i}")).collect::<Vec<_>>());
}

#[test]
fn what_is_caught_is_caught_by_all() {
    let text = "builtins.genList (i: builtins.tryEval (if i / 3 * 3 == i then throw \"x\" else i)) 300";
    assert!(same(text).contains("success = true; value = 299;"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// A graph of values, any of which may fail or close a circle.
    #[test]
    fn graphs(edges in prop::collection::vec((0usize..40, 0usize..40), 0..60), bad in prop::collection::vec(0usize..40, 0..2)) {
        let value = |node: usize| {
            let needs: Vec<_> = edges.iter().filter(|(from, _)| *from == node).map(|(_, to)| format!("n{to}.v")).collect();
            let own = if bad.contains(&node) { format!("throw \"bad {node}\"") } else { node.to_string() };
            format!("n{node} = {{ v = builtins.foldl' (a: b: a + b) 0 [ {} ({own}) ]; }};", needs.join(" "))
        };
        let text = format!("rec {{ {} }}", (0..40).map(value).collect::<String>());
        let alone = run(&text, 1);
        for threads in [2, 4] {
            prop_assert_eq!(&run(&text, threads), &alone);
        }
    }
}
