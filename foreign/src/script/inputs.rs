//! What a build.sh reads of $IGOS_SOURCES and $IGOS_PATCHES, which are one directory, must be declared.

use super::Script;
use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;

pub(super) fn inspect(recipe: &Recipe<'_>, script: &Script, findings: &mut Vec<Finding>) {
    let manifest = &recipe.manifest;
    let sources = manifest.sources.iter().map(|source| source.filename.as_str());
    let artifacts = manifest.artifacts.iter().map(|artifact| artifact.name.value.as_str());
    let patches = manifest.patches.iter().map(|patch| patch.name.value.as_str());
    let declared: Vec<&str> = sources.chain(artifacts).chain(patches).collect();
    let cases =
        [(Rule::UndeclaredSource, "IGOS_SOURCES", "the source"), (Rule::UndeclaredPatch, "IGOS_PATCHES", "the patch")];
    for statement in script.statements() {
        for (rule, variable, what) in cases {
            for name in names_below(&statement.text, variable) {
                let name = manifest.values.fill_shell(&name);
                if name.is_empty() || name.contains('$') || declared.iter().any(|known| matches(&name, known)) {
                    continue;
                }
                let message = format!("{what} {name} is used, but package.yml does not declare it");
                findings.push(Finding::new(rule, recipe.files.script_path(), statement.line, message));
            }
        }
    }
}

/// What follows `$VARIABLE/` or `${VARIABLE}/`.
fn names_below(text: &str, variable: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(variable) {
        let after = &rest[at + variable.len()..];
        rest = after;
        let Some(path) = after.trim_start_matches(['}', '"']).strip_prefix('/') else { continue };
        let path = path.strip_prefix('"').unwrap_or(path);
        let end = path.find(|character: char| character.is_whitespace() || "\"'`;|&()<>".contains(character));
        found.push(path[..end.unwrap_or(path.len())].to_owned());
    }
    found
}

/// Whether a name matches a pattern with `*` and `?`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut in_name, mut star) = (0, 0, None);
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[in_name] => (at, in_name) = (at + 1, in_name + 1),
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    (at, in_name) = (place + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let text = "tar -xf ${IGOS_SOURCES}/tzdata.tar.gz -C x; cp \"$IGOS_SOURCES\"/a \"${IGOS_SOURCES}/b c\"; ls $IGOS_SOURCES";
        assert_eq!(names_below(text, "IGOS_SOURCES"), ["tzdata.tar.gz", "a", "b"]);
    }

    #[test]
    fn patterns_match() {
        assert!(matches("a-*.tar.*", "a-1.2.tar.xz") && matches("*", "") && matches("a?c", "abc"));
        assert!(!matches("a-*.zip", "a-1.tar") && !matches("ab", "abc") && !matches("abc", "ab"));
    }
}
