//! What decoders say of pairs of small files.

use crate::artifacts::{Elf, Tarred, ar, gz, gz_stored, tar, xz, zip};
use crate::memory_tree::{MemoryTree, report_with};
use repro::{Cause, Change, Detail, DifferenceKind, Evidence, Options, Tokens};
use std::collections::BTreeMap;

/// The changes of a file that differs.
fn changes(left: &[u8], right: &[u8]) -> Vec<Change> {
    changes_with(left, right, &Options::default())
}

fn changes_with(left: &[u8], right: &[u8], options: &Options) -> Vec<Change> {
    let mut report = report_with(&MemoryTree::of(left), &MemoryTree::of(right), options);
    let DifferenceKind::Content { changes, .. } = report.differences.remove(0).kind else { panic!("not content") };
    changes
}

fn at<'c>(changes: &'c [Change], place: &str) -> &'c Change {
    changes.iter().find(|change| change.place == place).unwrap_or_else(|| panic!("nothing at {place}: {changes:#?}"))
}

fn causes(change: &Change) -> Vec<Cause> {
    change.readings.iter().map(|reading| reading.cause).collect()
}

fn inside(change: &Change) -> &[Change] {
    let Detail::Inside { changes, .. } = &change.detail else { panic!("{change:?}") };
    changes
}

#[test]
fn gzip_headers() {
    let found = changes(&gz(b"x", 1_700_000_000, "a"), &gz(b"x", 1_700_009_999, "b"));
    assert_eq!(found.len(), 2, "{found:#?}");
    let time = at(&found, "modification time in the header");
    assert_eq!(
        time.detail,
        Detail::Field {
            left: "1700000000 (2023-11-14 22:13:20)".into(),
            right: "1700009999 (2023-11-15 00:59:59)".into()
        }
    );
    assert_eq!(causes(time), [Cause::Time]);
    assert_eq!(at(&found, "original name in the header").detail, Detail::Field { left: "a".into(), right: "b".into() });
}

#[test]
fn the_time_of_the_run_in_a_header_is_proof() {
    let one = |text: &str| BTreeMap::from([("build time".to_owned(), text.to_owned())]);
    let tokens = Tokens { left: one("1700000000"), right: one("1731622400") };
    let options = Options { tokens, ..Options::default() };
    let found = changes_with(&gz(b"x", 1_700_000_060, ""), &gz(b"x", 1_731_622_460, ""), &options);
    assert_eq!(found[0].readings[0].evidence, Evidence::Proof);
    let found = changes_with(&gz(b"x", 1_600_000_000, ""), &gz(b"x", 1_731_622_460, ""), &options);
    assert_eq!(found[0].readings[0].evidence, Evidence::Structure);
}

#[test]
fn gzip_content_is_descended_into() {
    let member = |content: &'static [u8]| tar(&[Tarred::new("dir/file.txt", content)]);
    let found = changes(&gz(&member(b"a\nb\n"), 0, ""), &gz(&member(b"a\nc\n"), 0, ""));
    let [content] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(content.place, "content");
    let file = at(inside(content), "dir/file.txt");
    assert!(matches!(&file.detail, Detail::Text { diff, .. } if diff.contains("-b\n+c\n")), "{file:?}");
}

#[test]
fn another_compression_of_the_same_content() {
    let content = b"content ".repeat(100);
    let found = changes(&gz(&content, 0, ""), &gz_stored(&content));
    assert!(found.iter().any(|change| causes(change) == [Cause::Compression]), "{found:#?}");
    let found = changes(&xz(&content), &xz(&[&content[..], b"x"].concat()));
    assert_eq!(found[0].place, "content");
}

#[test]
fn ar_members() {
    let left =
        ar(&[("a.o", 1_700_000_000, 1000, b"aaaa"), ("b.o", 1_700_000_000, 1000, b"bbbb"), ("gone.o", 0, 0, b"")]);
    let right =
        ar(&[("b.o", 1_700_000_100, 1001, b"bbbb"), ("a.o", 1_700_000_100, 1001, b"aXaa"), ("new.o", 0, 0, b"n")]);
    let found = changes(&left, &right);
    assert_eq!(causes(at(&found, "order of members")), [Cause::Order]);
    assert_eq!(causes(at(&found, "modification time of 2 members, such as a.o")), [Cause::Time]);
    assert_eq!(causes(at(&found, "user of 2 members, such as a.o")), [Cause::User]);
    assert!(matches!(at(&found, "a.o").detail, Detail::Text { .. }));
    assert_eq!(at(&found, "gone.o").detail, Detail::Removed { size: 0 });
    assert_eq!(at(&found, "new.o").detail, Detail::Added { size: 1 });
}

#[test]
fn the_index_of_a_static_library_follows() {
    let library = |index: &'static [u8], content: &'static [u8]| ar(&[("", 0, 0, index), ("a.o", 0, 0, content)]);
    let found = changes(&library(b"\0\0\0\x01\0\0\0\x50a\0", b"one"), &library(b"\0\0\0\x01\0\0\0\x50b\0", b"two"));
    assert!(at(&found, "/").follows.is_some());
    assert!(at(&found, "a.o").follows.is_none());
}

