//! What a derivation says need not be there at run time: the attribute `allowedUnmet`, a list of libraries, interpreters, programs and
//! pkg-config modules as messages name them, in which `*` stands for any text.
//!
//! It is for what nobody runs (a tool in a language that the system has not) and for what is found in a way that is not looked at (libraries
//! that a program opens by itself). The command does not see it, but where attributes are structured: outputs that were refused are verified
//! again without being built.

use super::{Need, Unmet};
use crate::error::BuildError;
use crate::passed;
use serde_json::Value;
use store::Derivation;
use store::action::ALLOWED_UNMET;

/// The names that a derivation allows.
///
/// # Errors
/// When they are no list of texts.
pub(crate) fn allowed(derivation: &Derivation) -> Result<Vec<String>, BuildError> {
    let list = match passed::structured(derivation)? {
        None => derivation.env.get(ALLOWED_UNMET).cloned(),
        Some(attributes) => attributes.get(ALLOWED_UNMET).map(words).transpose()?,
    };
    Ok(list.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect())
}

fn words(list: &Value) -> Result<String, BuildError> {
    let items = list.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let items = items.ok_or_else(|| BuildError::attribute(ALLOWED_UNMET, "it is not a list of strings".to_owned()))?;
    Ok(items.join(" "))
}

/// Whether one of these names is that of what is unmet.
pub(crate) fn is_allowed(unmet: &Unmet, names: &[String]) -> bool {
    let name = match &unmet.need {
        Need::Interpreter(name) | Need::Command(name) | Need::Library(name) | Need::Module(name) => name,
        Need::Version { library, .. } => library,
        Need::ModuleVersion { module, .. } => module,
    };
    names.iter().any(|pattern| is_like(name, pattern))
}

/// Whether a name is as a pattern says.
fn is_like(name: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut left) = name.strip_prefix(start) else { return false };
    let mut parts = rest.split('*');
    let end = parts.next_back().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passed::tests::derivation;

    #[test]
    fn a_star_stands_for_any_text() {
        for (name, pattern) in [
            ("libx.so.1", "libx.so.1"),
            ("libx.so.1", "*"),
            ("libx.so.1", "libx.so*"),
            ("libx.so.1", "*.so.1"),
            ("libx.so.1", "lib*.so.*"),
            ("libx.so", "lib*x*so*"),
            ("aa", "a*a"),
        ] {
            assert!(is_like(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in [("libx.so.1", "libx.so"), ("libx.so", "x*"), ("libx.so", "*x"), ("a", "a*a"), ("", "a")]
        {
            assert!(!is_like(name, pattern), "{name} {pattern}");
        }
    }

    #[test]
    fn the_list_is_read_from_either_kind_of_attributes() {
        let derivation = |variable: &str, value: &str| derivation(&[(variable, value)]);
        let expected = vec!["csh".to_owned(), "libx.so".to_owned()];
        assert_eq!(allowed(&derivation(ALLOWED_UNMET, " csh\nlibx.so ")).expect("a list"), expected);
        let structured = r#"{"allowedUnmet":["csh","libx.so"]}"#;
        assert_eq!(allowed(&derivation("__json", structured)).expect("a list"), expected);
        assert!(allowed(&derivation("__json", r#"{"allowedUnmet":"csh"}"#)).is_err());
        assert_eq!(allowed(&derivation("other", "")).expect("no list"), [""; 0]);
    }
}
