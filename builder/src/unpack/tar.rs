//! Walking a tar archive: ustar, pax and GNU.
//!
//! Some archives read differently in different programs because header and extended header give two sizes. Here the
//! extended header's size is the size, and a header that says otherwise is an error. So is everything that other
//! programs skip or guess at.

use super::pax::PaxRecords;
use super::problem::{Outcome, Problem};
use super::tar_header::{BLOCK, TarHeader};
use super::{Content, Entry, EntryKind, bounded_chunk, read_block};
use std::io::BufRead;

/// The longest extended header or long name that is read.
const MAX_EXTENSION: u64 = 1 << 20;

/// Reads entry after entry.
pub(super) struct TarReader<R> {
    reader: R,
    /// Bytes of the current entry's content that are not read yet.
    remaining: u64,
    /// Zero bytes after the content, up to a whole block.
    padding: u64,
}

/// What extension headers say about the next entry.
#[derive(Default)]
struct Extensions {
    pax: Option<PaxRecords>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Extensions {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

impl<R: BufRead> TarReader<R> {
    /// Reads an archive from its start.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, remaining: 0, padding: 0 }
    }

    /// The next entry, after skipping what is left of the last one's content. `None` at the end of the archive.
    pub(super) fn next_entry(&mut self) -> Outcome<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_content()?;
            let mut block = [0; BLOCK];
            read_block(&mut self.reader, &mut block)?;
            if block == [0; BLOCK] {
                return if extensions.is_empty() { Ok(None) } else { Err(Problem::Truncated.into()) };
            }
            let header = TarHeader::parse(&block).ok_or(Problem::Malformed("a tar header has a wrong checksum"))?;
            if !self.take_extension(header, &mut extensions)? {
                let name = extensions.name(header);
                return self.entry(header, extensions).map(Some).map_err(|failure| failure.of(&name));
            }
        }
    }

    /// Reads an extension header's content into `extensions`; `false` if `header` is that of an entry.
    fn take_extension(&mut self, header: TarHeader, extensions: &mut Extensions) -> Outcome<bool> {
        match header.flag() {
            b'x' => {
                let records = PaxRecords::parse(&self.extension(header)?)?;
                set_once(&mut extensions.pax, records)?;
            }
            b'g' => {
                if !PaxRecords::parse(&self.extension(header)?)?.is_empty() {
                    return Err(Problem::Unsupported("a global pax header with a name or size").into());
                }
            }
            b'L' => set_once(&mut extensions.long_name, terminated(self.extension(header)?)?)?,
            b'K' => set_once(&mut extensions.long_link, terminated(self.extension(header)?)?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extension(&mut self, header: TarHeader) -> Outcome<Vec<u8>> {
        let size = header.size().filter(|size| *size <= MAX_EXTENSION);
        let size = size.ok_or(Problem::Malformed("an extended header is too long or has no valid size"))?;
        self.start_content(size);
        let mut content = Vec::new();
        loop {
            let chunk = self.next_chunk()?;
            if chunk.is_empty() {
                return Ok(content);
            }
            let length = chunk.len();
            content.extend_from_slice(chunk);
            self.consume(length);
        }
    }

    fn entry(&mut self, header: TarHeader, extensions: Extensions) -> Outcome<Entry> {
        let name = extensions.name(header);
        let size = extensions.size(header)?;
        let kind = kind(header, extensions, &name)?;
        if size > 0 && !matches!(kind, EntryKind::File { .. } | EntryKind::Special(_)) {
            return Err(Problem::Malformed("a link or directory has content").into());
        }
        self.start_content(size);
        Ok(Entry { name, kind, size })
    }

    fn start_content(&mut self, size: u64) {
        self.remaining = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_content(&mut self) -> Outcome<()> {
        while self.remaining > 0 {
            let length = self.next_chunk()?.len();
            self.consume(length);
        }
        while self.padding > 0 {
            let length = bounded_chunk(&mut self.reader, self.padding)?.len();
            self.reader.consume(length);
            self.padding -= length as u64;
        }
        Ok(())
    }

    /// Reads to the end of the data, so that its checksums are verified; only zero bytes may follow the last entry.
    pub(super) fn finish(mut self) -> Outcome<()> {
        loop {
            let chunk = self.reader.fill_buf().map_err(Problem::from_read)?;
            if chunk.is_empty() {
                return Ok(());
            }
            if chunk.iter().any(|&byte| byte != 0) {
                return Err(Problem::TrailingData.into());
            }
            let length = chunk.len();
            self.reader.consume(length);
        }
    }
}

impl<R: BufRead> Content for TarReader<R> {
    fn next_chunk(&mut self) -> Outcome<&[u8]> {
        bounded_chunk(&mut self.reader, self.remaining)
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.remaining -= count as u64;
    }
}

impl Extensions {
    fn name(&self, header: TarHeader) -> Vec<u8> {
        let pax = self.pax.as_ref().and_then(|pax| pax.path.clone());
        pax.or_else(|| self.long_name.clone()).unwrap_or_else(|| header.name())
    }

    fn link(self, header: TarHeader) -> Vec<u8> {
        let pax = self.pax.and_then(|pax| pax.link);
        pax.or(self.long_link).unwrap_or_else(|| header.link())
    }

    /// The one size: the extended header's, which the header must not contradict.
    fn size(&self, header: TarHeader) -> Outcome<u64> {
        let own = header.size().ok_or(Problem::Malformed("malformed, negative or huge size"))?;
        match self.pax.as_ref().and_then(|pax| pax.size) {
            Some(size) if own != 0 && own != size => {
                Err(Problem::Malformed("header and extended header give different sizes").into())
            }
            Some(size) => Ok(size),
            None => Ok(own),
        }
    }
}

fn kind(header: TarHeader, extensions: Extensions, name: &[u8]) -> Outcome<EntryKind> {
    Ok(match header.flag() {
        // Programs before 1988 had no flag for directories, but ended their names in a slash.
        b'0' | 0 if name.ends_with(b"/") => EntryKind::Directory,
        b'0' | 0 | b'7' => {
            let mode = header.mode().ok_or(Problem::Malformed("malformed mode"))?;
            EntryKind::File { executable: mode & 0o100 != 0 }
        }
        b'1' => EntryKind::HardLink(extensions.link(header)),
        b'2' => EntryKind::Symlink(extensions.link(header)),
        b'3' => EntryKind::Special("a character device"),
        b'4' => EntryKind::Special("a block device"),
        b'5' => EntryKind::Directory,
        b'6' => EntryKind::Special("a fifo"),
        b'S' => return Err(Problem::Unsupported("a sparse file").into()),
        b'M' | b'V' => return Err(Problem::Unsupported("an archive of several volumes").into()),
        _ => return Err(Problem::Unsupported("this kind of tar entry").into()),
    })
}

fn set_once<T>(field: &mut Option<T>, value: T) -> Outcome<()> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::Malformed("two extended headers of one kind for one entry").into()),
    }
}

