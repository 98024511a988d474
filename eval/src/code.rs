//! Compiled code: the syntax tree with every variable resolved to a slot, in memory that is never freed.
//!
//! Every scope of the text (function, `let`, recursive set, `with`, sources of `inherit (e)`) is one level of
//! environments at run time; a variable is the number of levels out and the slot there.

use crate::source::{Pos, Span};
use crate::symbol::Symbol;
use crate::syntax::ast::Operator;
use crate::value::Value;

/// An expression, 16 bytes.
#[derive(Debug, Clone, Copy)]
pub enum Expr {
    /// A value that is known.
    Const(Value),
    /// A slot of the innermost environment.
    Local(u32),
    /// A slot of an outer environment.
    Variable {
        /// Levels out.
        depth: u32,
        /// The slot there.
        slot: u32,
    },
    /// A variable that is all of a binding, as in `a = b;`: it knows its place, for errors.
    Reference(&'static Reference),
    /// A name that only a `with` can define.
    Dynamic(&'static Dynamic),
    /// `e.a`
    Select(&'static Select),
    /// `e ? a`
    HasAttr(&'static HasAttr),
    /// `x: e`
    Lambda(&'static Lambda),
    /// `f x`
    Call(&'static Call),
    /// `if c then a else b`
    If(&'static If),
    /// `assert c; e`
    Assert(&'static Assert),
    /// `with s; e`
    With(&'static With),
    /// `let … in e`
    Let(&'static Let),
    /// `[ a b ]`
    List(&'static ListCode),
    /// `{ a = b; }`
    Attrs(&'static AttrsCode),
    /// `!e`
    Not(&'static Unary),
    /// `-e`
    Negate(&'static Unary),
    /// `a + b`
    Binary(&'static Binary),
    /// `a && b`, `a || b`, `a -> b`
    Logical(&'static Binary),
    /// `"a${b}"`
    Interpolate(&'static Interpolate),
    /// `<x>`
    SearchPath(&'static SearchPath),
}

/// A variable with its place.
#[derive(Debug)]
pub struct Reference {
    /// Levels out.
    pub depth: u32,
    /// The slot there.
    pub slot: u32,
    /// Where it is.
    pub span: Span,
}

/// A name that only a `with` can define.
#[derive(Debug)]
pub struct Dynamic {
    /// The name.
    pub name: Symbol,
    /// The levels out of the `with`s around it, innermost first.
    pub depths: &'static [u32],
    /// Where it is.
    pub span: Span,
}

/// One name of an attribute path.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// Known.
    Static(Symbol),
    /// Computed.
    Dynamic(Expr),
}

/// `e.a.b or d`
#[derive(Debug)]
pub struct Select {
    /// What is selected from.
    pub subject: Expr,
    /// The names.
    pub path: &'static [(Name, Span)],
    /// What to give when an attribute is missing.
    pub default: Option<Expr>,
    /// Whether it may be evaluated ahead.
    pub simple: bool,
    /// Where it is.
    pub span: Span,
}

/// `e ? a.b`
#[derive(Debug)]
pub struct HasAttr {
    /// What is asked.
    pub subject: Expr,
    /// The names.
    pub path: &'static [(Name, Span)],
    /// Where it is.
    pub span: Span,
}

/// A function.
#[derive(Debug)]
pub struct Lambda {
    /// Where it starts.
    pub start: Pos,
    /// The name it was bound to first, for traces.
    pub name: Option<Symbol>,
    /// What it takes.
    pub parameters: Parameters,
    /// What it gives.
    pub body: Expr,
    /// The parameters that the body forces before anything else, in order: they need no thunk.
    pub forced: &'static [u32],
    /// Where its argument is named.
    pub span: Span,
}

/// What a function takes.
#[derive(Debug)]
pub enum Parameters {
    /// `a: b: …`: so many arguments, each in its slot.
    Names(usize),
    /// A set pattern.
    Set(Formals),
}

impl Parameters {
    /// How many arguments it takes before its body runs.
    #[must_use]
    pub fn arity(&self) -> usize {
        match self {
            Self::Names(count) => *count,
            Self::Set(_) => 1,
        }
    }
}

/// A set pattern. The slots: the whole set if it is named, then the formals in order.
#[derive(Debug)]
pub struct Formals {
    /// The names, sorted by symbol.
    pub formals: &'static [Formal],
    /// Whether other attributes are allowed.
    pub open: bool,
    /// Whether the whole set is named.
    pub whole: bool,
    /// The name of the whole set.
    pub whole_name: Option<Symbol>,
}

/// One name in a set pattern.
#[derive(Debug, Clone, Copy)]
pub struct Formal {
    /// The name.
    pub name: Symbol,
    /// Where it is.
    pub span: Span,
    /// Its default.
    pub default: Option<Expr>,
}

/// `f x y`
#[derive(Debug)]
pub struct Call {
    /// The function.
    pub function: Expr,
    /// The arguments, one or more.
    pub arguments: &'static [Expr],
    /// Where it is.
    pub span: Span,
    /// Where the function is.
    pub function_span: Span,
}

/// `if c then a else b`
#[derive(Debug)]
pub struct If {
    /// The condition.
    pub condition: Expr,
    /// Where the condition is.
    pub span: Span,
    /// When it is true.
    pub yes: Expr,
    /// When it is false.
    pub no: Expr,
}

/// `assert c; e`
#[derive(Debug)]
pub struct Assert {
    /// The condition.
    pub condition: Expr,
    /// Where the condition is.
    pub span: Span,
    /// The value.
    pub body: Expr,
}

/// `with s; e`
#[derive(Debug)]
pub struct With {
    /// The set.
    pub set: Expr,
    /// The value.
    pub body: Expr,
}

/// `let … in e`
#[derive(Debug)]
pub struct Let {
    /// The bindings.
    pub bindings: Bindings,
    /// The value.
    pub body: Expr,
}

/// Bindings that see each other. The slots: sources, then items.
#[derive(Debug, Clone, Copy)]
pub struct Bindings {
    /// The `e` of each `inherit (e) …`.
    pub sources: &'static [Expr],
    /// The values, sorted by the symbol of their names.
    pub items: &'static [Item],
}

/// One binding.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// The name.
    pub name: Symbol,
    /// Where the name is.
    pub pos: Pos,
    /// The value's code.
    pub value: Expr,
    /// Whether the code belongs to the environment around the bindings: `inherit x;`.
    pub outer: bool,
}

/// `[ a b ]`
#[derive(Debug)]
pub struct ListCode {
    /// The elements.
    pub items: &'static [Expr],
}

/// `{ a = b; }`
#[derive(Debug)]
pub struct AttrsCode {
    /// Whether the bindings see each other.
    pub recursive: bool,
    /// The bindings with known names.
    pub bindings: Bindings,
    /// Names and values of the others.
    pub dynamic: &'static [DynamicAttr],
    /// The slot of `__overrides`, in a recursive set that has it.
    pub overrides: Option<u32>,
}

/// `${a} = b;`
#[derive(Debug)]
pub struct DynamicAttr {
    /// The name.
    pub name: Expr,
    /// Where the name is.
    pub span: Span,
    /// The place that `builtins.unsafeGetAttrPos` gives: that of `${`, if there is one.
    pub pos: Pos,
    /// The value.
    pub value: Expr,
}

/// An operator with one operand.
#[derive(Debug)]
pub struct Unary {
    /// The operand.
    pub operand: Expr,
    /// Where it is.
    pub span: Span,
}

/// An operator with two operands.
#[derive(Debug)]
pub struct Binary {
    /// Which.
    pub operator: Operator,
    /// The operands, in the order of evaluation.
    pub left: Expr,
    /// The other.
    pub right: Expr,
    /// Whether it may be evaluated ahead.
    pub simple: bool,
    /// Where all of it is.
    pub span: Span,
    /// Where the left operand is.
    pub left_span: Span,
    /// Where the right operand is.
    pub right_span: Span,
}

/// A string or path with interpolations.
#[derive(Debug)]
pub struct Interpolate {
    /// The parts.
    pub parts: &'static [(Expr, Span)],
    /// Whether it is a path; then the first part is one.
    pub path: bool,
    /// Where it is.
    pub span: Span,
}

/// `<x>`
#[derive(Debug)]
pub struct SearchPath {
    /// What is searched for.
    pub name: &'static [u8],
    /// Where it is.
    pub span: Span,
}

/// Code with more steps is not evaluated ahead: trying in vain would cost too much.
const SIMPLE_STEPS: usize = 6;

impl Expr {
    /// How many steps evaluating this ahead takes; `None` when it cannot be done.
    #[must_use]
    pub fn simple_steps(&self) -> Option<usize> {
        match self {
            Self::Const(_) | Self::Local(_) | Self::Variable { .. } => Some(1),
            Self::Select(code) if code.simple => Some(code.subject.simple_steps()? + code.path.len()),
            Self::Binary(code) if code.simple => Some(1 + code.left.simple_steps()? + code.right.simple_steps()?),
            _ => None,
        }
    }

    /// Whether selecting these names from this may be done ahead.
    #[must_use]
    pub fn simple_to_select(&self, path: &[(Name, Span)]) -> bool {
        let known = path.iter().all(|(name, _)| matches!(name, Name::Static(_)));
        known && self.simple_steps().is_some_and(|steps| steps + path.len() <= SIMPLE_STEPS)
    }

    /// Whether an operation on these may be done ahead.
    #[must_use]
    pub fn simple_operands(left: &Self, right: &Self) -> bool {
        let steps = left.simple_steps().zip(right.simple_steps());
        steps.is_some_and(|(left, right)| left + right < SIMPLE_STEPS)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_expression_is_small() {
        assert_eq!(size_of::<super::Expr>(), 16);
        assert_eq!(size_of::<crate::diagnostic::Result<super::Value>>(), 16);
    }
}
