//! `build.sh`: its functions and commands, as far as they can be told without running it, and what should be otherwise.

mod conduct;
mod failures;
mod flow;
mod inputs;
mod lines;
mod phases;
mod read;

pub(crate) use inputs::matches;
pub use phases::phases;
use read::Function;
pub(crate) use read::{Script, Statement};

use crate::finding::Finding;
use crate::inspect::Recipe;
use crate::rule::Rule;

/// Functions that builders call.
const PHASES: [&str; 4] = ["configure", "build", "check", "do_install"];

/// Looks at the build.sh of a recipe.
pub(crate) fn inspect(recipe: &Recipe<'_>, findings: &mut Vec<Finding>) {
    let Some(script) = &recipe.script else { return };
    let mut found = Vec::new();
    inspect_functions(recipe, script, &mut found);
    conduct::inspect(recipe, script, &mut found);
    failures::inspect(recipe, script, &mut found);
    inputs::inspect(recipe, script, &mut found);
    findings.extend(found);
}

/// What installs: the function that `install_func` names.
fn installer<'a>(recipe: &Recipe<'a>, script: &Script) -> String {
    match &recipe.manifest.install_function {
        Some(name) => name.value.clone(),
        None if script.function("do_install").is_none() && script.function("install").is_some() => "install".to_owned(),
        None => "do_install".to_owned(),
    }
}

fn inspect_functions(recipe: &Recipe<'_>, script: &Script, findings: &mut Vec<Finding>) {
    let file = recipe.files.script_path();
    let installer = installer(recipe, script);
    match script.function(&installer) {
        Some(install) => inspect_phases(recipe, script, install, findings),
        None => match sourced(recipe, script) {
            sourced if sourced.scripts.iter().any(|script| script.function(&installer).is_some()) => {}
            sourced => {
                let finding = missing_installer(&file, script, &installer);
                findings.push(if sourced.unread { finding.warning() } else { finding });
                return;
            }
        },
    }
    if !script.sets_errexit() {
        findings.push(Finding::new(Rule::NoErrexit, &file, 1, "`set -e` is missing"));
    }
}

fn missing_installer(file: &str, script: &Script, installer: &str) -> Finding {
    let message = format!("there is no function `{installer}`");
    let known = script.functions().map(|function| function.name.as_bytes());
    let near = eval::near::did_you_mean(installer.as_bytes(), known);
    Finding::new(Rule::NoInstall, file, 1, message).maybe_hint(near)
}

fn inspect_phases(recipe: &Recipe<'_>, script: &Script, install: &Function, findings: &mut Vec<Finding>) {
    let (file, installer) = (recipe.files.script_path(), &install.name);
    let phases = PHASES.iter().take(3).filter_map(|phase| script.function(phase));
    if phases.chain([install]).all(Function::does_nothing) {
        findings.push(Finding::new(Rule::Stub, &file, install.line, "all phases do nothing"));
        return;
    }
    if install.does_nothing() {
        let message = format!("`{installer}` does nothing");
        findings.push(Finding::new(Rule::Stub, &file, install.line, message));
    } else if install.makes_directories() && !recipe.manifest.sources.is_empty() {
        let message = format!("`{installer}` makes directories, and nothing in them");
        findings.push(Finding::new(Rule::Stub, &file, install.line, message).warning());
    }
    // What makes the system that all others are built in is not tested there.
    let untested = recipe.manifest.tests_off || recipe.files.tier == "toolchain";
    if let Some(check) = script.function("check").filter(|check| !untested && check.succeeds_idly()) {
        let hint = "say `tests: {enabled: false, reason: …}` in package.yml, or leave the function out";
        findings.push(Finding::new(Rule::Stub, &file, check.line, "`check` tests nothing").warning().hint(hint));
    }
}

/// What a build.sh sources outside of functions.
struct Sourced {
    /// Files beside it.
    scripts: Vec<Script>,
    /// Whether there are others, which are not looked at.
    unread: bool,
}

