//! Everything that is wrong with a tree.

use crate::finding::Finding;
use crate::manifest::{self, Manifest};
use crate::rule::Rule;
use crate::script::{self, Script};
use crate::tree::{FileContent, RecipeFiles, Tree};
use crate::{graph, patches, promises, source};
use rustc_hash::FxHashMap;

/// A recipe whose package.yml could be read.
#[derive(Debug)]
pub(crate) struct Recipe<'a> {
    pub(crate) files: &'a RecipeFiles,
    pub(crate) manifest: Manifest,
    /// `build.sh`, if there is one that can be read.
    pub(crate) script: Option<Script>,
}

/// All that is wrong with a tree, by file and line.
#[must_use]
pub fn lint(tree: &Tree) -> Vec<Finding> {
    let mut findings = unread(tree);
    let mut recipes: Vec<Recipe<'_>> = Vec::with_capacity(tree.recipes.len());
    for files in &tree.recipes {
        let script = read_script(files, &mut findings);
        let deeper = files.files.iter().filter(|path| path.ends_with("/package.yml"));
        findings.extend(deeper.map(|path| {
            let message = "this is not read: it lies in the directory of another recipe";
            Finding::new(Rule::Unreadable, format!("{}/{path}", files.directory), 1, message).warning()
        }));
        if let Some(manifest) = manifest::read(files, &mut findings) {
            recipes.push(Recipe { files, manifest, script });
        }
    }
    recipes.sort_by(|a, b| a.files.directory.cmp(&b.files.directory));
    for recipe in &recipes {
        inspect_names(recipe, &mut findings);
        source::inspect(&recipe.files.manifest_path(), &recipe.manifest, &mut findings);
        script::inspect(recipe, &mut findings);
    }
    inspect_duplicates(&recipes, &mut findings);
    patches::inspect(tree, &recipes, &mut findings);
    promises::inspect(&recipes, &mut findings);
    graph::inspect(&recipes, &unreadable(tree, &recipes), &mut findings);
    findings.sort_by(|a, b| (&a.file, a.line, a.rule, &a.message).cmp(&(&b.file, b.line, b.rule, &b.message)));
    findings.dedup();
    bounded(findings)
}

/// What could not be read, beside files of recipes.
pub(crate) fn unread(tree: &Tree) -> Vec<Finding> {
    tree.unread.iter().map(|unread| Finding::new(Rule::Unreadable, &unread.path, 1, &unread.problem)).collect()
}

/// How many findings of one file are told.
pub(crate) const MAX_OF_FILE: usize = 100;

/// The same, but of each file no more than anybody reads, and how many more there are.
fn bounded(findings: Vec<Finding>) -> Vec<Finding> {
    let mut told: Vec<Finding> = Vec::with_capacity(findings.len());
    for of_file in findings.chunk_by(|one, other| one.file == other.file) {
        let (shown, rest) = of_file.split_at(of_file.len().min(MAX_OF_FILE));
        told.extend_from_slice(shown);
        if let Some(worst) = rest.iter().max_by_key(|finding| finding.severity) {
            let message = format!("{} further findings of this file are not shown", rest.len());
            told.push(Finding { message, hint: None, ..worst.clone() });
        }
    }
    told
}

/// Names of recipes that could not be read: nobody who needs them is to blame.
fn unreadable<'a>(tree: &'a Tree, recipes: &[Recipe<'_>]) -> Vec<&'a str> {
    let read: FxHashMap<&str, ()> = recipes.iter().map(|recipe| (recipe.files.directory.as_str(), ())).collect();
    let all = tree.recipes.iter();
    all.filter(|files| !read.contains_key(files.directory.as_str())).map(|files| files.name.as_str()).collect()
}

fn read_script(files: &RecipeFiles, findings: &mut Vec<Finding>) -> Option<Script> {
    let bytes = match &files.script {
        FileContent::Missing => return None,
        FileContent::Unreadable(problem) => {
            findings.push(Finding::new(Rule::Unreadable, files.script_path(), 1, problem));
            return None;
        }
        FileContent::Read(bytes) => bytes,
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let script = Script::read(text);
            findings.extend(unlike_a_script(files, text, &script));
            Some(script)
        }
        Err(error) => {
            let line = line_of(&bytes[..error.valid_up_to()]);
            findings.push(Finding::new(Rule::Unreadable, files.script_path(), line, "this is not UTF-8"));
            None
        }
    }
}

