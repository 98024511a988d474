//! Unpacking: what must work in every format, and what must be refused. Letters and numbers are those of the catalogue
//! of hostile cases.

use crate::archives::{Tar, Zipped, ar, bz2, gz, lz, xz, zip, zst};
use builder::unpack::{
    Limit, Limits, PathPattern, Problem, Summary, UnpackError, UnpackOptions, unpack, unpack_unless,
};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// A destination with something beside it that must stay as it is.
struct Place {
    base: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("destination")).unwrap();
        fs::create_dir(base.path().join("outside")).unwrap();
        fs::write(base.path().join("outside/secret"), "secret").unwrap();
        Self { base }
    }

    fn unpack(&self, archive: &[u8], options: &UnpackOptions) -> Result<Summary, UnpackError> {
        let path = self.base.path().join("archive");
        fs::write(&path, archive).unwrap();
        unpack(&path, &self.destination(), options)
    }

    fn destination(&self) -> std::path::PathBuf {
        self.base.path().join("destination")
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.destination().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.destination().join(path)).unwrap().permissions().mode() & 0o7777
    }

    /// Fails unless only the destination was touched.
    fn assert_contained(&self) {
        let mut names: Vec<_> = fs::read_dir(self.base.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["archive", "destination", "outside"]);
        assert_eq!(fs::read_dir(self.base.path().join("outside")).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(self.base.path().join("outside/secret")).unwrap(), "secret");
    }
}

/// Unpacks with default options into a fresh place, expecting an error; the place must be contained.
fn refused(archive: &[u8]) -> UnpackError {
    refused_with(archive, &UnpackOptions::default())
}

fn refused_with(archive: &[u8], options: &UnpackOptions) -> UnpackError {
    let place = Place::new();
    let error = place.unpack(archive, options).expect_err("the archive was taken");
    place.assert_contained();
    error
}

fn problem(error: &UnpackError) -> &Problem {
    error.problem().expect("the destination is fine")
}

fn sample() -> Vec<u8> {
    Tar::default()
        .directory("./")
        .directory("./bin/")
        .entry(b'0', b"./bin/tool", "", 0o4755, b"#!/bin/sh\n")
        .file("./share/deep/er/text", &b"text".repeat(1000))
        .symlink("./link", "/etc/passwd")
        .hard_link("./bin/other", "./bin/tool")
        .end()
}

fn check_sample(place: &Place, summary: Summary) {
    assert_eq!(summary, Summary { files: 2, directories: 2, symlinks: 1, hard_links: 1, bytes: 4010, skipped: 0 });
    assert_eq!(place.read("bin/other"), "#!/bin/sh\n");
    assert_eq!(place.read("share/deep/er/text").len(), 4000);
    assert_eq!(fs::read_link(place.destination().join("link")).unwrap(), Path::new("/etc/passwd"));
}

#[test]
fn every_compression_is_undone() {
    let tar = sample();
    let (head, tail) = tar.split_at(1000);
    let archives = [
        ("tar", tar.clone()),
        ("gz", gz(&tar)),
        ("gz, two members", [gz(head), gz(tail)].concat()),
        ("bz2", bz2(&tar)),
        ("bz2, two streams", [bz2(head), bz2(tail)].concat()),
        ("xz", xz(&tar, 6)),
        ("xz, two streams", [xz(head, 6), xz(tail, 0)].concat()),
        ("zst", zst(&tar)),
        ("zst, two frames and one to skip", [zst(head), b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zst(tail)].concat()),
        ("lz", lz(&tar)),
        ("lz, two members", [lz(head), lz(tail)].concat()),
    ];
    for (format, archive) in archives {
        let place = Place::new();
        let summary =
            place.unpack(&archive, &UnpackOptions::default()).unwrap_or_else(|error| panic!("{format}: {error}"));
        check_sample(&place, summary);
    }
}

