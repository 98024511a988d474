//! `larder lint` of a tree of another distribution's recipes: reading it, and telling what is found.

use super::Args;
use super::report::Report;
use crate::error::CliError;
use crate::output;
use crate::recipe_tree::{MANIFEST, directories_in, entries, packages_of};
use foreign::{Finding, PatchFile, RecipeFiles, Severity, Tree};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use store::shown;
use store::{FileHash, HashAlgorithm};

/// A file of a recipe that is larger than this is none that somebody has written.
const MAX_FILE: u64 = 1 << 20;

/// Lints a tree.
pub(super) fn lint_tree(directory: &Path, args: &Args, report: &mut Report) -> Result<(), CliError> {
    let tree = read_tree(directory)?;
    report.recipes += tree.recipes.len();
    for finding in foreign::lint(&tree).iter().filter(|finding| !args.allows(finding.rule.number())) {
        report.findings += 1;
        report.errors += usize::from(finding.severity == Severity::Error);
        if args.json {
            report.json.push(as_json(finding));
        } else {
            let text = std::fs::read(&finding.file).ok();
            output::write(format!("{}\n", foreign::render(finding, text.as_deref())).as_bytes())?;
        }
    }
    Ok(())
}

/// Reads a tree.
pub(super) fn read_tree(directory: &Path) -> Result<Tree, CliError> {
    let packages = packages_of(directory);
    let mut recipes = Vec::new();
    for tier in directories_in(&packages)? {
        for recipe in directories_in(&tier)? {
            if recipe.join(MANIFEST).exists() {
                recipes.push(read_recipe(&tier, &recipe)?);
            }
        }
    }
    let patches = patch_directory(&packages);
    let patch_directory = without_dot(patches.as_deref().unwrap_or(&packages.join("patches")));
    let patches = patches.map(|patches| read_patches(&patches)).transpose()?;
    Ok(Tree { recipes, patches, patch_directory })
}

/// Where the tree's patches lie: beside its packages, or among them.
fn patch_directory(packages: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(packages).unwrap_or_else(|_| packages.to_owned());
    let around = match absolute.file_name() {
        Some(name) if name == "packages" => packages
            .parent()
            .map(|parent| if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }),
        _ => Some(packages.to_owned()),
    };
    let around = around.unwrap_or_else(|| packages.join(".."));
    [around.join("build/patches"), around.join("patches"), packages.join("patches")]
        .into_iter()
        .find(|directory| directory.is_dir())
}

fn read_recipe(tier: &Path, recipe: &Path) -> Result<RecipeFiles, CliError> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let script = recipe.join("build.sh");
    Ok(RecipeFiles {
        tier: name(tier),
        name: name(recipe),
        directory: without_dot(recipe),
        manifest: read_file(&recipe.join(MANIFEST))?,
        script: if script.exists() { Some(read_file(&script)?) } else { None },
        files: files_below(recipe)?,
    })
}

fn read_patches(directory: &Path) -> Result<Vec<PatchFile>, CliError> {
    let mut patches = Vec::new();
    for path in entries(directory)?.into_iter().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let content = std::fs::read(&path).map_err(|error| failed(&path, &error))?;
            let hash = FileHash::of(HashAlgorithm::Sha256, &content).to_string();
            let sha256 = hash.split_once(':').map(|(_, digits)| digits.to_owned()).unwrap_or_default();
            patches.push(PatchFile { name, sha256 });
        }
    }
    Ok(patches)
}

fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let data = path.metadata().map_err(|error| failed(path, &error))?;
    if !data.is_file() {
        return Err(CliError::failed(format!("{} is not a regular file", shown(path))));
    }
    if data.len() > MAX_FILE {
        let message = format!("{} has {}, more than a recipe can have", shown(path), crate::text::bytes(data.len()));
        return Err(CliError::failed(message));
    }
    std::fs::read(path).map_err(|error| failed(path, &error))
}

/// Paths of the files below a recipe's directory, relative to it. Links are not followed.
fn files_below(recipe: &Path) -> Result<Vec<String>, CliError> {
    let mut files = Vec::new();
    let mut pending = vec![recipe.to_owned()];
    while let Some(directory) = pending.pop() {
        for path in entries(&directory)? {
            let kind = path.symlink_metadata().map_err(|error| failed(&path, &error))?;
            if kind.is_dir() {
                pending.push(path);
            } else if let Ok(relative) = path.strip_prefix(recipe) {
                files.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn without_dot(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("cannot read {}: {error}", shown(path)))
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "file": finding.file,
        "code": finding.rule.number(),
        "severity": finding.severity.as_str(),
        "message": finding.message,
        "hints": finding.hint.iter().collect::<Vec<_>>(),
        "fixable": false,
        "start": { "line": finding.line, "column": 1 },
    })
}
