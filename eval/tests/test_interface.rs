//! What a command line does: select, call with arguments, print in several forms, list names, find derivations.

use eval::interface::Argument;
use eval::{Code, MemoryIo, Session, Settings, Value};
use std::path::Path;
use std::sync::Arc;

fn session(io: MemoryIo) -> Session {
    Session::new(Settings::new("x86_64-linux"), Arc::new(io))
}

fn value(session: &Session, text: &str) -> Value {
    session.eval_expr(text.as_bytes(), Path::new("/work")).expect("evaluates")
}

fn printed(session: &Session, value: Value) -> String {
    String::from_utf8(session.print(value, true).expect("printable")).expect("UTF-8")
}

#[test]
fn selecting_follows_names_lists_and_functions_with_defaults() {
    let session = session(MemoryIo::default());
    let set = value(&session, "{ x ? 1 }: { a.\"c d\" = [ { e = x; } ]; hello = 2; }");
    let none = eval::Arguments::default();
    let found = session.select(set, "a.\"c d\".0.e", &none).expect("there");
    assert_eq!(printed(&session, found), "1");
    let failure = session.select(set, "helo", &none).expect_err("not there");
    assert_eq!(failure[0].code, Code::Selection);
    assert_eq!(failure[0].hints, ["did you mean `hello`?"]);
    assert_eq!(session.select(set, "a..b", &none).expect_err("malformed")[0].code, Code::Selection);
}

#[test]
fn arguments_are_given_to_functions_that_name_them() {
    let session = session(MemoryIo::default());
    let function = value(&session, "{ system, jobs ? 1 }: \"${system}-${toString jobs}\"");
    let arguments = [
        ("system".to_owned(), Argument::String("riscv".to_owned())),
        ("jobs".to_owned(), Argument::Expr("1 + 1".to_owned())),
        ("other".to_owned(), Argument::Expr("throw \"unused\"".to_owned())),
    ];
    let given = |arguments| session.arguments(arguments, Path::new("/")).expect("well formed");
    let result = session.auto_call(function, &given(&arguments)).expect("called");
    assert_eq!(printed(&session, result), "\"riscv-2\"");
    let failure = session.auto_call(function, &given(&arguments[1..2])).expect_err("no system");
    assert_eq!(failure[0].code, Code::MissingArgument);
    assert!(matches!(session.auto_call(function, &given(&[])), Ok(Value::Lambda(_))));
    let number = session.auto_call(value(&session, "5"), &given(&arguments)).expect("not a function");
    assert_eq!(printed(&session, number), "5");
}

#[test]
fn the_forms_of_output() {
    let session = session(MemoryIo::default());
    let set = value(&session, "{ b = [ 1 null ]; a = \"x\"; f = 1 + 1; }");
    assert_eq!(session.print(set, false).expect("prints"), br#"{ a = "x"; b = <CODE>; f = <CODE>; }"#);
    assert_eq!(session.print_json(set).expect("prints"), br#"{"a":"x","b":[1,null],"f":2}"#);
    assert_eq!(session.print_raw(value(&session, "\"a\\nb\"")).expect("prints"), b"a\nb");
    assert!(session.print_raw(set).is_err());
    let xml = String::from_utf8(session.print_xml(value(&session, "[ true ]"), true).expect("prints")).expect("UTF-8");
    assert_eq!(
        xml,
        "<?xml version='1.0' encoding='utf-8'?>\n<expr>\n  <list>\n    <bool value=\"true\" />\n  </list>\n</expr>\n"
    );
    let names = session.attribute_names(set).expect("a set").expect("a set");
    assert_eq!(names, [b"a", b"b", b"f"].map(|name| name.to_vec()));
    assert_eq!(session.attribute_names(value(&session, "1")).expect("evaluates"), None);
}

#[test]
fn files_are_read_once_and_noted() {
    let io = MemoryIo::default()
        .with_file(
            "/work/default.nix",
            "{ a = import ./lib; b = import ./lib/default.nix; t = builtins.readFile ./link; }",
        )
        .with_file("/work/lib/default.nix", "builtins.trace \"evaluated\" 1")
        .with_file("/work/text", "hi")
        .with_link("/work/link", "text");
    let io = Arc::new(io);
    let session = Session::new(Settings::new("x86_64-linux"), Arc::clone(&io) as Arc<dyn eval::EvalIo>);
    let set = session.eval_file(Path::new("/work")).expect("there");
    assert_eq!(printed(&session, set), "{ a = 1; b = 1; t = \"hi\"; }");
    assert_eq!(io.traced.lock().expect("not poisoned").len(), 1);
    let read: Vec<_> = session.files_read().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(read, ["/work/default.nix", "/work/lib/default.nix", "/work/link"]);
}

#[test]
fn pure_evaluation_sees_nothing_and_impure_what_it_is_given() {
    let session_pure = session(MemoryIo::default());
    assert_eq!(printed(&session_pure, value(&session_pure, "builtins.getEnv \"HOME\"")), "\"\"");
    assert_eq!(session_pure.eval_expr(b"<x>", Path::new("/")).expect_err("pure")[0].code, Code::Impure);
    assert_eq!(session_pure.eval_expr(b"~/x", Path::new("/")).expect_err("pure")[0].code, Code::Impure);
    let mut settings = Settings::new("x86_64-linux");
    settings.search_path = vec![(b"x".to_vec(), b"/lib/x".to_vec())];
    settings.impure = Some(eval::Impure {
        environment: [(b"HOME".to_vec(), b"/home/u".to_vec())].into(),
        current_time: 5,
        home: Some(b"/home/u".to_vec()),
    });
    let io = MemoryIo::default().with_file("/lib/x/default.nix", "7");
    let session = Session::new(settings, Arc::new(io));
    let all = value(
        &session,
        "[ (builtins.getEnv \"HOME\") builtins.currentTime (import <x>) (toString ~/y) <x/default.nix> ]",
    );
    assert_eq!(printed(&session, all), "[ \"/home/u\" 5 7 \"/home/u/y\" /lib/x/default.nix ]");
}
