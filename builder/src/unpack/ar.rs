//! The outer archive of a Debian package (deb(5)): `ar` with the members debian-binary, control.tar.* and data.tar.*.

use super::decompress::{Packed, compression};
use super::problem::{Outcome, Problem};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

const MAGIC: u64 = 8;
const HEADER: u64 = 60;
/// A package has three members, and a few that programs ignore.
const MAX_MEMBERS: usize = 16;

/// A member of the outer archive.
struct Member {
    name: Vec<u8>,
    start: u64,
    end: u64,
}

/// The member that holds the package's files.
pub(super) fn find_data(file: &File) -> Outcome<Packed> {
    let members = members(file)?;
    if members.first().is_none_or(|member| member.name != b"debian-binary") {
        return Err(Problem::Unsupported("an ar archive that is no Debian package").into());
    }
    let mut data = members.iter().filter(|member| member.name == b"data.tar" || member.name.starts_with(b"data.tar."));
    let (Some(member), None) = (data.next(), data.next()) else {
        return Err(Problem::Malformed("expected exactly one member data.tar").into());
    };
    let mut start = [0; 8];
    let length = usize::try_from(member.end - member.start).unwrap_or(usize::MAX).min(start.len());
    file.read_exact_at(&mut start[..length], member.start).map_err(Problem::Read)?;
    let reader = Section { file: file.try_clone().map_err(Problem::Read)?, at: member.start, end: member.end };
    Ok(Packed { reader: Box::new(reader), compression: compression(&start[..length]) })
}

fn members(file: &File) -> Outcome<Vec<Member>> {
    let size = file.metadata().map_err(Problem::Read)?.len();
    let mut members = Vec::new();
    let mut at = MAGIC;
    while at < size {
        if members.len() == MAX_MEMBERS {
            return Err(Problem::Malformed("the package has too many members").into());
        }
        let member = member(file, at, size)?;
        at = member.end + member.end % 2;
        members.push(member);
    }
    Ok(members)
}

fn member(file: &File, at: u64, archive_size: u64) -> Outcome<Member> {
    let mut header = [0; HEADER as usize];
    if archive_size - at < HEADER {
        return Err(Problem::Truncated.into());
    }
    file.read_exact_at(&mut header, at).map_err(Problem::Read)?;
    let size = std::str::from_utf8(&header[48..58]).ok().and_then(|digits| digits.trim_end().parse::<u64>().ok());
    let (Some(size), b"`\n") = (size, &header[58..]) else {
        return Err(Problem::Malformed("malformed ar header").into());
    };
    let start = at + HEADER;
    if size > archive_size - start {
        return Err(Problem::Truncated.into());
    }
    let name = header[..16].trim_ascii_end();
    Ok(Member { name: name.strip_suffix(b"/").unwrap_or(name).to_vec(), start, end: start + size })
}

/// A part of a file.
pub(super) struct Section {
    pub(super) file: File,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read_at(&mut buffer[..limit], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