/// What is to be unpacked may be what a build of a stranger made.
#[test]
fn an_archive_is_a_file_and_no_link_to_one() {
    let place = Place::new();
    let archive = place.base.path().join("archive");
    fs::write(place.base.path().join("outside/secret"), sample()).unwrap();
    symlink("outside/secret", &archive).unwrap();
    let refused = unpack(&archive, &place.destination(), &UnpackOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("archive") && told(&refused).contains("it is a symbolic link"), "{refused:?}");
    fs::remove_file(&archive).unwrap();
    fs::create_dir(&archive).unwrap();
    let refused = unpack(&archive, &place.destination(), &UnpackOptions::default()).unwrap_err();
    assert!(told(&refused).contains("it is no regular file"), "{refused:?}");
    assert_eq!(fs::read_dir(place.destination()).unwrap().count(), 0);
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(|error| format!("{error}; ")).collect()
}

#[test]
fn damaged_or_cut_streams_are_refused() {
    let tar = sample();
    for (format, archive) in
        [("gz", gz(&tar)), ("bz2", bz2(&tar)), ("xz", xz(&tar, 6)), ("zst", zst(&tar)), ("lz", lz(&tar))]
    {
        let error = refused(&archive[..archive.len() - 5]);
        assert!(matches!(problem(&error), Problem::Truncated | Problem::Decompress(_)), "{format}: {error}");
        if format != "zst" {
            let mut flipped = archive.clone();
            let at = flipped.len() / 2;
            flipped[at] ^= 0x10;
            refused(&flipped);
        }
    }
}

#[test]
fn debian_packages_are_their_data() {
    let control = gz(&Tar::default().file("./control", b"Package: x\n").end());
    for (name, data) in [("data.tar.xz", xz(&sample(), 6)), ("data.tar.zst", zst(&sample())), ("data.tar", sample())] {
        let deb = ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), (name, &data)]);
        let place = Place::new();
        let summary = place.unpack(&deb, &UnpackOptions::default()).unwrap();
        check_sample(&place, summary);
    }
}

#[test]
fn broken_debian_packages_are_refused() {
    let data = xz(&sample(), 6);
    refused(&ar(&[("data.tar.xz", &data)]));
    refused(&ar(&[("debian-binary", b"2.0\n")]));
    refused(&ar(&[("debian-binary", b"2.0\n"), ("data.tar.xz", &data), ("data.tar.gz", &data)]));
    let whole = ar(&[("debian-binary", b"2.0\n"), ("data.tar.xz", &data)]);
    assert!(matches!(problem(&refused(&whole[..whole.len() - 100])), Problem::Truncated));
}

#[test]
fn zip_archives_are_unpacked() {
    let entries = [
        Zipped { mode: 0o040_755, ..Zipped::new("bin/", b"") },
        Zipped { mode: 0o104_755, deflate: true, ..Zipped::new("bin/tool", b"#!/bin/sh\n") },
        Zipped { mode: 0o120_777, ..Zipped::new("link", b"bin/tool") },
        Zipped::new("a/b/c", b""),
    ];
    let place = Place::new();
    let summary = place.unpack(&zip(&entries), &UnpackOptions::default()).unwrap();
    assert_eq!(summary, Summary { files: 2, directories: 1, symlinks: 1, hard_links: 0, bytes: 10, skipped: 0 });
    assert_eq!((place.read("bin/tool").as_str(), place.mode("bin/tool")), ("#!/bin/sh\n", 0o755));
    assert_eq!(place.mode("a/b/c"), 0o644);
    assert_eq!(fs::read_link(place.destination().join("link")).unwrap(), Path::new("bin/tool"));
}

