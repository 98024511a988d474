//! Verifying a declared run-time closure: what the files of an output need must be in the output or in what it declares.
//!
//! Checked are the interpreter and the needed libraries of ELF files, and the interpreter of executable scripts. Libraries are looked
//! for as the dynamic linker does: the file's own run path (with `$ORIGIN`), then the usual directories.

use crate::world::World;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind, elf};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use store::local::{At, IoError};
use store::{Node, TreeListing, TreePath};

/// Where the dynamic linkers of the usual systems look without being told.
const LIBRARY_DIRECTORIES: [&str; 8] = [
    "/lib",
    "/usr/lib",
    "/lib64",
    "/usr/lib64",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// Something that a file needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The file, relative to the output.
    pub file: TreePath,
    /// What it needs.
    pub need: Need,
}

/// What files need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The program that an ELF file or a script is run by.
    Interpreter(String),
    /// A shared library.
    Library(String),
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.need {
            Need::Interpreter(path) => write!(f, "/{} needs the interpreter {path}", self.file),
            Need::Library(name) => write!(f, "/{} needs the library {name}", self.file),
        }
    }
}

/// Finds what the files of an output need and `world`, the output merged with its declared run-time closure, has not.
///
/// # Errors
/// When a file cannot be read. One that is damaged needs nothing.
pub fn verify(output: &TreeListing, place: &Path, world: &World<'_>) -> Result<Vec<Unmet>, IoError> {
    let mut candidates = Vec::new();
    let mut consider = |path: &TreePath, node: &Node| {
        if let Node::File { executable, size, .. } = node
            && (*executable || is_library_name(path))
            && *size >= 4
        {
            candidates.push((path.clone(), *executable));
        }
    };
    output.walk(&mut consider);
    let mut unmet = Vec::new();
    for (path, executable) in candidates {
        let host = path.components().iter().fold(place.to_owned(), |host, name| host.join(os_str(name.as_bytes())));
        for need in unmet_needs(&host, &path, executable, world)? {
            unmet.push(Unmet { file: path.clone(), need });
        }
    }
    Ok(unmet)
}

fn os_str(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

fn is_library_name(path: &TreePath) -> bool {
    let name = path.components().last().map(|name| name.to_string()).unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.")
}

fn unmet_needs(host: &Path, path: &TreePath, executable: bool, world: &World<'_>) -> Result<Vec<Need>, IoError> {
    let mut file = File::open(host).at("open", host)?;
    let mut start = [0; 4];
    file.read_exact(&mut start).at("read", host)?;
    let needs = if start == elf::ELFMAG {
        let mut content = start.to_vec();
        file.read_to_end(&mut content).at("read", host)?;
        elf_needs(&content)
    } else if executable && start.starts_with(b"#!") {
        let mut line = start[2..].to_vec();
        file.take(4096).read_to_end(&mut line).at("read", host)?;
        Elf { interpreter: script_interpreter(&line), ..Elf::default() }
    } else {
        return Ok(Vec::new());
    };
    let mut unmet = Vec::new();
    if let Some(interpreter) = needs.interpreter
        && !world.has(&interpreter)
    {
        unmet.push(Need::Interpreter(interpreter));
    }
    let directories = search_path(&needs.run_path, path);
    for library in needs.libraries {
        let found = match library.starts_with('/') {
            true => world.has(&library),
            false => directories.iter().any(|directory| world.has(&format!("{directory}/{library}"))),
        };
        if !found {
            unmet.push(Need::Library(library));
        }
    }
    Ok(unmet)
}

/// What an ELF file says of its needs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Elf {
    interpreter: Option<String>,
    libraries: Vec<String>,
    run_path: Vec<String>,
}

/// The program that the kernel starts for an executable file, by the file's first bytes; nothing if it needs none.
pub(crate) fn interpreter(start: &[u8]) -> Option<String> {
    match start.strip_prefix(b"#!") {
        Some(line) => script_interpreter(line),
        None => elf_needs(start).interpreter,
    }
}

