//! The kinds of things that can be wrong, by stable number.

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $title:literal;)*) => {
        /// What kind of thing is wrong. Numbers are stable: they are never given to another kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
            /// What a rule of lint finds.
            Lint(crate::lint::Rule),
        }

        impl Code {
            /// All codes of errors, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number, as `E0101`.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self { $(Self::$name => $number,)* Self::Lint(rule) => rule.number() }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* Self::Lint(rule) => rule.title() }
            }
        }
    };
}

codes! {
    Syntax = "E0001", "the text does not follow the grammar";
    Unclosed = "E0002", "a bracket, string or comment is not closed";
    TooDeep = "E0003", "the text nests too deeply";
    DuplicateName = "E0004", "a name is defined twice";
    UndefinedVariable = "E0005", "a variable is not defined";
    TooLarge = "E0006", "the source texts are too large";
    MissingAttribute = "E0101", "a set lacks an attribute";
    WrongType = "E0102", "a value has the wrong type";
    NotAFunction = "E0103", "something that is not a function is called";
    MissingArgument = "E0104", "a function is called without a required argument";
    UnexpectedArgument = "E0105", "a function is called with an argument it does not take";
    InfiniteRecursion = "E0106", "a value depends on itself";
    TooManyCalls = "E0107", "function calls nest too deeply";
    AssertionFailed = "E0108", "an assertion is false";
    Thrown = "E0109", "the program threw an error";
    Aborted = "E0110", "the program aborted";
    Coercion = "E0111", "a value cannot be turned into a string";
    Arithmetic = "E0112", "an integer overflows or is divided by zero";
    BadArgument = "E0113", "a builtin function does not accept this argument";
    Impure = "E0114", "something outside the recipe is asked for in pure evaluation";
    Unavailable = "E0115", "a function of Nix that larder does not have";
    DivisionByZero = "E0116", "a number is divided by zero";
    MemoryLimit = "E0117", "evaluation takes more memory than it may";
    File = "E0201", "a file cannot be read";
    Derivation = "E0202", "a derivation makes no sense";
    Context = "E0203", "a string mentions store objects where it may not";
    Realise = "E0204", "a derivation could not be built during evaluation";
    Selection = "E0301", "an attribute path does not lead to a value";
    Internal = "E0901", "larder could not start evaluation";
    Interrupted = "E0902", "the evaluation was interrupted";
    Warned = "W0001", "the program warns of something";
    UrlLiteral = "W0002", "a URL is written without quotes";
}

impl Code {
    /// Whether `builtins.tryEval` catches it: what the program itself raised, and nothing else.
    #[must_use]
    pub const fn catchable(self) -> bool {
        matches!(self, Self::Thrown | Self::AssertionFailed | Self::Impure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique() {
        let mut numbers: Vec<_> = Code::ALL.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
    }
}
