//! Lint of trees of another distribution's recipes: what it finds in a bad one, and that it finds nothing in a good one.

use crate::harness::{Ran, Scratch};
use std::path::Path;

fn testdata(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name).display().to_string()
}

/// `file:line severity code` of every finding, as `findings.txt` in the bad tree lists them.
fn findings(ran: &Ran, tree: &str) -> Vec<String> {
    let json = ran.json("lint");
    let shown = |finding: &serde_json::Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        let file = text("file");
        let file = file.strip_prefix(tree).unwrap().trim_start_matches('/').to_owned();
        format!("{file}:{} {} {}", finding["start"]["line"], text("severity"), text("code"))
    };
    json["findings"].as_array().unwrap().iter().map(shown).collect()
}

#[test]
fn everything_wrong_is_told_at_once() {
    let (scratch, tree) = (Scratch::new("{ }"), testdata("intergenos-bad"));
    let ran = scratch.larder_with(&["lint", "--json", &tree]);
    assert_eq!(ran.code, Some(1));
    let expected = std::fs::read_to_string(format!("{tree}/findings.txt")).unwrap();
    assert_eq!(findings(&ran, &tree), expected.lines().collect::<Vec<_>>());
}

#[test]
fn every_rule_of_trees_has_a_bad_recipe() {
    let scratch = Scratch::new("{ }");
    let listed = scratch.larder("help lint-rules").ok().stdout;
    let expected = std::fs::read_to_string(testdata("intergenos-bad/findings.txt")).unwrap();
    for code in listed.lines().filter_map(|line| line.split_once(' ')).map(|(code, _)| code) {
        // R0026 is of what servers answer, which `--sources` asks them.
        let tried = expected.contains(code) || code == "R0026";
        assert!(!code.starts_with('R') || tried, "{code} is not tried");
        assert!(scratch.larder(&format!("help {code}")).ok().stdout.starts_with(code));
    }
}