/// The line that follows upon a text.
fn line_of(before: &[u8]) -> usize {
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// What a shell would not read as it was meant.
fn unlike_a_script(files: &RecipeFiles, text: &str, script: &Script) -> Option<Finding> {
    let found = |line, message: &str| Some(Finding::new(Rule::Unreadable, files.script_path(), line, message));
    if let Some(before) = text.find('\0') {
        return found(line_of(&text.as_bytes()[..before]), "this line has a NUL byte, which no script has");
    }
    if text.starts_with('\u{feff}') {
        return found(1, "it begins with a byte order mark, which is part of the first command for a shell");
    }
    match script.carriage_returns(text).as_slice() {
        [] => {}
        [1, ..] => return found(1, "its lines end with a carriage return, which is part of the last word for a shell"),
        [line] => {
            return found(*line, "this line ends with a carriage return, which is part of the last word for a shell");
        }
        [line, others @ ..] => {
            let message = "end with a carriage return, which is part of the last word for a shell";
            return found(*line, &format!("this line and {} others {message}", others.len()));
        }
    }
    if let Some((line, word)) = script.endless() {
        let message = format!("this here-document has no end, which would be `{word}` and nothing else on a line");
        // A function that has no end for it is one for no shell.
        let certain = script.unclosed().is_some();
        return found(line, &message).map(|finding| if certain { finding } else { finding.warning() });
    }
    // A warning, for a shell may see an end where none is seen here.
    let message = "no end of this function is seen: a `}` on a line of its own, indented no further than it";
    found(script.unclosed()?, message).map(Finding::warning)
}

fn inspect_names(recipe: &Recipe<'_>, findings: &mut Vec<Finding>) {
    let (files, manifest) = (recipe.files, &recipe.manifest);
    let cases = [
        (Rule::NameNotDirectory, "name", &manifest.name, &files.name),
        (Rule::TierNotDirectory, "tier", &manifest.tier, &files.tier),
    ];
    for (rule, what, said, directory) in cases {
        if said.value != *directory && !said.value.is_empty() {
            let message = format!("the {what} is `{}`, and the directory `{directory}`", said.value);
            findings.push(Finding::new(rule, files.manifest_path(), said.line, message));
        }
    }
    if !files.name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        let message = "the name of the directory is not ASCII";
        findings.push(Finding::new(Rule::WrongValue, files.manifest_path(), 1, message));
    }
    if manifest.style.as_ref().is_some_and(|style| style.value == "custom") && files.script.is_missing() {
        let line = manifest.style.as_ref().map_or(1, |style| style.line);
        let message = "the style `custom` needs a build.sh";
        findings.push(Finding::new(Rule::NoInstall, files.manifest_path(), line, message));
    }
    if let Some(flag) = manifest.flags.first().filter(|_| !files.script.is_missing()) {
        let message = "these flags have no effect, for build.sh decides alone";
        let hint = "write them into build.sh, or remove build.sh if the style does the same";
        findings.push(Finding::new(Rule::DeadFlags, files.manifest_path(), flag.line, message).hint(hint));
    }
}

fn inspect_duplicates(recipes: &[Recipe<'_>], findings: &mut Vec<Finding>) {
    let mut first: FxHashMap<&str, &Recipe<'_>> = FxHashMap::default();
    for recipe in recipes.iter().filter(|recipe| !recipe.manifest.name.value.is_empty()) {
        let name = &recipe.manifest.name;
        if let Some(other) = first.insert(&name.value, recipe) {
            let message = format!("{} is called `{}` too", other.files.directory, name.value);
            findings.push(Finding::new(Rule::DuplicateName, recipe.files.manifest_path(), name.line, message));
        }
    }
}