#[test]
fn tar_metadata() {
    let base = Tarred::new("x", b"x");
    let left = tar(&[base, Tarred { name: "y", ..base }]);
    let right = tar(&[
        Tarred { name: "y", mode: 0o664, ..base },
        Tarred { time: 1_700_000_000, owner: (1000, "builder"), ..base },
    ]);
    let found = changes(&left, &right);
    for (place, cause) in [
        ("order of members", Cause::Order),
        ("mode of y", Cause::Umask),
        ("modification time of x", Cause::Time),
        ("user of x", Cause::User),
        ("user name of x", Cause::User),
    ] {
        assert_eq!(causes(at(&found, place)), [cause], "{place}");
    }
}

#[test]
fn zip_members() {
    let left = zip(&[("a", 0x576e_b1aa, b"a"), ("b", 0x576e_b1aa, b"1")]);
    let right = zip(&[("a", 0x576f_b1aa, b"a"), ("b", 0x576e_b1aa, b"2")]);
    let found = changes(&left, &right);
    let time = at(&found, "modification time of a");
    assert_eq!(time.detail, Detail::Field { left: "2023-11-14 22:13:20".into(), right: "2023-11-15 22:13:20".into() });
    assert_eq!(causes(time), [Cause::Time]);
    assert!(matches!(at(&found, "b").detail, Detail::Text { .. }));
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn elf_sections() {
    let left = Elf { debug_link: Some([1; 4]), ..Elf::default() };
    assert_eq!(
        at(
            &changes(&left.write(), &Elf { debug_link: Some([2; 4]), ..Elf::default() }.write()),
            "section .gnu_debuglink"
        )
        .detail,
        Detail::Field { left: "x.debug 01010101".into(), right: "x.debug 02020202".into() }
    );
    let mut right = left.clone();
    right.comment = b"GCC: 13\0";
    right.rodata = b"jello\0";
    right.functions[1].1[3] = 0x90;
    right.build_id = Some([2; 20]);
    right.debug_link = Some([2; 4]);
    let found = changes(&left.write(), &right.write());
    let strings = |place| match &at(&found, place).detail {
        Detail::Strings { left, right, .. } => (left.join(","), right.join(",")),
        other => panic!("{other:?}"),
    };
    assert_eq!(strings("section .comment"), ("GCC: 12".into(), "GCC: 13".into()));
    assert_eq!(strings("section .rodata"), ("hello".into(), "jello".into()));
    assert!(matches!(at(&found, "section .text").detail, Detail::Bytes { differing: Some(1), offset: 0x13, .. }));
    let symbols = &at(&found, "functions in section .text").detail;
    assert!(matches!(symbols, Detail::Symbols { changed, .. } if changed == &["helper"]), "{symbols:?}");
    for hash in ["section .note.gnu.build-id", "section .gnu_debuglink"] {
        assert_eq!(causes(at(&found, hash)), [Cause::BuildId]);
        assert!(at(&found, hash).follows.is_some());
    }
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn a_build_id_alone_follows_from_nothing() {
    let right = Elf { build_id: Some([2; 20]), ..Elf::default() };
    let found = changes(&Elf::default().write(), &right.write());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].follows.is_none());
    assert_eq!(found[0].detail, Detail::Field { left: "01".repeat(20), right: "02".repeat(20) });
}

#[test]
fn elf_symbols_come_and_go() {
    let mut right = Elf::default();
    right.functions[1].0 = "helper.lto_priv.0";
    let found = changes(&Elf::default().write(), &right.write());
    let table = at(&found, "section .symtab");
    assert!(
        matches!(&table.detail, Detail::Strings { left, right, .. } if left == &["helper"] && right == &["helper.lto_priv.0"]),
        "{table:?}"
    );
    assert!(at(&found, "section .strtab").follows.is_some());
}

#[test]
fn elf_sections_come_and_go() {
    let found = changes(&Elf::default().write(), &Elf { build_id: None, ..Elf::default() }.write());
    assert_eq!(at(&found, "section .note.gnu.build-id").detail, Detail::Removed { size: 36 });
}

#[test]
fn a_list_of_checksums_is_known_inside_of_archives() {
    let sums = |digit: &str| format!("{}  usr/bin/x\n{}  usr/bin/y\n", digit.repeat(32), "f".repeat(32)).into_bytes();
    let (left, right) = (sums("a"), sums("b"));
    let found = changes(&tar(&[Tarred::new("md5sums", &left)]), &tar(&[Tarred::new("md5sums", &right)]));
    assert_eq!(causes(at(&found, "md5sums")), [Cause::BuildId]);
}

#[test]
fn containers_are_nested_and_limited() {
    let nest = |content: &[u8], depth: usize| (0..depth).fold(content.to_vec(), |inner, _| gz(&inner, 0, ""));
    let mut found = changes(&nest(b"\x01one", 3), &nest(b"\x01two", 3));
    for _ in 0..2 {
        let change = found.remove(0);
        found = match change.detail {
            Detail::Inside { changes, .. } => changes,
            // A single change is shown at the place of its container.
            _ => vec![change],
        };
    }
    assert!(found.iter().any(|change| matches!(change.detail, Detail::Bytes { offset: 1, .. })), "{found:#?}");
    let text = format!("{:?}", changes(&nest(b"one", 15), &nest(b"two", 15)));
    assert!(text.contains("nested too deep"), "{text}");
}
