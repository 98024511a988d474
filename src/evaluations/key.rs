//! What a source is, so far as it and what is done with it are no files: all else that influences results.

use super::answer::of_bytes;
use super::file::put_bytes;
use eval::Argument;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A file, or the `default.nix` of a directory, by its absolute path.
    File(PathBuf),
    /// An expression.
    Text(Vec<u8>),
}

/// All that influences results and is no file.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    pub(crate) source: &'a Source,
    pub(crate) settings: &'a eval::Settings,
    pub(crate) arguments: &'a [(String, Argument)],
    /// Relative paths in expressions are relative to it.
    pub(crate) directory: &'a Path,
}

impl Key<'_> {
    /// The name of the file that remembers it; `None` when nothing may be remembered.
    pub(super) fn file_name(&self) -> Option<String> {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &program()?);
        let Self { source, settings, arguments, directory } = self;
        if settings.impure.is_some() {
            return None;
        }
        put_bytes(&mut bytes, settings.system.as_bytes());
        bytes.push(u8::from(settings.pipe_operators));
        bytes.push(u8::from(settings.import_from_derivation));
        for (prefix, path) in &settings.search_path {
            put_bytes(&mut bytes, &[prefix, path].map(|part| part.as_slice()).join(&b"= "[..]));
        }
        // A file has its paths relative to itself.
        let expression = |(_, argument): &(String, Argument)| matches!(argument, Argument::Expr(_));
        if matches!(source, Source::Text(_)) || arguments.iter().any(expression) {
            put_bytes(&mut bytes, directory.as_os_str().as_bytes());
        }
        match source {
            Source::File(path) => put_bytes(&mut bytes, &[b"file ", path.as_os_str().as_bytes()].concat()),
            Source::Text(text) => put_bytes(&mut bytes, &[b"text ", text.as_slice()].concat()),
        }
        for (name, argument) in *arguments {
            put_bytes(&mut bytes, name.as_bytes());
            match argument {
                Argument::Expr(text) => put_bytes(&mut bytes, &[b"expression ", text.as_bytes()].concat()),
                Argument::String(text) => put_bytes(&mut bytes, &[b"string ", text.as_bytes()].concat()),
            }
        }
        Some(of_bytes(&bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// This very program: another version may evaluate otherwise, and so may another build of this one.
fn program() -> Option<Vec<u8>> {
    let stat = std::fs::metadata("/proc/self/exe").ok()?;
    let numbers =
        [stat.dev(), stat.ino(), stat.size(), stat.mtime().cast_unsigned(), stat.mtime_nsec().cast_unsigned()];
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    Some(env!("CARGO_PKG_VERSION").bytes().chain(numbers).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_influences_results_tells_sources_apart() {
        let settings = eval::Settings::new("x86_64-linux");
        let name = |source: Source, settings: &eval::Settings, arguments: &[(String, Argument)], directory: &str| {
            Key { source: &source, settings, arguments, directory: Path::new(directory) }.file_name()
        };
        let file = || Source::File(PathBuf::from("/a"));
        let with = |argument| vec![("x".to_owned(), argument)];
        let other = eval::Settings { pipe_operators: true, ..settings.clone() };
        let search = |path: &str| eval::Settings {
            search_path: vec![(b"n".to_vec(), path.as_bytes().to_vec())],
            ..settings.clone()
        };
        let mut names = vec![
            name(file(), &search("a"), &[], "/"),
            name(file(), &search("b"), &[], "/"),
            name(file(), &settings, &[], "/"),
            name(Source::File(PathBuf::from("/b")), &settings, &[], "/"),
            name(Source::Text(b"/a".to_vec()), &settings, &[], "/"),
            name(Source::Text(b"/a".to_vec()), &settings, &[], "/d"),
            name(file(), &settings, &with(Argument::Expr("1".to_owned())), "/d"),
            name(file(), &eval::Settings::new("aarch64-linux"), &[], "/"),
            name(file(), &other, &[], "/"),
            name(file(), &settings, &with(Argument::String("1".to_owned())), "/"),
            name(file(), &settings, &with(Argument::Expr("1".to_owned())), "/"),
        ];
        assert!(names.iter().all(Option::is_some));
        assert_eq!(name(file(), &settings, &[], "/"), names[2]);
        assert_eq!(name(file(), &settings, &[], "/d"), names[2]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 11);
        let impure = eval::Settings { impure: Some(eval::Impure::default()), ..settings };
        assert_eq!(name(file(), &impure, &[], "/"), None);
    }
}
