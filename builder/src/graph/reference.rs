//! References in the texts of a graph: to outputs of its own derivations, `@{NAME}`, and to trees that it may name. Pure.

use std::collections::{BTreeSet, HashMap};
use store::StorePath;
use store::base32::DIGEST_CHARS;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// Text that refers to nothing.
    Plain(&'t str),
    /// What stands between `@{` and `}`.
    Reference(&'t str),
}

impl<'t> Part<'t> {
    /// The name of the derivation that is referred to.
    pub(super) fn name(self) -> Option<&'t str> {
        match self {
            Self::Plain(_) => None,
            Self::Reference(text) => Some(text.split_once('!').map_or(text, |(name, _)| name)),
        }
    }
}

/// The pieces of a text.
pub(super) struct Parts<'t>(pub(super) &'t str);

impl<'t> Iterator for Parts<'t> {
    type Item = Part<'t>;

    fn next(&mut self) -> Option<Part<'t>> {
        let text = std::mem::take(&mut self.0);
        if text.is_empty() {
            return None;
        }
        let Some(rest) = text.strip_prefix("@{") else {
            let (plain, rest) = text.split_at(text.find("@{").unwrap_or(text.len()));
            self.0 = rest;
            return Some(Part::Plain(plain));
        };
        // What is not closed here is not closed anywhere.
        let Some((reference, rest)) = rest.split_once('}') else { return Some(Part::Plain(text)) };
        self.0 = rest;
        Some(Part::Reference(reference))
    }
}

/// The trees that may be named, and their digests as they are written.
pub(super) struct Allowed<'g> {
    pub(super) paths: &'g BTreeSet<StorePath>,
    by_digest: HashMap<[u8; DIGEST_CHARS], Vec<&'g StorePath>>,
}

impl<'g> Allowed<'g> {
    pub(super) fn new(paths: &'g BTreeSet<StorePath>) -> Self {
        let mut by_digest = HashMap::<_, Vec<_>>::new();
        for path in paths {
            by_digest.entry(path.digest_text()).or_default().push(path);
        }
        Self { paths, by_digest }
    }

    /// Those that a text mentions, in one pass however many there are.
    pub(super) fn mentioned<'t>(&'t self, text: &'t str) -> impl Iterator<Item = &'g StorePath> + 't {
        let behind = text.match_indices(store::STORE_DIR).map(|(at, store)| &text[at + store.len()..]);
        let names = behind.filter_map(|rest| rest.strip_prefix('/'));
        names.flat_map(|name| {
            let same = name.as_bytes().first_chunk().and_then(|digest| self.by_digest.get(digest));
            same.into_iter().flatten().copied().filter(move |path| name.starts_with(&path.base_name()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{StoreName, TreeDigest};

    fn tree(byte: u8) -> StorePath {
        let name = StoreName::parse("tree").expect("valid");
        StorePath::from_tree(TreeDigest::from_bytes([byte; 32]), name).expect("valid")
    }

    #[test]
    fn a_mention_has_the_whole_name() {
        let allowed = BTreeSet::from([tree(1)]);
        let allowed = Allowed::new(&allowed);
        let mentions = |text: &str| allowed.mentioned(text).count();
        let (path, store) = (tree(1).to_string(), store::STORE_DIR);
        assert_eq!(mentions(&format!("{store}{store}/x é{path}/bin:{path}")), 2);
        assert_eq!(mentions(&path[..path.len() - 1]), 0);
        assert_eq!(mentions(&format!("{store}/é{}", &path[store.len() + 1..])), 0);
    }
}
