//! What an element of the syntax tree is.

/// The kind of a node or token of a [`Tree`](super::tree::Tree).
///
/// In the grammars below `e` is any expression: one of the nodes for which [`Kind::is_expression`] holds. Comments and
/// white space may stand between any two elements, but not inside strings and paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    // Tokens without meaning.
    /// Spaces, tabs, line ends.
    Whitespace,
    /// `# …` up to the end of the line, which is not part of it.
    LineComment,
    /// `/* … */`
    BlockComment,

    // Tokens with meaning.
    /// A name.
    Ident,
    /// `if then else assert with let in rec inherit or`
    Keyword,
    /// An operator, bracket or separator; its text says which.
    Symbol,
    /// `42`
    Int,
    /// `4.2`
    Float,
    /// A stretch of text of a path: `./a/`.
    PathText,
    /// `<nixpkgs/lib>`
    SearchPathText,
    /// `https://example.org`
    UriText,
    /// `"`, at the start or end of a string.
    Quote,
    /// `''`, at the start or end of an indented string.
    IndentedQuote,
    /// A stretch of text of a string, as it is written: escapes are in it.
    StringText,
    /// `${`
    InterpolationStart,
    /// Bytes that are no token, such as a comment without end.
    Unknown,

    // Expressions.
    /// One [`Kind::Int`] or [`Kind::Float`].
    Number,
    /// `"a${e}"`: [`Kind::Quote`], then [`Kind::StringText`] and [`Kind::Interpolation`], [`Kind::Quote`].
    String,
    /// `''a${e}''`: as [`Kind::String`], between [`Kind::IndentedQuote`].
    IndentedString,
    /// `./a/${e}/b`: [`Kind::PathText`] and [`Kind::Interpolation`].
    Path,
    /// One [`Kind::SearchPathText`].
    SearchPath,
    /// One [`Kind::UriText`].
    Uri,
    /// A name that stands for a value: one [`Kind::Ident`] (or the keyword `or`, in the old `f or`).
    Variable,
    /// `e.a.b`, `e.a.b or e`: an expression, `.`, [`Kind::AttrPath`], perhaps `or` and an expression.
    Select,
    /// `e ? a.b`: an expression, `?`, [`Kind::AttrPath`].
    HasAttr,
    /// `x: e`, `{ a, b }: e`: [`Kind::Name`] or [`Kind::Pattern`], `:`, an expression.
    Lambda,
    /// `f x y`: two or more expressions.
    Call,
    /// `if e then e else e`
    If,
    /// `assert e; e`
    Assert,
    /// `with e; e`
    With,
    /// `let … in e`: [`Kind::Binding`] and [`Kind::Inherit`] between the words, then an expression.
    Let,
    /// `let { … }`, the old form: as [`Kind::AttrSet`] behind the word.
    LetBody,
    /// `[ e e ]`
    List,
    /// `{ … }`, `rec { … }`: [`Kind::Binding`] and [`Kind::Inherit`] between braces.
    AttrSet,
    /// `!e`, `-e`
    Unary,
    /// `e + e`
    Binary,
    /// `(e)`
    Paren,

    // Parts of expressions.
    /// The whole text: one expression, if it has no errors.
    Root,
    /// `{ a, b ? e, ... } @ x`, `x @ { … }`: [`Kind::Formal`], `...`, [`Kind::Name`].
    Pattern,
    /// `a`, `a ? e`: [`Kind::Name`], perhaps `?` and an expression.
    Formal,
    /// `a.b = e;`: [`Kind::AttrPath`], `=`, an expression, `;`.
    Binding,
    /// `inherit a b;`, `inherit (e) a b;`: perhaps [`Kind::InheritFrom`]; attribute names; `;`.
    Inherit,
    /// `(e)` behind `inherit`.
    InheritFrom,
    /// `a."b".${e}`: attribute names, which are [`Kind::Name`], [`Kind::String`] or [`Kind::Interpolation`].
    AttrPath,
    /// A name that does not stand for a value itself: of an attribute, argument or `@` pattern.
    Name,
    /// `${e}` in a string or path, or as an attribute's name.
    Interpolation,
    /// Text that fits nowhere.
    Error,
}

impl Kind {
    /// Whether it is white space or a comment.
    #[must_use]
    pub const fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::LineComment | Self::BlockComment)
    }

    /// Whether it is a comment.
    #[must_use]
    pub const fn is_comment(self) -> bool {
        matches!(self, Self::LineComment | Self::BlockComment)
    }

    /// Whether it is a token: an element without elements of its own.
    #[must_use]
    pub const fn is_token(self) -> bool {
        (self as u8) <= Self::Unknown as u8
    }

    /// Whether it is a node that has a value.
    #[must_use]
    pub const fn is_expression(self) -> bool {
        self as u8 >= Self::Number as u8 && self as u8 <= Self::Paren as u8
    }
}
