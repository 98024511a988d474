//! The rules: stable codes, titles, and explanations for `larder help CODE`.

/// Makes the enumeration of a tool's rules: their numbers, what they find in a few words, and why that should be otherwise.
#[macro_export]
macro_rules! rules {
    ($(#[$about:meta])* pub enum $rule:ident; $($name:ident = $number:literal, $title:literal, $explanation:literal;)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $rule { $(#[doc = $title] $name,)* }

        impl $rule {
            /// All rules, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number: a letter and four digits.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self { $(Self::$name => $number),* }
            }

            /// What it finds, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// Why that should be otherwise.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation),* }
            }
        }
    };
}

rules! {
    /// A rule of lint. Numbers are stable: they are never given to another rule.
    pub enum Rule;

    UnusedBinding = "L0001", "a `let` binding is never used",
        "Nothing refers to the name, or only its own value does:\n\n    let a = 1; b = 2; in b\n\nRemove `a`, or call it `_a` if it shall stay.";
    UnusedArgument = "L0002", "an argument is never used",
        "The body does not mention the argument:\n\n    x: 1\n\nAn argument that is not used begins with `_`: `_: 1` or `_x: 1`.";
    UnusedFormal = "L0003", "a name of a set pattern is never used",
        "The function asks for an attribute and does not use it:\n\n    { lib, stdenv }: stdenv\n\nRemove `lib` (callers that pass it then need `...`), or call it\notherwise. Names that begin with `_` are left alone.";
    UnusedWhole = "L0004", "the name of a whole argument is never used",
        "    { a, ... } @ args: a\n\nNothing refers to `args`: remove it.";
    Shadowing = "L0005", "a name hides another one",
        "    let x = 1; f = x: x + 1; in f x\n\nInside `f` the outer `x` cannot be reached, and a reader must look twice. Give one of\nthem another name. Names of set patterns may repeat those of patterns around them.";
    ShadowedBuiltin = "L0006", "a name hides a builtin",
        "    let map = x: x; in map 1\n\nReaders take `map` for the builtin. Give it another name.";
    UrlLiteral = "L0010", "a URL without quotes",
        "    src = https://example.org/x.tar;\n\nURLs without quotes are deprecated: with `x:y` one easily writes a string in place of\na function. --fix adds the quotes.";
    LetBody = "L0011", "the old form `let { body = …; }`",
        "    let { a = 1; body = a; }\n\nis deprecated and means `(rec { a = 1; body = a; }).body`; --fix writes that. Better:\n`let a = 1; in a`.";
    DeprecatedBuiltin = "L0012", "a deprecated builtin",
        "`toPath` does nothing that `./. + x` does not; `isNull x` is `x == null`.";
    UnderscoreBuiltin = "L0013", "a builtin by its internal name",
        "`__head` is `builtins.head`; the names with `__` are internal. --fix writes `builtins.`.";
    WholeFileWith = "L0014", "a `with` around the whole file",
        "    { pkgs }: with pkgs; { … }\n\nhides for all names of the file where they come from, also from tools, and a misspelt\nname is found only when it is evaluated. Use `inherit (pkgs) a b;` in a `let`, or a\n`with` around a short list.";
    UnusedRec = "L0020", "a `rec` that nothing needs",
        "    rec { a = 1; b = 2; }\n\nNo attribute refers to another one. --fix removes `rec`.";
    UnusedWith = "L0021", "a `with` that nothing needs",
        "    with lib; 1 + 2\n\nAll names behind it are defined otherwise, so it has no effect. --fix removes it.";
    EmptyLet = "L0022", "a `let` without bindings",
        "    let in x\n\nis `x`. --fix writes that.";
    EmptyInherit = "L0023", "an `inherit` without names",
        "    { inherit (x); }\n\ngives nothing. --fix removes it.";
    ManualInherit = "L0024", "a binding that `inherit` says shorter",
        "    { a = a; b = x.b; }\n\nis `{ inherit a; inherit (x) b; }`. --fix writes that.";
    RedundantParentheses = "L0025", "parentheses that nothing needs",
        "    a = (x + 1);  [ (y) ]\n\n--fix removes them.";
    LiteralInterpolation = "L0026", "a plain name that is interpolated",
        "    x.${\"a\"}\n\nis `x.a`. --fix writes that.";
    QuotedName = "L0027", "quotes that a name does not need",
        "    { \"a\" = 1; }\n\nis `{ a = 1; }`. --fix writes that.";
    BooleanIf = "L0028", "an `if` that gives its own condition",
        "    if a == b then true else false\n\nis `a == b`. --fix writes that where the condition is certain to be a boolean.";
    BooleanComparison = "L0029", "a comparison with `true` or `false`",
        "    x == true\n\nis `x`, and `x == false` is `!x`, if `x` is a boolean.";
    StringOfString = "L0030", "`toString` of a string",
        "    toString \"a\"\n\nis `\"a\"`. --fix writes that.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_own_number_and_an_explanation() {
        assert!(Rule::ALL.iter().map(|rule| rule.number()).is_sorted_by(|a, b| a < b));
        for rule in Rule::ALL {
            assert!(rule.number().starts_with('L') && rule.number().len() == 5, "{rule:?}");
            assert!(rule.explanation().len() > 30, "{rule:?}");
        }
    }
}
