//! Nodes of the syntax tree with accessors for their parts.
//!
//! A typed node is an [`Element`] of a known kind. In texts with errors any part may be missing, so all accessors give an
//! `Option` or an iterator.
//!
//! ```
//! use eval::syntax::{ParseOptions, parse_tree, typed::{Binding, Let}};
//! let parsed = parse_tree(b"let a = 1; in a", ParseOptions::default());
//! let body = parsed.tree().root().children().find_map(Let::cast).unwrap();
//! let names: Vec<_> = body.entries().filter_map(Binding::cast).map(|binding| binding.path().unwrap().0.text()).collect();
//! assert_eq!(names, [b"a"]);
//! ```

use super::kind::Kind;
use super::tree::Element;

macro_rules! typed {
    ($($(#[doc = $doc:literal])* $name:ident = $($kind:ident)|+ { $($body:tt)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name<'t>(pub Element<'t>);

        impl<'t> $name<'t> {
            /// The element as this, if it is one.
            #[must_use]
            pub fn cast(element: Element<'t>) -> Option<Self> {
                matches!(element.kind(), $(Kind::$kind)|+).then_some(Self(element))
            }

            $($body)*
        }
    )*};
}

/// The nth expression of a node.
fn expression(node: Element<'_>, index: usize) -> Option<Element<'_>> {
    node.expressions().nth(index)
}

/// The first expression behind a keyword or symbol of the node.
fn expression_after<'t>(node: Element<'t>, token: &str) -> Option<Element<'t>> {
    node.elements().skip_while(|element| !element.is(token)).find(|element| element.kind().is_expression())
}

/// The first expression before a keyword or symbol of the node.
fn expression_before<'t>(node: Element<'t>, token: &str) -> Option<Element<'t>> {
    node.elements().take_while(|element| !element.is(token)).find(|element| element.kind().is_expression())
}

/// The bindings of a set or `let`.
fn entries(node: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    node.elements().filter(|element| matches!(element.kind(), Kind::Binding | Kind::Inherit))
}

fn is_attr_name(element: &Element<'_>) -> bool {
    matches!(element.kind(), Kind::Name | Kind::String | Kind::Interpolation)
}

