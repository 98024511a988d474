//! Where this machine gets Debian packages from: apt's sources, in both of their forms (sources.list(5)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One source: a base URI with what is taken from there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
}

/// Reads the texts of all sources in `directory`, which is `/etc/apt` on a Debian machine; empty where there are none.
///
/// # Errors
/// When a file or directory exists but cannot be read.
pub fn read_apt_sources(directory: &Path) -> io::Result<Vec<String>> {
    let mut paths = vec![directory.join("sources.list")];
    paths.extend(list(&directory.join("sources.list.d"))?);
    paths.iter().filter_map(|path| or_absent(fs::read_to_string(path)).transpose()).collect()
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(entries) = or_absent(fs::read_dir(directory))? else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_source =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "list" || extension == "sources");
    paths.retain(is_source);
    paths.sort();
    Ok(paths)
}

/// `None` where there is no such file.
fn or_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// See [`super::Mirrors::debian_from_sources`].
pub(super) fn debian_bases<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let sources: Vec<Source> = texts.into_iter().flat_map(parse).collect();
    let ranked =
        |wanted: u8| sources.iter().filter(move |source| rank(source) == Some(wanted)).map(|source| &source.uri);
    let mut bases: Vec<String> = Vec::new();
    for base in ranked(0).chain(ranked(1)) {
        push_new(&mut bases, base);
    }
    if bases.is_empty() {
        ranked(2).for_each(|base| push_new(&mut bases, base));
    }
    bases
}

fn push_new(bases: &mut Vec<String>, base: &String) {
    if !bases.contains(base) {
        bases.push(base.clone());
    }
}

/// 0 for the main archive, 1 for other parts of Debian, 2 for archives of others; `None` if it is of no use.
///
/// An archive says nowhere whose it is before its index is read, but by convention its path tells.
fn rank(source: &Source) -> Option<u8> {
    if !source.components.iter().any(|component| component == "main") {
        return None;
    }
    let security = source.suites.iter().all(|suite| suite.contains("security"));
    let has = |fits: fn(&str) -> bool| source.uri.split('/').skip(3).any(fits);
    match () {
        () if has(|segment| segment == "debian") && !security => Some(0),
        () if has(|segment| segment.starts_with("debian")) => Some(1),
        () => Some(2),
    }
}

/// The sources of one file, whichever its form.
fn parse(text: &str) -> Vec<Source> {
    let is_line = |line: &str| matches!(line.split_whitespace().next(), Some("deb" | "deb-src"));
    if text.lines().any(is_line) {
        text.lines().filter_map(parse_line).collect()
    } else {
        paragraphs(text).iter().flat_map(|fields| parse_paragraph(fields)).collect()
    }
}

/// `deb [options] uri suite component…`
fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb-src").or_else(|| line.strip_prefix("deb"))?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let uri = base(&words.next()?)?;
    Some(Source { uri, suites: vec![words.next()?], components: words.collect() })
}

/// Fields of a paragraph: lower-case name and value, continuation lines joined.
type Paragraph = Vec<(String, String)>;

fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = vec![Paragraph::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let last = paragraphs.last_mut().expect("there is one from the start");
        if line.trim().is_empty() {
            paragraphs.push(Paragraph::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = last.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    paragraphs
}

fn parse_paragraph(paragraph: &[(String, String)]) -> Vec<Source> {
    let words = |name: &str| -> Vec<String> {
        let value = paragraph.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value);
        value.split_whitespace().map(str::to_owned).collect()
    };
    let off = words("enabled").first().is_some_and(|word| matches!(word.as_str(), "no" | "false" | "0" | "off"));
    if off || !words("types").iter().any(|word| word == "deb" || word == "deb-src") {
        return Vec::new();
    }
    let source =
        |uri: &String| Some(Source { uri: base(uri)?, suites: words("suites"), components: words("components") });
    words("uris").iter().filter_map(source).collect()
}

/// The base that we can fetch from; `None` for cdrom, tor and apt's own mirror lists.
fn base(uri: &str) -> Option<String> {
    let uri = uri.trim_end_matches('/');
    if uri.starts_with("http://") || uri.starts_with("https://") || uri.starts_with("file:///") {
        return Some(uri.to_owned());
    }
    let path = uri.strip_prefix("file:").or_else(|| uri.strip_prefix("copy:"))?;
    path.starts_with('/').then(|| format!("file://{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
# comment
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/usr/share/keyrings/a b.gpg] http://one.example/debian/ bookworm main contrib # note
deb-src http://one.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb https://tools.example/apt tools main
deb http://half.example/debian
";

    const PARAGRAPHS: &str = "\
Types: deb deb-src
# a comment inside
URIs: https://two.example/debian/
 https://three.example/archive/debian/20250101T000000Z
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: https://off.example/debian
Suites: bookworm
Components: main

types: deb
uris: https://two.example/debian-security
suites: bookworm-security
components: main

Types: deb
URIs: https://vendor.example/linux/debian
Suites: bookworm
Components: stable
";

    #[test]
    fn the_main_archive_comes_first_and_strangers_are_left_out() {
        let expected = [
            "http://one.example/debian",
            "https://two.example/debian",
            "https://three.example/archive/debian/20250101T000000Z",
            "http://security.example/debian-security",
            "https://two.example/debian-security",
        ];
        assert_eq!(debian_bases([LINES, PARAGRAPHS]), expected);
    }

    #[test]
    fn a_mirror_of_any_name_serves_where_there_is_no_other() {
        assert_eq!(debian_bases(["deb file:/srv/packages bookworm main\n"]), ["file:///srv/packages"]);
        assert_eq!(debian_bases(["", "nonsense", "deb", "Types: deb\n"]), Vec::<String>::new());
    }

    #[test]
    fn sources_are_read_where_apt_has_them() {
        let etc = tempfile::tempdir().unwrap();
        assert_eq!(read_apt_sources(etc.path()).unwrap(), Vec::<String>::new());
        fs::create_dir(etc.path().join("sources.list.d")).unwrap();
        for (name, text) in [
            ("sources.list", "1"),
            ("sources.list.d/b.list", "3"),
            ("sources.list.d/a.sources", "2"),
            ("sources.list.d/x.bak", "4"),
        ] {
            fs::write(etc.path().join(name), text).unwrap();
        }
        assert_eq!(read_apt_sources(etc.path()).unwrap(), ["1", "2", "3"]);
    }
}
