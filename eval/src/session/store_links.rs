//! Links in what is built. Whoever made a source may have put them there, so no file system may follow them: they are followed here,
//! name by name, and lead only to places in the store.
//!
//! Invariant: what the outside is asked about below the directory of the store has no link on its way.

use super::files::MAX_LINKS;
use super::lock;
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::io::FileType;
use crate::paths;
use crate::reads::Question;
use crate::source::Span;
use std::borrow::Cow;
use store::{STORE_DIR, shown};

/// Whether a link that a path ends with is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// What it leads to is meant.
    Followed,
    /// The link itself is meant.
    Kept,
}

/// Where a path in the store leads.
enum End {
    /// To a directory in the store.
    Directory(Vec<u8>),
    /// To something else in the store, or nothing.
    Inside(Vec<u8>),
    /// Out of the store, by a link.
    Outside(Option<Link>),
}

/// A symbolic link that was followed.
struct Link {
    path: Vec<u8>,
    target: Vec<u8>,
}

/// What has been gone of a path in the store, and what is still to go.
struct Way {
    /// Where it is now: no link, and a directory unless it ends here.
    at: Vec<u8>,
    /// Names, the next one last; also `.`, `..` and empty ones.
    pending: Vec<Vec<u8>>,
    /// The link that was followed last.
    link: Option<Link>,
    /// How many names are pending behind those of that link.
    behind: usize,
}

impl Evaluator<'_> {
    /// A path in the store with links followed; any other as it is.
    pub(super) fn unlinked<'p>(&self, path: &'p [u8], last: Last, span: Span) -> Result<Cow<'p, [u8]>> {
        if !is_in_store(path) {
            return Ok(Cow::Borrowed(path));
        }
        match self.follow(path, last, span)? {
            End::Directory(real) | End::Inside(real) => Ok(Cow::Owned(real)),
            End::Outside(link) => Err(refused(path, link.as_ref(), span)),
        }
    }

    /// Whether a path in the store leads out of it.
    pub(crate) fn leads_outside(&self, path: &[u8], last: Last, span: Span) -> Result<bool> {
        Ok(is_in_store(path) && matches!(self.follow(path, last, span)?, End::Outside(_)))
    }

    fn follow(&self, path: &[u8], last: Last, span: Span) -> Result<End> {
        let (directory, name) = (paths::dir_name(path), paths::base_name(path));
        match (self.follow_directory(directory, span)?, last) {
            (End::Directory(real), Last::Kept) => Ok(End::Inside(below(&real, name))),
            (End::Directory(real), Last::Followed) => self.walk(Way::new(real, name), span),
            (End::Inside(real), _) => Ok(End::Inside(below(&real, name))),
            (outside, _) => Ok(outside),
        }
    }

    /// The same for the directory that a path is in; the way to it is gone once.
    fn follow_directory(&self, directory: &[u8], span: Span) -> Result<End> {
        let Some(inside) = inside_store(directory) else { return Ok(End::Directory(directory.to_owned())) };
        let known = lock(&self.session.real_directories).get(directory).cloned();
        if let Some(real) = known {
            // The way rests on the tree that it begins in being there: that was asked when it was gone.
            let tree = inside.split(|&byte| byte == b'/').next().unwrap_or(inside);
            self.note(|| Question::Kind(paths::from_bytes(&below(STORE_DIR.as_bytes(), tree)).to_owned()));
            return Ok(End::Directory(real));
        }
        let end = self.walk(Way::new(STORE_DIR.into(), inside), span)?;
        if let End::Directory(real) = &end {
            lock(&self.session.real_directories).insert(directory.to_owned(), real.clone());
        }
        Ok(end)
    }

    fn walk(&self, mut way: Way, span: Span) -> Result<End> {
        let mut links = 0;
        while way.goes_on() {
            if is_above_trees(&way.at) {
                continue;
            }
            if !is_in_store(&way.at) {
                return Ok(End::Outside(way.link));
            }
            match self.ask_type(&way.at, span)? {
                Some(FileType::Directory) => {}
                Some(FileType::Symlink) if links == MAX_LINKS => return Err(too_many_links(&way.at, span)),
                Some(FileType::Symlink) => {
                    links += 1;
                    way.follow(self.ask_link(&way.at, span)?);
                }
                _ => return Ok(End::Inside(way.as_it_is())),
            }
        }
        Ok(if is_in_store(&way.at) { End::Directory(way.at) } else { End::Outside(way.link) })
    }
}

impl Way {
    fn new(at: Vec<u8>, path: &[u8]) -> Self {
        Self { at, pending: names(path), link: None, behind: 0 }
    }

