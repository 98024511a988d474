//! Early cutoff: what is rebuilt is decided by what came out, not by what was changed.

use crate::harness::Scratch;

/// A chain of three; `comment` does not reach the output of `library`, `content` does.
fn recipes(comment: &str, content: &str) -> String {
    format!(
        r#"rec {{
      library = mini "library" "say {comment}\nmkdir $out\nwrite $out/library {content}" {{ }};
      program = mini "program" "mkdir $out\ncopy /library $out/program" {{ root = [ seed library ]; }};
      text = mini "text" "copy ${{library}}/library $out" {{ }};
      image = mini "image" "mkdir $out\nadd ${{text}} $out/all\nadd /program $out/all" {{ root = [ seed program ]; }};
    }}"#
    )
}

const REBUILT: [&str; 4] = ["built image", "built library", "built program", "built text"];

#[test]
fn an_input_that_comes_out_identical_rebuilds_nothing_that_depends_on_it() {
    let scratch = Scratch::new(&recipes("first", "one"));
    let first = scratch.larder("build .#image").ok();
    assert_eq!(first.done(), REBUILT);
    let drv = scratch.line("instantiate .#image");

    scratch.recipes(&recipes("second", "one"));
    assert_ne!(scratch.line("instantiate .#image"), drv, "the change reaches every derivation");
    let second = scratch.larder("build .#image").ok();
    assert_eq!(second.done(), ["built library"]);
    assert!(second.stderr.contains("1 done, 3 came out as before"), "{}", second.stderr);
    assert_eq!(second.line(), first.line());

    let third = scratch.larder("build .#image").ok();
    assert_eq!((third.stderr.as_str(), third.line()), ("", first.line()), "the cut-off is remembered");
}

#[test]
fn changed_bytes_rebuild_what_depends_on_them_once() {
    let scratch = Scratch::new(&recipes("same", "one"));
    let first = scratch.larder("build .#image").ok();
    scratch.recipes(&recipes("same", "two"));
    let second = scratch.larder("build .#image").ok();
    assert_eq!(second.done(), REBUILT);
    assert_ne!(second.line(), first.line());
    assert_eq!(scratch.larder("cat .#image all").ok().stdout, "two\ntwo\n");
    assert_eq!(scratch.larder("build .#image").ok().stderr, "");
}

#[test]
fn going_back_builds_nothing() {
    let scratch = Scratch::new(&recipes("same", "one"));
    let first = scratch.line("build .#image");
    scratch.recipes(&recipes("same", "two"));
    scratch.larder("build .#image").ok();
    scratch.recipes(&recipes("same", "one"));
    let back = scratch.larder("build .#image").ok();
    assert_eq!((back.line(), back.stderr.as_str()), (first, ""));
}

#[test]
fn what_is_new_in_a_root_counts_even_where_nothing_reads_it() {
    // The builder could have looked for it: what is absent is an input, too.
    let scratch = Scratch::new(
        r#"rec {
      extra = write "extra" { "file" = { text = ""; }; };
      a = mini "a" "write $out a" { };
      b = mini "a" "write $out a" { root = [ seed extra ]; };
    }"#,
    );
    let first = scratch.larder("build .#a").ok();
    let second = scratch.larder("build .#b").ok();
    assert_eq!(second.done(), ["built a", "made extra"]);
    assert_eq!(second.line(), first.line());
}

#[test]
fn run_time_dependencies_are_those_of_this_derivation() {
    let recipes = |text: &str| {
        format!(
            r#"rec {{
      library = write "library" {{ "share/text" = {{ text = "{text}\n"; }}; }};
      program = mini "program" "mkdir $out\ncopy /bin/mini $out/mini\nexecutable $out/mini" {{ runtime = [ library ]; }};
      user = mini "user" "mkdir $out" {{ runtime = [ program ]; }};
    }}"#
        )
    };
    let scratch = Scratch::new("");
    let mut trees = Vec::new();
    for text in ["one", "two", "three", "four", "five"] {
        scratch.recipes(&recipes(text));
        trees.push(scratch.line("build .#program --no-link"));
        let library = scratch.line("build --no-link .#library");
        let user = scratch.line("build --no-link .#user");
        let mut expected = [trees[0].as_str(), &library, &user];
        expected.sort_unstable();
        let closure = scratch.larder("query closure .#user").ok();
        let mut closure = closure.lines();
        closure.sort_unstable();
        assert_eq!(closure, expected);
        let ran = scratch.larder_with(&["run", ".#user", "--", "/mini", "cat /share/text"]).ok();
        assert_eq!(ran.stdout, format!("{text}\n"));
    }
    assert!(trees.iter().all(|tree| *tree == trees[0]), "the program itself is the same");
}

#[test]
fn what_another_derivation_declares_completes_no_closure() {
    let scratch = Scratch::new(
        r#"rec {
      perl = write "perl" { "usr/bin/perl" = { text = "not really"; executable = true; }; };
      complete = mini "library" "write $out library" { runtime = [ perl ]; };
      bare = mini "library" "write $out library" { };
      script = mini "script" "mkdir $out\nwrite $out/run #!/usr/bin/perl\nexecutable $out/run" { runtime = [ bare ]; };
    }"#,
    );
    scratch.larder("build .#complete").ok();
    scratch.larder("build .#script").fails(1, &["/run needs the interpreter /usr/bin/perl"]);
}

#[test]
fn the_same_tree_by_another_name_is_the_same_root() {
    let scratch = Scratch::new(
        r#"rec {
      x = write "x" { "file" = { text = "1"; }; };
      y = write "y" { "file" = { text = "1"; }; };
      a = mini "a" "copy /file $out" { root = [ seed x ]; };
      b = mini "a" "copy /file $out" { root = [ seed y ]; };
    }"#,
    );
    scratch.larder("build .#a").ok();
    assert_eq!(scratch.larder("build .#b").ok().done(), ["made y"]);
}