fn elf_needs(content: &[u8]) -> Elf {
    match FileKind::parse(content) {
        Ok(FileKind::Elf32) => read_elf::<elf::FileHeader32<Endianness>>(content),
        Ok(FileKind::Elf64) => read_elf::<elf::FileHeader64<Endianness>>(content),
        _ => None,
    }
    .unwrap_or_default()
}

fn read_elf<H: FileHeader<Endian = Endianness>>(content: &[u8]) -> Option<Elf> {
    let header = H::parse(content).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, content).ok()?;
    let mut found = Elf::default();
    for segment in segments {
        if let Ok(Some(path)) = segment.interpreter(endian, content) {
            found.interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let dynamic = segments.iter().find_map(|segment| segment.dynamic(endian, content).ok().flatten());
    let Some(dynamic) = dynamic else { return Some(found) };
    let value = |tag: elf::DynamicTag| {
        dynamic.iter().find(|entry| entry.d_tag(endian) == tag).map(|entry| entry.d_val(endian).into())
    };
    let strings = file_offset::<H>(segments, endian, value(elf::DT_STRTAB)?)?;
    let text = |offset: u64| -> Option<String> {
        let bytes = content.get(usize::try_from(strings.checked_add(offset)?).ok()?..)?;
        let end = bytes.iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    };
    for entry in dynamic {
        let Some(text) = text(entry.d_val(endian).into()) else { continue };
        match entry.d_tag(endian) {
            elf::DT_NEEDED => found.libraries.push(text),
            elf::DT_RPATH | elf::DT_RUNPATH => found.run_path.extend(text.split(':').map(str::to_owned)),
            _ => {}
        }
    }
    Some(found)
}

/// Where in the file a virtual address is.
fn file_offset<H: FileHeader>(segments: &[H::ProgramHeader], endian: H::Endian, address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let (start, size, offset): (u64, u64, u64) =
            (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into(), segment.p_offset(endian).into());
        let inside = segment.p_type(endian) == elf::PT_LOAD && (start..start.checked_add(size)?).contains(&address);
        inside.then(|| offset.checked_add(address - start)).flatten()
    })
}

fn script_interpreter(line: &[u8]) -> Option<String> {
    let line = line.split(|&byte| byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_whitespace();
    let interpreter = words.next()?;
    // `env NAME` is looked up in the PATH of whoever runs it; what can be checked is that the usual directories have it.
    Some(interpreter.to_owned())
}

fn search_path(run_path: &[String], file: &TreePath) -> Vec<String> {
    let (_, parents) = file.components().split_last().expect("a file has a name");
    let origin: String = parents.iter().map(|name| format!("/{name}")).collect();
    let expand = |entry: &String| entry.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    run_path.iter().map(expand).chain(LIBRARY_DIRECTORIES.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::{alone, tree as world};

    #[test]
    fn scripts_need_their_interpreter() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("bin")).expect("created");
        std::fs::write(directory.path().join("bin/run"), "#! /bin/sh -e\n").expect("written");
        let output = world(&[("bin/run", None)]);
        let unmet = verify(&output, directory.path(), &alone(output.clone())).expect("readable");
        assert_eq!(unmet[0].to_string(), "/bin/run needs the interpreter /bin/sh");
        let complete = world(&[("bin/run", None), ("bin/sh", None)]);
        assert_eq!(verify(&output, directory.path(), &alone(complete)).expect("readable"), []);
    }

    #[test]
    fn the_needs_of_this_program_are_met_where_it_runs() {
        let content = std::fs::read("/proc/self/exe").expect("this program");
        let needs = elf_needs(&content);
        assert!(needs.libraries.iter().any(|library| library.starts_with("libc.so")), "{needs:?}");
        assert!(needs.interpreter.is_some_and(|path| Path::new(&path).exists()));
    }

    #[test]
    fn the_origin_is_the_directory_of_the_file() {
        let file = TreePath::parse(b"opt/x/bin/tool").expect("valid");
        let directories = search_path(&["$ORIGIN/../lib".to_owned()], &file);
        assert_eq!(directories[0], "/opt/x/bin/../lib");
        assert!(alone(world(&[("opt/x/lib/a.so", None), ("opt/x/bin/tool", None)])).has("/opt/x/bin/../lib/a.so"));
    }
}
