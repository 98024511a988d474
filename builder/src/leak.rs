//! Paths of a build that are left in what it made: `/build` and `/larder/out`, with what is below them, which are nowhere when it is used.
//!
//! Looked into are files, the members of zip and ar archives, and what gzip, bzip2, xz and zstd have packed, two layers deep. Of each
//! file the first path is told. Memory is bounded, and so is what a file may unpack to; what is damaged ends where it is.

use crate::error::BuildError;
use crate::event::{Event, Sink};
use crate::resolve::Resolved;
use crate::unpack::{Compression, compression, zip_members};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use memchr::memmem::Finder;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use store::local::{At, IoError, Sealed};
use store::{Node, OutputName, TreeListing, TreePath};

/// Containers within containers that are looked into.
const MAX_DEPTH: usize = 2;
/// Bytes that one file may unpack to, all layers together.
const MAX_UNPACKED: u64 = 4 << 30;
/// Bytes that are looked at in one piece.
const PIECE: usize = 256 << 10;
/// Bytes of a path, or of the name of a member, that are told.
const MAX_PATH: usize = 200;
/// Bytes of the table of long names in an ar archive.
const MAX_NAMES: u64 = 4 << 20;
/// Memory that a decompressor may take.
const MAX_MEMORY: u64 = 128 << 20;
/// The same for zstd: the largest window, as a power of two.
const MAX_WINDOW_LOG: u32 = 27;
/// Files that are told of one by one.
const MAX_TOLD: usize = 5;

const AR: &[u8] = b"!<arch>\n";
const ZIP: &[u8] = b"PK\x03\x04";
/// The longest of what tells a format.
const START: usize = 8;

/// A path of the build in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The file, relative to the output.
    pub file: TreePath,
    /// The members, from outside to inside, if it is in an archive.
    pub members: Vec<String>,
    /// The path.
    pub path: String,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}", self.file)?;
        self.members.iter().try_for_each(|member| write!(f, " ({member})"))?;
        write!(f, " has the path {} of the build", self.path)
    }
}

/// Warns of the paths of a build that are left in its outputs, unless it is cancelled meanwhile.
pub(crate) fn warn(
    resolved: &Resolved,
    outputs: &[(OutputName, Sealed)],
    cancelled: &dyn Fn() -> bool,
    sink: Sink<'_>,
) -> Result<(), BuildError> {
    let mut leaks = Vec::new();
    for (_, sealed) in outputs {
        let found = find(sealed.listing(), sealed.path(), cancelled);
        if cancelled() {
            return Err(BuildError::Cancelled);
        }
        leaks.extend(found?);
    }
    let more = leaks.len().saturating_sub(MAX_TOLD);
    let more = (more > 0).then(|| format!("{more} more files have paths of the build: `larder query leaks` names all"));
    for message in leaks.iter().take(MAX_TOLD).map(ToString::to_string).chain(more) {
        sink(Event::Warned { derivation: resolved.derivation.clone(), message });
    }
    Ok(())
}

/// The first path of the build in each file and link of an output that lies at `place`.
///
/// # Errors
/// When a file cannot be read.
pub fn find(output: &TreeListing, place: &Path, cancelled: &dyn Fn() -> bool) -> Result<Vec<Leak>, IoError> {
    let mut leaks = Vec::new();
    let mut failed = None;
    output.walk(&mut |path, node| {
        let found = match node {
            _ if cancelled() => Ok(None),
            Node::File { .. } => {
                let name =
                    |place: std::path::PathBuf, name: &store::EntryName| place.join(OsStr::from_bytes(name.as_bytes()));
                let host = path.components().iter().fold(place.to_owned(), name);
                File::open(&host).and_then(|file| find_in_file(&file, cancelled)).at("read", host)
            }
            Node::Symlink { target } => Ok(path_in(target, 0, true).map(|path| (Vec::new(), path))),
            Node::Directory(_) => Ok(None),
        };
        match found {
            Ok(found) => leaks.extend(found.map(|(members, leak)| Leak { file: path.clone(), members, path: leak })),
            Err(error) => failed = Some(error),
        }
    });
    failed.map_or(Ok(leaks), Err)
}

/// The members and the path.
type Found = Option<(Vec<String>, String)>;

/// A reader that fails once it is of no more use.
struct Heeding<'h, R> {
    reader: R,
    cancelled: &'h dyn Fn() -> bool,
}

impl<R: Read> Read for Heeding<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.cancelled)() { Err(io::Error::other("cancelled")) } else { self.reader.read(buffer) }
    }
}

