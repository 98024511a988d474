//! The syntax tree. Names are interned, strings unescaped, nested attribute paths merged; nothing is resolved yet.

use crate::source::{Pos, Span};
use crate::symbol::Symbol;

/// An expression.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// `42`
    Int(i64),
    /// `3.14`
    Float(f64),
    /// `"a${b}"`, `''a''`, `http://x`
    String(Vec<Part>),
    /// `./a/${b}`: the first part is text, as it is written.
    Path(Vec<Part>),
    /// `<nixpkgs>`
    SearchPath(Vec<u8>),
    /// `x`
    Variable(Symbol),
    /// `__curPos`
    CurrentPosition,
    /// `e.a.b or d`
    Select(Box<Expr>, Vec<AttrName>, Option<Box<Expr>>),
    /// `e ? a.b`
    HasAttr(Box<Expr>, Vec<AttrName>),
    /// `x: e`, `{ a, b ? c, ... } @ x: e`
    Lambda(Box<Lambda>),
    /// `f x y`
    Call(Box<Expr>, Vec<Expr>),
    /// `if c then a else b`
    If(Box<[Expr; 3]>),
    /// `assert c; e`
    Assert(Box<[Expr; 2]>),
    /// `with s; e`
    With(Box<[Expr; 2]>),
    /// `let … in e`
    Let(Box<AttrSet>, Box<Expr>),
    /// `[ a b ]`
    List(Vec<Expr>),
    /// `{ a = b; }`
    Attrs(Box<AttrSet>),
    /// `!e`
    Not(Box<Expr>),
    /// `-e`
    Negate(Box<Expr>),
    /// `a + b`
    Binary(Operator, Box<[Expr; 2]>),
}

/// A part of a string or path.
#[derive(Debug, Clone)]
pub enum Part {
    /// Text, unescaped.
    Text(Vec<u8>),
    /// `${e}`
    Expr(Expr),
}

/// One name of an attribute path.
#[derive(Debug, Clone)]
pub enum AttrName {
    /// `a`, `"a"`
    Static(Symbol, Span),
    /// `${e}`, `"a${e}"`
    Dynamic(Expr),
}

/// The operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named by its doc in the table of operators")]
pub enum Operator {
    PipeFrom,
    PipeInto,
    Implies,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Update,
    Add,
    Subtract,
    Multiply,
    Divide,
    Concat,
}

impl Operator {
    /// How it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::PipeFrom => "<|",
            Self::PipeInto => "|>",
            Self::Implies => "->",
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Update => "//",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Concat => "++",
        }
    }
}

/// A function.
#[derive(Debug, Clone)]
pub struct Lambda {
    /// What it takes.
    pub pattern: Pattern,
    /// What it gives.
    pub body: Expr,
}

/// What a function takes.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `x:`
    Name(Symbol, Span),
    /// `{ a, b ? c, ... } @ x:`
    Set {
        /// The names that are taken, in the order written.
        formals: Vec<Formal>,
        /// Whether other attributes are allowed.
        open: bool,
        /// The name of the whole set.
        whole: Option<(Symbol, Span)>,
    },
}

/// One name in a set pattern.
#[derive(Debug, Clone)]
pub struct Formal {
    /// The name.
    pub name: Symbol,
    /// Where it is.
    pub span: Span,
    /// Its default.
    pub default: Option<Expr>,
}

/// The bindings of an attribute set or `let`.
#[derive(Debug, Clone, Default)]
pub struct AttrSet {
    /// Whether the bindings see each other.
    pub recursive: bool,
    /// Bindings with names that are known, in the order written.
    pub bindings: Vec<Binding>,
    /// Bindings with names that are computed.
    pub dynamic: Vec<(Expr, Expr)>,
    /// The `e` of each `inherit (e) …`.
    pub sources: Vec<Expr>,
}

/// One binding.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The name.
    pub name: Symbol,
    /// Where the name is.
    pub span: Span,
    /// The place that `builtins.unsafeGetAttrPos` gives: of `a.b = 1;`, for both names that of `a`.
    pub place: Pos,
    /// What it is bound to.
    pub value: Bound,
}

/// What a name is bound to.
#[derive(Debug, Clone)]
pub enum Bound {
    /// `a = e;`
    Expr(Expr),
    /// `inherit a;`
    Inherited,
    /// `inherit (e) a;`, with the number of `e` in [`AttrSet::sources`].
    InheritedFrom(usize),
}
