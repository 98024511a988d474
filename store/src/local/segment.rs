//! Segments: append-only files of records. A process writes to a segment that it alone has locked.
//!
//! A frame that was only half written when a process died is cut off by the next writer of that segment, which also
//! indexes the whole frames that the dead process did not come to index.

use super::effect;
use super::fsutil::{At, IoError, unique_name};
use super::record::{ANY_VERSION, Record, SEGMENT_HEADER, read_frame, split_frame};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// A segment that has grown to this many bytes is left alone.
const FULL: u64 = 64 << 20;

/// Records with no more bytes between them are read in one call.
const CLOSE: u64 = 4096;

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The segment's file name.
    pub(super) segment: Arc<str>,
    /// The frame's first byte.
    pub(super) offset: u64,
    /// Bytes of the frame.
    pub(super) length: u64,
}

impl Location {
    /// The first byte behind the frame. What a damaged index says may add up to more than there are numbers.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// A segment locked for writing.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    name: Arc<str>,
    path: PathBuf,
    file: File,
    end: u64,
    /// The latest time that a build told which was appended by this.
    told: u64,
}

impl SegmentWriter {
    /// Locks a segment that nobody writes to, or makes one. `known_end` tells how far a segment has been indexed.
    /// Returns also what the index did not know of.
    pub(super) fn open(
        directory: &Path,
        known_end: impl Fn(&str) -> u64,
    ) -> Result<(Self, Vec<(Record, Location)>), IoError> {
        for name in segment_names(directory)? {
            let path = directory.join(&name);
            let opened = match open_segment(&path, OFlags::RDWR) {
                Err(error) if error.is_not_found() => None,
                opened => opened?,
            };
            let Some(file) = opened else { continue };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let data = file.metadata().at("stat", &path)?;
            if data.nlink() == 0 {
                // It was compacted before it could be locked.
                continue;
            }
            let size = data.len();
            let known_end = known_end(&name);
            // One that is shorter than the index knows has lost its end to a power cut: frames behind the gap would not be found again.
            if size < FULL && size >= known_end {
                let start = known_end.max(SEGMENT_HEADER.len() as u64);
                let Some(found) = read_frames(&path, &name, start)? else { continue };
                if found.extent.header != Header::Known || found.extent.gap.is_some() {
                    // Damaged, or of a newer larder: nothing of it is to be lost.
                    continue;
                }
                let mut writer = Self { name: name.into(), path, file, end: found.extent.end, told: 0 };
                writer.cut(size)?;
                return Ok((writer, found.frames));
            }
        }
        Ok((Self::create(directory)?, Vec::new()))
    }

    /// Makes a segment and locks it.
    pub(super) fn create(directory: &Path) -> Result<Self, IoError> {
        loop {
            let name = unique_name("");
            let path = directory.join(&name);
            let (flags, mode) = (OFlags::RDWR | OFlags::EXCL, Mode::from_raw_mode(0o644));
            let file = effect::create(rustix::fs::CWD, &path, flags, mode).at("create", &path)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Somebody who looked for a free segment has taken it; it is as good to him.
                Err(Errno::WOULDBLOCK) => continue,
                locked => locked.at("lock", &path)?,
            }
            effect::write_all(&file, SEGMENT_HEADER).at("write", &path)?;
            return Ok(Self { name: name.into(), path, file, end: SEGMENT_HEADER.len() as u64, told: 0 });
        }
    }

    /// Cuts off a torn frame, and writes the header of a segment that has not even that.
    fn cut(&mut self, size: u64) -> Result<(), IoError> {
        if size < SEGMENT_HEADER.len() as u64 {
            effect::write_all_at(&self.file, SEGMENT_HEADER, 0).at("write", &self.path)?;
        }
        if size > self.end {
            effect::set_len(&self.file, self.end).at("truncate", &self.path)?;
        }
        Ok(())
    }

    /// Appends records that were made now, and before them a mark of time if nothing else would tell a rebuild when that was.
    pub(super) fn append_now(&mut self, records: &[Record], now: u64) -> Result<Vec<Location>, IoError> {
        let is_untold =
            match records.iter().find(|record| matches!(record, Record::Build { .. } | Record::Resolution { .. })) {
                Some(Record::Resolution { .. }) => self.told < now,
                _ => false,
            };
        if !is_untold {
            return self.append(records);
        }
        let mut marked = vec![Record::mark_of_time(now)];
        marked.extend_from_slice(records);
        Ok(self.append(&marked)?.split_off(1))
    }

    /// Appends records and says where they are. They are not durable before the file system has been synced.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<Vec<Location>, IoError> {
        let mut bytes = Vec::new();
        let mut locations = Vec::with_capacity(records.len());
        for record in records {
            let frame = record.frame();
            locations.push(Location {
                segment: Arc::clone(&self.name),
                offset: self.end + bytes.len() as u64,
                length: frame.len() as u64,
            });
            bytes.extend_from_slice(&frame);
        }
        if let Err(error) = effect::write_all_at(&self.file, &bytes, self.end) {
            // What was half written must not stand between this frame and the next; if even that fails, the next writer cuts.
            let _ = effect::set_len(&self.file, self.end);
            return Err(error).at("write", &self.path);
        }
        self.end += bytes.len() as u64;
        let told = |record: &Record| if let Record::Build { cost, .. } = record { cost.finished } else { 0 };
        self.told = records.iter().map(told).fold(self.told, u64::max);
        Ok(locations)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the next batch belongs into another segment.
    pub(super) fn is_full(&self) -> bool {
        self.end >= FULL
    }
}

