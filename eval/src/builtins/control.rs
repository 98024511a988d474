//! Evaluation itself: order, errors, traces, importing.

use super::{Builtin, row};
use crate::compile::Scope;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::{Coercion, Evaluator};
use crate::source::Span;
use crate::symbol::names;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    row("abort", 1, "Ends evaluation with a message; nothing catches it.", abort),
    row(
        "addErrorContext",
        2,
        "The second argument; should it fail, the first is added to the trace.",
        add_error_context,
    ),
    row("break", 1, "The argument: there is no debugger to stop in.", identity).forcing(1),
    row("deepSeq", 2, "The second argument, after the first and all its parts were evaluated.", deep_seq),
    row("import", 1, "The value of the expression in a file.", import),
    row("scopedImport", 2, "The value of the expression in a file, with the names of a set in scope.", scoped_import),
    row("seq", 2, "The second argument, after the first was evaluated.", seq).forcing(0b11),
    row("throw", 1, "Fails with a message; `tryEval` catches it.", throw),
    row("trace", 2, "The second argument, after the first was shown.", trace),
    row("traceVerbose", 2, "The second argument; with `--trace-verbose`, after the first was shown.", trace_verbose),
    row("tryEval", 1, "Whether a value can be evaluated (`success`), and the value or false (`value`).", try_eval),
    row("warn", 2, "The second argument, after the first was shown as a warning.", warn),
];

fn identity(evaluator: &Evaluator<'_>, args: &[Value], _: Span) -> Result<Value> {
    evaluator.force(args[0])
}

fn message(evaluator: &Evaluator<'_>, value: Value, span: Span) -> Result<String> {
    let text = evaluator.coerced(value, Coercion { copy_paths: true, all_types: false }, span)?;
    Ok(String::from_utf8_lossy(text.bytes()).into_owned())
}

fn abort(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let message = message(evaluator, args[0], span)?;
    Err(Diagnostic::new(Code::Aborted, span, format!("evaluation aborted: {message}")).label("aborted here"))
}

fn throw(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    Err(Diagnostic::new(Code::Thrown, span, message(evaluator, args[0], span)?).label("thrown here"))
}

fn add_error_context(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    evaluator.force(args[1]).map_err(|error| match message(evaluator, args[0], span) {
        Ok(text) => error.frame(Span::NONE, text),
        Err(other) => other,
    })
}

fn seq(evaluator: &Evaluator<'_>, args: &[Value], _: Span) -> Result<Value> {
    evaluator.force(args[0])?;
    evaluator.force(args[1])
}

fn deep_seq(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    evaluator.force_deep(args[0], span)?;
    evaluator.force(args[1])
}

fn trace(evaluator: &Evaluator<'_>, args: &[Value], _: Span) -> Result<Value> {
    let text = match evaluator.force(args[0])? {
        Value::String(text) => String::from_utf8_lossy(text.bytes()).into_owned(),
        other => String::from_utf8_lossy(&evaluator.print_trace(other)).into_owned(),
    };
    evaluator.check_effect()?;
    evaluator.session.io().trace(&format!("trace: {text}"));
    evaluator.force(args[1])
}

fn trace_verbose(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    if evaluator.session.settings().trace_verbose { trace(evaluator, args, span) } else { evaluator.force(args[1]) }
}

fn warn(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_string(args[0], span, "as the first argument of `warn`")?;
    evaluator.check_effect()?;
    let message = String::from_utf8_lossy(text.bytes());
    evaluator.session.warn(&Diagnostic::warning(Code::Warned, span, message).label("this warns"));
    evaluator.force(args[1])
}

fn try_eval(evaluator: &Evaluator<'_>, args: &[Value], _: Span) -> Result<Value> {
    let (success, value) = match evaluator.force(args[0]) {
        Ok(value) => (true, value),
        Err(error) if error.code.catchable() => (false, Value::Bool(false)),
        Err(error) => return Err(error),
    };
    Ok(evaluator.set([(names::SUCCESS, Value::Bool(success)), (names::VALUE, value)]))
}

fn import(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let path = evaluator.coerce_path(args[0], span)?;
    evaluator.session.import(evaluator, &path, span).map_err(|error| error.import_frame(span, &path))
}

fn scoped_import(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let attrs = evaluator.expect_attrs(args[0], span, "as the first argument of `scopedImport`")?;
    let path = evaluator.coerce_path(args[1], span)?;
    let path = evaluator.resolve_import(&path, span)?;
    let base = Scope::of_names(None, Vec::new());
    let names = attrs.all().iter().map(|attr| attr.name).zip(0..).collect();
    let scope = Scope::of_names(Some(&base), names);
    let code = evaluator.session.compile_file(evaluator, &path, &scope, span)?;
    let values: Vec<_> = attrs.all().iter().map(|attr| attr.value).collect();
    evaluator.eval(code, evaluator.env_of(&values))
}
