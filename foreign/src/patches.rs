//! Patches: declared, there, the right ones, once.

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;
use crate::script::matches;
use crate::source::wrong_hash;
use crate::tree::{PatchFile, Tree};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many words of a script are compared with the name of a patch.
const MAX_NAMES: usize = 5000;

/// Looks at the patches of all recipes.
pub(crate) fn inspect(tree: &Tree, recipes: &[Recipe<'_>], findings: &mut Vec<Finding>) {
    let shared: FxHashMap<&str, Option<&str>> =
        tree.patches.iter().flatten().map(|patch| (patch.name.as_str(), patch.sha256.as_deref())).collect();
    // Scripts often apply all patches of a directory.
    let directories: FxHashSet<&str> = shared.keys().filter_map(|name| Some(name.rsplit_once('/')?.0)).collect();
    let mut used: FxHashSet<&str> = FxHashSet::default();
    for recipe in recipes {
        inspect_recipe(tree, &shared, recipe, findings);
        inspect_own(recipe, findings);
        used.extend(recipe.manifest.patches.iter().map(|patch| patch.name.value.as_str()));
        let text = recipe.files.script.bytes().map(String::from_utf8_lossy).unwrap_or_default();
        if text.contains("IGOS_PATCHES") {
            let text = recipe.manifest.values.fill_shell(&text);
            used.extend(shared.keys().filter(|name| text.contains(**name)));
        }
        used.extend(directories.iter().filter(|directory| text.contains(**directory)));
    }
    let is_used = |name: &str| {
        let directory = name.rsplit_once('/').map(|(directory, _)| directory);
        // In a directory of its own there may be what is no patch.
        used.contains(name) || directory.is_some_and(|of| used.contains(of) || !PatchFile::is_patch(name))
    };
    for patch in tree.patches.iter().flatten().filter(|patch| !is_used(&patch.name)) {
        let file = format!("{}/{}", tree.patch_directory, patch.name);
        let message = format!("no recipe uses the patch {}", patch.name);
        findings.push(Finding::new(Rule::UnusedPatch, file, 1, message));
    }
}

/// Patches beside a recipe that it does not use.
fn inspect_own(recipe: &Recipe<'_>, findings: &mut Vec<Finding>) {
    let (files, manifest) = (recipe.files, &recipe.manifest);
    let mut patches = files.files.iter().filter(|name| PatchFile::is_patch(name)).peekable();
    if patches.peek().is_none() {
        return;
    }
    let texts = files.scripts.iter().map(|(_, text)| text.as_slice()).chain(files.script.bytes());
    let named: Vec<String> =
        texts.flat_map(|text| names_in(&manifest.values.fill_shell(&String::from_utf8_lossy(text)))).collect();
    let named: FxHashSet<&str> = named.iter().map(String::as_str).collect();
    for path in patches {
        let declared = manifest.patches.iter().any(|patch| is_at(path, &patch.name.value));
        let (directory, name) =
            path.rsplit_once('/').map_or(("", path.as_str()), |(of, name)| (of.rsplit('/').next().unwrap_or(of), name));
        let known = |named: &&str| match *named {
            // All files of a directory, or names that only the script knows.
            "*" => false,
            pattern => matches(pattern, name) || (!directory.is_empty() && pattern == directory),
        };
        if !declared && !named.iter().take(MAX_NAMES).any(known) {
            let message = format!("{} uses the patch beside it neither in package.yml nor in build.sh", files.name);
            findings.push(Finding::new(Rule::UnusedPatch, format!("{}/{path}", files.directory), 1, message));
        }
    }
}

/// Whether a patch of this name is found at a path beside the recipe.
fn is_at(path: &str, name: &str) -> bool {
    path == name || path.strip_prefix("patches/") == Some(name)
}

/// Parts of paths in a script, with `*` for what variables stand for.
fn names_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in text.split(|character: char| character.is_whitespace() || "\"';|&()<>`=/".contains(character)) {
        let mut name = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('$') {
            name.push_str(before);
            name.push('*');
            let end = match after.strip_prefix('{') {
                Some(inner) => inner.find('}').map_or(after.len(), |end| end + 2),
                None => after.find(|next: char| !(next.is_ascii_alphanumeric() || next == '_')).unwrap_or(after.len()),
            };
            rest = &after[end..];
        }
        name.push_str(rest);
        if !name.is_empty() && name.trim_matches('*').is_empty() {
            continue;
        }
        if name.len() > 1 {
            found.push(name);
        }
    }
    found
}

fn inspect_recipe(
    tree: &Tree,
    shared: &FxHashMap<&str, Option<&str>>,
    recipe: &Recipe<'_>,
    findings: &mut Vec<Finding>,
) {
    let file = recipe.files.manifest_path();
    let mut seen = FxHashSet::default();
    for patch in &recipe.manifest.patches {
        let (name, line) = (patch.name.value.as_str(), patch.name.line);
        if !seen.insert(name) {
            findings.push(Finding::new(Rule::RepeatedPatch, &file, line, format!("the patch {name} is listed twice")));
            continue;
        }
        let beside = recipe.files.files.iter().any(|path| is_at(path, name));
        let fetched = recipe.manifest.sources.iter().any(|source| source.filename == name);
        let own = recipe.files.patches.iter().find(|patch| is_at(&patch.name, name));
        // The tree's are looked for first; what is fetched has a hash as a source.
        let got = shared.get(name).copied().or(own.map(|own| own.sha256.as_deref())).filter(|_| !fetched);
        if got.is_none() && !beside && !fetched {
            let message = format!("the patch {name} is neither in {} nor beside the recipe", tree.patch_directory);
            let near = eval::near::did_you_mean(name.as_bytes(), shared.keys().map(|name| name.as_bytes()));
            findings.push(Finding::new(Rule::MissingPatch, &file, line, message).maybe_hint(near));
        }
        match &patch.sha256 {
            None => findings.push(Finding::new(
                Rule::PatchWithoutHash,
                &file,
                line,
                format!("the patch {name} has no sha256"),
            )),
            Some(hash) => {
                let wrong = wrong_hash(&file, name, hash);
                let got = got.flatten().filter(|got| wrong.is_none() && !got.eq_ignore_ascii_case(&hash.value));
                findings.extend(wrong);
                if let Some(got) = got {
                    let message = format!("the patch {name} has another sha256: {got}");
                    findings.push(Finding::new(Rule::PatchHash, &file, hash.line, message));
                }
            }
        }
    }
}