fn find_in_file(file: &File, cancelled: &dyn Fn() -> bool) -> io::Result<Found> {
    let mut left = MAX_UNPACKED;
    let mut start = [0; ZIP.len()];
    if file.read_exact_at(&mut start, 0).is_ok() && start == ZIP {
        for (name, content) in zip_members(file) {
            if left == 0 {
                break;
            }
            // What is damaged in an archive is not the disk's fault.
            if let Ok(Some((members, path))) = search(Box::new(Heeding { reader: content, cancelled }), 1, &mut left) {
                return Ok(Some((inside(&name, members), path)));
            }
        }
        return Ok(None);
    }
    search(Box::new(Heeding { reader: file, cancelled }), 0, &mut left)
}

fn inside(name: &[u8], members: Vec<String>) -> Vec<String> {
    let name = String::from_utf8_lossy(&name[..name.len().min(MAX_PATH)]).escape_debug().to_string();
    [name].into_iter().filter(|name| !name.is_empty()).chain(members).collect()
}

/// Looks for a path in what a reader gives, and in what is packed in it. `left` is how much may be unpacked yet.
fn search(reader: Box<dyn Read + '_>, depth: usize, left: &mut u64) -> io::Result<Found> {
    let mut reader = BufReader::with_capacity(PIECE, reader);
    let mut start = Vec::new();
    reader.by_ref().take(START as u64).read_to_end(&mut start)?;
    let whole = io::Cursor::new(start.clone()).chain(reader);
    if depth < MAX_DEPTH && start == AR {
        return search_ar(whole.into_inner().1, depth, left);
    }
    match compression(&start) {
        Compression::None | Compression::Lzip => search_plain(whole, depth, left),
        _ if depth == MAX_DEPTH => Ok(None),
        // What cannot be unpacked only looks as if it were packed.
        packed => Ok(decoder(packed, whole).and_then(|plain| search(plain, depth + 1, left)).unwrap_or(None)),
    }
}

fn decoder<'r>(packed: Compression, reader: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match packed {
        Compression::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(reader)),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(MAX_MEMORY, CONCATENATED).map_err(io::Error::from)?;
            Box::new(XzDecoder::new_stream(reader, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(reader)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Box::new(decoder)
        }
        Compression::None | Compression::Lzip => Box::new(reader),
    })
}

/// The members of an ar archive, behind its magic. The table of long names is a member like others.
fn search_ar(mut reader: impl Read, depth: usize, left: &mut u64) -> io::Result<Found> {
    const HEADER: usize = 60;
    let mut names = Vec::new();
    loop {
        let mut header = [0; HEADER];
        if reader.read_exact(&mut header).is_err() {
            return Ok(None);
        }
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let Some(size) = number(&header[48..58]) else { return Ok(None) };
        let name = header[..16].trim_ascii_end();
        let mut content = reader.by_ref().take(size);
        if name == b"//" && names.is_empty() {
            content.by_ref().take(MAX_NAMES).read_to_end(&mut names)?;
        }
        let name = match name.strip_prefix(b"/").and_then(number) {
            Some(at) => names.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or_default(),
            None => name,
        };
        let name = name.split(|byte| matches!(byte, b'/' | b'\n')).next().unwrap_or_default().to_vec();
        let found = search(Box::new(&mut content), depth + 1, left)?;
        if let Some((members, path)) = found {
            return Ok(Some((inside(&name, members), path)));
        }
        let skipped = io::copy(&mut content.by_ref().take(*left), &mut io::sink())?;
        if depth > 0 {
            *left = left.saturating_sub(skipped);
        }
        if *left == 0 || content.limit() > 0 && depth > 0 {
            return Ok(None);
        }
        if size % 2 == 1 && reader.read_exact(&mut [0]).is_err() {
            return Ok(None);
        }
    }
}

/// Looks piece by piece, each with the end of the one before.
fn search_plain(mut reader: impl Read, depth: usize, left: &mut u64) -> io::Result<Found> {
    let mut piece = Vec::with_capacity(2 * PIECE);
    // Before this, what stands in the piece has been judged with what stood before it.
    let mut from = 0;
    loop {
        let before = piece.len();
        let read = reader.by_ref().take(PIECE as u64).read_to_end(&mut piece)? as u64;
        let ends = read < PIECE as u64;
        if depth > 0 {
            *left = left.saturating_sub(read);
        }
        if let Some(path) = path_in(&piece, from, ends) {
            return Ok(Some((Vec::new(), path)));
        }
        if ends || *left == 0 {
            return Ok(None);
        }
        // A path may begin in one piece and end in the next, and what stands before it counts.
        let kept = (2 * MAX_PATH).min(before + PIECE);
        piece.drain(..piece.len() - kept);
        from = (kept + 1).saturating_sub(MAX_PATH);
    }
}