#[test]
fn a25_hostile_zip_archives_are_refused() {
    let good = Zipped::new("file", b"content");
    let entries = [
        Zipped { local_name: "../file", ..good.clone() },
        Zipped { name: "../file", local_name: "../file", ..good.clone() },
        Zipped { name: "/file", local_name: "/file", ..good.clone() },
        Zipped { name: "dir\\file", local_name: "dir\\file", ..good.clone() },
        Zipped { crc_error: 1, ..good.clone() },
        Zipped { crc_error: 1, deflate: true, ..good.clone() },
        Zipped { size_error: 1, deflate: true, ..good.clone() },
        Zipped { size_error: 1, ..good.clone() },
        Zipped { mode: 0o010_644, ..good.clone() },
        Zipped { name: "dir/", local_name: "dir/", ..good.clone() },
    ];
    for entry in entries {
        let error = refused(&zip(std::slice::from_ref(&entry)));
        assert!(matches!(error, UnpackError::Entry { .. }), "{entry:?}: {error}");
    }
    refused(&zip(&[good.clone(), good.clone()]));
    let archive = zip(std::slice::from_ref(&good));
    refused(&[&archive[..], b"x"].concat());
    refused(&[b"PK\x03\x04", &archive[..]].concat());
    // Every cut, and every flipped byte, is an error or harmless, but never a panic or an escape.
    for at in 0..archive.len() {
        let place = Place::new();
        assert!(place.unpack(&archive[..at], &UnpackOptions::default()).is_err(), "cut at {at} was taken");
        let mut flipped = archive.clone();
        flipped[at] ^= 0xff;
        let _ = place.unpack(&flipped, &UnpackOptions::default());
        place.assert_contained();
    }
}

#[test]
fn zip_entries_that_share_bytes_are_refused() {
    // The second directory entry is made to point at the first content.
    let mut archive = zip(&[Zipped::new("same", b"content"), Zipped::new("same", b"content")]);
    let second = archive.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    archive[second + 42..second + 46].fill(0);
    let error = refused(&archive);
    assert!(error.to_string().contains("overlap"), "{error}");
}

#[test]
fn a1_to_a6_bad_names_are_refused() {
    for name in ["../x", "/abs", "a/../../x", "a/..", "..", ""] {
        let error = refused(&Tar::default().file(name, b"x").end());
        assert!(matches!(error, UnpackError::Entry { .. }), "{name}: {error}");
        let linked = Tar::default().file("ok", b"x").hard_link("link", name).end();
        assert!(matches!(refused(&linked), UnpackError::Entry { .. }));
    }
    let nul = Tar::default().pax(&[("path", "a\0b")]).file("x", b"").end();
    assert!(matches!(problem(&refused(&nul)), Problem::Nul));
    let long = "x".repeat(256);
    assert!(matches!(
        problem(&refused(&Tar::default().pax(&[("path", &long)]).file("x", b"").end())),
        Problem::ComponentTooLong
    ));
    let deep = "d/".repeat(100_000);
    refused(&Tar::default().pax(&[("path", &deep)]).directory("x").end());
    let deeper = "d/".repeat(513);
    let error = refused(&Tar::default().pax(&[("path", &deeper)]).directory("x").end());
    assert!(matches!(problem(&error), Problem::Limit(Limit::Depth(512))), "{error}");
}

#[test]
fn the_deepest_and_longest_allowed_names_work() {
    let longest = "x".repeat(255);
    let deep = format!("{}{longest}", "d/".repeat(511));
    let place = Place::new();
    place.unpack(&Tar::default().pax(&[("path", &deep)]).file("x", b"here").end(), &UnpackOptions::default()).unwrap();
    assert_eq!(place.read(&deep), "here");
}

#[test]
fn a7_to_a10_entries_neither_replace_nor_pass_through_others() {
    let outside = "../outside";
    let cases = [
        Tar::default().symlink("d", outside).file("d/x", b"x"),
        Tar::default().symlink("d", outside).directory("d/x"),
        Tar::default().symlink("d", outside).directory("d"),
        Tar::default().symlink("d", "..").symlink("d/e", "."),
        Tar::default().directory("d").symlink("d", outside),
        Tar::default().file("f", b"1").file("f", b"2"),
        Tar::default().file("f", b"1").file("./f", b"1"),
        Tar::default().file("f", b"1").file("f/g", b"1"),
        Tar::default().file("f", b"1").directory("f"),
        Tar::default().file("d/f", b"1").file("d", b"1"),
        Tar::default().file("f", b"1").symlink("f", outside),
        Tar::default().file("f", b"1").hard_link("f", "f"),
    ];
    for (index, tar) in cases.into_iter().enumerate() {
        let error = refused(&tar.end());
        assert!(matches!(problem(&error), Problem::Exists(_) | Problem::NotDirectory(_)), "case {index}: {error}");
    }
}

