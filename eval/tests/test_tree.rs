//! The syntax tree: lossless, of the right shape, and of broken texts, too.

use eval::syntax::{Kind, ParseOptions, parse_tree};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// All Nix files of the repository.
pub fn all_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut pending: Vec<_> = ["testdata", "recipes", "examples", "benches"].map(|name| root.join(name)).into();
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() && !path.is_symlink() {
            pending.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
        } else if path.extension().is_some_and(|extension| extension == "nix") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What must hold of the tree of any text.
fn check(text: &[u8]) {
    let parsed = parse_tree(text, ParseOptions::default());
    let tree = parsed.tree();
    let joined: Vec<u8> = tree.tokens().flat_map(|token| token.text().to_vec()).collect();
    assert_eq!(joined, text);
    for element in tree.root().descendants() {
        let inner = element.elements().map(|inner| inner.range());
        let ends = inner.fold(element.range().start, |at, inner| {
            assert_eq!(inner.start, at, "{element:?} has a gap in\n{tree}");
            inner.end
        });
        assert!(element.kind().is_token() || ends == element.range().end, "{element:?} is not full in\n{tree}");
        assert!(element.elements().all(|inner| inner.parent() == Some(element)));
    }
    for offset in 0..text.len() {
        assert!(tree.token_at(offset).expect("within the text").range().contains(&offset));
    }
    let errors = tree.root().descendants().filter(|element| matches!(element.kind(), Kind::Error | Kind::Unknown));
    assert!(!parsed.diagnostics().is_empty() || errors.count() == 0, "{tree}");
    assert!(!parsed.diagnostics().is_empty() || tree.root().expressions().count() == 1, "{tree}");
}

#[test]
fn trees_of_files_are_lossless() {
    let files = all_files();
    assert!(files.len() > 100, "the files are found");
    for file in files {
        check(&std::fs::read(file).expect("readable"));
    }
}

#[test]
fn trees_of_beginnings_of_files_are_lossless() {
    let text = std::fs::read(super::test_language::directory().join("okay/strings.nix")).expect("readable");
    for length in 0..text.len().min(2000) {
        check(&text[..length]);
    }
}

fn shape(text: &str) -> String {
    parse_tree(text.as_bytes(), ParseOptions::default()).tree().to_string()
}

#[test]
fn calls_and_strings_have_the_shape_of_the_grammar() {
    assert_eq!(
        shape("f /* x */ \"a${b}\""),
        r##"Root@0..17
  Call@0..17
    Variable@0..1
      Ident@0..1 "f"
    Whitespace@1..2 " "
    BlockComment@2..9 "/* x */"
    Whitespace@9..10 " "
    String@10..17
      Quote@10..11 "\""
      StringText@11..12 "a"
      Interpolation@12..16
        InterpolationStart@12..14 "${"
        Variable@14..15
          Ident@14..15 "b"
        Symbol@15..16 "}"
      Quote@16..17 "\""
"##
    );
}

#[test]
fn functions_and_selections_have_the_shape_of_the_grammar() {
    assert_eq!(
        shape("{ a ? 1, ... }@b: -a.b or c # end"),
        r##"Root@0..33
  Lambda@0..27
    Pattern@0..16
      Symbol@0..1 "{"
      Whitespace@1..2 " "
      Formal@2..7
        Name@2..3
          Ident@2..3 "a"
        Whitespace@3..4 " "
        Symbol@4..5 "?"
        Whitespace@5..6 " "
        Number@6..7
          Int@6..7 "1"
      Symbol@7..8 ","
      Whitespace@8..9 " "
      Symbol@9..12 "..."
      Whitespace@12..13 " "
      Symbol@13..14 "}"
      Symbol@14..15 "@"
      Name@15..16
        Ident@15..16 "b"
    Symbol@16..17 ":"
    Whitespace@17..18 " "
    Unary@18..27
      Symbol@18..19 "-"
      Select@19..27
        Variable@19..20
          Ident@19..20 "a"
        Symbol@20..21 "."
        AttrPath@21..22
          Name@21..22
            Ident@21..22 "b"
        Whitespace@22..23 " "
        Keyword@23..25 "or"
        Whitespace@25..26 " "
        Variable@26..27
          Ident@26..27 "c"
  Whitespace@27..28 " "
  LineComment@28..33 "# end"
"##
    );
}

#[test]
fn deep_texts_have_trees() {
    let text = "[".repeat(9_000) + &"]".repeat(9_000);
    check_size(&text, 0);
    check_size(&"(".repeat(100_000), 1);
}

fn check_size(text: &str, errors: usize) {
    let parsed = parse_tree(text.as_bytes(), ParseOptions::default());
    assert_eq!(parsed.diagnostics().len(), errors);
    assert_eq!(parsed.tree().tokens().count(), text.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn trees_of_random_bytes_are_lossless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn trees_of_pieces_are_lossless(text in super::test_properties::pieces()) {
        check(text.as_bytes());
    }
}

/// Mistakes by the thousand take no longer than the text they stand in: going back and looking ahead are bounded.
#[test]
fn many_mistakes_take_bounded_time() {
    let start = std::time::Instant::now();
    for piece in [
        "[;", "{a=[1;", "{a=1 b", "x=1 ", "let a=1;", "\"${", "''${", "(1,", "{a,", "{a;", "{ a b", "if ", "}", ");",
        "a=\n", "a\nb=", "./${", "/*", "\u{201c}",
    ] {
        let text = piece.repeat(4_000);
        let parsed = parse_tree(text.as_bytes(), ParseOptions::default());
        assert!(!parsed.diagnostics().is_empty() && parsed.diagnostics().len() <= 20, "{piece}");
        assert_eq!(parsed.tree().tokens().map(|token| token.text().len()).sum::<usize>(), text.len(), "{piece}");
    }
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}
