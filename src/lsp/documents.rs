//! The texts that are open in the editor, and those of other files.

use super::position::{Encoding, Lines};
use eval::analysis::{File, Files};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A text that is open.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) version: Value,
    pub(super) file: Arc<File>,
}

/// A file on the disk, as it was when it was read.
#[derive(Debug)]
struct Read {
    modified: Option<SystemTime>,
    length: u64,
    file: Arc<File>,
}

/// All texts.
#[derive(Debug)]
pub(super) struct Documents {
    open: BTreeMap<String, Document>,
    read: RefCell<BTreeMap<PathBuf, Read>>,
    pub(super) encoding: Encoding,
}

/// Files on the disk that are larger are not looked at.
const MAX_FILE: u64 = 16 << 20;

impl Documents {
    pub(super) fn new() -> Self {
        Self { open: BTreeMap::new(), read: RefCell::default(), encoding: Encoding::Utf16 }
    }

    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.open.get(uri)
    }

    /// Opens a text, or takes its new content.
    pub(super) fn put(&mut self, uri: &str, version: Value, text: &[u8]) {
        let file = Arc::new(File::new(path_of(uri), text));
        self.open.insert(uri.to_owned(), Document { version, file });
    }

    pub(super) fn close(&mut self, uri: &str) -> bool {
        self.open.remove(uri).is_some()
    }

    /// Applies changes to an open text, one after the other; `None` when it is not open or a change makes no sense.
    pub(super) fn change(&mut self, uri: &str, version: Value, changes: &[Value]) -> Option<()> {
        let mut text = self.open.get(uri)?.file.text().to_vec();
        for change in changes {
            let new = change.get("text")?.as_str()?.as_bytes();
            match change.get("range").filter(|range| !range.is_null()) {
                None => text = new.to_vec(),
                Some(range) => {
                    let range = Lines::new(&text, self.encoding).range(range)?;
                    text.splice(range, new.iter().copied());
                }
            }
        }
        self.put(uri, version, &text);
        Some(())
    }

    pub(super) fn lines<'f>(&self, file: &'f File) -> Lines<'f> {
        Lines::new(file.text(), self.encoding)
    }

    /// Places in a file, for the editor.
    pub(super) fn locations<'r>(&self, file: &File, ranges: impl IntoIterator<Item = &'r Range<usize>>) -> Vec<Value> {
        let (uri, lines) = (self.uri_of(file), self.lines(file));
        ranges.into_iter().map(|range| json!({ "uri": uri, "range": lines.range_of(range) })).collect()
    }

    /// How the editor calls a file.
    fn uri_of(&self, file: &File) -> String {
        let open = self.open.iter().find(|(_, document)| document.file.path == file.path);
        open.map_or_else(|| uri_of(&file.path), |(uri, _)| uri.clone())
    }

    fn read(&self, path: &Path) -> Option<Arc<File>> {
        let data = path.metadata().ok().filter(|data| data.is_file() && data.len() <= MAX_FILE)?;
        let (modified, length) = (data.modified().ok(), data.len());
        if let Some(known) = self.read.borrow().get(path)
            && (known.modified, known.length) == (modified, length)
        {
            return Some(Arc::clone(&known.file));
        }
        let file = Arc::new(File::new(path.to_owned(), &std::fs::read(path).ok()?));
        self.read.borrow_mut().insert(path.to_owned(), Read { modified, length, file: Arc::clone(&file) });
        Some(file)
    }
}

impl Files for Documents {
    fn file(&self, path: &Path) -> Option<Arc<File>> {
        let path = if path.is_dir() { path.join("default.nix") } else { path.to_owned() };
        let open = self.open.values().find(|document| document.file.path == path);
        open.map(|document| Arc::clone(&document.file)).or_else(|| self.read(&path))
    }
}

/// The path of a `file:` URI; others are a path of their own below the root, so that nothing relative to them exists.
fn path_of(uri: &str) -> PathBuf {
    let Some(rest) = uri.strip_prefix("file://") else { return Path::new("/").join(uri.replace('/', "_")) };
    // The host before the path is this one.
    let path = rest.find('/').map_or("/", |start| &rest[start..]);
    let mut bytes = Vec::with_capacity(path.len());
    let mut at = path.as_bytes();
    while let [first, rest @ ..] = at {
        let escaped = (*first == b'%').then(|| rest.get(..2)).flatten();
        let decoded = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        at = if decoded.is_some() { &rest[2..] } else { rest };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// The `file:` URI of a path.
fn uri_of(path: &Path) -> String {
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(byte as char);
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris() {
        for (uri, path) in [("file:///a/b.nix", "/a/b.nix"), ("file:///a%20b/%C3%A9.nix", "/a b/é.nix")] {
            assert_eq!(path_of(uri), Path::new(path));
            assert_eq!(uri_of(Path::new(path)), uri);
        }
        assert_eq!(path_of("file:///a%zz%"), Path::new("/a%zz%"));
        assert_eq!(path_of("untitled:Untitled-1"), Path::new("/untitled:Untitled-1"));
    }

    #[test]
    fn changes_are_applied_one_after_the_other() {
        let mut documents = Documents::new();
        documents.put("file:///a", 1.into(), "x = é;\ny".as_bytes());
        let range = |line: u32, from: u32, to: u32| json!({ "start": { "line": line, "character": from }, "end": { "line": line, "character": to } });
        let changes = [
            json!({ "range": range(0, 4, 5), "text": "\"😀\"" }),
            json!({ "range": range(0, 8, 9), "text": "; #" }),
            json!({ "range": range(1, 1, 1), "text": "z" }),
        ];
        documents.change("file:///a", 2.into(), &changes).expect("they make sense");
        assert_eq!(documents.get("file:///a").unwrap().file.text(), "x = \"😀\"; #\nyz".as_bytes());
        assert!(documents.change("file:///a", 3.into(), &[json!({ "range": 1, "text": "" })]).is_none());
        assert!(documents.change("file:///b", 3.into(), &[]).is_none());
    }
}
