//! Verifying a declared run-time closure: what the files of an output need must be in the output or in what it declares.
//!
//! Checked are the interpreter, the needed libraries and the needed versions of their symbols of ELF files; the interpreter of executable
//! scripts, and the program that `env` is to find for them; and the modules that pkg-config files require. Libraries are looked
//! for as the dynamic linker does: the file's own run path (with `$ORIGIN`), then the usual directories. What a library does not find so it may
//! find in whatever program of the output has it loaded, which is looked at [as a whole](loading) then.

mod allowed;
mod declared;
mod elf;
mod elf_file;
mod loading;
mod module_version;
mod modules;
mod package_config;
mod script;
mod unmet;

pub(crate) use allowed::allowed;
pub(crate) use unmet::list;
pub use unmet::{Elsewhere, Need, Unmet};

use crate::world::{Found, World};
use elf_file::ElfFile;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
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

/// Where `env` looks without being told otherwise.
const PROGRAM_DIRECTORIES: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// The first bytes of ELF files.
const ELF: &[u8] = b"\x7fELF";

/// Finds what the files of an output need and `world`, the output merged with its declared run-time closure, has not. `host` says
/// where a file of that world is. What is found until it is `cancelled` is not all.
///
/// # Errors
/// When a file cannot be read. One that is damaged needs nothing.
pub fn verify(
    output: &TreeListing,
    place: &Path,
    world: &World<'_>,
    host: &dyn Fn(&str) -> Option<PathBuf>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Unmet>, IoError> {
    let mut candidates = Vec::new();
    output.walk(&mut |path, node| {
        if let Node::File { executable, size, .. } = node
            && (*executable || is_library_name(path) || is_package_config(path))
            && *size >= 4
        {
            candidates.push((path.clone(), *executable));
        }
    });
    let (defined, module_versions, provided, known) = Default::default();
    let mut verifier = Verifier { world, host, cancelled, defined, module_versions, provided, known };
    let mut unmet = Vec::new();
    for (path, executable) in &candidates {
        if cancelled() {
            break;
        }
        let place = path.components().iter().fold(place.to_owned(), |host, name| host.join(os_str(name.as_bytes())));
        for need in verifier.unmet_needs(&place, path, *executable)? {
            unmet.push(Unmet { file: path.clone(), need, elsewhere: Elsewhere::Nowhere });
        }
    }
    let lack_libraries = unmet.iter().filter(|unmet| matches!(unmet.need, Need::Library(_)));
    let lack_libraries: HashSet<_> = lack_libraries.map(|unmet| format!("/{}", unmet.file)).collect();
    if !lack_libraries.is_empty() {
        let (mut lacking, mut left) = (Vec::new(), loading::MOST_PLACES);
        for (path, _) in candidates.iter().filter(|(_, executable)| *executable) {
            lacking.extend(verifier.load_program(&format!("/{path}"), &lack_libraries, &mut left)?);
        }
        // Who did not look at all of them knows of none.
        if left > 0 {
            unmet.retain(|unmet| !is_met_when_loaded(unmet, &lacking));
        }
    }
    Ok(unmet)
}

/// Whether what a library needs is there in every program that has it loaded, and there is such a program.
fn is_met_when_loaded(unmet: &Unmet, programs: &[loading::Lacking]) -> bool {
    let Need::Library(library) = &unmet.need else { return false };
    let file = format!("/{}", unmet.file);
    let mut others = programs.iter().filter_map(|lacking| lacking.get(&file)).peekable();
    others.peek().is_some() && others.all(|lacking| !lacking.contains(library))
}

fn os_str(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

fn last_name(path: &TreePath) -> String {
    path.components().last().map(ToString::to_string).unwrap_or_default()
}

fn is_library_name(path: &TreePath) -> bool {
    let name = last_name(path);
    name.ends_with(".so") || name.contains(".so.")
}

fn is_package_config(path: &TreePath) -> bool {
    last_name(path).ends_with(".pc") && path.parent().is_some_and(|parent| last_name(&parent) == "pkgconfig")
}

/// The program that the kernel starts for an executable file, by the file's first bytes; nothing if it needs none.
pub(crate) fn interpreter(start: &[u8]) -> Option<String> {
    match start.strip_prefix(b"#!") {
        Some(line) => script::first_line(line).map(|line| line.interpreter),
        None => elf::elf_needs(start).interpreter,
    }
}

/// What is known while the files of one output are verified.
struct Verifier<'v> {
    world: &'v World<'v>,
    host: &'v dyn Fn(&str) -> Option<PathBuf>,
    cancelled: &'v dyn Fn() -> bool,
    /// The versions that libraries define, by their path.
    defined: HashMap<String, BTreeSet<String>>,
    /// The versions of modules, by the path of their file.
    module_versions: HashMap<String, Option<String>>,
    /// What modules stand for, by their directory.
    provided: HashMap<String, modules::Provided>,
    /// The ELF files that programs load.
    known: loading::Known,
}

impl Verifier<'_> {
    fn unmet_needs(&mut self, host: &Path, path: &TreePath, executable: bool) -> Result<Vec<Need>, IoError> {
        let mut file = File::open(host).at("open", host)?;
        let mut content = vec![0; ELF.len()];
        file.read_exact(&mut content).at("read", host)?;
        if content == ELF {
            let (needs, kind) = ElfFile::of(file, host).needs()?;
            return self.unmet_of_elf(needs, kind, path);
        }
        if executable && content.starts_with(b"#!") {
            file.take(4096).read_to_end(&mut content).at("read", host)?;
            return Ok(self.unmet_of_script(&content[2..]));
        }
        if is_package_config(path) {
            return self.unmet_modules(&modules::read(host)?, path);
        }
        Ok(Vec::new())
    }

    /// Whether a library is of the kind of who needs it, as far as can be told.
    fn is_of_kind(&self, path: &str, kind: Option<elf::Kind>) -> bool {
        let mut header = Vec::new();
        let file = (self.host)(path).and_then(|place| File::open(place).ok());
        let read = file.is_some_and(|file| file.take(elf::KIND_BYTES).read_to_end(&mut header).is_ok());
        let Some((wanted, found)) = kind.zip(elf::kind(&header).filter(|_| read)) else { return true };
        wanted == found
    }

    fn unmet_of_elf(
        &mut self,
        needs: elf::Elf,
        kind: Option<elf::Kind>,
        path: &TreePath,
    ) -> Result<Vec<Need>, IoError> {
        let mut unmet = Vec::new();
        unmet.extend(needs.interpreter.filter(|path| !self.world.has(path)).map(Need::Interpreter));
        let directories = search_path(&[needs.rpath, needs.run_path].concat(), path);
        for library in needs.libraries {
            let places = loading::places(&library, &directories);
            let ways = places.iter().map(|place| self.world.follow(place));
            // As the dynamic linker does, which goes on behind a library for other machines.
            let found = ways.filter(|way| way.found == Some(Found::File)).find(|way| self.is_of_kind(&way.end, kind));
            let Some(found) = found else {
                unmet.push(Need::Library(library));
                continue;
            };
            let defined = self.defined(&found.end)?;
            // What gives no versions is only warned of by the dynamic linker.
            let wanted = needs.versions.iter().filter(|(of, _)| *of == library && !defined.is_empty());
            let missing = wanted.filter(|(_, version)| !defined.contains(version));
            unmet.extend(
                missing.map(|(library, version)| Need::Version { library: library.clone(), version: version.clone() }),
            );
        }
        Ok(unmet)
    }

    /// The versions that a library of the world defines; none if it is nowhere to be read.
    fn defined(&mut self, library: &str) -> Result<&BTreeSet<String>, IoError> {
        if !self.defined.contains_key(library) {
            let defined = match (self.host)(library) {
                Some(host) => ElfFile::open(&host)?.defined_versions()?,
                None => BTreeSet::new(),
            };
            self.defined.insert(library.to_owned(), defined);
        }
        Ok(&self.defined[library])
    }

    fn unmet_of_script(&self, line: &[u8]) -> Vec<Need> {
        let Some(script::FirstLine { interpreter, command }) = script::first_line(line) else { return Vec::new() };
        let needs = [Need::Interpreter(interpreter)].into_iter().chain(command.map(Need::Command));
        needs.filter(|need| !need.places().iter().any(|place| self.world.has(place))).collect()
    }
}