/// All segments of a store, sorted.
pub(super) fn segment_names(directory: &Path) -> Result<Vec<String>, IoError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).at("read directory", directory)? {
        let entry = entry.at("read directory", directory)?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Bytes of a segment; 0 if it is not there, or something else is in its place.
pub(super) fn size(directory: &Path, name: &str) -> u64 {
    let data = directory.join(name).symlink_metadata().ok().filter(std::fs::Metadata::is_file);
    data.map_or(0, |data| data.len())
}

/// Opens a segment, following no link; `None` if it is no regular file, or one that this user may not open: then it is left alone, and a
/// verification tells of it.
pub(super) fn open_segment(path: &Path, access: OFlags) -> Result<Option<File>, IoError> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::ISDIR | Errno::LOOP | Errno::NXIO | Errno::ACCESS | Errno::PERM) => return Ok(None),
        opened => File::from(opened.at("open", path)?),
    };
    let is_file = file.metadata().at("stat", path)?.is_file();
    Ok(is_file.then_some(file))
}

/// Why a segment cannot be opened for reading, if it is a file that this user may not read. Nobody can tell then what was recorded there.
pub(super) fn why_unreadable(path: &Path) -> Option<Errno> {
    let is_file = path.symlink_metadata().is_ok_and(|data| data.is_file());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let refused = rustix::fs::open(path, flags, Mode::empty()).err();
    refused.filter(|error| is_file && matches!(*error, Errno::ACCESS | Errno::PERM))
}

/// What the beginning of a file says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// A segment, perhaps one that is only begun.
    Known,
    /// A segment of another version.
    OtherVersion,
    /// Nothing of a store.
    Foreign,
}

impl Header {
    fn of(first: &[u8]) -> Self {
        if SEGMENT_HEADER.starts_with(first) {
            Self::Known
        } else if first.starts_with(ANY_VERSION) {
            Self::OtherVersion
        } else {
            Self::Foreign
        }
    }
}

/// How far the frames of a segment reach.
#[derive(Debug)]
pub(super) struct Extent {
    /// Where the last of them ends; what follows is torn.
    pub(super) end: u64,
    /// Where bytes begin that are no frame, with whole frames behind them: something was damaged.
    pub(super) gap: Option<u64>,
    /// What it begins as.
    pub(super) header: Header,
}

/// Every whole frame of a segment, wherever it begins.
#[derive(Debug)]
pub(super) struct SegmentFrames {
    pub(super) frames: Vec<(Record, Location)>,
    pub(super) extent: Extent,
}

/// Reads the whole frames of a segment from `start` on; `None` if it cannot be read, see [`open_segment`].
pub(super) fn read_frames(path: &Path, name: &str, start: u64) -> Result<Option<SegmentFrames>, IoError> {
    read_wanted_frames(path, name, start, |_, _| true)
}

/// The same, but passes over records that are not wanted by kind and offset.
pub(super) fn read_wanted_frames(
    path: &Path,
    name: &str,
    start: u64,
    wanted: impl Fn(u8, u64) -> bool,
) -> Result<Option<SegmentFrames>, IoError> {
    let mut frames = Vec::new();
    let extent = visit_frames(path, name, start, |kind, payload, location| {
        if !wanted(kind, location.offset) {
            return Ok::<_, IoError>(true);
        }
        let record = Record::from_payload(kind, payload);
        let is_record = record.is_some();
        frames.extend(record.map(|record| (record, location)));
        Ok(is_record)
    })?;
    Ok(extent.map(|extent| SegmentFrames { frames, extent }))
}

