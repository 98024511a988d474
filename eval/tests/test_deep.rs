//! Deep texts and deep values: a result or a clear error, never a crash.

use eval::{Code, MemoryIo, Session, Settings};
use std::path::Path;
use std::sync::Arc;

fn evaluate(text: &str) -> Result<String, Code> {
    let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
    let value = session.eval_expr(text.as_bytes(), Path::new("/")).map_err(|failure| failure[0].code)?;
    let printed = session.print(value, true).map_err(|failure| failure[0].code)?;
    Ok(String::from_utf8(printed).expect("UTF-8"))
}

#[test]
fn a_million_brackets_are_refused() {
    for open in ["(", "[", "{a=", "-", "!", "a: ", "\"${", "''${", "if a then b else ", "[(", "a.${", "1 ++ "] {
        let text = open.repeat(1_000_000);
        assert!(matches!(evaluate(&text), Err(Code::TooDeep | Code::Unclosed | Code::Syntax)), "{open}");
    }
}

#[test]
fn nesting_below_the_limit_works() {
    assert_eq!(evaluate(&format!("{}1{}", "(".repeat(4000), ")".repeat(4000))).as_deref(), Ok("1"));
    assert_eq!(evaluate(&vec!["1"; 5000].join(" + ")).as_deref(), Ok("5000"));
    assert_eq!(evaluate(&format!("{}1", "if false then 0 else ".repeat(4000))).as_deref(), Ok("1"));
}

#[test]
fn deep_recursion_is_an_error() {
    assert_eq!(evaluate("let f = n: 1 + f (n + 1); in f 0"), Err(Code::TooManyCalls));
    assert_eq!(evaluate("let f = n: f (n + 1); in f 0"), Err(Code::TooManyCalls));
    assert_eq!(evaluate("let a = { outPath = a; }; in \"${a}\""), Err(Code::TooManyCalls));
    assert_eq!(evaluate("let x = { a = x; }; in builtins.toJSON x"), Err(Code::TooManyCalls));
    assert_eq!(evaluate("let x = { a = x; }; y = { a = y; }; in x == y"), Err(Code::TooManyCalls));
    assert_eq!(evaluate("let x = x; in x"), Err(Code::InfiniteRecursion));
    assert_eq!(evaluate("let f = x: y; y = f 1; in y"), Err(Code::InfiniteRecursion));
}

#[test]
fn recursion_up_to_the_limit_works() {
    assert_eq!(evaluate("let f = n: if n == 0 then 0 else 1 + f (n - 1); in f 9000").as_deref(), Ok("9000"));
    // Calls in tail position do not nest.
    assert_eq!(evaluate("let f = n: if n == 0 then 0 else f (n - 1); in f 1000000").as_deref(), Ok("0"));
}

#[test]
fn long_structures_work() {
    assert_eq!(
        evaluate("builtins.foldl' (a: b: a + b) 0 (builtins.genList (n: n) 1000000)").as_deref(),
        Ok("499999500000")
    );
    let linked =
        "let f = n: if n == 0 then null else { v = n; next = f (n - 1); }; in builtins.deepSeq (f 1000000) true";
    assert_eq!(evaluate(linked).as_deref(), Ok("true"));
    // A chain of a million thunks, each waiting for the one before.
    let chain =
        "builtins.elemAt (builtins.foldl' (l: n: [ (builtins.head l + n) ]) [ 0 ] (builtins.genList (n: n) 1000000)) 0";
    assert!(matches!(evaluate(chain).as_deref(), Ok("499999500000") | Err(Code::TooManyCalls)));
}
