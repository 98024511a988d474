//! Trees of recipes of another distribution: `TIER/NAME/package.yml`, in a directory or in `packages` in it.

use crate::error::CliError;
use std::path::{Component, Path, PathBuf};
use store::shown;

/// What recipes are described in.
pub(crate) const MANIFEST: &str = "package.yml";

/// The directory of the tiers.
pub(crate) fn packages_of(directory: &Path) -> PathBuf {
    let packages = directory.join("packages");
    if packages.is_dir() { packages } else { directory.to_owned() }
}

/// Whether a directory has such recipes.
pub(crate) fn is_tree(directory: &Path) -> bool {
    let tiers = directories_in(&packages_of(directory)).unwrap_or_default();
    tiers.iter().any(|tier| has_recipes(tier))
}

/// Whether recipes lie in a directory.
pub(crate) fn has_recipes(tier: &Path) -> bool {
    directories_in(tier).unwrap_or_default().iter().any(|recipe| has_manifest(recipe))
}

/// Whether a directory is a recipe's; its package.yml may be a link that leads nowhere.
pub(crate) fn has_manifest(recipe: &Path) -> bool {
    recipe.join(MANIFEST).symlink_metadata().is_ok()
}

/// A tree of recipes, or what of it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreePart {
    /// The directory of the tiers.
    pub(crate) packages: PathBuf,
    /// A tier or a recipe in it; `None` for all.
    pub(crate) part: Option<PathBuf>,
}

/// The tree that a directory is, or that it is a tier or a recipe of.
///
/// # Errors
/// When recipes are there, but no tree around them.
pub(crate) fn tree_at(directory: &Path) -> Result<Option<TreePart>, CliError> {
    if is_tree(directory) {
        return Ok(Some(TreePart { packages: packages_of(directory), part: None }));
    }
    let levels = if has_manifest(directory) {
        2
    } else if has_recipes(directory) {
        1
    } else {
        return Ok(None);
    };
    let no_tree = || {
        let error = CliError::usage(format!("{} has recipes, but lies in no tree of them", shown(directory)));
        error.hint(format!("recipes are TIER/NAME/{MANIFEST}, and a tree is the directory of the tiers"))
    };
    tree_around(directory, levels).map(Some).ok_or_else(no_tree)
}

/// The tree whose tiers lie so many levels above a directory, by the names that it is called by.
fn tree_around(directory: &Path, levels: usize) -> Option<TreePart> {
    let is_name = |component: &Component<'_>| matches!(component, Component::Normal(_));
    let goes_up = directory.components().any(|component| component == Component::ParentDir);
    let directory = match directory.components().filter(is_name).count() >= levels {
        _ if goes_up => directory.canonicalize().ok()?,
        true => directory.to_owned(),
        false => std::path::absolute(directory).ok()?,
    };
    let packages = directory.ancestors().nth(levels)?;
    let names = directory.strip_prefix(packages).ok()?;
    let packages = if packages.as_os_str().is_empty() { Path::new(".") } else { packages };
    Some(TreePart { packages: packages.to_owned(), part: Some(packages.join(names)) })
}

/// The directories in a directory, sorted, without hidden ones.
pub(crate) fn directories_in(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    Ok(entries(directory)?.into_iter().filter(|path| !hidden(path) && path.is_dir()).collect())
}

/// What is in a directory, sorted.
pub(crate) fn entries(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// What to do about a directory that is to be evaluated and has no `default.nix`, if there are such recipes.
pub(crate) fn remedy(directory: &Path) -> Option<CliError> {
    if !directory.is_dir() || directory.join("default.nix").exists() {
        return None;
    }
    let above: Vec<&Path> = directory.ancestors().take(4).collect();
    let tree = above.iter().copied().find(|directory| is_tree(directory));
    let tree = tree.filter(|tree| *tree == directory || directory.join(MANIFEST).is_file())?;
    // The directory above `packages` is a tree like that.
    let tree = tree.parent().filter(|_| tree.ends_with("packages")).unwrap_or(tree);
    let file = tree.join("default.nix");
    let name = shown(directory.file_name().unwrap_or_default());
    let attribute = if directory.join(MANIFEST).is_file() { format!("#{name}") } else { "#NAME".to_owned() };
    if file.exists() {
        let message = format!("{} is a recipe of a tree, not an expression", shown(&directory));
        return Some(CliError::usage(message).hint(format!("build `{}{attribute}`", shown(&tree))));
    }
    let message = format!("{} has recipes of {MANIFEST}, but no default.nix that reads them", shown(&tree));
    let line = "(import /PATH/TO/larder/recipes { }).lib.intergenos ./.";
    let error = CliError::usage(message).hint(format!("write to {}: {line}", shown(&file)));
    Some(error.hint(format!(
        "then `larder build {}{attribute}`; `larder lint {}` says what is wrong with them",
        shown(&tree),
        shown(&tree)
    )))
}
