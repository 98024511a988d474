//! Trees of recipes of another distribution: `TIER/NAME/package.yml`, in a directory or in `packages` in it.

use crate::error::CliError;
use std::path::{Path, PathBuf};
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
    tiers.iter().flat_map(|tier| directories_in(tier).unwrap_or_default()).any(|recipe| recipe.join(MANIFEST).is_file())
}

/// The directories in a directory, sorted, without hidden ones.
pub(crate) fn directories_in(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    Ok(entries(directory)?.into_iter().filter(|path| !hidden(path) && path.is_dir()).collect())
}

/// What is in a directory, sorted.
pub(crate) fn entries(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let failed = |error| CliError::failed(format!("cannot read {}: {error}", shown(&directory)));
    let listed = std::fs::read_dir(directory).map_err(failed)?;
    let paths: Result<Vec<_>, _> = listed.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
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
        return Some(CliError::evaluation_message(message).hint(format!("build `{}{attribute}`", shown(&tree))));
    }
    let message = format!("{} has recipes of {MANIFEST}, but no default.nix that reads them", shown(&tree));
    let line = "(import /PATH/TO/larder/recipes { }).lib.intergenos ./.";
    let error = CliError::evaluation_message(message).hint(format!("write to {}: {line}", shown(&file)));
    Some(error.hint(format!(
        "then `larder build {}{attribute}`; `larder lint {}` says what is wrong with them",
        shown(&tree),
        shown(&tree)
    )))
}
