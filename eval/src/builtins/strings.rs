//! Strings and JSON.

use super::{Builtin, row};
use crate::diagnostic::{CallPart, Code, Diagnostic, Result};
use crate::evaluate::{Coercion, Evaluator};
use crate::paths;
use crate::print::json::JsonWriter;
use crate::print::xml::XmlWriter;
use crate::source::Span;
use crate::value::{Text, Value};

pub(super) const TABLE: &[Builtin] = &[
    row("baseNameOf", 1, "The part of a path behind the last slash.", base_name_of),
    row("concatStringsSep", 2, "Joins the strings of a list with a separator.", concat_strings_sep).forcing(0b01),
    row("dirOf", 1, "The part of a path before the last slash.", dir_of),
    row("stringLength", 1, "The number of bytes of a string.", string_length),
    row(
        "substring",
        3,
        "The bytes of a string from a start on, at most so many; all the rest if that is negative.",
        substring,
    ),
    row("toJSON", 1, "A value as JSON text.", to_json),
    row("toString", 1, "A value as a string; of lists, the elements with spaces between.", to_string),
    row("toXML", 1, "A value as XML text.", to_xml),
];

fn concat_strings_sep(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let separator = evaluator.expect_string(args[0], span, "as the separator given to `concatStringsSep`")?;
    let list = evaluator.expect_list(args[1], span, "as the list given to `concatStringsSep`")?;
    let mut joined = evaluator.joined();
    // What the separator mentions is mentioned even if it stands nowhere.
    joined.add_context(separator.context());
    for (index, item) in list.items().iter().enumerate() {
        evaluator.check_stopped(span)?;
        if index > 0 {
            joined.push(separator);
        }
        evaluator.coerce(*item, Coercion::STRING, &mut joined, span)?;
    }
    Ok(joined.finish(evaluator))
}

fn string_length(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    Ok(Value::Int(evaluator.coerced(args[0], Coercion::STRING, span)?.bytes().len() as i64))
}

fn substring(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let start = evaluator.expect_int(args[0], span, "as the start given to `substring`")?;
    let Ok(start) = usize::try_from(start) else {
        let message = format!("the start {start} given to `substring` is negative");
        return Err(Diagnostic::new(Code::BadArgument, span, message).part(CallPart::Argument(0)));
    };
    let length = evaluator.expect_int(args[1], span, "as the length given to `substring`")?;
    let text = evaluator.coerced(args[2], Coercion::STRING, span)?;
    let start = start.min(text.bytes().len());
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(text.bytes().len() - start);
    let bytes = &text.bytes()[start..start + length];
    Ok(Value::String(Text::with_context(evaluator.bump(), bytes, text.context())))
}

fn to_string(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    evaluator.coerced(args[0], Coercion::TO_STRING, span).map(Value::String)
}

fn base_name_of(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.coerced(args[0], Coercion::PLAIN, span)?;
    let bytes = paths::base_name(text.bytes());
    Ok(Value::String(Text::with_context(evaluator.bump(), bytes, text.context())))
}

fn dir_of(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let value = evaluator.force(args[0])?;
    if let Value::Path(path) = value {
        return Ok(evaluator.path(paths::dir_name(path.bytes())));
    }
    let text = evaluator.coerced(value, Coercion::PLAIN, span)?;
    Ok(evaluator.string_with(paths::dir_name(text.bytes()), text.context()))
}

fn to_json(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let mut writer = JsonWriter::new(evaluator, span);
    writer.value(args[0])?;
    let context = writer.context.finish();
    Ok(evaluator.string_with(&writer.out, context))
}

fn to_xml(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let mut writer = XmlWriter::new(evaluator, true, false, span);
    writer.document(args[0])?;
    let context = writer.context.finish();
    Ok(evaluator.string_with(writer.out.as_bytes(), context))
}
