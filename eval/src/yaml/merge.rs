//! Merge keys, as YAML 1.1 has them: `<<: *a` and `<<: [*a, *b]` give a mapping the keys of others. Its own win, and of the
//! others those of the first. What is merged counts each time, for aliases make much of little.

use super::{Document, Entry, Kind, Problem};
use rustc_hash::FxHashSet;

/// How many entries are merged in a document, each counted wherever that is done, and how many bytes their keys have.
const MAX_MERGED: usize = 100_000;
const MAX_BYTES: usize = 16 << 20;

/// Whether a plain key is one that merges.
pub(super) fn is_merge(text: &str, tag: Option<&str>) -> bool {
    text == "<<" && tag.is_none_or(|tag| tag == "tag:yaml.org,2002:merge")
}

/// The merging in one document.
#[derive(Debug, Default)]
pub(super) struct Merges {
    /// How many entries were merged before, and the bytes of their keys.
    merged: usize,
    bytes: usize,
}

impl Merges {
    /// Gives a mapping of these entries those of a value, behind its own, unless their names are there already.
    ///
    /// # Errors
    /// When the value is no mapping and no list of them, or all is too much.
    pub(super) fn merge(
        &mut self,
        document: &Document,
        value: usize,
        entries: &mut Vec<Entry>,
        names: &mut FxHashSet<String>,
    ) -> Result<(), Problem> {
        match &document.node(value).kind {
            Kind::Map(others) => self.add(others, entries, names),
            Kind::List(items) => items.iter().try_for_each(|item| match &document.node(*item).kind {
                Kind::Map(others) => self.add(others, entries, names),
                other => Err(unfit(&format!("a list with {other} in it"))),
            }),
            other => Err(unfit(&other.to_string())),
        }
    }

    fn add(
        &mut self,
        others: &[Entry],
        entries: &mut Vec<Entry>,
        names: &mut FxHashSet<String>,
    ) -> Result<(), Problem> {
        // One more, for a list may have nothing but empty mappings.
        self.merged += 1 + others.len();
        if self.merged > MAX_MERGED {
            return Err(format!("`<<` merges more than {MAX_MERGED} entries in this document"));
        }
        self.bytes += others.iter().map(|entry| entry.key.len()).sum::<usize>();
        if self.bytes > MAX_BYTES {
            return Err(format!("`<<` merges keys of more than {} MiB in this document", MAX_BYTES >> 20));
        }
        entries.extend(others.iter().filter(|entry| names.insert(entry.key.clone())).cloned());
        Ok(())
    }
}

fn unfit(value: &str) -> Problem {
    format!("`<<` merges a mapping or a list of them, and this is {value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Scalar;

    fn refused(text: &str) -> (usize, usize, String) {
        let error = Document::parse(text.as_bytes()).expect_err("it is wrong");
        (error.line, error.column, error.problem)
    }

    #[test]
    fn merged_keys_are_those_of_the_mapping() {
        let entries = |text: &str| {
            let document = Document::parse(text.as_bytes()).unwrap();
            let Kind::Map(entries) = &document.node(document.root().unwrap()).kind else { panic!("no mapping") };
            let Kind::Map(entries) = &document.node(entries.last().unwrap().value).kind else { panic!("no mapping") };
            let shown = |entry: &Entry| match &document.node(entry.value).kind {
                Kind::Scalar(Scalar::Int(value)) => format!("{}={value}@{}", entry.key, entry.line),
                other => format!("{}={other}@{}", entry.key, entry.line),
            };
            entries.iter().map(shown).collect::<Vec<_>>()
        };
        let anchors = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\n";
        let of = |map: &str| entries(&format!("{anchors}map: {map}\n"));
        // The mapping's own keys win wherever `<<` stands, and of several mappings the first.
        assert_eq!(of("{<<: *a, x: 5}"), ["x=5@3", "y=2@1"]);
        assert_eq!(of("{x: 5, <<: *a}"), ["x=5@3", "y=2@1"]);
        assert_eq!(of("{<<: [*a, *b]}"), ["x=1@1", "y=2@1", "z=4@2"]);
        assert_eq!(of("{<<: [*b, *a]}"), ["y=3@2", "z=4@2", "x=1@1"]);
        assert_eq!(of("{<<: {q: 1}}"), ["q=1@3"]);
        assert_eq!(of("{!!merge <<: *a}"), ["x=1@1", "y=2@1"]);
        assert_eq!(of("{<<: []}"), [""; 0]);
        // What is merged may itself be merged.
        assert_eq!(
            entries(&format!("{anchors}c: &c {{<<: *a, z: 6}}\nmap: {{<<: [*c, *b]}}\n")),
            ["z=6@3", "x=1@1", "y=2@1"]
        );
        // In quotes, or with another tag, it is a key like any other.
        assert_eq!(of("{\"<<\": *a}"), ["<<=a mapping@3"]);
        assert_eq!(of("{!!str <<: 1}"), ["<<=1@3"]);
    }

    #[test]
    fn what_is_merged_is_mappings_and_not_too_many() {
        assert_eq!(refused("a: 1\nb: {<<: x}\n"), (2, 5, unfit("a string")));
        assert_eq!(refused("a: 1\nb: {<<: }\n"), (2, 5, unfit("nothing")));
        assert_eq!(refused("a: &a {}\nb: {<<: [*a, 1]}\n"), (2, 5, unfit("a list with the number 1 in it")));
        assert_eq!(refused("a: &a {}\nb:\n  <<: *a\n  <<: *a\n"), (4, 3, "the key `<<` is there twice".to_owned()));
        assert!(refused("a: &a {<<: *a}\n").2.contains("inside the value"));
        let keys: Vec<_> = (0..1000).map(|key| format!("k{key}: 1")).collect();
        let many = format!("a: &a {{{}}}\nb: {{<<: [{}]}}\n", keys.join(", "), vec!["*a"; 1000].join(", "));
        assert_eq!(refused(&many), (2, 5, "`<<` merges more than 100000 entries in this document".to_owned()));
    }

    #[test]
    fn long_keys_are_bounded() {
        let key = "k".repeat(1 << 20);
        let many = vec!["- {<<: *a}"; 20].join("\n");
        let refused = refused(&format!("a: &a\n  ? {key}\n  : 1\nb:\n{many}\n"));
        assert_eq!((refused.0, refused.2.as_str()), (21, "`<<` merges keys of more than 16 MiB in this document"));
    }

    #[test]
    fn lists_of_nothing_are_bounded() {
        let nothing = vec!["*a"; 1000].join(", ");
        let maps = vec!["{<<: *l}"; 1000].join(", ");
        assert_eq!(refused(&format!("a: &a {{}}\nl: &l [{nothing}]\nm: [{maps}]\n")).0, 3);
    }
}