/// The first path of the build in a text that begins at `from` or later. Of one that reaches its end only the beginning may be there, unless
/// the text `ends`.
fn path_in(text: &[u8], from: usize, ends: bool) -> Option<String> {
    let starts = [b"/build".as_slice(), b"/larder/out"];
    let places = starts.iter().filter_map(|start| {
        Finder::new(start).find_iter(text).find(|&at| {
            let (before, after) = (&text[..at], &text[at + start.len()..]);
            at >= from && is_start(before) && is_whole_name(after) && (ends || at + MAX_PATH <= text.len())
        })
    });
    let at = places.min()?;
    let length = text[at..].iter().position(is_end).unwrap_or(text.len() - at).min(MAX_PATH);
    Some(String::from_utf8_lossy(&text[at..at + length]).escape_debug().to_string())
}

/// Whether a byte ends a path.
fn is_end(byte: &u8) -> bool {
    !byte.is_ascii_graphic() || b"\"'`<>|;,:()[]{}\\".contains(byte)
}

/// Whether the name of a directory may end before this text: `/build-aux` is none of the build's, `/build=x` maps that to something else.
fn is_whole_name(after: &[u8]) -> bool {
    after.first().is_none_or(|next| is_end(next) || matches!(next, b'/' | b'='))
}

/// Whether an absolute path may begin behind this text: not in the middle of another one, but behind an option or in a URL without a host.
fn is_start(before: &[u8]) -> bool {
    before.last().is_none_or(|&last| !is_of_path(last)) || before.ends_with(b"://") || ends_with_option(before)
}

/// Whether a byte may stand before a slash within a path.
fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-/~+@})%$*".contains(&byte)
}

