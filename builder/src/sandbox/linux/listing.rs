//! A directory's listing in reverse, as `getdents64` would give it. Pure.

/// One entry, as the kernel gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) inode: u64,
    /// `DT_…`.
    pub(super) kind: u8,
    pub(super) name: Vec<u8>,
}

/// All entries of a directory in the order they are to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    entries: Vec<Entry>,
}

/// A caller's buffer that has no room for even one entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooSmall;

/// Bytes of a `struct linux_dirent64` before the name.
const HEADER: usize = 19;

impl Listing {
    /// The listing that serves these entries last to first.
    pub(super) fn reversed(mut entries: Vec<Entry>) -> Self {
        entries.reverse();
        Self { entries }
    }

    /// As many whole records from the entry number `from` on as fit into `size` bytes, and the number of the entry after
    /// them. A record's own offset is the number of its successor, so that a caller can seek to it.
    pub(super) fn records(&self, from: usize, size: usize) -> Result<(Vec<u8>, usize), TooSmall> {
        let mut bytes = Vec::new();
        let mut next = from;
        for entry in self.entries.iter().skip(from) {
            let length = (HEADER + entry.name.len() + 1).next_multiple_of(8);
            if bytes.len() + length > size {
                break;
            }
            next += 1;
            push_record(&mut bytes, entry, next as u64, length);
        }
        if bytes.is_empty() && from < self.entries.len() { Err(TooSmall) } else { Ok((bytes, next)) }
    }
}

fn push_record(bytes: &mut Vec<u8>, entry: &Entry, offset: u64, length: usize) {
    let end = bytes.len() + length;
    bytes.extend(entry.inode.to_ne_bytes());
    bytes.extend(offset.to_ne_bytes());
    bytes.extend((length as u16).to_ne_bytes());
    bytes.push(entry.kind);
    bytes.extend(&entry.name);
    bytes.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let entry = |name: &&str| Entry { inode: 1, kind: libc::DT_REG, name: name.as_bytes().to_vec() };
        Listing::reversed(names.iter().map(entry).collect())
    }

    /// The names in a buffer of records, and each record's offset.
    fn parse(mut bytes: &[u8]) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = usize::from(u16::from_ne_bytes([bytes[16], bytes[17]]));
            let name = bytes[HEADER..length].split(|byte| *byte == 0).next().unwrap();
            let offset = u64::from_ne_bytes(bytes[8..16].try_into().unwrap());
            found.push((String::from_utf8(name.to_vec()).unwrap(), offset));
            bytes = &bytes[length..];
        }
        found
    }

    #[test]
    fn entries_come_in_reverse_across_buffers() {
        let listing = listing(&["a", "bb", "ccc"]);
        let (bytes, next) = listing.records(0, 50).unwrap();
        assert_eq!((parse(&bytes), next), (vec![("ccc".to_owned(), 1), ("bb".to_owned(), 2)], 2));
        let (bytes, next) = listing.records(next, 50).unwrap();
        assert_eq!((parse(&bytes), next), (vec![("a".to_owned(), 3)], 3));
        assert_eq!(listing.records(next, 50), Ok((Vec::new(), 3)));
        assert_eq!(listing.records(99, 50), Ok((Vec::new(), 99)));
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_buffer_nothing_is_lost(names in proptest::collection::vec("[a-z]{1,40}", 0..50), size in 64..500_usize) {
            let listing = listing(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let (mut found, mut from) = (Vec::new(), 0);
            loop {
                let (bytes, next) = listing.records(from, size).unwrap();
                if bytes.is_empty() {
                    break;
                }
                assert!(bytes.len() <= size && bytes.len() % 8 == 0);
                found.extend(parse(&bytes).into_iter().map(|(name, _)| name));
                from = next;
            }
            found.reverse();
            assert_eq!(found, names);
        }
    }

    #[test]
    fn a_buffer_too_small_is_refused_and_not_taken_for_the_end() {
        assert_eq!(listing(&["a"]).records(0, 23), Err(TooSmall));
        assert!(listing(&["a"]).records(0, 24).is_ok());
    }
}
