//! Patches: declared, there, the right ones, once.

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;
use crate::source::is_sha256;
use crate::tree::Tree;
use rustc_hash::{FxHashMap, FxHashSet};

/// Looks at the patches of all recipes.
pub(crate) fn inspect(tree: &Tree, recipes: &[Recipe<'_>], findings: &mut Vec<Finding>) {
    let shared: FxHashMap<&str, Option<&str>> =
        tree.patches.iter().flatten().map(|patch| (patch.name.as_str(), patch.sha256.as_deref())).collect();
    let mut used: FxHashSet<&str> = FxHashSet::default();
    for recipe in recipes {
        inspect_recipe(tree, &shared, recipe, findings);
        used.extend(recipe.manifest.patches.iter().map(|patch| patch.name.value.as_str()));
        let text = recipe.files.script.bytes().map(String::from_utf8_lossy).unwrap_or_default();
        if text.contains("IGOS_PATCHES") {
            let text = recipe.manifest.values.fill_shell(&text);
            used.extend(shared.keys().filter(|name| text.contains(**name)));
        }
    }
    for patch in tree.patches.iter().flatten().filter(|patch| !used.contains(patch.name.as_str())) {
        let file = format!("{}/{}", tree.patch_directory, patch.name);
        let message = format!("no recipe uses the patch {}", patch.name);
        findings.push(Finding::new(Rule::UnusedPatch, file, 1, message));
    }
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
        let beside = |path: &String| path == name || path.strip_prefix("patches/") == Some(name);
        let own = recipe.files.files.iter().any(beside)
            || recipe.manifest.sources.iter().any(|source| source.filename == name);
        let got = shared.get(name);
        if got.is_none() && !own {
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
            Some(hash) if !is_sha256(&hash.value) => {
                let message = format!("the sha256 of {name} is not 64 hexadecimal digits");
                findings.push(Finding::new(Rule::SourceForm, &file, hash.line, message));
            }
            Some(hash) => {
                let got = got.copied().flatten();
                if let Some(got) = got.filter(|got| !got.eq_ignore_ascii_case(&hash.value)) {
                    let message = format!("the patch {name} has another sha256: {got}");
                    findings.push(Finding::new(Rule::PatchHash, &file, hash.line, message));
                }
            }
        }
    }
}
