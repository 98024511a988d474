//! Values of a package.yml: what is expected of one is read, and anything else is a finding. What is read is bounded, for aliases
//! make much of little.

use super::{MAX_ENTRIES, MAX_NAME, MAX_TEXT, Placed, Reader};
use crate::finding::Finding;
use crate::inspect::MAX_OF_FILE;
use crate::rule::Rule;
use crate::template::NAMES;
use eval::near::did_you_mean;
use eval::yaml::{Entry, Kind, Scalar};

impl<'a> Reader<'a> {
    pub(super) fn find(&mut self, rule: Rule, line: usize, message: impl Into<String>) -> &mut Finding {
        self.findings.push(Finding::new(rule, self.file.clone(), line, message));
        self.findings.last_mut().expect("one was just added")
    }

    pub(super) fn kind(&self, number: usize) -> &Kind {
        &self.document.node(number).kind
    }

    pub(super) fn line(&self, number: usize) -> usize {
        self.document.node(number).line
    }

    pub(super) fn known_keys(&mut self, what: &str, entries: &[Entry], known: &[&str]) {
        // Aliases repeat what is wrong; nobody reads it more often.
        if self.findings.iter().rev().take(MAX_OF_FILE).filter(|finding| finding.file == self.file).count()
            == MAX_OF_FILE
        {
            return;
        }
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let hint = did_you_mean(entry.key.as_bytes(), known.iter().map(|key| key.as_bytes()));
            self.find(Rule::UnknownKey, entry.line, format!("the {what} `{}` is not known", entry.key)).hint = hint;
        }
    }

    /// What of a list or mapping is looked at.
    pub(super) fn at_most<'b, T>(&mut self, entries: &'b [T], what: &str, line: usize) -> &'b [T] {
        if entries.len() > MAX_ENTRIES {
            let message = format!("{what} has {} entries, and {MAX_ENTRIES} are looked at", entries.len());
            self.find(Rule::WrongValue, line, message);
        }
        &entries[..entries.len().min(MAX_ENTRIES)]
    }

    /// A text of the document, unless all that were read before are too much already.
    pub(super) fn afforded(&mut self, text: &str, line: usize) -> Option<String> {
        match self.left.checked_sub(text.len() + 1) {
            Some(left) => {
                self.left = left;
                Some(text.to_owned())
            }
            None => {
                if std::mem::take(&mut self.left) > 0 {
                    let message =
                        format!("its texts have more than {MAX_TEXT} bytes, aliases counted: no more are read");
                    self.find(Rule::WrongValue, line, message);
                }
                None
            }
        }
    }

    /// A text that must be there, and short enough for a name.
    pub(super) fn name(&mut self, entries: &[Entry], key: &str) -> Placed<String> {
        let mut text = self.required(entries, key);
        if text.value.len() > MAX_NAME {
            let message = format!("`{key}` has {} bytes, more than {MAX_NAME}", text.value.len());
            self.find(Rule::WrongValue, text.line, message);
            text.value.clear();
        } else if text.value.contains(char::is_whitespace) {
            let message = format!("`{key}` has blanks or line ends in it: {:?}", text.value);
            self.find(Rule::WrongValue, text.line, message);
        }
        text
    }

    pub(super) fn wrong(&mut self, entry: &Entry, expected: &str) -> &mut Finding {
        let message = format!("`{}` is {}, not {expected}", entry.key, self.kind(entry.value));
        let number =
            matches!(self.kind(entry.value), Kind::Scalar(Scalar::Int(_) | Scalar::Float(_) | Scalar::Bool(_)));
        let finding = self.find(Rule::WrongType, entry.line, message);
        if number && expected == "a string" {
            finding.hint = Some("put it in quotes".to_owned());
        }
        finding
    }

    pub(super) fn is_null(&self, number: usize) -> bool {
        *self.kind(number) == Kind::Scalar(Scalar::Null)
    }

    /// A text, not filled in; nothing for null.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<Placed<String>> {
        let document = self.document;
        match &document.node(entry.value).kind {
            Kind::Scalar(Scalar::Text(text)) => {
                self.afforded(text, entry.line).map(|value| Placed { value, line: entry.line })
            }
            Kind::Scalar(Scalar::Null) => None,
            _ => {
                self.wrong(entry, "a string");
                None
            }
        }
    }

    pub(super) fn filled(&mut self, text: Placed<String>) -> Placed<String> {
        let (value, unknown) = self.values.fill(&text.value);
        if value.len() > text.value.len() {
            // What is filled in counts like any other text.
            self.afforded(&value, text.line);
        }
        for name in unknown.into_iter().take(MAX_ENTRIES) {
            let hint = did_you_mean(name.as_bytes(), NAMES.iter().map(|name| name.as_bytes()));
            self.find(Rule::UnknownVariable, text.line, format!("`${{{name}}}` is not known")).hint = hint;
        }
        Placed { value, line: text.line }
    }

    pub(super) fn one_of(&mut self, entry: &Entry, text: Placed<String>, known: &[&str]) -> Option<Placed<String>> {
        if known.contains(&text.value.as_str()) {
            return Some(text);
        }
        let hint = did_you_mean(text.value.as_bytes(), known.iter().map(|name| name.as_bytes()))
            .unwrap_or_else(|| format!("known are {}", known.join(", ")));
        self.find(Rule::WrongValue, text.line, format!("`{}` is `{}`", entry.key, text.value)).hint = Some(hint);
        None
    }

    pub(super) fn whole_number(&mut self, entry: &Entry) {
        if !matches!(self.kind(entry.value), Kind::Scalar(Scalar::Int(_) | Scalar::Null)) {
            self.wrong(entry, "a whole number");
        }
    }

    pub(super) fn boolean(&mut self, entry: &Entry) -> Option<bool> {
        let said = said(self.kind(entry.value));
        if said.is_some() && self.document.node(entry.value).quoted {
            self.wrong(entry, "true or false").hint = Some("leave the quotes out".to_owned());
        } else if said.is_none() && !self.is_null(entry.value) {
            self.wrong(entry, "true or false");
        }
        said
    }

    /// The values of a list: none for null, itself for what is no list.
    pub(super) fn items(&mut self, entry: &Entry) -> Vec<usize> {
        let document = self.document;
        match &document.node(entry.value).kind {
            Kind::List(items) => self.at_most(items, &format!("`{}`", entry.key), entry.line).to_vec(),
            Kind::Scalar(Scalar::Null) => Vec::new(),
            _ => {
                self.wrong(entry, "a list");
                Vec::new()
            }
        }
    }

    /// A list of texts, filled in. One text alone is told of, and counts as a list of it, as when such trees are built.
    pub(super) fn texts(&mut self, entry: &Entry) -> Vec<Placed<String>> {
        if let Kind::Scalar(Scalar::Text(_)) = self.kind(entry.value) {
            let hint = "put it in brackets: other readers take its letters for the list";
            self.wrong(entry, "a list").hint = Some(hint.to_owned());
        }
        self.text_or_texts(entry)
    }

    /// A text, or a list of them, filled in.
    pub(super) fn text_or_texts(&mut self, entry: &Entry) -> Vec<Placed<String>> {
        if let Kind::Scalar(Scalar::Text(_)) = self.kind(entry.value) {
            return self.text(entry).map(|text| self.filled(text)).into_iter().collect();
        }
        let items = self.items(entry);
        items.into_iter().filter_map(|item| self.item_text(&entry.key, item)).collect()
    }

    pub(super) fn item_text(&mut self, key: &str, item: usize) -> Option<Placed<String>> {
        let (line, document) = (self.line(item), self.document);
        match &document.node(item).kind {
            Kind::Scalar(Scalar::Text(text)) => {
                let value = self.afforded(text, line)?;
                Some(self.filled(Placed { value, line }))
            }
            other => {
                let message = format!("an entry of `{key}` is {other}, not a string");
                self.find(Rule::WrongType, line, message);
                None
            }
        }
    }

    pub(super) fn map(&mut self, item: usize, what: &str) -> Option<&'a [Entry]> {
        let document = self.document;
        match &document.node(item).kind {
            Kind::Map(entries) => Some(self.at_most(entries, what, document.node(item).line)),
            other => {
                let message = format!("{what} is {other}, not a mapping");
                let line = self.line(item);
                self.find(Rule::WrongType, line, message);
                None
            }
        }
    }
}

