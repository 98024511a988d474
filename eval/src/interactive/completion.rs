//! What may stand where somebody is typing: variables, attributes of what is before a dot, keywords.

use super::Variables;
use crate::print::{by_name, print_name};
use crate::session::Session;
use crate::source::Origin;
use crate::syntax::KEYWORDS;
use crate::value::Value;
use std::path::Path;

/// What may stand in place of a part of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// The offset where the part begins; it ends where the cursor is.
    pub start: usize,
    /// What may stand there, sorted.
    pub candidates: Vec<String>,
}

impl Session {
    /// What may stand where a line ends. What is before a dot is evaluated; if that fails, there is nothing.
    #[must_use]
    pub fn complete(&self, variables: &Variables, line: &str, directory: &Path) -> Completion {
        let start = line.len() - line.bytes().rev().take_while(|&byte| is_name_byte(byte)).count();
        let (before, typed) = line.split_at(start);
        let mut candidates = match before.strip_suffix('.') {
            Some(before) => self.attributes_of(variables, subject(before), directory),
            None => self.variables_in_scope(variables),
        };
        candidates.retain(|name| name.starts_with(typed));
        candidates.sort_unstable();
        candidates.dedup();
        Completion { start, candidates }
    }

    fn attributes_of(&self, variables: &Variables, subject: &str, directory: &Path) -> Vec<String> {
        if subject.is_empty() {
            return Vec::new();
        }
        let origin = Origin::Text("(completion)".to_owned());
        let names = self.run(|evaluator| {
            let value = evaluator.eval_with(variables, origin, subject.as_bytes(), directory)?;
            let Value::Attrs(attrs) = value else { return Ok(Vec::new()) };
            Ok(by_name(attrs, self.symbols())
                .into_iter()
                .map(|attr| self.symbols().bytes(attr.name).to_vec())
                .collect())
        });
        let written = |name: Vec<u8>| {
            let mut written = Vec::new();
            print_name(&name, &mut written);
            String::from_utf8_lossy(&written).into_owned()
        };
        names.unwrap_or_default().into_iter().map(written).collect()
    }

    fn variables_in_scope(&self, variables: &Variables) -> Vec<String> {
        let own = variables.values.keys().map(|name| self.symbols().display(*name));
        let globals = self.global_names().into_iter().filter(|name| !name.starts_with("__"));
        own.chain(globals).chain(KEYWORDS.iter().map(|word| (*word).to_owned())).collect()
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\'' | b'-')
}

/// The expression that ends where a text ends and from which an attribute can be selected: names, dots, and brackets
/// with what is in them.
fn subject(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut start = bytes.len();
    let mut open = 0usize;
    while start > 0 {
        match bytes[start - 1] {
            b')' | b'}' | b']' => open += 1,
            b'(' | b'{' | b'[' if open == 0 => break,
            b'(' | b'{' | b'[' => open -= 1,
            byte if open > 0 || is_name_byte(byte) || matches!(byte, b'.' | b'"') => {}
            _ => break,
        }
        start -= 1;
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MemoryIo;
    use crate::settings::Settings;
    use std::sync::Arc;

    fn completed(line: &str) -> Vec<String> {
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(MemoryIo::default()));
        let mut variables = Variables::default();
        let text = b"pkgs = { hello = 1; help = { x-y = 1; \"a b\" = 2; }; bad = throw \"no\"; }; palm = 1";
        session.define(&mut variables, Origin::Text(String::new()), text, Path::new("/")).expect("sound");
        session.complete(&variables, line, Path::new("/")).candidates
    }

    #[test]
    fn names_are_completed() {
        assert_eq!(completed("1 + pk"), ["pkgs"]);
        assert_eq!(completed("pa"), ["palm"]);
        assert_eq!(completed("pkgs.he"), ["hello", "help"]);
        assert_eq!(completed("f [ pkgs.help."), ["\"a b\"", "x-y"]);
        assert_eq!(completed("(pkgs // { z = 1; }).h"), ["hello", "help"]);
        assert_eq!(completed("{ a.b = 1; }.a."), ["b"]);
        assert_eq!(completed("builtins.isS"), ["isString"]);
        assert_eq!(completed("thr"), ["throw"]);
        assert_eq!(completed("inh"), ["inherit"]);
        assert!(completed("pkgs.bad.").is_empty());
        assert!(completed("é.").is_empty());
        assert!(completed("(((.").is_empty());
    }
}