#[test]
fn identical_directories_may_be_repeated() {
    let place = Place::new();
    let tar = Tar::default().directory("d").file("d/x", b"x").directory("./d/").end();
    assert_eq!(place.unpack(&tar, &UnpackOptions::default()).unwrap().directories, 2);
    let more = Tar::default().directory("d").file("d/y", b"y").end();
    place.unpack(&more, &UnpackOptions::default()).unwrap();
    assert_eq!((place.read("d/x"), place.read("d/y")), ("x".to_owned(), "y".to_owned()));
    let error = place.unpack(&more, &UnpackOptions::default()).expect_err("d/y is there already");
    assert!(matches!(problem(&error), Problem::Exists(false)), "{error}");
}

#[test]
fn links_that_others_put_into_the_destination_are_not_followed() {
    let place = Place::new();
    symlink("../outside", place.destination().join("d")).unwrap();
    symlink("../outside/new", place.destination().join("f")).unwrap();
    for tar in [Tar::default().file("d/x", b"x"), Tar::default().directory("d"), Tar::default().file("f", b"x")] {
        place.unpack(&tar.end(), &UnpackOptions::default()).expect_err("a link was followed");
        place.assert_contained();
    }
}

#[test]
fn a28_a_directory_swapped_during_unpacking_does_not_lead_outside() {
    let place = Place::new();
    let mut tar = Tar::default();
    for index in 0..3000 {
        tar = tar.file(&format!("d{}/f{index}", index % 2), b"x");
    }
    let swapped = place.destination().join("d1");
    let aside = place.destination().join("aside");
    let archive = tar.end();
    std::thread::scope(|scope| {
        let unpacking = scope.spawn(|| place.unpack(&archive, &UnpackOptions::default()));
        while !unpacking.is_finished() {
            if fs::rename(&swapped, &aside).is_ok() {
                let _ = symlink("../outside", &swapped);
                let _ = fs::remove_file(&swapped);
                let _ = fs::rename(&aside, &swapped);
            }
        }
        let _ = unpacking.join().unwrap();
    });
    place.assert_contained();
}

#[test]
fn a12_hard_links_name_earlier_files_of_the_archive_only() {
    let cases = [
        Tar::default().hard_link("l", "../outside/secret"),
        Tar::default().hard_link("l", "/etc/passwd"),
        Tar::default().hard_link("l", "later").file("later", b"x"),
        Tar::default().hard_link("l", "l"),
        Tar::default().directory("d").hard_link("l", "d"),
        Tar::default().symlink("s", "../outside").hard_link("l", "s/secret"),
    ];
    for (index, tar) in cases.into_iter().enumerate() {
        let error = refused(&tar.end());
        assert!(matches!(error, UnpackError::Entry { .. }), "case {index}: {error}");
    }
    let place = Place::new();
    let tar = Tar::default().symlink("s", "../outside/secret").hard_link("l", "s").end();
    place.unpack(&tar, &UnpackOptions::default()).unwrap();
    assert_eq!(fs::read_link(place.destination().join("l")).unwrap(), Path::new("../outside/secret"));
    assert_eq!(fs::metadata(place.base.path().join("outside/secret")).unwrap().nlink(), 1);
}

#[test]
fn a13_special_nodes_are_refused_by_name() {
    for (flag, words) in [(b'3', "character device"), (b'4', "block device"), (b'6', "fifo")] {
        let error = refused(&Tar::default().entry(flag, b"dev/node", "", 0o644, b"").end()).to_string();
        assert!(error.contains("dev/node") && error.contains(words), "{error}");
    }
}