/// Files beside build.sh are named by the directory of `BASH_SOURCE`, or by a variable that has it.
fn sourced(recipe: &Recipe<'_>, script: &Script) -> Sourced {
    let mut found = Sourced { scripts: Vec::new(), unread: false };
    let assigned = || script.outside().iter().flat_map(|statement| &statement.commands).flat_map(read::Command::values);
    let here: Vec<&str> = assigned()
        .filter(|(_, value)| value.contains("BASH_SOURCE") || *value == "$(dirname")
        .map(|(name, _)| name)
        .collect();
    for path in script.sourced() {
        let (place, name) = match path.rfind([')', '}']).filter(|_| path.contains("BASH_SOURCE")) {
            Some(end) => (true, &path[end + 1..]),
            None => match path.strip_prefix('$').and_then(|path| path.split_once('/')) {
                Some((variable, name)) => (here.contains(&variable.trim_matches(['{', '}'])), name),
                None => (false, path.as_str()),
            },
        };
        let name = name.trim_start_matches('/');
        match recipe.files.scripts.iter().find(|(known, _)| place && known == name) {
            Some((_, text)) => {
                let script = Script::read(&String::from_utf8_lossy(text));
                found.unread |= script.sourced().next().is_some();
                found.scripts.push(script);
            }
            None => found.unread = true,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::{FileContent, Finding, PatchFile, RecipeFiles, Severity, Tree, lint};

    const MANIFEST: &str = "name: a\nversion: \"1\"\ntier: core\nverify_paths: [/usr/bin/a]\n";
    const SOURCE: &str = "source: [{url: https://x.org/a.tar, sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad}]\n";
    const HERE: &str = "$(dirname \"${BASH_SOURCE[0]}\")";

    fn recipe(manifest: &str, script: &str) -> RecipeFiles {
        RecipeFiles {
            tier: "core".to_owned(),
            name: "a".to_owned(),
            directory: "core/a".to_owned(),
            manifest: FileContent::Read([MANIFEST, manifest].concat().into_bytes()),
            script: FileContent::Read(script.as_bytes().to_vec()),
            ..RecipeFiles::default()
        }
    }

    fn of_recipe(recipe: RecipeFiles) -> Vec<(&'static str, usize, Severity)> {
        let tree = Tree { recipes: vec![recipe], ..Tree::default() };
        let told = |finding: &Finding| (finding.rule.number(), finding.line, finding.severity);
        lint(&tree).iter().map(told).collect()
    }

    fn of_script(script: &str) -> Vec<(&'static str, usize, Severity)> {
        of_recipe(recipe("", script))
    }

    #[test]
    fn carriage_returns_are_told_wherever_they_are() {
        let told = |script: &str| of_script(script).first().copied();
        let error = |line| Some(("R0001", line, Severity::Error));
        assert_eq!(told("set -e\ndo_install() {\r\n make install\r\n}\n"), error(2));
        assert_eq!(told("set -e\r\ndo_install() {\n make install\n}\n"), error(1));
        assert_eq!(told("set -e\ndo_install() {\n make install\n}\r"), error(4));
        assert_eq!(told("set -e\ndo_install() {\n cat >$DESTDIR/a <<E\nx\r\n\r\nE\n}\n"), None);
        assert_eq!(told("set -e\ndo_install() {\n cat >$DESTDIR/a <<E\nx\r\nE\n make\r\n}\n"), error(6));
    }

    #[test]
    fn nul_bytes_are_told_where_they_are() {
        let error = |line| vec![("R0001", line, Severity::Error)];
        assert_eq!(of_script("set -e\ndo_install() {\n make\0 install\n}\n"), error(3));
        assert_eq!(of_script("set -e\ndo_install() {\n make install\n}\n\0"), error(5));
    }

    #[test]
    fn what_is_sourced_may_have_the_function() {
        let common = |text: &str| vec![("common.sh".to_owned(), text.as_bytes().to_vec())];
        let told = |line: &str, scripts| of_recipe(RecipeFiles { scripts, ..recipe("", &format!("set -e\n{line}\n")) });
        let installs = "do_install() {\n make install\n}\n";
        for line in [
            format!("source \"{HERE}/common.sh\""),
            format!(". {HERE}/common.sh"),
            "source \"${BASH_SOURCE[0]%/*}/common.sh\"".to_owned(),
            format!("here=\"{HERE}\"\n. \"$here/common.sh\""),
            format!("readonly here=\"$(cd {HERE} && pwd)\"\nsource ${{here}}/common.sh"),
        ] {
            assert_eq!(told(&line, common(installs)), [], "{line}");
            assert_eq!(told(&line, common("build() { make; }\n")), [("R0054", 1, Severity::Error)], "{line}");
            assert_eq!(told(&line, common("source /elsewhere\n")), [("R0054", 1, Severity::Warning)], "{line}");
            assert_eq!(told(&line, Vec::new()), [("R0054", 1, Severity::Warning)], "{line}");
        }
        assert_eq!(told("source /mnt/x/common.sh", common(installs)), [("R0054", 1, Severity::Warning)]);
        assert_eq!(told("build() { make; }", common(installs)), [("R0054", 1, Severity::Error)]);
    }

    #[test]
    fn phases_that_only_look_like_some_are_told() {
        let installs = "do_install() {\n make install\n}\n";
        let stub = |line| vec![("R0050", line, Severity::Warning)];
        for check in [":", "true", "echo \"no tests\"; return 0", ": nothing", "return"] {
            let script = format!("set -e\n{installs}check() {{ {check}; }}\n");
            assert_eq!(of_script(&script), stub(5), "{check}");
            let off = "tests: {enabled: false, reason: there are none}\n";
            assert_eq!(of_recipe(recipe(off, &script)), [], "{check}");
            let toolchain = script.replace("set -e", "set -e\n");
            let manifest = MANIFEST.replace("tier: core", "tier: toolchain");
            let files = RecipeFiles {
                tier: "toolchain".to_owned(),
                manifest: FileContent::Read(manifest.into_bytes()),
                ..recipe("", &toolchain)
            };
            assert_eq!(of_recipe(files), [], "{check}");
        }
        for check in ["make check", "echo no; return 1", "exit 1", "false"] {
            assert_eq!(of_script(&format!("set -e\n{installs}check() {{ {check}; }}\n")), [], "{check}");
        }
        for (install, found) in [
            ("mkdir -pv \"$DESTDIR\"/usr/{bin,lib}", stub(2)),
            ("install -dm755 ${DESTDIR}/usr/bin\n mkdir $DESTDIR/etc\n echo done", stub(2)),
            ("mkdir -p $DESTDIR/usr; cp a $DESTDIR/usr", vec![]),
            ("mkdir -p $DESTDIR/usr; echo a > $DESTDIR/usr/a", vec![]),
            ("install -m755 a $DESTDIR/usr/bin", vec![]),
        ] {
            let script = format!("set -e\ndo_install() {{\n {install}\n}}\n");
            assert_eq!(of_recipe(recipe(SOURCE, &script)), found, "{install}");
            assert_eq!(of_script(&script), [], "there is nothing else in a recipe of directories: {install}");
        }
    }

    #[test]
    fn hashes_and_reasons_must_say_something() {
        let told = |manifest: &str| of_recipe(recipe(manifest, "set -e\ndo_install() {\n make install\n}\n"));
        let source = |key: &str, hash: &str| format!("{key}:\n  - url: https://x.org/a.tar\n    sha256: \"{hash}\"\n");
        assert_eq!(told(&source("source", &"0".repeat(64))), [("R0021", 7, Severity::Error)]);
        assert_eq!(told(&source("sources_extra", &"e".repeat(64))), [("R0021", 7, Severity::Error)]);
        assert_eq!(told("sources_extra: [{url: https://x.org/a.tar}]\n"), [("R0020", 5, Severity::Error)]);
        assert_eq!(told(SOURCE), []);
        assert_eq!(told("pending_acquisition: true\n"), [("R0005", 5, Severity::Warning)]);
        assert_eq!(told("pending_acquisition: nobody has it\n"), []);
        assert_eq!(told("pending_acquisition: false\n"), []);
        let two = |one: &str, two: &str| {
            let source = |url: &str, hash: char| {
                format!("  - {{url: \"https://x.org/{url}\", sha256: 1{}}}\n", hash.to_string().repeat(63))
            };
            told(&format!("source:\n{}{}", source(one, 'a'), source(two, 'b')))
        };
        assert_eq!(two("a/v1.tar.gz", "b/v1.tar.gz"), [("R0025", 7, Severity::Error)]);
        assert_eq!(two("a/v1.tar.gz#/a.tar.gz", "b/v1.tar.gz#/b.tar.gz"), []);
        assert_eq!(two("a/v1.tar.gz#/a.tar.gz", "b/a.tar.gz"), [("R0025", 7, Severity::Error)]);
    }

    #[test]
    fn a_repeated_key_hides_nothing() {
        let told = of_recipe(recipe("name: a\nverson: 1\n", "set -e\ndo_install() {\n make install\n}\n"));
        assert_eq!(told, [("R0001", 5, Severity::Error), ("R0002", 6, Severity::Error)]);
    }

    #[test]
    fn patches_beside_a_recipe_are_looked_at() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let files = |manifest: &str, apply: &str| {
            let script = format!("set -e\nbuild() {{\n {apply}\n}}\ndo_install() {{\n make install\n}}\n");
            let names = ["fix-1.patch", "cve/b.diff", "note.txt"].map(str::to_owned);
            let patch = |name: &str| PatchFile { name: name.to_owned(), sha256: Some(hash.to_owned()) };
            let patches = vec![patch("fix-1.patch"), patch("cve/b.diff")];
            let found = of_recipe(RecipeFiles { files: names.to_vec(), patches, ..recipe(manifest, &script) });
            found.into_iter().map(|(rule, line, _)| (rule, line)).collect::<Vec<_>>()
        };
        let declared = |hash: &str| {
            format!("patches: [{{file: fix-1.patch, sha256: {hash}}}, {{file: cve/b.diff, sha256: {hash}}}]\n")
        };
        assert_eq!(files(&declared(hash), "make"), []);
        assert_eq!(files(&declared(&hash.replace("ba", "ab")), "make"), [("R0034", 5), ("R0034", 5)]);
        assert_eq!(files("", "make"), [("R0035", 1), ("R0035", 1)]);
        assert_eq!(files("", "for p in x/*.patch x/*.diff; do patch -i $p; done"), []);
        assert_eq!(files("", "patch -i $here/fix-${PKG_VERSION}.patch; patch -i $here/fix-$v.patch"), [("R0035", 1)]);
        assert_eq!(files("", "patch -i fix-1.patch; for p in \"$here\"/cve/*; do patch -i \"$p\"; done"), []);
    }

    #[test]
    fn names_of_directories_are_ascii() {
        let named =
            |name: &str| RecipeFiles { name: name.to_owned(), ..recipe("", "set -e\ndo_install() {\n make\n}\n") };
        let told = of_recipe(named("caf\u{e9}"));
        assert_eq!(told, [("R0005", 1, Severity::Error), ("R0006", 1, Severity::Error)]);
        assert_eq!(of_recipe(named("a")), []);
    }

    #[test]
    fn a_recipe_in_another_is_told() {
        let files = vec!["b/package.yml".to_owned(), "package.yml".to_owned()];
        let told = of_recipe(RecipeFiles { files, ..recipe("", "set -e\ndo_install() {\n make install\n}\n") });
        assert_eq!(told, [("R0001", 1, Severity::Warning)]);
    }

    #[test]
    fn patches_in_directories_are_looked_at() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let told = |manifest: &str, apply: &str| {
            let script = format!("set -e\ndo_install() {{\n {apply}\n}}\n");
            let patch = |name: &str| PatchFile { name: name.to_owned(), sha256: Some(hash.to_owned()) };
            let patches = Some(vec![patch("sub/x.patch"), patch("sub/README")]);
            let tree = Tree {
                recipes: vec![recipe(manifest, &script)],
                patches,
                patch_directory: "p".to_owned(),
                ..Tree::default()
            };
            lint(&tree).iter().map(|finding| (finding.rule.number(), finding.file.clone())).collect::<Vec<_>>()
        };
        let at = |rule, file: &str| vec![(rule, file.to_owned())];
        assert_eq!(told(&format!("patches: [{{file: sub/x.patch, sha256: {hash}}}]\n"), "make"), []);
        let other = hash.replace("ba", "ab");
        assert_eq!(
            told(&format!("patches: [{{file: sub/x.patch, sha256: {other}}}]\n"), "make"),
            at("R0034", "core/a/package.yml")
        );
        assert_eq!(told("", "make"), at("R0035", "p/sub/x.patch"));
        assert_eq!(told("", "cat $IGOS/build/patches/sub/*.patch | patch -p1"), []);
    }

    #[test]
    fn one_recipe_takes_the_place_of_another() {
        let told = |supersedes: &[(&str, &str)]| {
            let recipe = |(name, olds): &(&str, &str)| {
                let manifest = format!(
                    "{}supersedes: [{olds}]\n",
                    MANIFEST.replace("name: a", &format!("name: {name}")).replace("/a]", &format!("/{name}]"))
                );
                RecipeFiles {
                    tier: "core".to_owned(),
                    name: (*name).to_owned(),
                    directory: format!("core/{name}"),
                    manifest: FileContent::Read(manifest.into_bytes()),
                    ..RecipeFiles::default()
                }
            };
            let tree = Tree { recipes: supersedes.iter().map(recipe).collect(), ..Tree::default() };
            lint(&tree).iter().map(|finding| (finding.rule.number(), finding.file.clone())).collect::<Vec<_>>()
        };
        let at = |rule, file: &str| vec![(rule, format!("core/{file}/package.yml"))];
        assert_eq!(told(&[("a", ""), ("b", "a"), ("c", "b"), ("d", "c, a")]), []);
        assert_eq!(told(&[("a", ""), ("b", "a"), ("c", "a")]), at("R0014", "c"));
        assert_eq!(told(&[("a", "b"), ("b", "c"), ("c", "a")]), at("R0015", "a"));
    }
}