/// Calls `visit` with kind, payload and place of every whole frame of a segment from `start` on. It says whether the payload is one of this
/// kind; what is not is no frame. `None` if the segment cannot be read, see [`open_segment`].
pub(super) fn visit_frames<E: From<IoError>>(
    path: &Path,
    name: &str,
    start: u64,
    mut visit: impl FnMut(u8, &[u8], Location) -> Result<bool, E>,
) -> Result<Option<Extent>, E> {
    let Some((header, bytes)) = read_from(path, start)? else { return Ok(None) };
    let mut found = Extent { end: start, header, gap: None };
    let segment = Arc::from(name);
    let mut at = 0;
    while at < bytes.len() {
        let offset = start + at as u64;
        let location = |length: usize| Location { segment: Arc::clone(&segment), offset, length: length as u64 };
        let length = match split_frame(&bytes[at..]) {
            Some((kind, payload, length)) if visit(kind, payload, location(length))? => length,
            _ => {
                at += 1;
                continue;
            }
        };
        if offset > found.end {
            found.gap = found.gap.or(Some(found.end));
        }
        at += length;
        found.end = offset + length as u64;
    }
    Ok(Some(found))
}

/// What a segment begins as, and all its bytes from `start` on.
fn read_from(path: &Path, start: u64) -> Result<Option<(Header, Vec<u8>)>, IoError> {
    let Some(mut file) = open_segment(path, OFlags::RDONLY)? else { return Ok(None) };
    let (mut header, mut bytes) = (Vec::new(), Vec::new());
    file.by_ref().take(SEGMENT_HEADER.len() as u64).read_to_end(&mut header).at("read", path)?;
    file.seek(SeekFrom::Start(start)).at("read", path)?;
    file.read_to_end(&mut bytes).at("read", path)?;
    Ok(Some((Header::of(&header), bytes)))
}

/// Reads one record; `None` if what stands there is not a whole frame.
pub(super) fn read_record(directory: &Path, location: &Location) -> Result<Option<Record>, IoError> {
    SegmentReader::new(directory.to_owned()).read(location)
}

/// Reads records from anywhere, with every segment opened once.
#[derive(Debug)]
pub(super) struct SegmentReader {
    directory: PathBuf,
    opened: RwLock<HashMap<Arc<str>, Arc<File>>>,
}