#[test]
fn a14_a15_modes_become_644_or_755() {
    let tar = [0o0, 0o777, 0o4755, 0o2644, 0o1777, 0o011, 0o100].iter().fold(Tar::default(), |tar, mode| {
        tar.entry(b'0', format!("f{mode:o}").as_bytes(), "", *mode, b"x").entry(
            b'5',
            format!("d{mode:o}").as_bytes(),
            "",
            *mode,
            b"",
        )
    });
    let place = Place::new();
    place.unpack(&tar.end(), &UnpackOptions::default()).unwrap();
    for (name, mode) in [
        ("f0", 0o644),
        ("f777", 0o755),
        ("f4755", 0o755),
        ("f2644", 0o644),
        ("f1777", 0o755),
        ("f11", 0o644),
        ("f100", 0o755),
    ] {
        assert_eq!(place.mode(name), mode, "{name}");
        assert_eq!(place.mode(&name.replace('f', "d")), 0o755, "directory of {name}");
    }
}

#[test]
fn a16_a23_attributes_owners_and_times_are_read_over() {
    let records = [("SCHILY.xattr.user.x", "1"), ("SCHILY.acl.access", "user::rwx"), ("mtime", "-1.5"), ("uid", "0")];
    let place = Place::new();
    place.unpack(&Tar::default().pax(&records).file("f", b"x").end(), &UnpackOptions::default()).unwrap();
    assert_eq!(place.mode("f"), 0o644);
}

#[test]
fn a17_a_size_that_two_headers_give_differently_is_refused() {
    let hidden = Tar::default().file("../evil", b"x").cut();
    let tar = Tar::default().pax(&[("size", &hidden.len().to_string())]).file("f", b"").content(&hidden).end();
    let place = Place::new();
    // The header's size is 0, as programs write it for large files: the extended header's size is the size.
    assert_eq!(place.unpack(&tar, &UnpackOptions::default()).unwrap().files, 1);
    assert_eq!(place.read("f").len(), 1024);
    let tar = Tar::default().pax(&[("size", "1024")]).file("f", b"1").content(&hidden).end();
    assert!(refused(&tar).to_string().contains("different sizes"));
}

#[test]
fn a18_to_a21_malformed_tar_archives_are_refused() {
    let file = || Tar::default().file("f", b"x");
    let cases = [
        ("malformed pax", Tar::default().entry(b'x', b"x", "", 0, b"99 path=x\n").file("f", b"").end()),
        ("pax before nothing", Tar::default().pax(&[("path", "x")]).end()),
        ("two pax headers", Tar::default().pax(&[("path", "x")]).pax(&[("path", "y")]).file("f", b"").end()),
        ("global path", Tar::default().entry(b'g', b"x", "", 0, b"10 path=x\n").file("f", b"").end()),
        ("sparse by pax", Tar::default().pax(&[("GNU.sparse.major", "1")]).file("f", b"").end()),
        ("sparse", Tar::default().entry(b'S', b"f", "", 0o644, b"").end()),
        ("unknown kind", Tar::default().entry(b'Z', b"f", "", 0o644, b"").end()),
        ("long name too long", Tar::default().entry(b'L', b"l", "", 0, &[b'x'; 2 << 20]).file("f", b"").end()),
        ("long name beyond paths", Tar::default().entry(b'L', b"l", "", 0, &[b'x'; 5000]).file("f", b"").end()),
        ("negative size", Tar::default().entry_of_size(b'0', "f", &[0xff; 12], b"").end()),
        ("size 2^63", Tar::default().entry_of_size(b'0', "f", b"\x80\0\0\0\x80\0\0\0\0\0\0\0", b"").end()),
        ("size of 8 GiB", Tar::default().entry_of_size(b'0', "f", b"77777777777\0", b"").end()),
        ("directory with content", Tar::default().entry(b'5', b"d", "", 0o755, b"x").end()),
        ("empty link", Tar::default().symlink("l", "").end()),
        ("no end", file().cut()),
        ("cut in content", file().cut()[..513].to_vec()),
        ("cut in header", file().cut()[..100].to_vec()),
        ("trailing garbage", [file().end(), vec![1; 512]].concat()),
        ("two archives", [file().end(), Tar::default().file("g", b"").end()].concat()),
        ("wrong checksum", file().content(&[7; 512]).end()),
        ("nothing", Vec::new()),
        ("text", b"hello, world\n".repeat(100)),
        ("compressed text", gz(&b"hello, world\n".repeat(100))),
    ];
    for (what, archive) in cases {
        refused(&archive);
        assert!(!what.is_empty());
    }
}

