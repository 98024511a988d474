//! Reports as text and HTML.

use crate::artifacts::gz;
use crate::memory_tree::{Leaf, MemoryTree, report_with};
use repro::render::{TextOptions, html, text};
use repro::{Options, Report};

fn sample() -> Report {
    let tree = |day: &str, time: u32| {
        MemoryTree::new(&[
            ("doc/<b>.txt", Leaf::File(format!("made on 2023-11-{day}\n").into_bytes())),
            ("doc/x.gz", Leaf::File(gz(b"same", time, ""))),
        ])
    };
    let options = Options { names: ("first".to_owned(), "second".to_owned()), ..Options::default() };
    report_with(&tree("14", 1_700_000_000), &tree("15", 1_700_086_400), &options)
}

#[test]
fn plain_text() {
    let report = sample();
    let expected = format!(
        "\
--- first ({})
+++ second ({})
doc/<b>.txt: content (19 bytes)
    @@ -1 +1 @@
    -made on 2023-11-14
    +made on 2023-11-15
    → time (by look): looks like a date or time
doc/x.gz: content (24 bytes)
  modification time in the header:
    - 1700000000 (2023-11-14 22:13:20)
    + 1700086400 (2023-11-15 22:13:20)
    → time (by structure): a time stamp
2 differences, 0 of which follow from others
  time: 2
",
        report.left.digest, report.right.digest
    );
    assert_eq!(text(&report, TextOptions::default()), expected);
}

#[test]
fn colours_and_width() {
    let coloured = text(&sample(), TextOptions { colour: true, width: 40 });
    assert!(coloured.contains("\x1b[31m-made on 2023-11-14\x1b[0m"), "{coloured}");
    let narrow = text(&sample(), TextOptions { colour: false, width: 24 });
    assert!(narrow.lines().skip(2).all(|line| line.chars().count() <= 24), "{narrow}");
}

#[test]
fn a_page_that_stands_alone() {
    let page = html(&sample());
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("doc/&lt;b&gt;.txt") && !page.contains("doc/<b>"));
    for outside in ["<script", "src=", "href=", "http:", "https:", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let count = |text: &str| page.matches(text).count();
    for element in ["details", "div", "pre", "span", "table"] {
        assert_eq!(count(&format!("<{element}")), count(&format!("</{element}>")), "{element}");
    }
}

#[test]
fn identical_trees_are_said_to_be() {
    let tree = || MemoryTree::of(b"x");
    let report = report_with(&tree(), &tree(), &Options::default());
    assert!(text(&report, TextOptions::default()).contains("identical"));
    assert!(html(&report).contains("identical"));
}

#[test]
fn the_json_form_is_that_of_its_schema() {
    let report = report_with(&MemoryTree::of(b"a\n"), &MemoryTree::of(b"2023-11-14\n"), &Options::default());
    let expected = format!(
        r#"{{
  "schema": 1,
  "left": {{
    "name": "",
    "digest": "{}"
  }},
  "right": {{
    "name": "",
    "digest": "{}"
  }},
  "differences": [
    {{
      "path": "file",
      "kind": "content",
      "left_size": 2,
      "right_size": 11,
      "changes": [
        {{
          "place": "",
          "detail": "text",
          "diff": "@@ -1 +1 @@\n-a\n+2023-11-14\n",
          "cut": false
        }}
      ]
    }}
  ]
}}"#,
        report.left.digest, report.right.digest
    );
    assert_eq!(report.to_json().unwrap(), expected);
}

#[test]
fn pages_have_an_end() {
    let mut report = sample();
    let difference = report.differences[0].clone();
    report.differences = vec![difference; 200_000];
    let page = html(&report);
    assert!(page.len() < 33 << 20 && page.contains(" more differences</p>") && page.ends_with("</html>\n"));
}
