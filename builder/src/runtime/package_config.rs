//! What pkg-config files need: the modules in `Requires` and `Requires.private`, without which pkg-config refuses. Pure.

use std::collections::{HashMap, HashSet};

/// Values of variables within values of variables, so that a circle ends.
const MAX_EXPANSIONS: usize = 64;
/// Bytes of a list with its variables; of a longer one nothing is required.
const LONGEST_LIST: usize = 64 << 10;
/// Modules that pkg-config has by itself.
const OWN: [&str; 2] = ["pkg-config", "pkgconf"];

/// The modules that a file requires, each once, in their order. That they are of the required version is not checked.
pub(super) fn required_modules(text: &str) -> Vec<String> {
    let mut variables: HashMap<&str, &str> = HashMap::new();
    let mut lists = Vec::new();
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        let end = line.find(|character: char| !(character.is_ascii_alphanumeric() || "_.".contains(character)));
        let Some((name, rest)) = end.map(|end| line.split_at(end)) else { continue };
        match rest.trim_start().split_at_checked(1) {
            Some(("=", value)) => drop(variables.insert(name, value.trim())),
            Some((":", value)) if matches!(name, "Requires" | "Requires.private") => lists.push(value),
            _ => {}
        }
    }
    let mut seen: HashSet<String> = OWN.map(str::to_owned).into();
    let modules = lists.into_iter().flat_map(|list| modules_of(&expanded(list, &variables)));
    modules.filter(|module| seen.insert(module.clone())).collect()
}

/// The names in a list, of which some are followed by an operator and a version.
fn modules_of(list: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let spaced = list.replace(',', " ");
    let mut words = spaced.split_whitespace();
    while let Some(word) = words.next() {
        if word.starts_with(['<', '>', '=', '!']) {
            // `>=1.2` in one word, or the version in the next one.
            if word.ends_with('=') || word.ends_with(['<', '>']) {
                words.next();
            }
            continue;
        }
        let end = word.find(['<', '>', '=', '!']).unwrap_or(word.len());
        // A variable that is nowhere, or in a circle, names nothing.
        modules.extend(Some(word[..end].to_owned()).filter(|name| !name.contains('$')));
        if word[end..].ends_with(['=', '<', '>']) {
            words.next();
        }
    }
    modules
}

fn expanded(text: &str, variables: &HashMap<&str, &str>) -> String {
    let mut text = text.to_owned();
    for _ in 0..MAX_EXPANSIONS {
        let Some(start) = text.find("${") else { break };
        let Some(length) = text[start..].find('}') else { break };
        let value = variables.get(&text[start + 2..start + length]).copied().unwrap_or_default();
        if text.len() + value.len() > LONGEST_LIST {
            return String::new();
        }
        text = format!("{}{value}{}", &text[..start], &text[start + length + 1..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_in_two_lists_with_versions_and_variables() {
        let text = "prefix=/usr\nextra=libffi >= 3\nName: x\nVersion: 1\n# Requires: no\nRequires: glib-2.0 >= 2.40, zlib\\\n             gio-2.0>=2\nRequires.private: ${extra} zlib pcre2 = 10\nRequires.internal: no\nLibs: -L${prefix}/lib -lx\n";
        assert_eq!(required_modules(text), ["glib-2.0", "zlib", "gio-2.0", "libffi", "pcre2"]);
        assert_eq!(required_modules("Requires:\nRequires.private: ${a}\na=${a}\n"), [""; 0]);
        assert_eq!(required_modules("Requires: pkg-config >= 0.29, x pkgconf"), ["x"]);
        let doubled = "a=${b}${b}\nb=${c}${c}\nc=".to_owned() + &"x".repeat(LONGEST_LIST / 2) + "\nRequires: ${a}";
        assert_eq!(required_modules(&doubled), [""; 0]);
        assert_eq!(required_modules("a=${a}x\nRequires: y ${"), ["y"]);
    }
}