    /// Goes on to the next name; says whether there was one that it may go on to.
    fn goes_on(&mut self) -> bool {
        while !self.is_lost()
            && let Some(name) = self.pending.pop()
        {
            match name.as_slice() {
                b"" | b"." => {}
                b".." => self.at = paths::dir_name(&self.at).to_owned(),
                name => {
                    self.at = below(&self.at, name);
                    return true;
                }
            }
        }
        false
    }

    /// Whether it is at the end of a link that leads to no place in the store, though the names behind it might lead back.
    fn is_lost(&self) -> bool {
        self.link.is_some() && self.pending.len() == self.behind && !is_in_store(&self.at)
    }

    /// Takes the way that the link shows which it is at.
    fn follow(&mut self, target: Vec<u8>) {
        let directory = if target.starts_with(b"/") { b"/" } else { paths::dir_name(&self.at) }.to_vec();
        self.behind = self.pending.len();
        self.pending.extend(names(&target));
        let path = std::mem::replace(&mut self.at, directory);
        self.link = Some(Link { path, target });
    }

    /// The place with all that is still to go, which is in vain: here is no directory.
    fn as_it_is(&self) -> Vec<u8> {
        self.pending.iter().rev().fold(self.at.clone(), |at, name| below(&at, name))
    }
}

/// The names of a path, the first one last.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec).collect()
}

fn below(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    [directory, b"/", name].concat()
}

/// The rest of a path behind the directory of the store.
fn inside_store(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(STORE_DIR.as_bytes())?.strip_prefix(b"/")
}

#[inline]
fn is_in_store(path: &[u8]) -> bool {
    inside_store(path).is_some()
}

