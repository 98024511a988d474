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
    let ran = scratch.larder_with(&["lint", &tree]).fails(1, &["errors) in 56 recipes"]);
    let place = "packages/core/unknown-dependency/package.yml:9\n  |\n9 |     - goood\nhint: did you mean `good`?\n";
    assert!(ran.stdout.contains("error[R0010]: no recipe is called `goood`\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(place), "{}", ran.stdout);
    assert!(ran.stdout.contains("recipes need each other: cycle-a -> cycle-b -> cycle-c -> cycle-a\n"));
    assert!(ran.stdout.contains("`version` is the number 46.0, not a string\n"));
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
    tree("open", script.strip_suffix("}\n").unwrap());
    let tree = scratch.path("tree").display().to_string();
    let ran = scratch.larder_with(&["lint", "--json", &tree]);
    let found: Vec<_> = findings(&ran, &tree).into_iter().filter(|finding| !finding.contains("R0012")).collect();
    let expected =
        ["core/dos/build.sh:1 error R0001", "core/mark/build.sh:1 error R0001", "core/open/build.sh:8 warning R0001"];
    assert_eq!(found, expected);
}

#[test]
fn hostile_files_are_refused() {
    let scratch = Scratch::new("{ }");
    std::fs::create_dir_all(scratch.path("tree/core/large")).unwrap();
    scratch.write("tree/core/large/package.yml", vec![b'#'; 2 << 20]);
    scratch.larder("lint tree").fails(1, &["package.yml has 2.0 MiB, more than a recipe can have"]);
    scratch.write("tree/core/large/package.yml", "[".repeat(500_000));
    scratch.larder("lint tree").fails(1, &["1 recipe"]);
    std::fs::remove_file(scratch.path("tree/core/large/package.yml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", scratch.path("tree/core/large/build.sh")).unwrap();
    scratch.write("tree/core/large/package.yml", "name: large\n");
    scratch.larder("lint tree").fails(1, &["build.sh is not a regular file"]);
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
            scratch.larder(&format!("build {word}")).fails(3, &["tree has recipes of package.yml", attribute]);
        assert!(refused.stderr.contains("tree/default.nix: (import /PATH/TO/larder/recipes"), "{}", refused.stderr);
    }
    write("tree/default.nix", "{ zlib = 1; }");
    scratch
        .larder("build tree/packages/core/zlib")
        .fails(3, &["is a recipe of a tree, not an expression", "tree#zlib`"]);
    assert_eq!(scratch.larder("eval tree#zlib").ok().stdout, "1\n");
}