/// A GNU long name: zero-terminated, without other zero bytes.
fn terminated(mut text: Vec<u8>) -> Outcome<Vec<u8>> {
    if text.last() == Some(&0) {
        text.pop();
    }
    if text.contains(&0) { Err(Problem::Nul.into()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Walks whatever it is; `Ok` holds the number of entries.
    fn walk(bytes: &[u8]) -> Outcome<usize> {
        let mut reader = TarReader::new(bytes);
        let mut count = 0;
        while reader.next_entry()?.is_some() {
            count += 1;
        }
        reader.finish().map(|()| count)
    }

    #[test]
    fn an_archive_needs_its_end() {
        assert_eq!(walk(&[0; 1024]).expect("empty archive"), 0);
        assert!(walk(&[]).is_err());
        assert!(walk(&[0; 100]).is_err());
        let mut garbage = vec![0; 1024];
        garbage.push(1);
        assert!(walk(&garbage).is_err());
    }

    proptest! {
        #[test]
        fn random_blocks_with_right_checksums_do_not_panic(mut block in prop::collection::vec(any::<u8>(), BLOCK), flag in prop::sample::select(&b"01257xgLKS\0"[..])) {
            block[156] = flag;
            block[124..136].copy_from_slice(b"00000000010\0");
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            block.extend([b'1'; BLOCK]);
            block.extend([0; 1024]);
            let _ = walk(&block);
        }
    }
}