fn search_path(run_path: &[String], file: &TreePath) -> Vec<String> {
    let (_, parents) = file.components().split_last().expect("a file has a name");
    let origin: String = parents.iter().map(|name| format!("/{name}")).collect();
    let own = run_path.iter().take(loading::MOST_DIRECTORIES).map(|entry| loading::expand(entry, &origin));
    own.chain(LIBRARY_DIRECTORIES.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::{alone, tree};

    /// The needs of a tree of these files, of which all are executable, in a world of these paths.
    fn unmet(files: &[(&str, &str)], there: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let place = directory.path().join(name);
            std::fs::create_dir_all(place.parent().expect("it has one")).expect("created");
            std::fs::write(place, text).expect("written");
        }
        let output = tree(&files.iter().map(|(name, _)| (*name, None)).collect::<Vec<_>>());
        let paths = files.iter().map(|(name, _)| name).chain(there);
        let world = alone(tree(&paths.map(|&name| (name, None)).collect::<Vec<_>>()));
        let host = |path: &str| Some(directory.path().join(&path[1..])).filter(|place| place.exists());
        let unmet = verify(&output, directory.path(), &world, &host, &|| false).expect("readable");
        unmet.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn scripts_need_their_interpreter_and_what_env_finds() {
        let plain = [("bin/run", "#! /bin/sh -e\n")];
        assert_eq!(unmet(&plain, &[]), ["/bin/run needs the interpreter /bin/sh"]);
        assert_eq!(unmet(&plain, &["bin/sh"]), [""; 0]);
        let by_env = [("usr/bin/run", "#!/usr/bin/env python3\n")];
        assert_eq!(unmet(&by_env, &["usr/bin/env"]), ["/usr/bin/run needs the program python3"]);
        assert_eq!(unmet(&by_env, &["usr/bin/env", "usr/sbin/python3"]), [""; 0]);
    }

    #[test]
    fn modules_need_modules() {
        let file = [("usr/share/pkgconfig/x.pc", "Name: x\nRequires: y >= 2\nRequires.private: z\n")];
        let needs = "/usr/share/pkgconfig/x.pc needs the pkg-config module";
        assert_eq!(unmet(&file, &[]), [format!("{needs} y"), format!("{needs} z")]);
        assert_eq!(unmet(&file, &["usr/lib/pkgconfig/y.pc"]), [format!("{needs} z")]);
        assert_eq!(unmet(&file, &["usr/lib/pkgconfig/y.pc", "usr/share/pkgconfig/z.pc"]), [""; 0]);
        assert_eq!(unmet(&[("usr/x.pc", "Requires: y\n")], &[]), [""; 0], "pkg-config does not look there");
    }

    #[test]
    fn each_module_is_read_once_whatever_is_required() {
        let required: String = (0..1000).map(|number| format!("Requires: m{number}, y > {number}\n")).collect();
        let names = ["usr/lib/pkgconfig/x.pc", "usr/lib/pkgconfig/y.pc", "usr/share/pkgconfig/z.pc"];
        let directory = tempfile::tempdir().expect("a directory");
        for name in names {
            let place = directory.path().join(name);
            std::fs::create_dir_all(place.parent().expect("it has one")).expect("created");
            std::fs::write(place, if name.contains('x') { &required } else { "Version: 7\n" }).expect("written");
        }
        let output = tree(&names.map(|name| (name, None)));
        let world = alone(tree(&names.map(|name| (name, None))));
        let asked = std::cell::Cell::new(0);
        let host = |path: &str| {
            asked.set(asked.get() + 1);
            Some(directory.path().join(&path[1..]))
        };
        let unmet = verify(&output, directory.path(), &world, &host, &|| false).expect("readable");
        assert_eq!(unmet.len(), 1000 + 993, "none of the modules, and not those versions");
        assert_eq!(asked.get(), 4, "three that may stand for others, one for its version");
    }

    /// As pkgconf 1.8.1 answers `--exists x`.
    #[test]
    fn modules_have_the_versions_that_are_required_or_others_stand_for_them() {
        let x = |requires: &str, y: &str| {
            let x = format!("Version: 1\nRequires: {requires}\n");
            unmet(&[("usr/lib/pkgconfig/x.pc", &x), ("usr/share/pkgconfig/p.pc", y)], &[])
        };
        let names = |requires, version| {
            let x = format!("Version: 1\nRequires: {requires}\n");
            let y = format!("v={version}\nVersion: ${{v}}\n");
            unmet(&[("usr/lib/pkgconfig/x.pc", &x), ("usr/lib64/pkgconfig/y.pc", &y)], &[])
        };
        let needs = "/usr/lib/pkgconfig/x.pc needs the pkg-config module y";
        assert_eq!(names("y >= 2.0", "2.0~rc1"), [format!("{needs} >= 2.0, which is there as 2.0~rc1")]);
        assert_eq!(names("y >= 2.0~beta, y < 2.0", "2.0~rc1"), [""; 0]);
        assert_eq!(names("y >= 2 y < 3", "3.1"), [format!("{needs} < 3, which is there as 3.1")]);
        for (provides, requires, is_met) in [
            ("y = 1.2", "y >= 1.0", true),
            ("y = 1.2", "y >= 2.0", false),
            ("y", "y", false),
            ("y = 1.2", "y", true),
            ("y >= 1.0", "y >= 2.0", true),
            ("y = 1.2", "y != 1.2", false),
            ("z = 1.2", "y", false),
        ] {
            let expected = if is_met { vec![] } else { vec![needs.to_owned()] };
            assert_eq!(x(requires, &format!("Version: 9\nProvides: {provides}\n")), expected, "{provides}: {requires}");
        }
    }

    #[test]
    fn libraries_must_define_the_versions_that_are_needed() {
        // Two libraries of one name: the program is linked with one and meets the other.
        let directory = tempfile::tempdir().expect("a directory");
        let make = |name: &str, versions: &str, code: &str| {
            let [source, map, library] = ["c", "map", "so"].map(|end| directory.path().join(format!("{name}.{end}")));
            std::fs::write(&source, code).expect("written");
            std::fs::write(&map, versions).expect("written");
            let mut command = std::process::Command::new("cc");
            let option = format!("-Wl,--version-script={}", map.display());
            command.args(["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libv.so", &option, "-o"]);
            assert!(command.arg(&library).arg(source).status().expect("a C compiler").success());
            library
        };
        let new = make("new", "V1 { global: one; };\nV2 { global: two; } V1;\n", "void one() {} void two() {}");
        let old = make("old", "V1 { global: one; };\n", "void one() {}");
        let (source, program) = (directory.path().join("p.c"), directory.path().join("program"));
        std::fs::write(&source, "void one(); void two(); void _start() { one(); two(); }").expect("written");
        let mut command = std::process::Command::new("cc");
        assert!(command.args(["-nostdlib", "-o"]).arg(&program).args([&source, &new]).status().expect("run").success());
        let output = tree(&[("program", None)]);
        let loader = elf::elf_needs(&*std::fs::read(&program).expect("readable")).interpreter.expect("it has one");
        let world = alone(tree(&[("usr/lib/libv.so", None), (loader.trim_start_matches('/'), None)]));
        let verify_with = |library: &Path| {
            let host = |path: &str| (path == "/usr/lib/libv.so").then(|| library.to_owned());
            verify(&output, directory.path(), &world, &host, &|| false).expect("readable")
        };
        assert_eq!(verify_with(&new), []);
        assert_eq!(verify_with(&old)[0].to_string(), "/program needs the version V2 of libv.so");
        assert_eq!(verify_with(&source), [], "without versions it is not refused");
        // The same library as one of the 386, which the dynamic linker passes over.
        let mut other = std::fs::read(&new).expect("readable");
        other[18..20].copy_from_slice(&[3, 0]);
        let foreign = directory.path().join("foreign.so");
        std::fs::write(&foreign, other).expect("written");
        assert_eq!(verify_with(&foreign)[0].to_string(), "/program needs the library libv.so");
    }

    #[test]
    fn libraries_find_what_the_program_that_loads_them_has() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = |output: &str, arguments: &[&str]| {
            std::fs::write(directory.path().join("empty.c"), "").expect("written");
            std::fs::write(directory.path().join("start.c"), "void _start() { }").expect("written");
            let mut command = std::process::Command::new("cc");
            command
                .current_dir(directory.path())
                .args(["-nostdlib", "-Wl,--no-as-needed", "-o", output])
                .args(arguments);
            assert!(command.status().expect("a C compiler").success(), "{output}");
        };
        let library = ["-shared", "-fPIC", "empty.c"];
        std::fs::create_dir_all(directory.path().join("opt")).expect("made");
        link("opt/libinner.so", &[&library[..], &["-Wl,-soname,libinner.so"]].concat());
        // It does not say where what it needs is, which stands beside it.
        link("opt/libouter.so", &[&library[..], &["-Wl,-soname,libouter.so", "opt/libinner.so"]].concat());
        let unmet = |arguments: &[&str]| {
            link("program", &[&["start.c"], arguments].concat());
            let content = std::fs::read(directory.path().join("program")).expect("readable");
            let loader = elf::elf_needs(&*content).interpreter.expect("it has one");
            let names = ["program", "opt/libouter.so", "opt/libinner.so"];
            let output = tree(&names.map(|name| (name, None)));
            let with_loader = [&names[..], &[loader.trim_start_matches('/')]].concat();
            let world = alone(tree(&with_loader.iter().map(|name| (*name, None)).collect::<Vec<_>>()));
            let host = |path: &str| Some(directory.path().join(&path[1..])).filter(|place| place.exists());
            let unmet = verify(&output, directory.path(), &world, &host, &|| false).expect("readable");
            unmet.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let lacks = "/opt/libouter.so needs the library libinner.so";
        let (rpath, run_path) =
            ("-Wl,--disable-new-dtags,-rpath,$ORIGIN/opt", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/opt");
        let allowed = "-Wl,--allow-shlib-undefined";
        assert_eq!(unmet(&[rpath, allowed, "opt/libouter.so"]), [""; 0], "it is inherited");
        assert_eq!(unmet(&[run_path, allowed, "opt/libouter.so"]), [lacks], "this is not");
        assert_eq!(unmet(&[run_path, allowed, "opt/libouter.so", "opt/libinner.so"]), [""; 0], "it is loaded already");
        assert_eq!(unmet(&[allowed]), [lacks], "nobody loads it");
    }

    #[test]
    fn the_origin_is_the_directory_of_the_file() {
        let file = TreePath::parse(b"opt/x/bin/tool").expect("valid");
        let directories = search_path(&["$ORIGIN/../lib".to_owned()], &file);
        assert_eq!(directories[0], "/opt/x/bin/../lib");
        assert!(alone(tree(&[("opt/x/lib/a.so", None), ("opt/x/bin/tool", None)])).has("/opt/x/bin/../lib/a.so"));
    }
}