#[test]
fn gnu_long_names_and_git_comments_are_read() {
    let name = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let tar = Tar::default()
        .entry(b'g', b"pax_global_header", "", 0, b"15 comment=abc\n")
        .entry(b'L', b"././@LongLink", "", 0, format!("{name}\0").as_bytes())
        .file("truncated", b"long")
        .entry(b'K', b"././@LongLink", "", 0, &[b't'; 300])
        .symlink("l", "truncated")
        .end();
    let place = Place::new();
    place.unpack(&tar, &UnpackOptions::default()).unwrap();
    assert_eq!(place.read(&name), "long");
    assert_eq!(fs::read_link(place.destination().join("l")).unwrap().as_os_str().len(), 300);
}

#[test]
fn a22_bombs_run_into_a_limit() {
    let zeros = vec![0; 80 << 20];
    let bomb = Tar::default().file("zeros", &zeros).end();
    let ratio = UnpackOptions { limits: Limits { ratio: 100, ..Limits::default() }, ..UnpackOptions::default() };
    for (format, archive) in [("gz", gz(&bomb)), ("zst", zst(&bomb)), ("xz", xz(&bomb, 1))] {
        let error = refused_with(&archive, &ratio);
        assert!(matches!(problem(&error), Problem::Limit(Limit::Ratio(100))), "{format}: {error}");
    }
    let total =
        UnpackOptions { limits: Limits { total_bytes: 1 << 20, ..Limits::default() }, ..UnpackOptions::default() };
    let error = refused_with(&bomb, &total);
    assert!(matches!(problem(&error), Problem::Limit(Limit::TotalBytes(_))), "{error}");
    let entries = UnpackOptions { limits: Limits { entries: 10, ..Limits::default() }, ..UnpackOptions::default() };
    let many = (0..11).fold(Tar::default(), |tar, index| tar.directory(&format!("d{index}")));
    let error = refused_with(&many.end(), &entries);
    assert!(matches!(problem(&error), Problem::Limit(Limit::Entries(10))), "{error}");
}

#[test]
fn a22_a_zip_that_lies_about_sizes_stays_within_limits() {
    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
    let entry = Zipped { deflate: true, ..Zipped::new("zeros", &ZEROS) };
    let limits = Limits { total_bytes: 1 << 19, ..Limits::default() };
    let options = UnpackOptions { limits, ..UnpackOptions::default() };
    let error = refused_with(&zip(std::slice::from_ref(&entry)), &options);
    assert!(matches!(problem(&error), Problem::Limit(Limit::TotalBytes(_))), "{error}");
    let lying = zip(&[Zipped { size_error: (1u32 << 31).wrapping_neg(), ..entry }]);
    refused_with(&lying, &UnpackOptions::default());
}

