//! What pkg-config files say of modules: their version, what they provide besides, and the modules in `Requires` and
//! `Requires.private`, without which pkg-config refuses. Pure.

use super::module_version::{Comparison, Constraint};
use std::collections::{HashMap, HashSet};

/// Values of variables within values of variables, so that a circle ends.
const MAX_EXPANSIONS: usize = 64;
/// Bytes of all values of a file with their variables; what comes after so many says nothing.
const LONGEST_VALUES: usize = 64 << 10;
/// Modules that pkg-config has by itself.
const OWN: [&str; 2] = ["pkg-config", "pkgconf"];
/// Characters of operators.
const OPERATOR: [char; 4] = ['<', '>', '=', '!'];

/// A module, as its file describes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    /// Its version.
    pub(super) version: String,
    /// What it stands for besides itself. What has no version pkgconf does not take for anything.
    pub(super) provides: HashSet<(String, Constraint)>,
    /// What it requires, each once, in the order of the file.
    pub(super) requires: Vec<Reference>,
}

/// A module by its name, and which versions of it are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    /// The module.
    pub(super) name: String,
    /// The versions; any if not said.
    pub(super) constraint: Option<Constraint>,
}

impl Module {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> Self {
        let mut variables: HashMap<&str, &str> = HashMap::new();
        let mut fields = Vec::new();
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            let end = line.find(|character: char| !(character.is_ascii_alphanumeric() || "_.".contains(character)));
            let Some((name, rest)) = end.map(|end| line.split_at(end)) else { continue };
            match rest.trim_start().split_at_checked(1) {
                Some(("=", value)) => drop(variables.insert(name, value.trim())),
                Some((":", value)) => fields.push((name, value)),
                _ => {}
            }
        }
        let mut module = Self::default();
        let mut seen = HashSet::new();
        let mut room = LONGEST_VALUES;
        let known = ["Version", "Provides", "Requires", "Requires.private"];
        for (name, value) in fields.into_iter().filter(|(name, _)| known.contains(name)) {
            let Some(value) = expanded(value, &variables, room) else { break };
            room -= value.len();
            match name {
                "Version" => module.version = value.trim().to_owned(),
                "Provides" => {
                    let provided = references(&value).into_iter();
                    module.provides.extend(provided.filter_map(|provided| Some((provided.name, provided.constraint?))));
                }
                _ => {
                    let required = references(&value).into_iter();
                    let others = required.filter(|reference| !OWN.contains(&&*reference.name));
                    module.requires.extend(others.filter(|reference| seen.insert(reference.clone())));
                }
            }
        }
        module
    }
}

impl Reference {
    /// Whether what provides such versions of the module may stand for it.
    pub(super) fn is_met_by(&self, provided: &Constraint) -> bool {
        self.constraint.as_ref().is_none_or(|wanted| provided.has_common_versions(wanted))
    }
}

/// The modules of a list, of which some are followed by an operator and a version. What pkgconf does not take for an operator, for it
/// has no blanks around it, only parts a name from what follows.
fn references(list: &str) -> Vec<Reference> {
    let spaced = list.replace(',', " ");
    let mut words = spaced.split_whitespace().peekable();
    let mut references = Vec::new();
    while let Some(word) = words.next() {
        let (name, glued) = word.split_at(word.find(OPERATOR).unwrap_or(word.len()));
        let mut constraint = None;
        if glued.is_empty()
            && let Some(operator) = words.next_if(|next| next.starts_with(OPERATOR))
        {
            let whole = operator.ends_with(OPERATOR);
            let version = if whole { words.next() } else { None };
            let comparison = Comparison::parse(operator);
            constraint = comparison.zip(version).map(|(comparison, version)| Constraint::new(comparison, version));
        } else if glued.ends_with(OPERATOR) {
            words.next();
        }
        // A variable that is nowhere, or in a circle, names nothing.
        let named = !name.is_empty() && !name.contains('$');
        references.extend(named.then(|| Reference { name: name.to_owned(), constraint }));
    }
    references
}

/// A value with those of its variables; `None` if that takes more than `room` bytes.
fn expanded(text: &str, variables: &HashMap<&str, &str>, room: usize) -> Option<String> {
    let mut text = Some(text.to_owned()).filter(|text| text.len() <= room)?;
    for _ in 0..MAX_EXPANSIONS {
        let Some(start) = text.find("${") else { break };
        let Some(length) = text[start..].find('}') else { break };
        let value = variables.get(&text[start + 2..start + length]).copied().unwrap_or_default();
        if text.len() + value.len() > room {
            return None;
        }
        text = format!("{}{value}{}", &text[..start], &text[start + length + 1..]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(text: &str) -> Vec<String> {
        let written = |reference: Reference| match reference.constraint {
            Some(constraint) => format!("{} {constraint}", reference.name),
            None => reference.name,
        };
        Module::parse(text).requires.into_iter().map(written).collect()
    }

    #[test]
    fn modules_are_named_in_two_lists_with_versions_and_variables() {
        let text = "prefix=/usr\nextra=libffi >= 3\nName: x\nVersion: 1\n# Requires: no\nRequires: glib-2.0 >= 2.40, zlib\\\n             gio-2.0>=2\nRequires.private: ${extra} zlib pcre2 = 10\nRequires.internal: no\nLibs: -L${prefix}/lib -lx\n";
        assert_eq!(required(text), ["glib-2.0 >= 2.40", "zlib", "gio-2.0", "libffi >= 3", "pcre2 = 10"]);
        assert_eq!(required("Requires:\nRequires.private: ${a}\na=${a}\n"), [""; 0]);
        assert_eq!(required("Requires: pkg-config >= 0.29, x pkgconf"), ["x"]);
        let doubled = "a=${b}${b}\nb=${c}${c}\nc=".to_owned() + &"x".repeat(LONGEST_VALUES / 2) + "\nRequires: ${a}";
        assert_eq!(required(&doubled), [""; 0]);
        assert_eq!(required("a=${a}x\nRequires: y ${"), ["y"]);
        assert_eq!(required("Requires: a >=3 b= 4 c == 5 d"), ["a", "b", "c", "d"], "no operators to pkgconf");
    }

    #[test]
    fn the_version_and_what_is_provided_may_have_variables() {
        let module = Module::parse("v=1.2\nVersion: ${v}.3 \nProvides: y = ${v}, z\n");
        let y = ("y".to_owned(), Constraint::new(Comparison::Equal, "1.2"));
        assert_eq!((&*module.version, module.provides), ("1.2.3", HashSet::from([y])));
    }

    #[test]
    fn what_a_file_says_has_an_end() {
        let lists = |line: &str| Module::parse(&format!("a={}\n{}", "y = 1 ".repeat(5000), line.repeat(100_000)));
        assert_eq!(lists("Requires: ${a}\n").requires.len(), 1);
        let many: String = (0..100_000).map(|number| format!("Requires: m{number}\n")).collect();
        let required = Module::parse(&many).requires.len();
        assert!((5_000..LONGEST_VALUES).contains(&required), "{required}");
        let provided = Module::parse(&many.replace("Requires: ", "Provides: y = ")).provides.len();
        assert!((5_000..LONGEST_VALUES).contains(&provided), "{provided}");
    }
}
