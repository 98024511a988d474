//! Interned names: every attribute and variable name is a number, so that look-up never hashes.
//!
//! The table only grows. A symbol's text is read without a lock; interning takes one.

use crate::value::Text;
use rustc_hash::FxHashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

/// An interned name. Its number depends on the order of interning, so it never decides anything a user sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

const FIRST_BUCKET_BITS: u32 = 10;
const BUCKETS: usize = (32 - FIRST_BUCKET_BITS) as usize;

type Bucket = OnceLock<Box<[OnceLock<Text>]>>;

/// The table of all names of a session.
#[derive(Debug)]
pub struct Symbols {
    numbers: RwLock<FxHashMap<&'static [u8], Symbol>>,
    /// Bucket `k` holds `2^(k + 10)` texts, so that no text ever moves.
    buckets: [Bucket; BUCKETS],
}

macro_rules! well_known {
    ($($constant:ident = $text:literal),* $(,)?) => {
        /// Names the evaluator itself mentions, interned first so that they are constants.
        pub mod names {
            use super::Symbol;
            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "numbers the constants below")]
            #[repr(u32)]
            enum Number { $($constant),* }
            $(#[doc = concat!("`", $text, "`")] pub const $constant: Symbol = Symbol(Number::$constant as u32);)*
            pub(super) const WELL_KNOWN: &[&str] = &[$($text),*];
        }
    };
}

well_known! {
    OUT_PATH = "outPath", DRV_PATH = "drvPath", TYPE = "type", NAME = "name", SYSTEM = "system", BUILDER = "builder",
    ARGS = "args", OUTPUTS = "outputs", OUTPUT_HASH = "outputHash", OUTPUT_HASH_ALGO = "outputHashAlgo",
    OUTPUT_HASH_MODE = "outputHashMode", ROOT = "root", OVERRIDE = "override", RUNTIME = "runtime", VALUE = "value",
    SUCCESS = "success", RIGHT = "right", WRONG = "wrong", FUNCTOR = "__functor", TO_STRING = "__toString",
    STRUCTURED_ATTRS = "__structuredAttrs", IGNORE_NULLS = "__ignoreNulls", OVERRIDES = "__overrides", BODY = "body", OR = "or",
    BUILTINS = "builtins", CUR_POS = "__curPos", FILE = "file", LINE = "line", COLUMN = "column", KEY = "key",
    START_SET = "startSet", OPERATOR = "operator", PATH = "path", FILTER = "filter", RECURSIVE = "recursive",
    SHA256 = "sha256", ALL_OUTPUTS = "allOutputs", ALL = "all", DRV_ATTRS = "drvAttrs", OUTPUT_NAME = "outputName",
    OUT = "out", VERSION = "version", PREFIX = "prefix", HASH = "hash", HASH_ALGO = "hashAlgo",
    TO_HASH_FORMAT = "toHashFormat", FUNCTION_ARGS = "__functionArgs", RECURSE = "recurseForDerivations",
    URL = "url",
    // Names that operators stand for; whoever binds one changes the operator. Side by side: see `is_operator`.
    SUB = "__sub", MUL = "__mul", DIV = "__div", LESS_THAN = "__lessThan", FIND_FILE = "__findFile",
    NIX_PATH = "__nixPath",
}

/// Whether an operator or a search path stands for a name: `-`, `*`, `/`, the comparisons, `<x>`.
pub(crate) fn is_operator(name: &str) -> bool {
    names::WELL_KNOWN[names::SUB.0 as usize..=names::NIX_PATH.0 as usize].contains(&name)
}

impl Symbol {
    /// Its number.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Whether an operator or a search path stands for this name.
    pub(crate) fn is_operator(self) -> bool {
        (names::SUB..=names::NIX_PATH).contains(&self)
    }
}

impl Default for Symbols {
    fn default() -> Self {
        let symbols = Self { numbers: RwLock::default(), buckets: [const { OnceLock::new() }; BUCKETS] };
        for text in names::WELL_KNOWN {
            symbols.intern(text.as_bytes());
        }
        symbols
    }
}

impl Symbols {
    /// The symbol of a name.
    pub fn intern(&self, text: &[u8]) -> Symbol {
        if let Some(symbol) = self.find(text) {
            return symbol;
        }
        self.add(Box::leak(text.into()))
    }

    /// The symbol of a name that is kept already, so that its bytes need no copy.
    pub(crate) fn intern_text(&self, text: Text) -> Symbol {
        self.find(text.bytes()).unwrap_or_else(|| self.add(text.bytes()))
    }

    /// The symbol of a name, if it was ever interned.
    pub fn find(&self, text: &[u8]) -> Option<Symbol> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner).get(text).copied()
    }

    /// The name as a string value without context.
    pub(crate) fn text(&self, symbol: Symbol) -> Text {
        let (bucket, index) = place(symbol.0);
        let text = self.buckets[bucket].get().and_then(|texts| texts[index].get());
        *text.expect("a symbol is handed out only after its text is set")
    }

    /// The bytes of a name.
    pub fn bytes(&self, symbol: Symbol) -> &'static [u8] {
        self.text(symbol).bytes()
    }

    /// The name for people: bytes that are not UTF-8 are replaced.
    pub fn display(&self, symbol: Symbol) -> String {
        String::from_utf8_lossy(self.bytes(symbol)).into_owned()
    }

    fn add(&self, bytes: &'static [u8]) -> Symbol {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&symbol) = numbers.get(bytes) {
            return symbol;
        }
        let number = u32::try_from(numbers.len()).expect("memory ends before 2^32 names");
        let (bucket, index) = place(number);
        let texts = self.buckets[bucket].get_or_init(|| {
            std::iter::repeat_with(OnceLock::new).take(1 << (bucket as u32 + FIRST_BUCKET_BITS)).collect()
        });
        texts[index].get_or_init(|| Text::leak(bytes));
        numbers.insert(bytes, Symbol(number));
        Symbol(number)
    }
}

/// Bucket and index of a symbol's text.
fn place(number: u32) -> (usize, usize) {
    let shifted = u64::from(number) + (1 << FIRST_BUCKET_BITS);
    let bucket = shifted.ilog2() - FIRST_BUCKET_BITS;
    (bucket as usize, (shifted - (1 << (bucket + FIRST_BUCKET_BITS))) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_have_their_numbers() {
        let symbols = Symbols::default();
        assert_eq!(symbols.find(b"outPath"), Some(names::OUT_PATH));
        assert_eq!(symbols.find(b"recurseForDerivations"), Some(names::RECURSE));
        assert_eq!(symbols.bytes(names::DRV_PATH), b"drvPath");
        for name in ["__sub", "__mul", "__div", "__lessThan", "__findFile", "__nixPath"] {
            assert!(is_operator(name) && symbols.find(name.as_bytes()).is_some_and(Symbol::is_operator), "{name}");
        }
        assert!(!is_operator("url") && !names::URL.is_operator());
    }

    #[test]
    fn many_names_keep_their_text() {
        let symbols = Symbols::default();
        let all: Vec<_> = (0..10_000).map(|n| symbols.intern(format!("name{n}").as_bytes())).collect();
        for (n, &symbol) in all.iter().enumerate() {
            assert_eq!(symbols.bytes(symbol), format!("name{n}").as_bytes());
            assert_eq!(symbols.intern(format!("name{n}").as_bytes()), symbol);
        }
    }
}