/// Whether a text ends with an option that a path follows at once: `-I`, `-o` and any other of one letter, `-isystem` and its kin.
fn ends_with_option(text: &[u8]) -> bool {
    const LONGEST: usize = 12;
    let text = &text[text.len().saturating_sub(LONGEST)..];
    let letters = text.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (before, option) = text.split_at(text.len() - letters);
    let Some((b'-', before)) = before.split_last() else { return false };
    (option.len() == 1 || option.len() > 1 && option[0] == b'i') && before.last().is_none_or(|&last| !is_of_path(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn found(text: &[u8]) -> Option<(String, String)> {
        let mut left = MAX_UNPACKED;
        let found = search(Box::new(text), 0, &mut left).expect("memory can be read");
        found.map(|(members, path)| (members.join("!"), path))
    }

    fn path(text: &[u8]) -> Option<String> {
        found(text).map(|(_, path)| path)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory can be written")
    }

    fn xz(text: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory can be written")
    }

    fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = AR.to_vec();
        for (name, content) in members {
            archive.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len()).bytes());
            archive.extend(*content);
            archive.extend(vec![b'\n'; content.len() % 2]);
        }
        archive
    }

    /// A zip archive of one entry that is not compressed.
    fn stored_zip(name: &str, content: &[u8]) -> Vec<u8> {
        let (size, length) = ((content.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
        // Version, flags, method, time, date and checksum are 0.
        let described = [&[0; 14], &size[..], &size, &length].concat();
        let local = [ZIP, &described, &[0; 2], name.as_bytes(), content].concat();
        let central = [b"PK\x01\x02\0\0".as_slice(), &described, &[0; 16], name.as_bytes()].concat();
        let (at, long) = ((local.len() as u32).to_le_bytes(), (central.len() as u32).to_le_bytes());
        let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &long, &at, &[0; 2]].concat();
        [local, central, end].concat()
    }

    #[test]
    fn who_is_cancelled_reads_no_further() {
        let file = tempfile::tempfile().expect("a file");
        (&file).write_all(&vec![b'x'; 4 * PIECE]).expect("written");
        assert_eq!(find_in_file(&file, &|| false).expect("readable"), None);
        let asked = std::cell::Cell::new(0);
        let soon = || {
            asked.set(asked.get() + 1);
            asked.get() > 2
        };
        let file = File::open("/dev/zero").expect("it is there");
        assert!(find_in_file(&file, &soon).is_err(), "a file without end has one");
    }

    #[test]
    fn paths_begin_and_end_where_paths_do() {
        let leak = |text: &str| path(text.as_bytes());
        assert_eq!(leak("cc -I/build/x-1/inc \"a\"").as_deref(), Some("/build/x-1/inc"));
        assert_eq!(leak("\0/larder/out/out/lib\0x").as_deref(), Some("/larder/out/out/lib"));
        assert_eq!(leak("A=\"/build/y\" /larder/out").as_deref(), Some("/build/y"));
        assert_eq!(leak("DW_AT_comp_dir\0/build\0x").as_deref(), Some("/build"));
        assert_eq!(leak("-ffile-prefix-map=/build=.").as_deref(), Some("/build=."));
        for leaking in [
            "/build",
            "/build\n",
            "'/build'",
            "PATH=/usr/bin:/build:/bin",
            "file:///build/x",
            "-isystem/build/x",
            "-iquote/build",
            "cc -o/build/x",
            "-B/build/bin",
            "/larder/out",
            "/larder/out:/usr",
        ] {
            assert!(leak(leaking).is_some(), "{leaking}");
        }
        for harmless in [
            "/usr/build/x",
            "./build/x",
            "$(top)/build/x",
            "/building",
            "x/larder/out",
            "${d}/build/",
            "",
            "/build-aux/x",
            "/build.sh",
            "/build_dir",
            "/builder",
            "/larder/outer",
            "/larder/out-of-tree",
            "https://host/build/x",
            "lib-a/build/x",
            "x-I/build",
            "-fplugin/build/x",
            "../-o/../build",
        ] {
            assert_eq!(leak(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn wherever_a_piece_ends_a_path_is_found_whole() {
        for at in (PIECE - 300..PIECE + 20).chain([0, 1, 3 * PIECE - 5]) {
            let mut text = vec![b' '; at];
            text.extend(b"/build/dir/file.c ");
            text.extend(vec![b' '; 1000]);
            assert_eq!(path(&text).as_deref(), Some("/build/dir/file.c"), "{at}");
        }
    }

    #[test]
    fn wherever_a_piece_ends_what_stands_before_a_path_counts() {
        for at in PIECE - 2 * MAX_PATH - 20..PIECE + 20 {
            let mut text = vec![b' '; at];
            text.extend(b"/usr/build/dir/file.c ");
            text.extend(vec![b' '; 1000]);
            assert_eq!(path(&text), None, "{at}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_two_layers_deep() {
        let text = b"made in /build/x-1 ";
        let plain = Some((String::new(), "/build/x-1".to_owned()));
        assert_eq!(found(&gzip(text)), plain);
        assert_eq!(found(&xz(&gzip(text))), plain);
        assert_eq!(found(&gzip(&gzip(&gzip(text)))), None, "three layers");
        assert_eq!(found(&zstd::encode_all(&text[..], 1).expect("packed")), plain);
        let archive = ar(&[("//", b"a_name_that_is_long.o/\n"), ("plain.o/", b"nothing"), ("/0", text)]);
        let member = |name: &str| Some((name.to_owned(), "/build/x-1".to_owned()));
        assert_eq!(found(&archive), member("a_name_that_is_long.o"));
        assert_eq!(found(&ar(&[("a/", b"odd"), ("data.gz/", &gzip(text))])), member("data.gz"));
        assert_eq!(found(&xz(&ar(&[("b.o/", text)]))), member("b.o"));
    }

    #[test]
    fn members_of_zip_archives_are_looked_into() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&stored_zip("lib/a.class", b"see /build/src/A.java")).expect("written");
        let expected = (vec!["lib/a.class".to_owned()], "/build/src/A.java".to_owned());
        assert_eq!(find_in_file(&file, &|| false).expect("readable"), Some(expected));
    }

    #[test]
    fn what_is_damaged_or_too_large_ends() {
        let text = [vec![b' '; 100_000], b"/build/x ".to_vec()].concat();
        let mut packed = gzip(&text);
        packed.truncate(packed.len() / 2);
        assert_eq!(found(&packed), None);
        let mut left = PIECE as u64;
        let bomb = gzip(&[vec![0; 4 * PIECE], b"/build/x ".to_vec()].concat());
        assert_eq!(search(Box::new(bomb.as_slice()), 0, &mut left).expect("readable"), None);
        assert_eq!(found(b"!<arch>\nshort"), None);
    }
}