#[test]
fn findings_of_trees_say_where_and_what_to_do() {
    let (scratch, tree) = (Scratch::new("{ }"), testdata("intergenos-bad"));
    let ran = scratch.larder_with(&["lint", &tree]).fails(1, &["errors) in 77 recipes"]);
    let place = "packages/core/unknown-dependency/package.yml:9\n  |\n9 |     - goood\nhint: did you mean `good`?\n";
    assert!(ran.stdout.contains("error[R0010]: no recipe is called `goood`\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(place), "{}", ran.stdout);
    assert!(ran.stdout.contains("recipes need each other: cycle-a -> cycle-b -> cycle-c -> cycle-a\n"));
    assert!(ran.stdout.contains("`version` is the number 46.0, not a string\n"));
    assert!(ran.stdout.contains("child-promise promises /usr/share/parent/child, so /usr/share/parent says little\n"));
    let allowed = scratch.larder_with(&["lint", "--allow", "R0010,r0011", &tree]);
    assert!(!allowed.stdout.contains("R0010") && !allowed.stdout.contains("R0011") && allowed.stdout.contains("R0020"));
}

#[test]
fn a_good_tree_has_no_errors() {
    let (scratch, tree) = (Scratch::new("{ }"), testdata("intergenos"));
    let ran = scratch.larder_with(&["lint", "--json", &tree]);
    let found: Vec<String> = findings(&ran, &tree);
    // These are what its own distribution has, too: a patch that only build.sh names, and a package that is in no image.
    let expected = [
        "packages/core/bzip2/build.sh:5 error R0032",
        "packages/extra/igos-blob/build.sh:5 error R0023",
        "packages/extra/igos-blob/package.yml:1 warning R0012",
    ];
    assert_eq!(found, expected);
}

#[test]
fn scripts_that_a_shell_would_read_otherwise_are_told() {
    let scratch = Scratch::new("{ }");
    let script = "#!/bin/bash\nset -e\nconfigure()\n{\n    ./configure\n}\nbuild() ( make )\nfunction do_install\n{\n    make install\n}\n";
    let tree = |name: &str, script: &str| {
        std::fs::create_dir_all(scratch.path(&format!("tree/core/{name}"))).unwrap();
        let manifest =
            format!("name: {name}\nversion: \"1\"\ntier: core\nbuild_style: custom\nverify_paths: [/usr/bin/{name}]\n");
        scratch.write(&format!("tree/core/{name}/package.yml"), manifest);
        scratch.write(&format!("tree/core/{name}/build.sh"), script);
    };
    tree("good", script);
    scratch.larder("lint tree").ok();
    tree("dos", &script.replace('\n', "\r\n"));
    tree("mark", &format!("\u{feff}{script}"));
    tree("document", &format!("{script}post_install() {{\n    cat > /etc/x << \"EOF\"\nx\n    EOF\n}}\n"));
    tree("open", script.strip_suffix("}\n").unwrap());
    let tree = scratch.path("tree").display().to_string();
    let ran = scratch.larder_with(&["lint", "--json", &tree]);
    let found: Vec<_> = findings(&ran, &tree).into_iter().filter(|finding| !finding.contains("R0012")).collect();
    let expected = [
        "core/document/build.sh:13 error R0001",
        "core/dos/build.sh:1 error R0001",
        "core/mark/build.sh:1 error R0001",
        "core/open/build.sh:8 warning R0001",
    ];
    assert_eq!(found, expected);
}

/// A file that cannot be read is one finding, and nothing else is lost for it.
#[test]
fn hostile_files_are_told_beside_all_else() {
    let scratch = Scratch::new("{ }");
    let at = |path: &str| scratch.path(&format!("tree/{path}"));
    let link = |target: &str, path: &str| {
        std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, at(path)).unwrap();
    };
    let write = |path: &str, text: Vec<u8>| {
        std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        std::fs::write(at(path), text).unwrap();
    };
    let manifest = |name: &str, more: &str| {
        format!("name: {name}\nversion: \"1\"\ntier: core\nverify_paths: [/usr/bin/{name}]\n{more}").into_bytes()
    };
    let needs = "dependencies:\n  build: [large, dangling, unknown]\npatches: [large.patch, pipe.patch]\n";
    write("core/other/package.yml", manifest("other", needs));
    write("core/large/package.yml", vec![b'#'; 2 << 20]);
    write("core/deep/package.yml", "[".repeat(500_000).into_bytes());
    write("core/endless/package.yml", manifest("endless", ""));
    link("/dev/zero", "core/endless/build.sh");
    link("nowhere", "core/dangling/package.yml");
    write("core/directory/package.yml/file", Vec::new());
    write("core/nul/package.yml", manifest("nul", ""));
    write("core/nul/build.sh", b"set -e\n\0\n".to_vec());
    link(".", "core/other/linked.patch");
    write("core/pipe/package.yml", manifest("pipe", ""));
    write("patches/large.patch", vec![b'-'; 2 << 20]);
    for pipe in ["core/pipe/build.sh", "patches/pipe.patch"] {
        assert!(std::process::Command::new("mkfifo").arg(at(pipe)).status().unwrap().success());
    }
    write("core/misspelt/package.yaml", manifest("misspelt", ""));
    std::fs::create_dir_all(at("core/empty")).unwrap();
    write("misplaced/package.yml", manifest("misplaced", ""));
    let tree = scratch.path("tree").display().to_string();
    let expected = [
        "core/dangling/package.yml:1 error R0001",
        "core/deep/package.yml:1 error R0001",
        "core/directory/package.yml:1 error R0001",
        "core/empty/package.yml:1 warning R0001",
        "core/endless/build.sh:1 error R0001",
        "core/large/package.yml:1 error R0001",
        "core/misspelt/package.yml:1 error R0001",
        "core/nul/build.sh:1 error R0054",
        "core/nul/build.sh:2 error R0001",
        "core/other/linked.patch:1 error R0001",
        "core/other/linked.patch:1 warning R0035",
        "core/other/package.yml:6 error R0010",
        "core/other/package.yml:7 warning R0033",
        "core/other/package.yml:7 warning R0033",
        "core/pipe/build.sh:1 error R0001",
        "misplaced/package.yml:1 error R0001",
        "patches/pipe.patch:1 error R0001",
    ];
    assert_eq!(findings(&scratch.larder_with(&["lint", "--json", &tree]), &tree), expected);
    let told = scratch.larder("lint tree").fails(1, &["in 10 recipes"]).stdout;
    for says in [
        "this has 2.0 MiB, more than a file of a recipe can have\n --> tree/core/large/package.yml:1",
        "this link leads nowhere",
        "this is not a regular file",
        "hint: package.yaml is not read: rename it",
        "this recipe is in no tier",
    ] {
        assert!(told.contains(says), "{says}: {told}");
    }
}

/// What cannot be built says why, and where in its package.yml.
#[test]
fn recipes_that_are_wrong_say_so_when_they_are_evaluated() {
    let scratch = Scratch::new("{ }");
    let repository = env!("CARGO_MANIFEST_DIR");
    let cases = [
        ("dangling-manifest", "core/dangling-manifest/package.yml is a link that leads nowhere"),
        ("dangling-script", "core/dangling-script/build.sh is a link that leads nowhere"),
        ("nul-script", "core/nul-script/build.sh has NUL bytes"),
        ("directory-manifest", "core/directory-manifest/package.yml is a directory"),
        ("dangling-patch", "core/dangling-patch/package.yml:10: the patch fix.patch is a link that leads nowhere"),
        ("linked-patch", "core/linked-patch/package.yml:10: the patch fix.patch is a directory"),
        ("latin-manifest", "line 9, column 17: it is not UTF-8"),
        ("null-address", "core/null-address/package.yml:6: a source needs `url` and `sha256`"),
        (
            "versioned",
            "core/versioned/package.yml:10: depends on `sound >= 1.0`, which no recipe of the tree is called; no version can be asked for: say `sound`",
        ),
        // Its name, and the path that it promises, have the same letters.
        ("placed", "core/placed/package.yml:10: depends on `plac`"),
    ];
    for (name, says) in cases {
        let expression = format!(
            "((import {repository}/recipes {{ }}).lib.intergenos {repository}/testdata/intergenos-odd).{name}.drvPath"
        );
        scratch.larder_with(&["eval", "--impure", "--expr", &expression]).fails(3, &[says]);
    }
}

/// What lies in directories of directories is looked at, too, or told not to be.
#[test]
fn nothing_lies_too_deep_to_be_seen() {
    let scratch = Scratch::new("{ }");
    let write = |path: &str, text: &str| {
        let path = scratch.path(&format!("tree/{path}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let recipe = |place: &str, more: &str, script: &str| {
        let name = place.rsplit('/').next().unwrap();
        let manifest = format!("name: {name}\nversion: \"1\"\ntier: core\nverify_paths: [/usr/bin/{name}]\n{more}");
        write(&format!("packages/{place}/package.yml"), &manifest);
        write(&format!("packages/{place}/build.sh"), script);
    };
    let script = "set -e\ndo_install() {\n    make install\n}\n";
    let other = format!("sha256: 1{}", "a".repeat(63));
    let patches = format!("patches:\n  - file: sub/x.patch\n    {other}\n  - file: own.patch\n    {other}\n");
    recipe("core/a", &patches, script);
    recipe("core/a/files/inner", "", script);
    recipe("core/group/deep", "", script);
    recipe("more/group/deeper/deepest", "", script);
    recipe("core/sourcing", "", "set -e\nsource \"$(dirname \"${BASH_SOURCE[0]}\")/common.sh\"\n");
    write("packages/core/sourcing/common.sh", script);
    recipe("core/elsewhere", "", "set -e\nsource /mnt/common.sh\n");
    recipe("core/dos", "", &script.replace("install\n", "install\r\n"));
    write("packages/package.yml", "");
    write("packages/core/a/own.patch", "own");
    write("packages/core/a/other.patch", "other");
    write("build/patches/sub/x.patch", "x");
    write("build/patches/sub/y.patch", "y");
    std::os::unix::fs::symlink("..", scratch.path("tree/build/patches/sub/loop")).unwrap();
    let tree = scratch.path("tree").display().to_string();
    let expected = [
        "build/patches/sub/y.patch:1 warning R0035",
        "packages/core/a/files/inner/package.yml:1 warning R0001",
        "packages/core/a/other.patch:1 warning R0035",
        "packages/core/a/package.yml:7 error R0034",
        "packages/core/a/package.yml:9 error R0034",
        "packages/core/dos/build.sh:3 error R0001",
        "packages/core/elsewhere/build.sh:1 warning R0054",
        "packages/core/group/deep/package.yml:1 error R0001",
        "packages/core/group/package.yml:1 warning R0001",
        "packages/more/group/deeper/deepest/package.yml:1 error R0001",
        "packages/package.yml:1 error R0001",
    ];
    assert_eq!(findings(&scratch.larder_with(&["lint", "--json", &tree]), &tree), expected);
}

/// Who names a tier or a recipe is told what is wrong with that, and what needs the others is looked at with them.
#[test]
fn a_part_of_a_tree_is_linted_as_such() {
    let scratch = Scratch::new("{ }");
    let write = |tree: &str, tier: &str, name: &str, more: &str| {
        std::fs::create_dir_all(scratch.path(&format!("{tree}/{tier}/{name}"))).unwrap();
        let text = format!("name: {name}\nversion: \"1\"\ntier: core\nverify_paths: [/usr/bin/{name}]\n{more}");
        scratch.write(&format!("{tree}/{tier}/{name}/package.yml"), text);
    };
    let needs = |name: &str| format!("dependencies:\n  build: [a, {name}]\n");
    write("tree/packages", "core", "a", "");
    write("tree/packages", "core", "b", &needs("nobody"));
    write("tree/packages", "base", "c", &needs("none"));
    let told = |directory: &str, words: &[&str]| {
        let mut command = scratch.command(["lint", "--json"].iter().chain(words));
        let ran = Ran::of(command.current_dir(scratch.path(directory)));
        let json = ran.json("lint");
        let findings = json["findings"].as_array().unwrap().iter();
        let shown = |finding: &serde_json::Value| {
            format!("{} {}", finding["file"].as_str().unwrap(), finding["code"].as_str().unwrap())
        };
        findings.map(shown).collect::<Vec<_>>()
    };
    let of_b = ["tree/packages/core/b/package.yml R0010"];
    assert_eq!(told(".", &["tree/packages/core"]), of_b);
    assert_eq!(told(".", &["tree/packages/core/b"]), of_b);
    assert_eq!(told(".", &["./tree/packages/core/b/"]), of_b);
    assert!(told(".", &["tree/packages/core/a"]).is_empty());
    assert_eq!(told("tree/packages", &["core"]), ["core/b/package.yml R0010"]);
    assert_eq!(told("tree/packages", &["core/b"]), ["core/b/package.yml R0010"]);
    let whole = format!("{}/core/b/package.yml R0010", scratch.path("tree/packages").display());
    assert_eq!(told("tree/packages/core", &["b"]), [whole.as_str()]);
    assert_eq!(told("tree/packages/core/b", &["."]), [whole.as_str()]);
    assert_eq!(told("tree/packages/base", &["../core"]), [whole.as_str()]);
    scratch.larder("lint tree/packages/core/a").ok();
    scratch.larder("lint tree/packages/core").fails(1, &["1 finding (1 error) in 2 recipes"]);

    // Without tiers: the directory is taken for one, and its recipes say another.
    write("flat", "recipes", "d", "");
    let flat = ["flat/recipes/d/package.yml R0007"];
    assert_eq!(told(".", &["flat/recipes"]), flat);
    assert_eq!(told(".", &["flat/recipes/d"]), flat);
}

/// Aliases make much of little: what is read, filled in and told is bounded.
#[test]
fn aliases_take_no_memory() {
    let scratch = Scratch::new("{ }");
    std::fs::create_dir_all(scratch.path("tree/core/bomb")).unwrap();
    let head = "name: bomb\nversion: \"1\"\ntier: core\nverify_paths: [/usr/bin/bomb]\n";
    let aliases = |count: usize| "*a,".repeat(count);
    let bomb =
        |anchor: &str, key: &str, count| format!("{head}pass_number: 1\nx: &a {anchor}\n{key}: [{}]\n", aliases(count));
    let cases = [
        (bomb(&format!("\"{}\"", "x".repeat(400_000)), "configure_flags", 100_000), "no more are read"),
        (bomb(&format!("\"{}\"", "${u}".repeat(100_000)), "configure_flags", 100_000), "no more are read"),
        (bomb("{u: 1, v: 1}", "source", 200_000), "200000 entries, and 1024 are looked at"),
        ((0..5000).fold(head.to_owned(), |text, at| format!("{text}k{at}: 1\n")), "further findings of this file"),
        (head.replace("\"1\"", &format!("\"{}\"", "1".repeat(300))), "more than 200"),
    ];
    for (text, says) in cases {
        scratch.write("tree/core/bomb/package.yml", text);
        let ran = scratch.larder("lint tree").fails(1, &["1 recipe"]);
        assert!(ran.stdout.contains(says) && ran.stdout.len() < 100_000, "{says}: {}", ran.stdout.len());
    }
}

/// Who names a tree that nothing reads yet is told the line that does.
#[test]
fn a_tree_without_an_expression_says_what_to_write() {
    let scratch = Scratch::new("{ }");
    let write = |path: &str, text: &str| {
        let path = scratch.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("tree/packages/core/zlib/package.yml", "name: zlib\n");
    for (word, attribute) in [("tree#zlib", "#NAME"), ("tree/packages", "#NAME"), ("tree/packages/core/zlib", "#zlib")]
    {
        let refused =
            scratch.larder(&format!("build {word}")).fails(2, &["tree has recipes of package.yml", attribute]);
        assert!(refused.stderr.contains("tree/default.nix: (import /PATH/TO/larder/recipes"), "{}", refused.stderr);
    }
    write("tree/default.nix", "{ zlib = 1; }");
    scratch
        .larder("build tree/packages/core/zlib")
        .fails(2, &["is a recipe of a tree, not an expression", "tree#zlib`"]);
    assert_eq!(scratch.larder("eval tree#zlib").ok().stdout, "1\n");
}
