//! Descending trees: what is reported, and what is never opened.

use crate::memory_tree::{Leaf, MemoryTree, report, report_with};
use repro::{Cause, DifferenceKind, Evidence, HostTree, NodeKind, Options, Tokens, TreeSource as _, compare};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn file(content: &str) -> Leaf {
    Leaf::File(content.as_bytes().to_vec())
}

#[test]
fn identical_trees_are_not_opened() {
    let paths = [("a/b", file("x")), ("c", file("y"))];
    let (left, right) = (MemoryTree::new(&paths), MemoryTree::new(&paths));
    assert!(report(&left, &right).identical());
    assert!(left.asked.borrow().is_empty() && right.asked.borrow().is_empty());
}

#[test]
fn only_what_differs_is_opened() {
    let left = MemoryTree::new(&[("same/a", file("x")), ("other/b", file("1")), ("other/c", file("y"))]);
    let right = MemoryTree::new(&[("same/a", file("x")), ("other/b", file("2")), ("other/c", file("y"))]);
    let report = report(&left, &right);
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.differences[0].path, "other/b");
    // The root, the directory `other`, and the file.
    assert_eq!(left.asked.borrow().len(), 3);
    assert_eq!(left.asked.borrow()[2], "other/b");
}

#[test]
fn every_kind_of_difference_is_told() {
    let left = MemoryTree::new(&[
        ("added-dir/old", file("o")),
        ("bit", file("b")),
        ("content", file("1")),
        ("gone", file("g")),
        ("link", Leaf::Symlink("/one")),
        ("type", file("t")),
    ]);
    let right = MemoryTree::new(&[
        ("added-dir/old", file("o")),
        ("added-dir/new", file("n")),
        ("bit", Leaf::Executable(b"b".to_vec())),
        ("content", file("2")),
        ("empty", Leaf::Empty),
        ("link", Leaf::Symlink("/two")),
        ("type", Leaf::Symlink("t")),
    ]);
    let report = report(&left, &right);
    let kinds: Vec<(&str, &DifferenceKind)> =
        report.differences.iter().map(|difference| (difference.path.as_str(), &difference.kind)).collect();
    assert!(
        matches!(
            kinds[..],
            [
                ("added-dir/new", DifferenceKind::Added { what: NodeKind::File }),
                ("bit", DifferenceKind::Executable { left: false, right: true }),
                ("content", DifferenceKind::Content { left_size: 1, right_size: 1, .. }),
                ("empty", DifferenceKind::Added { what: NodeKind::Directory }),
                ("gone", DifferenceKind::Removed { what: NodeKind::File }),
                ("link", DifferenceKind::Target { .. }),
                ("type", DifferenceKind::Type { left: NodeKind::File, right: NodeKind::Symlink }),
            ]
        ),
        "{kinds:?}"
    );
}

#[test]
fn renames_pair_the_most_similar_paths() {
    let left = MemoryTree::new(&[("lib/a-1.0/x.so", file("same")), ("lib/a-1.0/y.so", file("same")), ("e1", file(""))]);
    let right =
        MemoryTree::new(&[("lib/a-1.1/y.so", file("same")), ("lib/a-1.1/x.so", file("same")), ("e2", file(""))]);
    let report = report(&left, &right);
    let renamed: Vec<(String, String)> = report
        .differences
        .iter()
        .filter_map(|difference| match &difference.kind {
            DifferenceKind::Renamed { to } => Some((difference.path.clone(), to.clone())),
            _ => None,
        })
        .collect();
    let pair = |name: &str| (format!("lib/a-1.0/{name}"), format!("lib/a-1.1/{name}"));
    assert_eq!(renamed, [pair("x.so"), pair("y.so")]);
    assert_eq!(report.differences.len(), 4, "empty files are not paired");
}

#[test]
fn files_named_after_a_build_id_follow() {
    let left = MemoryTree::new(&[("lib/debug/.build-id/aa/bb.debug", file("same"))]);
    let right = MemoryTree::new(&[("lib/debug/.build-id/cc/dd.debug", file("same"))]);
    let report = report(&left, &right);
    assert!(matches!(report.differences[0].kind, DifferenceKind::Renamed { .. }));
    assert!(report.differences[0].follows.is_some());
}

#[test]
fn lists_of_checksums_follow_from_the_files_they_name() {
    let line = |digit: &str, path: &str| format!("{}  {path}\n", digit.repeat(32));
    let tree = |digit: &str, note: &str| {
        let sums = format!("{}{}{note}", line(digit, "usr/bin/x"), line("f", "usr/bin/y"));
        MemoryTree::new(&[("DEBIAN/md5sums", file(&sums)), ("usr/bin/x", file(digit)), ("usr/bin/y", file("y"))])
    };
    let follows = |left: &MemoryTree, right: &MemoryTree| {
        let report = report(left, right);
        report.differences.iter().find(|difference| difference.path == "DEBIAN/md5sums").unwrap().follows.is_some()
    };
    assert!(follows(&tree("a", ""), &tree("b", "")));
    assert!(!follows(&tree("a", ""), &tree("b", "something else\n")));
}

#[test]
fn planted_tokens_prove_causes() {
    let one = |kind: &str, text: &str| BTreeMap::from([(kind.to_owned(), text.to_owned())]);
    let tokens = Tokens { left: one("host name", "h-2f61"), right: one("host name", "h-9c07") };
    let options = Options { tokens, ..Options::default() };
    let tree = |host: &str| MemoryTree::new(&[("info", file(&format!("a\nbuilt on {host}\n"))), ("other", file(host))]);
    let report = report_with(&tree("h-2f61"), &tree("h-9c07"), &options);
    for difference in &report.differences {
        let [reading] = difference.readings.as_slice() else { panic!("{difference:?}") };
        assert_eq!((reading.evidence, reading.cause), (Evidence::Proof, Cause::HostName));
    }
    assert_eq!(report.causes(), BTreeMap::from([(Cause::HostName, 2)]));
}

#[test]
fn trees_of_this_machine_are_compared() {
    let base = tempfile::tempdir().unwrap();
    for (side, content) in [("left", "1"), ("right", "2")] {
        let root = base.path().join(side);
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::write(root.join("d/file"), content).unwrap();
        fs::write(root.join("run"), "x").unwrap();
        fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("d/file", root.join("link")).unwrap();
    }
    let (left, right) =
        (HostTree::scan(&base.path().join("left")).unwrap(), HostTree::scan(&base.path().join("right")).unwrap());
    let report = compare(&left, &right, &Options::default()).unwrap();
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.differences[0].path, "d/file");
    assert_eq!(report.left.digest, left.root().digest());
    let (left, right) = (
        HostTree::scan(&base.path().join("left/run")).unwrap(),
        HostTree::scan(&base.path().join("right/d/file")).unwrap(),
    );
    let report = compare(&left, &right, &Options::default()).unwrap();
    assert_eq!(report.differences.len(), 2, "two files: content and executable bit");
}

#[test]
fn what_is_no_tree_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(base.path().join("socket")).unwrap();
    assert!(HostTree::scan(base.path()).unwrap_err().to_string().contains("socket"));
    assert!(HostTree::scan(&base.path().join("missing")).is_err());
}
