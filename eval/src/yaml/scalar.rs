//! Scalars by the core schema of YAML 1.2, and by their tags.

use super::{Problem, Scalar};

/// What a tag makes of a scalar.
pub(super) fn tagged(text: &str, tag: &str) -> Result<Scalar, Problem> {
    let found = resolve(text)?;
    let value = match tag.strip_prefix("tag:yaml.org,2002:") {
        Some("int") => found.filter(|value| matches!(value, Scalar::Int(_))),
        Some("bool") => found.filter(|value| matches!(value, Scalar::Bool(_))),
        Some("null") => found.filter(|value| matches!(value, Scalar::Null)),
        Some("float") => match found {
            Some(Scalar::Int(number)) => Some(Scalar::Float(number as f64)),
            other => other.filter(|value| matches!(value, Scalar::Float(_))),
        },
        _ => Some(Scalar::Text(text.to_owned())),
    };
    value.ok_or_else(|| format!("`{text}` is not what its tag says"))
}

/// What the core schema makes of a plain scalar; `None` for a string.
pub(super) fn resolve(text: &str) -> Result<Option<Scalar>, Problem> {
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    let integer = |text: &str, radix| match i64::from_str_radix(text, radix) {
        Ok(number) => Ok(Some(Scalar::Int(number))),
        Err(_) => Err(format!("the number {text} does not fit an integer")),
    };
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Scalar::Null),
        "true" | "True" | "TRUE" => Some(Scalar::Bool(true)),
        "false" | "False" | "FALSE" => Some(Scalar::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => Some(Scalar::Float(f64::NAN)),
        _ if digits(unsigned, 10) => return integer(text, 10),
        _ if text.strip_prefix("0x").is_some_and(|rest| digits(rest, 16)) => return integer(&text[2..], 16),
        _ if text.strip_prefix("0o").is_some_and(|rest| digits(rest, 8)) => return integer(&text[2..], 8),
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => {
            Some(Scalar::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }))
        }
        _ if unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') && is_float(unsigned) => {
            text.parse().ok().map(Scalar::Float)
        }
        _ => None,
    })
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
}
