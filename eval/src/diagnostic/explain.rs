//! What each code means, with an example of what is wrong and what would be right.

use super::Code;

/// An explanation of a code.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// What it means and what to do, in a few lines.
    pub text: &'static str,
    /// A program that gives the error; empty if none is small enough.
    pub wrong: &'static str,
    /// The same program as it would be right.
    pub right: &'static str,
}

const fn explained(text: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation { text, wrong, right }
}

impl Code {
    /// What it means, with an example.
    #[must_use]
    pub fn explanation(self) -> Explanation {
        match self {
            Self::Lint(rule) => explained(rule.explanation(), "", ""),
            Self::Syntax => explained(
                "The text cannot be read as an expression. The excerpt points at the first thing that does not fit; what\n\
                 is wrong is mostly just before it: a missing `;` after a binding, a missing operand, a bracket too many.\n\
                 The reader goes on after the next `;`, so several errors of one file are reported at once.",
                "{ a = 1 b = 2; }",
                "{ a = 1; b = 2; }",
            ),
            Self::Unclosed => explained(
                "Something was opened and the file ended before it was closed. The excerpt points at where it was opened.\n\
                 Often the closing bracket is there but a quote or comment before it swallows it.",
                "[ 1 2",
                "[ 1 2 ]",
            ),
            Self::TooDeep => explained(
                "Brackets, or expressions of another kind, nest more than 10,000 deep. Texts that a program made do that:\n\
                 have it write a list and fold it instead.",
                "",
                "",
            ),
            Self::DuplicateName => explained(
                "A name is bound twice in one set, `let` or argument list, and neither is a set that could be merged with\n\
                 the other (`a.b = 1; a.c = 2;` can be).",
                "{ a = 1; a = 2; }",
                "{ a = 1; b = 2; }",
            ),
            Self::UndefinedVariable => explained(
                "A variable is neither defined around the place where it is used, nor builtin, nor in the set of a `with`.\n\
                 Builtin functions are mostly in `builtins`: `builtins.length`, not `length`. What a `with` offers is only\n\
                 known during evaluation; all other undefined variables of a file are reported before that.",
                "let version = \"1\"; in \"x-${verson}\"",
                "let version = \"1\"; in \"x-${version}\"",
            ),
            Self::TooLarge => explained("All texts of one evaluation together may have 4 GiB.", "", ""),
            Self::MissingAttribute => explained(
                "An attribute is selected that the set does not have. The hint names attributes that are spelt alike, or\n\
                 what the set has. Where the attribute may be missing, give a default: `set.a or default`.",
                "let set = { name = 1; }; in set.nam",
                "let set = { name = 1; }; in set.name",
            ),
            Self::WrongType => explained(
                "An operator, a builtin function or a construct was given a value of a type it cannot work with. The label\n\
                 says what the value is; nothing is converted silently.",
                "1 + \"2\"",
                "1 + 2",
            ),
            Self::NotAFunction => explained(
                "A value that is no function is followed by what looks like an argument. In lists, calls need brackets:\n\
                 `[ (f x) ]`. In sets, a missing `;` makes the next name an argument. Or the function got one argument too many.",
                "let f = x: x + 1; in f 1 2",
                "let f = x: y: x + y; in f 1 2",
            ),
            Self::MissingArgument => explained(
                "A function that takes a set, `{ a, b ? 1 }: …`, was called with a set that lacks an attribute which has no\n\
                 default. Give it, or give it a default in the function.",
                "({ a, b }: a) { a = 1; }",
                "({ a, b ? 2 }: a) { a = 1; }",
            ),
            Self::UnexpectedArgument => explained(
                "A function that takes a set was called with a set that has an attribute which the function does not name.\n\
                 Mostly it is misspelt. A function that should take any further attributes ends its list with `...`.",
                "({ version }: version) { version = 1; verzion = 2; }",
                "({ version, ... }: version) { version = 1; more = 2; }",
            ),
            Self::InfiniteRecursion => explained(
                "To compute a value, the value itself is needed. The trace shows the steps from the value back to itself;\n\
                 one of them must not need the next. In `rec` sets and `let`, a name on the right side is the one just being\n\
                 defined, also if one outside has the same name.",
                "let x = 1; in let x = x + 1; in x",
                "let x = 1; in let y = x + 1; in y",
            ),
            Self::TooManyCalls => explained(
                "Function calls nest too deeply: a recursion has no end, or is deeper than evaluation allows. Long lists are\n\
                 folded without deep calls by `builtins.foldl'`.",
                "let f = n: 1 + f (n + 1); in f 0",
                "let f = n: if n > 100 then 0 else 1 + f (n + 1); in f 0",
            ),
            Self::AssertionFailed => explained(
                "The condition of an `assert` is false. If it compares, the values are shown. `builtins.tryEval` catches it.",
                "let x = 1; in assert x == 2; x",
                "let x = 2; in assert x == 2; x",
            ),
            Self::Thrown => explained(
                "The program itself found something wrong and called `throw`. The text after the code is its own. If that\n\
                 happened in a library, the first excerpt is the user's call. `builtins.tryEval` catches it.",
                "throw \"unsupported\"",
                "(builtins.tryEval (throw \"unsupported\")).success",
            ),
            Self::Aborted => explained(
                "The program called `abort`: as `throw`, but nothing catches it.",
                "abort \"cannot happen\"",
                "\"did not happen\"",
            ),
            Self::Coercion => explained(
                "Where a string is needed, only strings and paths are taken, and sets that have `outPath` (derivations) or\n\
                 `__toString`. Numbers need `toString`. Lists are joined with `builtins.concatStringsSep`.",
                "\"port ${80}\"",
                "\"port ${toString 80}\"",
            ),
            Self::Arithmetic => explained(
                "Integers have 64 bits. What does not fit is an error and does not wrap around.",
                "9223372036854775807 + 1",
                "9223372036854775807 + 1.0",
            ),
            Self::BadArgument => explained(
                "A builtin function was given an argument of the right type which it cannot use: an index out of bounds, a\n\
                 regular expression or a text that is malformed.",
                "builtins.elemAt [ 1 2 ] 2",
                "builtins.elemAt [ 1 2 ] 1",
            ),
            Self::Impure => explained(
                "Evaluation is pure: its result depends on files only. The search path (`<x>`) and the home directory (`~/x`)\n\
                 are there only with `--impure`.",
                "<nixpkgs>",
                "./nixpkgs",
            ),
            Self::Unavailable => explained(
                "Nix has this function and larder does not, because it reaches the network during evaluation or belongs to\n\
                 what larder does otherwise. Files are fetched by derivations: `builder = \"builtin:fetch\"`.",
                "builtins.getFlake \"x\"",
                "derivation { name = \"x\"; system = \"any\"; builder = \"builtin:fetch\"; urls = \"…\"; outputHash = \"…\"; } // { }",
            ),
            Self::DivisionByZero => explained("A number is divided by zero.", "1 / 0", "1 / 2"),
            Self::MemoryLimit => explained(
                "Evaluation was given a limit of memory and came to it. A recursion without end does that, and one over very\n\
                 long lists; if neither is meant, raise the limit.",
                "",
                "",
            ),
            Self::File => explained(
                "A file does not exist or cannot be read. Paths without quotes are relative to the file they stand in.",
                "import ./no_such_file.nix",
                "builtins.pathExists ./no_such_file.nix",
            ),
            Self::Derivation => explained(
                "A derivation needs `name`, `system` and `builder`, and names of outputs that can be file names.",
                "(derivation { name = \"x\"; system = \"any\"; }).drvPath",
                "(derivation { name = \"x\"; system = \"any\"; builder = \"/b\"; }).name",
            ),
            Self::Context => explained(
                "A string that mentions outputs of derivations stands where only a plain string can: as the name of an\n\
                 attribute, in a path, in a file made by `toFile`.",
                "let d = derivation { name = \"x\"; system = \"any\"; builder = \"/b\"; }; in { ${d.outPath} = 1; }",
                "let d = derivation { name = \"x\"; system = \"any\"; builder = \"/b\"; }; in { ${d.name} = 1; }",
            ),
            Self::Realise => explained(
                "Evaluation needed the output of a derivation (`import` of it, or reading a file in it), and building failed or\n\
                 is not allowed. `larder log` shows what the build said.",
                "",
                "",
            ),
            Self::Selection => explained(
                "The attribute path of the command line, behind `#` or after `--attr`, leads nowhere. Its parts are separated\n\
                 by dots; a part with a dot in it needs quotes: `a.\"b.c\"`.",
                "",
                "",
            ),
            Self::Warned => explained(
                "The program called `builtins.warn`. Evaluation goes on.",
                "builtins.warn \"version 1 is old\" 1",
                "1",
            ),
            Self::UrlLiteral => explained(
                "A URL without quotes is a string, for reasons of history. It cannot be told from a function by who reads it:\n\
                 `x:x` is a URL, `x: x` a function. Evaluation goes on.",
                "https://example.org",
                "\"https://example.org\"",
            ),
            Self::Interrupted => explained("Somebody asked evaluation to stop before it had a result.", "", ""),
            Self::Internal => explained("The operating system gave no thread or memory to evaluate in.", "", ""),
        }
    }
}
