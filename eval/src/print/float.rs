//! Floats as text: the ways of C++ streams and of the JSON library that Nix uses.

mod grisu;

/// The digits of a number to a precision, and the power of ten of the first one.
fn digits(number: f64, precision: usize) -> (String, i32) {
    let text = format!("{:.*e}", precision - 1, number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn special(number: f64) -> Option<String> {
    match number {
        _ if number.is_nan() => Some(if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned()),
        _ if number.is_infinite() => Some(if number < 0.0 { "-inf" } else { "inf" }.to_owned()),
        _ => None,
    }
}

fn exponent_form(digits: &str, exponent: i32) -> String {
    let point = if digits.len() > 1 { "." } else { "" };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}{point}{}e{sign}{:02}", &digits[..1], &digits[1..], exponent.abs())
}

/// With six significant digits, as `%g` prints it.
pub(crate) fn general(number: f64) -> String {
    if let Some(text) = special(number) {
        return text;
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if number == 0.0 {
        return format!("{sign}0");
    }
    let (all, exponent) = digits(number, 6);
    let shown = all.trim_end_matches('0');
    let shown = if shown.is_empty() { "0" } else { shown };
    if !(-4..6).contains(&exponent) {
        return format!("{sign}{}", exponent_form(shown, exponent));
    }
    format!("{sign}{}", plain_form(shown, exponent, ""))
}

/// Digits with the point in its place; `whole` follows a number without fraction.
fn plain_form(digits: &str, exponent: i32, whole: &str) -> String {
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let point = exponent as usize + 1;
    if digits.len() <= point {
        return format!("{digits}{}{whole}", "0".repeat(point - digits.len()));
    }
    format!("{}.{}", &digits[..point], &digits[point..])
}

/// Without loss, as JSON; what JSON cannot say is `null`.
pub(crate) fn json(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if number == 0.0 {
        return format!("{sign}0.0");
    }
    let (all, exponent) = grisu::digits(number.abs());
    if !(-4..15).contains(&exponent) {
        return format!("{sign}{}", exponent_form(&all, exponent));
    }
    format!("{sign}{}", plain_form(&all, exponent, ".0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_form() {
        for (number, expected) in [
            (1.0, "1"),
            (12.345678, "12.3457"),
            (0.5, "0.5"),
            (1e6, "1e+06"),
            (123456.0, "123456"),
            (1234567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
            (100.0, "100"),
            (0.0, "0"),
        ] {
            assert_eq!(general(number), expected);
        }
    }

    #[test]
    fn json_form() {
        for (number, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (1e14, "100000000000000.0"),
            (1.5e-7, "1.5e-07"),
            (123.25, "123.25"),
        ] {
            assert_eq!(json(number), expected);
        }
    }
}
