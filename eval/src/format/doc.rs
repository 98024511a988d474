//! Documents: text with the places where lines may be broken.
//!
//! A document is a sequence of texts, spacings and groups. A group is printed on one line if it fits, and else each spacing
//! that stands directly in it becomes a line break. Each text knows how deeply it is nested; how far it is indented
//! follows from where lines are broken (see `layout`).

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doc {
    Text(Text),
    Space(Spacing),
    Group(Group, Vec<Self>),
}

/// A text without line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) kind: TextKind,
    /// How deeply it is nested.
    pub(super) level: u32,
    /// Columns of indentation besides those of its nesting.
    pub(super) offset: u32,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    Code,
    /// As many spaces as the line is indented by.
    Indentation,
    /// A comment on lines of its own. It does not count when a line's width is measured.
    Comment,
    /// A comment behind code, up to the end of the line.
    TrailingComment,
    /// A comma that is printed only where the group is broken.
    TrailingComma,
}

/// White space between texts, weakest first: of two that meet, the stronger one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spacing {
    /// Nothing, or a line break where the line would be too long.
    SoftBreak,
    /// Nothing, or a line break where the group is broken.
    Break,
    /// A space.
    Hard,
    /// A space, or a line break where the line would be too long.
    Soft,
    /// A space, or a line break where the group is broken.
    Space,
    /// A line break.
    Line,
    /// An empty line.
    EmptyLine,
    /// Line ends that are part of a string.
    Newlines(u32),
}

impl Spacing {
    /// Whether it breaks the line in any case.
    pub(super) const fn is_line(self) -> bool {
        matches!(self, Self::Line | Self::EmptyLine | Self::Newlines(_))
    }

    /// What two spacings give that meet.
    pub(super) fn merge(self, other: Self) -> Self {
        let (weak, strong) = if self <= other { (self, other) } else { (other, self) };
        match (weak, strong) {
            (Self::Break, Self::Soft | Self::Hard) => Self::Space,
            (Self::SoftBreak, Self::Hard) => Self::Soft,
            (Self::Newlines(a), Self::Newlines(b)) => Self::Newlines(a + b),
            (Self::EmptyLine, Self::Newlines(n)) => Self::Newlines(n + 2),
            (Self::Line, Self::Newlines(n)) => Self::Newlines(n + 1),
            _ => strong,
        }
    }
}

/// How a group takes part in the breaking of the group around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Plain,
    /// Where the group around does not fit on one line, breaking this one alone is tried first.
    First,
    /// As if its content stood in the group around, in the search for [`Group::First`].
    Transparent,
    /// Groups of which as many as fit stay on the line, and each of the others begins as it does in a broken group. In the
    /// search for [`Group::First`] as [`Group::Transparent`].
    Chain,
}

/// A group.
pub(super) fn group(docs: Vec<Doc>) -> Doc {
    Doc::Group(Group::Plain, docs)
}

/// A group that is tried to be broken first.
pub(super) fn first_group(docs: Vec<Doc>) -> Doc {
    Doc::Group(Group::First, docs)
}

/// A group that does not hide the groups in it.
pub(super) fn transparent(docs: Vec<Doc>) -> Doc {
    Doc::Group(Group::Transparent, docs)
}

/// A group of links, of which those that do not fit on the line are broken.
pub(super) fn chain(links: Vec<Doc>) -> Doc {
    Doc::Group(Group::Chain, links)
}

/// A space that breaks with its group.
pub(super) const SPACE: Doc = Doc::Space(Spacing::Space);
/// A place where the group may be broken.
pub(super) const BREAK: Doc = Doc::Space(Spacing::Break);
/// A space.
pub(super) const HARD: Doc = Doc::Space(Spacing::Hard);
/// A line break.
pub(super) const LINE: Doc = Doc::Space(Spacing::Line);

/// Merges spacings, and takes line breaks and comments at the ends of groups out of them: they would break the group,
/// though they are outside of what it shows.
pub(super) fn normalise(docs: Vec<Doc>) -> Vec<Doc> {
    let mut out = Vec::with_capacity(docs.len());
    for doc in docs {
        match doc {
            Doc::Group(kind, inner) => {
                let mut inner = normalise(inner);
                let leading = inner.iter().position(|doc| !leaves_group(doc)).unwrap_or(inner.len());
                let is_line = |doc: &Doc| matches!(doc, Doc::Space(spacing) if spacing.is_line());
                let trailing = inner.iter().rposition(|doc| !is_line(doc)).map_or(inner.len(), |last| last + 1);
                let behind = inner.split_off(trailing.max(leading));
                let body = inner.split_off(leading);
                inner.into_iter().for_each(|doc| push(&mut out, doc));
                if !body.is_empty() {
                    push(&mut out, Doc::Group(kind, body));
                }
                behind.into_iter().for_each(|doc| push(&mut out, doc));
            }
            other => push(&mut out, other),
        }
    }
    out
}

/// Whether something at the start of a group does not belong to it.
fn leaves_group(doc: &Doc) -> bool {
    match doc {
        Doc::Space(spacing) => spacing.is_line(),
        Doc::Text(text) => matches!(text.kind, TextKind::Comment | TextKind::TrailingComment),
        Doc::Group(..) => false,
    }
}

fn push(out: &mut Vec<Doc>, doc: Doc) {
    match (out.last_mut(), doc) {
        (Some(Doc::Space(before)), Doc::Space(spacing)) => *before = before.merge(spacing),
        (_, Doc::Group(_, inner)) if inner.is_empty() => {}
        (_, doc) => out.push(doc),
    }
}

/// The document on one line, if it has no line break.
pub(super) fn unbroken(docs: &[Doc], limit: Option<usize>) -> Option<Vec<Doc>> {
    let mut out = Vec::new();
    let mut width = 0;
    add_unbroken(docs, &mut out, &mut width)?;
    (limit.is_none_or(|limit| width <= limit)).then_some(out)
}

fn add_unbroken(docs: &[Doc], out: &mut Vec<Doc>, width: &mut usize) -> Option<()> {
    for doc in docs {
        match doc {
            Doc::Text(text) => {
                match text.kind {
                    TextKind::TrailingComma => continue,
                    TextKind::Code => *width += text.width(),
                    TextKind::Comment | TextKind::TrailingComment | TextKind::Indentation => {}
                }
                out.push(doc.clone());
            }
            Doc::Space(Spacing::SoftBreak | Spacing::Break) => {}
            Doc::Space(Spacing::Hard | Spacing::Soft | Spacing::Space) => {
                *width += 1;
                push(out, HARD);
            }
            Doc::Space(_) => return None,
            Doc::Group(kind, inner) => {
                let mut flat = Vec::new();
                add_unbroken(inner, &mut flat, width)?;
                out.push(Doc::Group(*kind, flat));
            }
        }
    }
    Some(())
}

impl Text {
    /// The width in columns.
    pub(super) fn width(&self) -> usize {
        String::from_utf8_lossy(&self.bytes).chars().count()
    }
}