#[test]
fn a29_decompressors_that_want_too_much_memory_are_stopped() {
    let options = UnpackOptions { limits: Limits { memory: 1 << 20, ..Limits::default() }, ..UnpackOptions::default() };
    let error = refused_with(&xz(&sample(), 9), &options);
    assert!(matches!(problem(&error), Problem::Limit(Limit::Memory(_))), "{error}");
    // A zstd frame that declares a window of 2 GiB.
    refused(b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0\0\0\0\0\0\0\0");
}

#[test]
fn a24_names_are_bytes_and_errors_are_printable() {
    let place = Place::new();
    let name = b"\xff\xe2\x80\xae\x1b[31m";
    place.unpack(&Tar::default().entry(b'0', name, "", 0o644, b"x").end(), &UnpackOptions::default()).unwrap();
    let error = refused(&Tar::default().entry(b'6', name, "", 0o644, b"x").end()).to_string();
    assert!(error.is_ascii() && !error.contains('\x1b'), "{error}");
    assert!(error.contains(r"\xff\xe2\x80\xae\x1b[31m"), "{error}");
}

#[test]
fn strip_exclude_and_rename() {
    let pattern = |text| PathPattern::parse(text).unwrap();
    let options = UnpackOptions {
        strip_components: 1,
        exclude: vec![pattern("usr/share/doc")],
        rename: vec![(pattern("lib"), pattern("usr/lib"))],
        ..UnpackOptions::default()
    };
    let tar = Tar::default()
        .directory("p")
        .file("p/lib/libx.so.1", b"x")
        .symlink("p/lib/libx.so", "libx.so.1")
        .symlink("p/absolute", "/lib/libx.so")
        .hard_link("p/usr/bin/y", "p/lib/libx.so.1")
        .file("p/usr/share/doc/x/README", b"doc")
        .end();
    let place = Place::new();
    let summary = place.unpack(&tar, &options).unwrap();
    assert_eq!(summary.skipped, 2);
    assert_eq!(place.read("usr/bin/y"), "x");
    assert_eq!(place.read("usr/lib/libx.so"), "x");
    assert_eq!(fs::read_link(place.destination().join("absolute")).unwrap(), Path::new("/lib/libx.so"));
    assert!(!place.destination().join("usr/share").exists());
}

#[test]
fn every_cut_and_flipped_byte_of_a_tar_is_contained() {
    let archive =
        Tar::default().directory("d").pax(&[("path", "d/long")]).file("d/x", b"x").hard_link("l", "d/long").end();
    for at in 0..archive.len() - 1024 {
        let place = Place::new();
        assert!(place.unpack(&archive[..at], &UnpackOptions::default()).is_err(), "cut at {at} was taken");
        let mut flipped = archive.clone();
        flipped[at] ^= 0xff;
        let _ = place.unpack(&flipped, &UnpackOptions::default());
        place.assert_contained();
    }
}

#[test]
fn a_missing_destination_is_named() {
    let base = tempfile::tempdir().unwrap();
    let archive = base.path().join("a");
    fs::write(&archive, sample()).unwrap();
    let error = unpack(&archive, &base.path().join("missing"), &UnpackOptions::default()).expect_err("there is none");
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn more_links_than_the_file_system_allows_become_copies() {
    // ext4 allows 65,000 links of one file; file systems that allow more pass as well.
    let names: Vec<String> = (0..66_000).map(|index| format!("l{index}")).collect();
    let tar = names
        .iter()
        .fold(Tar::default().entry(b'0', b"f", "", 0o755, b"content"), |tar, name| tar.hard_link(name, "f"));
    let place = Place::new();
    assert_eq!(place.unpack(&tar.end(), &UnpackOptions::default()).unwrap().hard_links, 66_000);
    assert_eq!((place.read("l65999").as_str(), place.mode("l65999")), ("content", 0o755));
}

#[test]
fn a15_the_umask_has_no_influence() {
    for umask in [0o000, 0o077] {
        // A thread with a umask of its own.
        let unpacked = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).unwrap();
            let place = Place::new();
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
            let tar = Tar::default().directory("d").file("implied/f", b"x").entry(b'0', b"d/run", "", 0o755, b"x");
            place.unpack(&tar.end(), &UnpackOptions::default()).unwrap();
            ["d", "implied", "implied/f", "d/run"].map(|path| place.mode(path))
        });
        assert_eq!(unpacked.join().unwrap(), [0o755, 0o755, 0o644, 0o755], "umask {umask:o}");
    }
}

#[test]
fn who_is_cancelled_unpacks_no_further() {
    let place = Place::new();
    let tar = Tar::default().file("a", b"a").file("b", b"b").file("c", b"c").end();
    let archive = place.base.path().join("archive");
    fs::write(&archive, tar).unwrap();
    let asked = std::cell::Cell::new(0);
    let soon = || {
        asked.set(asked.get() + 1);
        asked.get() > 4
    };
    let error = unpack_unless(&soon, &archive, &place.destination(), &UnpackOptions::default()).expect_err("cancelled");
    assert!(matches!(error.problem(), Some(Problem::Cancelled)), "{error}");
    assert!(place.destination().join("a").exists() && !place.destination().join("c").exists());
}
