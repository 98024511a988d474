//! Hostile files: bombs, lies, and random damage. Nothing panics, everything ends.

use crate::artifacts::{Elf, Tarred, ar, gz, tar, zip};
use crate::memory_tree::{MemoryTree, report_with};
use proptest::prelude::*;
use repro::decode::Limits;
use repro::render::{TextOptions, html, text};
use repro::{Options, Report};

fn compared(left: &[u8], right: &[u8], limits: Limits) -> Report {
    let options = Options { limits, ..Options::default() };
    let report = report_with(&MemoryTree::of(left), &MemoryTree::of(right), &options);
    assert!(!text(&report, TextOptions::default()).contains('\x1b'));
    assert!(!html(&report).contains("<script"));
    report
}

#[test]
fn bombs_run_into_the_limit_and_are_compared_as_they_are() {
    let bomb = |last: u8| gz(&[vec![0; 4 << 20], vec![last]].concat(), 0, "");
    let report = compared(&bomb(1), &bomb(2), Limits { unpacked_bytes: 1 << 20, ..Limits::default() });
    assert!(report.to_json().unwrap().contains("more than the limit"));
}

#[test]
fn large_files_are_compared_in_streams() {
    let limits = Limits { file_bytes: 1000, ..Limits::default() };
    let (left, right) = (vec![b'a'; 100_000], [vec![b'a'; 99_999], vec![b'b']].concat());
    let json = compared(&left, &right, limits).to_json().unwrap();
    assert!(json.contains("too large") && json.contains("\"offset\": 99999"), "{json}");
}

#[test]
fn lines_without_end_are_cut() {
    let line = |last: &str| format!("{}{last}", "x".repeat(1 << 20)).into_bytes();
    assert!(compared(&line("1"), &line("2"), Limits::default()).to_json().unwrap().len() < 10_000);
}

#[test]
fn nothing_in_a_file_reaches_the_reader_as_code() {
    let text = |number: u8| format!("<script>alert({number})</script>\u{1b}[2J\u{202e}\n").into_bytes();
    compared(&text(1), &text(2), Limits::default());
    let named = |content: &'static [u8]| tar(&[Tarred::new("<script>\x1b]0;x\x07", content)]);
    compared(&named(b"1"), &named(b"2"), Limits::default());
}

/// Small files of all formats.
fn samples() -> Vec<Vec<u8>> {
    vec![
        Elf { debug_link: Some([1; 4]), ..Elf::default() }.write(),
        ar(&[("a.o", 1, 2, b"aaaa"), ("#1/4", 0, 0, b"nameb")]),
        gz(&tar(&[Tarred::new("x", b"x"), Tarred::new("y", b"yy")]), 7, "name"),
        tar(&[Tarred::new("x", b"12 path=abc\n"), Tarred::new("y", b"yy")]),
        zip(&[("a", 1, b"a"), ("b", 2, b"b")]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_compared(
        sample in prop::sample::select(samples()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut damaged = sample.clone();
        for (index, byte) in damage {
            let at = index.index(damaged.len());
            damaged[at] = byte;
        }
        if let Some(cut) = cut {
            damaged.truncate(cut.index(damaged.len()));
        }
        prop_assume!(damaged != sample);
        compared(&sample, &damaged, Limits::default());
        compared(&damaged, &sample, Limits::default());
    }
}

#[test]
fn every_single_damaged_byte_of_the_headers_is_survived() {
    for sample in samples() {
        for at in 0..sample.len().min(700) {
            for byte in [0x00, 0x7f, 0xff] {
                let mut damaged = sample.clone();
                if damaged[at] != byte {
                    damaged[at] = byte;
                    let options = Options::default();
                    report_with(&MemoryTree::of(&sample), &MemoryTree::of(&damaged), &options);
                }
            }
        }
    }
}

#[test]
fn members_of_a_zip_that_share_bytes_do_not_multiply_the_work() {
    // Every entry of the directory is made to point at the first content.
    let content = vec![b'x'; 1 << 20];
    let members: Vec<(String, &[u8])> = (0..3000).map(|index| (format!("m{index}"), &b""[..])).collect();
    let mut all: Vec<(&str, u32, &[u8])> = vec![("first", 0, &content)];
    all.extend(members.iter().map(|(name, content)| (name.as_str(), 0, *content)));
    let mut left = zip(&all);
    let starts: Vec<usize> =
        left.windows(4).enumerate().filter(|(_, window)| window == b"PK\x01\x02").map(|(at, _)| at).collect();
    for at in starts {
        left[at + 20..at + 24].copy_from_slice(&(1u32 << 20).to_le_bytes());
        left[at + 42..at + 46].fill(0);
    }
    let mut right = left.clone();
    right[1000] = b'y';
    let json = compared(&left, &right, Limits::default()).to_json().unwrap();
    assert!(json.contains("more than the limit"), "{}", &json[..500]);
}