impl SegmentReader {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, opened: RwLock::default() }
    }

    /// Reads one record; `None` if what stands there is not a whole frame.
    pub(super) fn read(&self, location: &Location) -> Result<Option<Record>, IoError> {
        let bytes = self.bytes(location)?;
        Ok(bytes.and_then(|bytes| read_frame(&bytes)).map(|(record, _)| record))
    }

    /// Calls `visit` with the place in the slice and the record of each of these, which are sorted by segment and offset. Those that stand close
    /// together are read in one call.
    pub(super) fn visit(&self, locations: &[&Location], mut visit: impl FnMut(usize, Option<Record>)) {
        let mut first = 0;
        for run in locations.chunk_by(|a, b| a.segment == b.segment && b.offset - a.end().min(b.offset) <= CLOSE) {
            let (begin, end) = (run[0].offset, run[run.len() - 1].end());
            let all = Location { segment: Arc::clone(&run[0].segment), offset: begin, length: end - begin };
            let bytes = self.bytes(&all).ok().flatten();
            for (at, location) in run.iter().enumerate() {
                let place = |offset: u64| usize::try_from(offset - begin).ok();
                let frame = bytes.as_ref().and_then(|bytes| bytes.get(place(location.offset)?..place(location.end())?));
                let record = match frame {
                    Some(frame) => read_frame(frame).map(|(record, _)| record),
                    // Not all of it could be read.
                    None => self.read(location).ok().flatten(),
                };
                visit(first + at, record);
            }
            first += run.len();
        }
    }

    /// The bytes at a place; `None` if the segment ends before, or cannot be read. The place is what the index says, which may be damaged: no memory is asked
    /// for that the segment could not fill.
    fn bytes(&self, location: &Location) -> Result<Option<Vec<u8>>, IoError> {
        let Some(file) = self.segment(&location.segment)? else { return Ok(None) };
        let path = || self.directory.join(&*location.segment);
        if location.end() > file.metadata().at_place("stat", path)?.len() {
            return Ok(None);
        }
        let Ok(length) = usize::try_from(location.length) else { return Ok(None) };
        let mut bytes = vec![0; length];
        match file.read_exact_at(&mut bytes, location.offset) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.at_place("read", path).map(|()| Some(bytes)),
        }
    }

    fn segment(&self, name: &Arc<str>) -> Result<Option<Arc<File>>, IoError> {
        if let Some(file) = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Some(Arc::clone(file)));
        }
        let Some(file) = open_segment(&self.directory.join(&**name), OFlags::RDONLY)?.map(Arc::new) else {
            return Ok(None);
        };
        self.opened.write().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(name), Arc::clone(&file));
        Ok(Some(file))
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::samples;
    use super::*;

    #[test]
    fn what_was_appended_is_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut writer, recovered) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
        assert!(recovered.is_empty());
        let locations = writer.append(&samples()).expect("written");
        for (record, location) in samples().into_iter().zip(&locations) {
            assert_eq!(read_record(directory.path(), location).expect("readable"), Some(record));
        }
        let beyond = Location { offset: writer.end, ..locations[0].clone() };
        let elsewhere = Location { segment: "x".into(), ..locations[0].clone() };
        let sought: Vec<_> = locations.iter().step_by(2).chain([&beyond, &elsewhere]).collect();
        let mut found = Vec::new();
        SegmentReader::new(directory.path().to_owned()).visit(&sought, |at, record| found.push((at, record)));
        let expected = samples().into_iter().step_by(2).map(Some).chain([None, None]);
        assert_eq!(found, expected.enumerate().collect::<Vec<_>>());
    }

    #[test]
    fn two_writers_never_share_a_segment() {
        let directory = tempfile::tempdir().expect("a directory");
        let (first, _) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
        let (second, _) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
        assert_ne!(first.name, second.name);
        drop(first);
        let (third, _) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
        assert_ne!(third.name, second.name);
        assert_eq!(segment_names(directory.path()).expect("listed").len(), 2, "a free segment is taken up again");
    }

    /// After a power cut the index may know more of a segment than the disk: what is appended must not stand behind the gap.
    #[test]
    fn a_segment_that_lost_its_end_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut writer, _) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
        writer.append(&samples()).expect("written");
        let known = writer.end;
        writer.file.set_len(known - 40).expect("cut");
        drop(writer);
        let (mut writer, _) = SegmentWriter::open(directory.path(), |_| known).expect("opened");
        writer.append(&samples()).expect("written");
        let found =
            read_frames(&writer.path, &writer.name, SEGMENT_HEADER.len() as u64).expect("read").expect("readable");
        assert_eq!(found.frames.len(), samples().len());
    }

    /// Whatever part of a batch reached the disk, the next writer keeps the whole frames and goes on after them.
    #[test]
    fn a_torn_tail_is_cut_and_whole_frames_are_recovered() {
        let whole: Vec<u8> = samples().iter().flat_map(Record::frame).collect();
        for cut in 0..whole.len() {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("1");
            std::fs::write(&path, [SEGMENT_HEADER, &whole[..cut]].concat()).expect("written");
            let (mut writer, recovered) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
            let expected = samples().len()
                - samples()
                    .iter()
                    .scan(0, |end, record| {
                        *end += record.frame().len();
                        Some(*end)
                    })
                    .filter(|end| *end > cut)
                    .count();
            assert_eq!(recovered.len(), expected, "cut at {cut}");
            let location = writer.append(&samples()[..1]).expect("written").remove(0);
            assert_eq!(read_record(directory.path(), &location).expect("readable"), samples().into_iter().next());
            let found = read_frames(&path, "1", SEGMENT_HEADER.len() as u64).expect("read").expect("readable");
            assert_eq!(found.frames.len(), expected + 1);
        }
    }

    /// A writer that took bytes behind damage for torn ones would cut off all records that follow.
    #[test]
    fn what_stands_behind_damage_is_read_and_never_cut_off() {
        let whole: Vec<u8> = samples().iter().flat_map(Record::frame).collect();
        let last = samples().last().expect("samples").frame().len();
        for at in 0..whole.len() - last {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("1");
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            let bytes = [SEGMENT_HEADER, &damaged].concat();
            std::fs::write(&path, &bytes).expect("written");
            let (writer, recovered) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
            assert_eq!((recovered.len(), &*writer.name == "1"), (0, false), "byte {at}");
            assert_eq!(std::fs::read(&path).expect("readable"), bytes, "byte {at}");
            let found = read_frames(&path, "1", SEGMENT_HEADER.len() as u64).expect("read").expect("readable");
            assert_eq!(found.frames.len(), samples().len() - 1, "byte {at}");
            assert!(found.extent.gap.is_some(), "byte {at}");
        }
    }

    #[test]
    fn a_segment_of_another_version_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("1"), b"larder records 2\nsomething else").expect("written");
        let (mut writer, _) = SegmentWriter::open(directory.path(), |_| 0).expect("opened");
        writer.append(&samples()).expect("written");
        assert_eq!(std::fs::read(directory.path().join("1")).expect("readable"), b"larder records 2\nsomething else");
    }
}