/// Whether a path is the directory of the store, or a directory above.
fn is_above_trees(path: &[u8]) -> bool {
    STORE_DIR.as_bytes().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

pub(super) fn too_many_links(path: &[u8], span: Span) -> Box<Diagnostic> {
    Diagnostic::new(Code::File, span, format!("{}: too many symbolic links", shown(paths::from_bytes(path))))
}

#[cold]
fn refused(path: &[u8], link: Option<&Link>, span: Span) -> Box<Diagnostic> {
    let show = |path: &[u8]| shown(paths::from_bytes(path)).to_string();
    let Some(link) = link else {
        return Diagnostic::new(Code::File, span, format!("{} is outside of the store", show(path)));
    };
    let asked = if link.path == path { String::new() } else { format!("{}: ", show(path)) };
    let place = paths::absolute(&link.target, paths::dir_name(&link.path));
    let place = if place == link.target { String::new() } else { format!(" ({})", show(&place)) };
    let (link, target) = (show(&link.path), show(&link.target));
    let message =
        format!("{asked}{link} is a symbolic link to {target}{place}, outside of the store: it is not followed");
    Diagnostic::new(Code::File, span, message).hint(
        "links in what was built are followed to places in the store only; let the build copy what else is needed",
    )
}

#[cfg(test)]
mod tests {
    use crate::{MemoryIo, Session, Settings, to_json};
    use std::path::Path;
    use std::sync::Arc;

    const SECRET: &str = "a-secret";

    /// A tree `one` with links of all kinds, a tree `two` beside it, and a secret outside.
    fn io() -> MemoryIo {
        let mut io = MemoryIo::default()
            .with_file("/home/secret", SECRET)
            .with_file("/home/directory/default.nix", format!("\"{SECRET}\""))
            .with_file("/larder/secret", SECRET)
            .with_file("/larder/store/one/usr/file", "\"one\"")
            .with_file("/larder/store/two/file", "\"two\"");
        let links = [
            ("absolute", "/home/secret"),
            ("relative", "../../../home/secret"),
            ("above", "../../secret"),
            ("back", "/larder/store/../../home/secret"),
            ("directory", "/home/directory"),
            ("root", "/"),
            ("store", ".."),
            ("chain", "usr/next"),
            ("usr/next", "../absolute"),
            ("beside", "/larder/storehouse/x"),
            ("loop", "loop"),
            ("dangling", "usr/none"),
            ("astray", "usr/none/../file"),
            ("lib", "usr"),
            ("here", "."),
            ("file", "lib/../usr/./file"),
            ("usr/up", "../lib//file"),
            ("other", "/larder/store/two"),
            ("neighbour", "../two/file"),
            ("around", "../../../larder/store/two/file"),
        ];
        for (link, target) in links {
            io = io.with_link(Path::new("/larder/store/one").join(link), target);
        }
        io.with_link("/larder/store/linked", "/home/secret").with_link("/home/link", "/larder/store/one/absolute")
    }

    /// The JSON of a value, or what is wrong.
    fn evaluated(text: &str) -> Result<String, String> {
        let session = Session::new(Settings::new("x86_64-linux"), Arc::new(io()));
        let value = session.eval_expr(text.as_bytes(), Path::new("/home"));
        let printed = value.and_then(|value| session.print_json(value));
        printed
            .map(|json| String::from_utf8(json).expect("JSON"))
            .map_err(|failure| failure.iter().map(|one| to_json(one, session.sources()).to_string()).collect())
    }

    /// Ways to look at what a path leads to.
    const LOOKS: [&str; 5] = [
        "builtins.readFile P",
        "import P",
        "builtins.scopedImport { } P",
        "builtins.hashFile \"sha256\" P",
        "builtins.readDir P",
    ];

    #[test]
    fn what_leads_out_of_the_store_is_refused() {
        let one = "/larder/store/one";
        for (path, link) in [
            ("absolute", "absolute is a symbolic link to /home/secret, outside of the store"),
            ("relative", "relative is a symbolic link to ../../../home/secret (/home/secret), outside of the store"),
            ("above", "above is a symbolic link to ../../secret (/larder/secret), outside"),
            ("back", "/larder/store/one/back is a symbolic link to /larder/store/../../home/secret (/home/secret),"),
            ("directory", "/larder/store/one/directory is a symbolic link to /home/directory, outside"),
            ("root/home/secret", "/larder/store/one/root/home/secret: /larder/store/one/root is a symbolic link to /,"),
            ("store/one/usr/file", "/larder/store/one/store is a symbolic link to .. (/larder/store), outside"),
            ("root/larder/store/one/usr/file", "/larder/store/one/root is a symbolic link to /, outside"),
            ("chain", "/larder/store/one/chain: /larder/store/one/absolute is a symbolic link to /home/secret"),
            ("beside", "is a symbolic link to /larder/storehouse/x, outside"),
            ("../linked", "/larder/store/linked is a symbolic link to /home/secret, outside of the store"),
        ] {
            for look in LOOKS {
                let text = look.replace('P', &format!("{one}/{path}"));
                let error = evaluated(&text).expect_err(&text);
                assert!(error.contains(link) && !error.contains(SECRET), "{text}: {error}");
                assert!(error.contains("E0201"), "{error}");
            }
        }
        let error = evaluated("builtins.readFile /home/link").expect("a link of the user is the user's");
        assert_eq!(error, format!("\"{SECRET}\""));
    }

    #[test]
    fn what_stays_in_the_store_is_followed() {
        for path in ["file", "lib/file", "usr/up", "here/file", "here/lib/up"] {
            assert_eq!(evaluated(&format!("import /larder/store/one/{path}")).as_deref(), Ok("\"one\""), "{path}");
        }
        for path in ["other/file", "neighbour", "around", "here/neighbour"] {
            assert_eq!(evaluated(&format!("import /larder/store/one/{path}")).as_deref(), Ok("\"two\""), "{path}");
        }
        let listed = evaluated("builtins.readDir /larder/store/one/other");
        assert_eq!(listed.as_deref(), Ok("{\"file\":\"regular\"}"));
    }

    #[test]
    fn links_are_seen_as_links_and_added_as_links() {
        let kind = |path: &str| evaluated(&format!("builtins.readFileType /larder/store/one/{path}"));
        for link in ["absolute", "dangling", "loop", "lib/up"] {
            assert_eq!(kind(link).as_deref(), Ok("\"symlink\""), "{link}");
            assert!(evaluated(&format!("\"${{/larder/store/one/{link}}}\"")).is_ok(), "{link}");
        }
        assert!(kind("root/home/secret").expect_err("it is outside").contains("outside of the store"));
        assert!(evaluated("\"${/larder/store/one/root/home/secret}\"").is_err());
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        let read = |path: &str| evaluated(&format!("builtins.readFile /larder/store/one/{path}")).expect_err(path);
        for path in ["loop", "loop/x"] {
            assert!(read(path).contains("/larder/store/one/loop: too many symbolic links"), "{path}");
        }
        assert!(read("dangling").contains("/larder/store/one/usr/none does not exist"));
        assert!(read("astray").contains("does not exist"), "a target is no text");
        assert!(read("here/none/x").contains("/larder/store/one/none/x does not exist"));
    }

    #[test]
    fn nothing_exists_that_lies_outside() {
        let exists = |path: &str| evaluated(&format!("builtins.pathExists {path}"));
        for (path, expected) in [
            ("/larder/store/one/root/home/secret", "false"),
            ("\"/larder/store/one/directory/\"", "false"),
            ("\"/larder/store/one/dangling/\"", "false"),
            ("/larder/store/one/directory", "true"),
            ("/larder/store/one/dangling", "true"),
            ("/larder/store/one/lib/file", "true"),
            ("\"/larder/store/one/other/\"", "true"),
        ] {
            assert_eq!(exists(path).as_deref(), Ok(expected), "{path}");
        }
    }
}