typed! {
    /// `e.a.b or d`
    Select = Select {
        /// The `e`.
        #[must_use]
        pub fn subject(self) -> Option<Element<'t>> {
            expression_before(self.0, ".")
        }

        /// The `a.b`.
        #[must_use]
        pub fn path(self) -> Option<AttrPath<'t>> {
            self.0.elements().find_map(AttrPath::cast)
        }

        /// The `d`.
        #[must_use]
        pub fn default(self) -> Option<Element<'t>> {
            expression_after(self.0, "or")
        }
    }

    /// `e ? a.b`
    HasAttr = HasAttr {
        /// The `e`.
        #[must_use]
        pub fn subject(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }

        /// The `a.b`.
        #[must_use]
        pub fn path(self) -> Option<AttrPath<'t>> {
            self.0.elements().find_map(AttrPath::cast)
        }
    }

    /// `x: e`, `{ a, b ? d, ... } @ x: e`
    Lambda = Lambda {
        /// The `x` of `x: e`.
        #[must_use]
        pub fn name(self) -> Option<Element<'t>> {
            self.0.child(Kind::Name)
        }

        /// The `{ … } @ x`.
        #[must_use]
        pub fn pattern(self) -> Option<Pattern<'t>> {
            self.0.elements().find_map(Pattern::cast)
        }

        /// The `e`.
        #[must_use]
        pub fn body(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }
    }

    /// `{ a, b ? d, ... } @ x`
    Pattern = Pattern {
        /// The `a` and `b ? d`.
        pub fn formals(self) -> impl Iterator<Item = Formal<'t>> {
            self.0.elements().filter_map(Formal::cast)
        }

        /// The `x`.
        #[must_use]
        pub fn whole(self) -> Option<Element<'t>> {
            self.0.child(Kind::Name)
        }

        /// Whether there is a `...`.
        #[must_use]
        pub fn is_open(self) -> bool {
            self.0.token("...").is_some()
        }
    }

    /// `a`, `a ? d`
    Formal = Formal {
        /// The `a`.
        #[must_use]
        pub fn name(self) -> Option<Element<'t>> {
            self.0.child(Kind::Name)
        }

        /// The `d`.
        #[must_use]
        pub fn default(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }
    }

    /// `f x y`
    Call = Call {
        /// The `f`.
        #[must_use]
        pub fn function(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }

        /// The `x` and `y`.
        pub fn arguments(self) -> impl Iterator<Item = Element<'t>> {
            self.0.expressions().skip(1)
        }
    }

    /// `if c then a else b`
    If = If {
        /// The `c`.
        #[must_use]
        pub fn condition(self) -> Option<Element<'t>> {
            expression_after(self.0, "if")
        }

        /// The `a`.
        #[must_use]
        pub fn then_branch(self) -> Option<Element<'t>> {
            expression_after(self.0, "then")
        }

        /// The `b`.
        #[must_use]
        pub fn else_branch(self) -> Option<Element<'t>> {
            expression_after(self.0, "else")
        }
    }

    /// `assert c; e`
    Assert = Assert {
        /// The `c`.
        #[must_use]
        pub fn condition(self) -> Option<Element<'t>> {
            expression_before(self.0, ";")
        }

        /// The `e`.
        #[must_use]
        pub fn body(self) -> Option<Element<'t>> {
            expression_after(self.0, ";")
        }
    }

    /// `with s; e`
    With = With {
        /// The `s`.
        #[must_use]
        pub fn scope(self) -> Option<Element<'t>> {
            expression_before(self.0, ";")
        }

        /// The `e`.
        #[must_use]
        pub fn body(self) -> Option<Element<'t>> {
            expression_after(self.0, ";")
        }
    }

    /// `let … in e`
    Let = Let {
        /// The bindings: each a [`Binding`] or [`Inherit`].
        pub fn entries(self) -> impl Iterator<Item = Element<'t>> {
            entries(self.0)
        }

        /// The `e`.
        #[must_use]
        pub fn body(self) -> Option<Element<'t>> {
            expression_after(self.0, "in")
        }
    }

    /// `{ … }`, `rec { … }`, `let { … }`
    AttrSet = AttrSet | LetBody {
        /// Whether its bindings see each other.
        #[must_use]
        pub fn is_recursive(self) -> bool {
            self.0.token("rec").is_some() || self.0.kind() == Kind::LetBody
        }

        /// The bindings: each a [`Binding`] or [`Inherit`].
        pub fn entries(self) -> impl Iterator<Item = Element<'t>> {
            entries(self.0)
        }
    }

    /// `a.b = e;`
    Binding = Binding {
        /// The `a.b`.
        #[must_use]
        pub fn path(self) -> Option<AttrPath<'t>> {
            self.0.elements().find_map(AttrPath::cast)
        }

        /// The `e`.
        #[must_use]
        pub fn value(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }
    }

    /// `inherit (e) a b;`
    Inherit = Inherit {
        /// The `e`.
        #[must_use]
        pub fn source(self) -> Option<Element<'t>> {
            expression(self.0.child(Kind::InheritFrom)?, 0)
        }

        /// The `a` and `b`: each a [`Kind::Name`] or [`Kind::String`].
        pub fn names(self) -> impl Iterator<Item = Element<'t>> {
            self.0.elements().filter(is_attr_name)
        }
    }

    /// `a."b".${e}`
    AttrPath = AttrPath {
        /// The names: each a [`Kind::Name`], [`Kind::String`] or [`Kind::Interpolation`].
        pub fn names(self) -> impl Iterator<Item = Element<'t>> {
            self.0.elements().filter(is_attr_name)
        }
    }

    /// `a + b`
    Binary = Binary {
        /// The `a`.
        #[must_use]
        pub fn left(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }

        /// The `+`.
        #[must_use]
        pub fn operator(self) -> Option<Element<'t>> {
            self.0.child(Kind::Symbol)
        }

        /// The `b`.
        #[must_use]
        pub fn right(self) -> Option<Element<'t>> {
            expression(self.0, 1)
        }
    }

    /// `!e`, `-e`
    Unary = Unary {
        /// The `!` or `-`.
        #[must_use]
        pub fn operator(self) -> Option<Element<'t>> {
            self.0.child(Kind::Symbol)
        }

        /// The `e`.
        #[must_use]
        pub fn operand(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }
    }

    /// `(e)`, `${e}`
    Enclosed = Paren | Interpolation {
        /// The `e`.
        #[must_use]
        pub fn inner(self) -> Option<Element<'t>> {
            expression(self.0, 0)
        }
    }

    /// `[ a b ]`
    List = List {
        /// The `a` and `b`.
        pub fn items(self) -> impl Iterator<Item = Element<'t>> {
            self.0.expressions()
        }
    }

    /// `"a${e}"`, `''a${e}''`, `./a/${e}`
    Text = String | IndentedString | Path {
        /// What stands between the quotes: [`Kind::StringText`] or [`Kind::PathText`], and [`Kind::Interpolation`].
        pub fn parts(self) -> impl Iterator<Item = Element<'t>> {
            self.0.elements().filter(|part| matches!(part.kind(), Kind::StringText | Kind::PathText | Kind::Interpolation))
        }
    }
}