/// Whether a value says true or false, if it says either: in YAML 1.1, which that distribution reads, further words do.
pub(super) fn said(kind: &Kind) -> Option<bool> {
    match kind {
        Kind::Scalar(Scalar::Bool(value)) => Some(*value),
        Kind::Scalar(Scalar::Text(word)) => match word.as_str() {
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{FileContent, RecipeFiles, Tree, lint};

    const HEAD: &str = "name: a\nversion: \"1\"\ntier: core\nverify_paths: [/usr/bin/a]\n";

    /// Rule and line of what is found in a recipe that says this from its fifth line on.
    fn told(manifest: &str) -> Vec<(&'static str, usize)> {
        told_of(&[HEAD, manifest].concat())
    }

    fn told_of(manifest: &str) -> Vec<(&'static str, usize)> {
        let recipe = RecipeFiles {
            tier: "core".to_owned(),
            name: "a".to_owned(),
            directory: "core/a".to_owned(),
            manifest: FileContent::Read(manifest.as_bytes().to_vec()),
            ..RecipeFiles::default()
        };
        let tree = Tree { recipes: vec![recipe], ..Tree::default() };
        lint(&tree).iter().map(|finding| (finding.rule.number(), finding.line)).collect()
    }

    #[test]
    fn true_and_false_have_the_names_that_yaml_1_1_has_for_them() {
        for word in ["true", "yes", "Yes", "YES", "on", "On", "ON", "false", "no", "No", "NO", "off", "Off", "OFF"] {
            assert_eq!(told(&format!("direct_install: {word}\n")), [], "{word}");
            assert_eq!(told(&format!("iso_include: {word}\n")), [], "{word}");
        }
        for word in ["y", "n", "oN", "1", "perhaps", "[yes]", "\"yes\"", "'off'"] {
            assert_eq!(told(&format!("direct_install: {word}\n")), [("R0004", 5)], "{word}");
        }
        assert_eq!(told("tests: {enabled: no}\n"), [("R0005", 5)], "a reason is missing");
        assert_eq!(told("tests: {enabled: on}\n"), []);
        assert_eq!(told("pending_acquisition: yes\n"), [("R0005", 5)], "no reason is said");
        assert_eq!(told("pending_acquisition: off\n"), []);
        // Of keys that are there twice the last counts.
        let promises_nothing = |pending: &str| told(&format!("{pending}verify_paths: []\n")).contains(&("R0042", 1));
        assert!(promises_nothing("pending_acquisition: off\n") && !promises_nothing("pending_acquisition: on\n"));
    }

    #[test]
    fn versions_have_no_blanks() {
        for version in ["\"1.0 \"", "1.0 beta", "|\n  1.10", "\"1\\t0\""] {
            assert_eq!(told_of(&HEAD.replace("\"1\"", version)).first(), Some(&("R0005", 2)), "{version}");
        }
    }

    #[test]
    fn files_of_sources_lie_in_one_directory() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let named =
            |name: &str| told(&format!("source: [{{url: https://x.org/a, sha256: {hash}, filename: {name}}}]\n"));
        for name in ["../a", "/a", "a/../../b"] {
            assert_eq!(named(name), [("R0021", 5)], "{name}");
        }
        assert_eq!(named("a/b"), []);
        assert_eq!(named("a..b"), []);
    }

    #[test]
    fn what_is_merged_is_read_where_it_stands() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let first = format!("source:\n  - &first\n    url: https://x.org/a.tar\n    sha256: {hash}\n");
        assert_eq!(told(&format!("{first}  - <<: *first\n    filename: b.tar\n")), []);
        assert_eq!(
            told(&format!("{first}  - filename: b.tar\n    sha256: *first\n")),
            [("R0020", 9), ("R0021", 9), ("R0004", 10)]
        );
        assert_eq!(told(&format!("{first}    extrac: no\n  - <<: *first\n    filename: b.tar\n")), [("R0002", 9)]);
        assert_eq!(told(&format!("{first}  - <<: first\n")), [("R0001", 9)]);
    }
}
