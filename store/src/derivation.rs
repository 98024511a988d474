//! Derivations: build steps as data, and their canonical encoding.
//!
//! Encoding, version 1 (canonical JSON, see [`crate::canonical_json`]):
//!
//! ```text
//! { "args":     [string…],
//!   "builder":  string,                       path inside the composed root, or "builtin:NAME"
//!   "env":      { string: string… },
//!   "fixed":    { "hash": "sha256:…", "mode": "file" | "tree" },      only when the output is fixed
//!   "inputs":   [input…],                     what the strings mention; sorted, unique
//!   "name":     string,
//!   "outputs":  [string…],                    sorted, unique, not empty
//!   "override": [input…],                     owners that win a conflict in the root; each also in "root"
//!   "root":     [input…],                     trees composed to /
//!   "runtime":  [input…],                     declared run-time dependencies
//!   "system":   string,
//!   "version":  1 }
//! input = "<store path of a tree>" | "<store path of a derivation>!<output>"
//! ```
//!
//! Strings mention an output that is not known yet by its [`placeholder`], and a derivation's own outputs by
//! [`output_guest_path`]. The digest is BLAKE3 of the canonical bytes in the context `larder derivation v1`.

use crate::canonical_json::{self, Fields, Json, JsonError, Writer, field_error};
use crate::digest::{self, DerivationDigest};
use crate::file_hash::FileHash;
use crate::store_path::{ParseStorePathError, StoreName, StorePath};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

const CONTEXT: &str = "larder derivation v1";
const PLACEHOLDER_CONTEXT: &str = "larder placeholder v1";
const VERSION: i64 = 1;

/// Where outputs are created inside the sandbox: `/larder/out/<output>`.
pub const OUTPUT_DIR: &str = "/larder/out";

/// The name of an output: 1 to 64 letters, digits, `_` or `-`, starting with a letter or `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputName(String);

/// An output name that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an output name: 1 to 64 letters, digits, `_` or `-`, starting with a letter or `_`")]
pub struct ParseOutputNameError(String);

impl OutputName {
    /// The output called `out`, which every derivation has unless it says otherwise.
    #[must_use]
    pub fn out() -> Self {
        Self("out".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OutputName {
    type Err = ParseOutputNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if starts && rest && text.len() <= 64 {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseOutputNameError(text.escape_debug().to_string()))
        }
    }
}

/// One thing a derivation needs: a tree that is known, or an output of another derivation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// A tree in the store.
    Tree(StorePath),
    /// An output of a derivation.
    Output {
        /// The derivation's store path.
        derivation: StorePath,
        /// Which of its outputs.
        output: OutputName,
    },
}

impl Input {
    /// The store path of the tree or derivation.
    #[must_use]
    pub fn path(&self) -> &StorePath {
        match self {
            Self::Tree(path) | Self::Output { derivation: path, .. } => path,
        }
    }

    /// The text by which strings mention this input before it is realised.
    #[must_use]
    pub fn mention(&self) -> String {
        match self {
            Self::Tree(path) => path.to_string(),
            Self::Output { derivation, output } => placeholder(derivation, output),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(path) => path.fmt(f),
            Self::Output { derivation, output } => write!(f, "{derivation}!{output}"),
        }
    }
}

/// An input that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseInputError {
    /// Not a store path.
    #[error(transparent)]
    Path(#[from] ParseStorePathError),
    /// The output's name is malformed.
    #[error(transparent)]
    Output(#[from] ParseOutputNameError),
    /// A derivation without an output, or an output of a tree.
    #[error("`{0}`: a derivation is named with an output (`….drv!out`), a tree without")]
    Kind(String),
}

impl FromStr for Input {
    type Err = ParseInputError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, output) = match text.split_once('!') {
            Some((path, output)) => (path.parse::<StorePath>()?, Some(output.parse::<OutputName>()?)),
            None => (text.parse::<StorePath>()?, None),
        };
        match output {
            Some(output) if path.derivation().is_some() => Ok(Self::Output { derivation: path, output }),
            None if path.tree().is_some() => Ok(Self::Tree(path)),
            _ => Err(ParseInputError::Kind(text.to_owned())),
        }
    }
}

/// What of a fixed output is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashMode {
    /// The output is one file that is not executable; the hash is of its bytes.
    File,
    /// The output is any tree; the hash is its tree digest, spelled as `blake3:<hexadecimal>`.
    Tree,
    /// The output is any tree; the hash is of its archive in the format of Nix ([`crate::archive_hash`]).
    Archive,
}

impl HashMode {
    /// The name in the encoding.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Tree => "tree",
            Self::Archive => "nar",
        }
    }
}

/// What a fixed output must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedOutput {
    /// What is hashed.
    pub mode: HashMode,
    /// The expected hash.
    pub hash: FileHash,
}

impl FixedOutput {
    pub(crate) fn to_json(&self) -> Json {
        Json::object([
            ("hash", Json::String(self.hash.to_string())),
            ("mode", Json::String(self.mode.name().to_owned())),
        ])
    }

    fn from_json(json: Json) -> Result<Self, JsonError> {
        let mut fields = Fields::of(json)?;
        let hash = fields.parsed("hash")?;
        let mode = match fields.string("mode")?.as_str() {
            "file" => HashMode::File,
            "tree" => HashMode::Tree,
            "nar" => HashMode::Archive,
            other => return Err(field_error("mode", &format!("`{other}` is none of `file`, `tree` and `nar`"))),
        };
        fields.finish()?;
        Ok(Self { mode, hash })
    }
}

/// A build step: builder, arguments, environment and inputs, as evaluation made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    /// Human name; the outputs' store paths carry it.
    pub name: StoreName,
    /// The system it is built on, as `x86_64-linux`.
    pub system: String,
    /// Path of the program inside the composed root, or `builtin:NAME`.
    pub builder: String,
    /// The program's arguments, without its name.
    pub args: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// What builder, arguments and environment mention; present in the sandbox at their store paths.
    pub inputs: BTreeSet<Input>,
    /// Trees composed to `/`, in the order given.
    pub root: Vec<Input>,
    /// Members of `root` whose files win where two trees give one path different content.
    pub overrides: Vec<Input>,
    /// What the outputs need when they are used.
    pub runtime: Vec<Input>,
    /// Names of the outputs; never empty.
    pub outputs: BTreeSet<OutputName>,
    /// What the only output must be, for a fixed-output derivation.
    pub fixed: Option<FixedOutput>,
}

/// A derivation that could not be read or makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// The bytes are not the canonical encoding of a derivation.
    #[error("not the encoding of a derivation")]
    Encoding(#[from] JsonError),
    /// It has no output.
    #[error("derivation `{name}` has no outputs")]
    NoOutputs {
        /// The derivation's name.
        name: StoreName,
    },
    /// It is fixed-output and has not just the output `out`.
    #[error("fixed-output derivation `{name}` must have one output, called `out`")]
    FixedOutputs {
        /// The derivation's name.
        name: StoreName,
    },
    /// An override is not part of the root.
    #[error("derivation `{name}` overrides with {input}, which is not in its root")]
    OverrideNotInRoot {
        /// The derivation's name.
        name: StoreName,
        /// The input that was named.
        input: Input,
    },
    /// A string has a NUL byte, or a variable's name is empty or has `=`.
    #[error("derivation `{name}`: {what} cannot be passed to a program: it is empty or has a NUL byte or `=`")]
    Unpassable {
        /// The derivation's name.
        name: StoreName,
        /// Which string.
        what: String,
    },
}

impl Derivation {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.open();
        writer.field("args").strings(&self.args);
        writer.field("builder").string(&self.builder);
        writer.field("env").object(&self.env, |writer, value| writer.string(value));
        if let Some(fixed) = &self.fixed {
            writer.field("fixed").value(&fixed.to_json());
        }
        writer.field("inputs").strings(sorted(&self.inputs));
        writer.field("name").string(self.name.as_str());
        writer.field("outputs").strings(self.outputs.iter().map(OutputName::as_str));
        writer.field("override").strings(self.overrides.iter().map(Input::to_string));
        writer.field("root").strings(self.root.iter().map(Input::to_string));
        writer.field("runtime").strings(self.runtime.iter().map(Input::to_string));
        writer.field("system").string(&self.system);
        writer.field("version").value(&Json::Integer(VERSION));
        writer.close();
        writer.finish()
    }

    /// Reads canonical bytes and checks that the derivation makes sense.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::encode`] writes, or [`Self::check`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, DerivationError> {
        let mut fields = Fields::of(canonical_json::parse(bytes)?)?;
        fields.version(VERSION)?;
        let name = fields.string("name")?;
        let env = fields.object("env")?;
        let derivation = Self {
            name: StoreName::parse(&name).map_err(|error| field_error("name", &error.to_string()))?,
            system: fields.string("system")?,
            builder: fields.string("builder")?,
            args: fields.parsed_list("args")?,
            env: env.into_iter().map(env_entry).collect::<Result<_, _>>()?,
            inputs: fields.parsed_list("inputs")?.into_iter().collect(),
            root: fields.parsed_list("root")?,
            overrides: fields.parsed_list("override")?,
            runtime: fields.parsed_list("runtime")?,
            outputs: fields.parsed_list("outputs")?.into_iter().collect(),
            fixed: fields.optional("fixed").map(FixedOutput::from_json).transpose()?,
        };
        fields.finish()?;
        derivation.check()?;
        // Sets forget the order they were read in; only the sorted spelling is canonical.
        if derivation.encode() == bytes { Ok(derivation) } else { Err(JsonError::NotCanonical.into()) }
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// When there is no output, a fixed output is not alone, an override is not in the root, or a string cannot be
    /// passed to a program.
    pub fn check(&self) -> Result<(), DerivationError> {
        let name = || self.name.clone();
        if self.outputs.is_empty() {
            return Err(DerivationError::NoOutputs { name: name() });
        }
        if self.fixed.is_some() && !self.outputs.iter().map(OutputName::as_str).eq(["out"]) {
            return Err(DerivationError::FixedOutputs { name: name() });
        }
        if let Some(input) = self.overrides.iter().find(|input| !self.root.contains(input)) {
            return Err(DerivationError::OverrideNotInRoot { name: name(), input: input.clone() });
        }
        let unpassable = |what: String| DerivationError::Unpassable { name: name(), what };
        if self.builder.is_empty() || self.builder.contains('\0') {
            return Err(unpassable("the builder".to_owned()));
        }
        if let Some(index) = self.args.iter().position(|argument| argument.contains('\0')) {
            return Err(unpassable(format!("argument {}", index + 1)));
        }
        let bad =
            |(key, value): &(&String, &String)| key.is_empty() || key.contains(['=', '\0']) || value.contains('\0');
        match self.env.iter().find(bad) {
            Some((key, _)) => Err(unpassable(format!("variable `{}`", key.escape_debug()))),
            None => Ok(()),
        }
    }

    /// The digest of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> DerivationDigest {
        Self::digest_of(&self.encode())
    }

    /// The digest of bytes that [`Self::encode`] wrote.
    #[must_use]
    pub fn digest_of(encoding: &[u8]) -> DerivationDigest {
        DerivationDigest::from_bytes(digest::derive(CONTEXT, encoding))
    }

    /// The derivation's own store path, `/larder/store/<digest>-<name>.drv`.
    ///
    /// # Errors
    /// When the name is too long to take the ending.
    pub fn store_path(&self) -> Result<StorePath, ParseStorePathError> {
        StorePath::from_derivation(self.digest(), &self.name)
    }

    /// All that must be realised first: inputs, root and runtime, each once.
    #[must_use]
    pub fn all_inputs(&self) -> BTreeSet<&Input> {
        self.inputs.iter().chain(&self.root).chain(&self.runtime).collect()
    }

    /// Whether the builder runs inside larder.
    #[must_use]
    pub fn builtin(&self) -> Option<&str> {
        self.builder.strip_prefix("builtin:")
    }
}

fn env_entry((key, value): (String, Json)) -> Result<(String, String), JsonError> {
    match value {
        Json::String(value) => Ok((key, value)),
        _ => Err(field_error("env", &format!("variable `{key}` is not a string"))),
    }
}

/// Inputs in the order of their text, which is the canonical one.
fn sorted(inputs: &BTreeSet<Input>) -> Vec<String> {
    let mut texts: Vec<_> = inputs.iter().map(Input::to_string).collect();
    texts.sort_unstable();
    texts
}

/// The name that an output's store path carries: the derivation's, and for all but `out` also the output's.
///
/// # Errors
/// When the two together are too long.
pub fn output_path_name(name: &StoreName, output: &OutputName) -> Result<StoreName, ParseStorePathError> {
    match output.as_str() {
        "out" => Ok(name.clone()),
        other => StoreName::parse(&format!("{name}-{other}")),
    }
}

/// Where a build creates one of its own outputs, inside the sandbox.
#[must_use]
pub fn output_guest_path(output: &OutputName) -> String {
    format!("{OUTPUT_DIR}/{output}")
}

/// The text that stands for an output of a derivation until it is realised.
///
/// It has the form of a store path, so that recipes can take it apart as one, and its digest is BLAKE3 of
/// `<derivation path>!<output>` in the context `larder placeholder v1`. Resolving replaces it by the real store path.
#[must_use]
pub fn placeholder(derivation: &StorePath, output: &OutputName) -> String {
    let digest = digest::derive(PLACEHOLDER_CONTEXT, format!("{derivation}!{output}").as_bytes());
    let stem = derivation.name().as_str().strip_suffix(".drv").unwrap_or(derivation.name().as_str());
    let name = match output.as_str() {
        "out" => stem.to_owned(),
        other => format!("{stem}-{other}"),
    };
    // A name that grows too long is only cut here: the digest alone identifies the placeholder.
    let name =
        StoreName::parse(&name).or_else(|_| StoreName::parse(stem)).expect("a derivation's stem is a valid name");
    StorePath::from_placeholder(digest, name).to_string()
}

/// A derivation with its canonical bytes and the path that follows from them, so that neither is worked out twice.
#[derive(Debug, Clone)]
pub struct EncodedDerivation {
    derivation: Derivation,
    encoding: Vec<u8>,
    digest: DerivationDigest,
    path: StorePath,
}

impl EncodedDerivation {
    /// Encodes a derivation.
    ///
    /// # Errors
    /// When the name is too long to take the ending of a derivation's path.
    pub fn new(derivation: Derivation) -> Result<Self, ParseStorePathError> {
        let encoding = derivation.encode();
        let digest = Derivation::digest_of(&encoding);
        let path = StorePath::from_derivation(digest, &derivation.name)?;
        Ok(Self { derivation, encoding, digest, path })
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// As [`Derivation::decode`] and [`Self::new`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DerivationError> {
        let derivation = Derivation::decode(bytes)?;
        let digest = Derivation::digest_of(bytes);
        let path = StorePath::from_derivation(digest, &derivation.name)
            .map_err(|error| field_error("name", &error.to_string()))?;
        Ok(Self { derivation, encoding: bytes.to_vec(), digest, path })
    }

    /// The derivation.
    #[must_use]
    pub fn derivation(&self) -> &Derivation {
        &self.derivation
    }

    /// The derivation alone.
    #[must_use]
    pub fn into_derivation(self) -> Derivation {
        self.derivation
    }

    /// Its canonical bytes.
    #[must_use]
    pub fn encoding(&self) -> &[u8] {
        &self.encoding
    }

    /// Its canonical bytes alone.
    #[must_use]
    pub fn into_encoding(self) -> Vec<u8> {
        self.encoding
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> DerivationDigest {
        self.digest
    }

    /// Its store path.
    #[must_use]
    pub fn path(&self) -> &StorePath {
        &self.path
    }
}

impl PartialEq for EncodedDerivation {
    fn eq(&self, other: &Self) -> bool {
        self.encoding == other.encoding
    }
}

impl Eq for EncodedDerivation {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::TreeDigest;

    fn sample() -> Derivation {
        let tree = StorePath::from_tree(TreeDigest::from_bytes([2; 32]), StoreName::parse("seed").expect("valid"));
        let seed = Input::Tree(tree.expect("valid"));
        Derivation {
            name: StoreName::parse("hello-2.12").expect("valid"),
            system: "x86_64-linux".to_owned(),
            builder: "/usr/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), "echo \"hi\"\n".to_owned()],
            env: BTreeMap::from([("name".to_owned(), "hello-2.12".to_owned())]),
            inputs: BTreeSet::new(),
            root: vec![seed.clone()],
            overrides: vec![seed],
            runtime: Vec::new(),
            outputs: BTreeSet::from([OutputName::out()]),
            fixed: None,
        }
    }

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        let mut derivation = sample();
        assert_eq!(Derivation::decode(&derivation.encode()).expect("own encoding"), derivation);
        derivation.fixed =
            Some(FixedOutput { mode: HashMode::File, hash: FileHash::of(crate::HashAlgorithm::Sha512, b"x") });
        assert_eq!(Derivation::decode(&derivation.encode()).expect("own encoding"), derivation);
    }

    #[test]
    fn nonsense_is_refused() {
        let no_outputs = Derivation { outputs: BTreeSet::new(), ..sample() };
        assert!(matches!(no_outputs.check(), Err(DerivationError::NoOutputs { .. })));
        let stranger = Derivation { root: Vec::new(), ..sample() };
        assert!(matches!(stranger.check(), Err(DerivationError::OverrideNotInRoot { .. })));
        let nul = Derivation { env: BTreeMap::from([("a=b".to_owned(), String::new())]), ..sample() };
        assert!(matches!(nul.check(), Err(DerivationError::Unpassable { .. })));
        let text = String::from_utf8(sample().encode()).expect("JSON");
        for bad in [
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("\"system\"", "\"sistem\""),
            text.replace("\"args\":[", "\"args\": ["),
            text.replace("[\"out\"]", "[\"out\",\"out\"]"),
        ] {
            assert!(Derivation::decode(bad.as_bytes()).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn every_field_is_part_of_the_digest() {
        let digest = sample().digest();
        let changed = [
            Derivation { system: "aarch64-linux".to_owned(), ..sample() },
            Derivation { args: Vec::new(), ..sample() },
            Derivation { overrides: Vec::new(), ..sample() },
            Derivation { runtime: sample().root, ..sample() },
            Derivation { inputs: sample().root.into_iter().collect(), ..sample() },
        ];
        for other in changed {
            assert_ne!(other.digest(), digest);
        }
    }

    #[test]
    fn a_placeholder_reads_as_a_store_path() {
        let path = sample().store_path().expect("valid");
        let out = placeholder(&path, &OutputName::out());
        let dev = placeholder(&path, &"dev".parse().expect("valid"));
        assert_eq!(out.parse::<StorePath>().expect("a store path").name().as_str(), "hello-2.12");
        assert_eq!(dev.parse::<StorePath>().expect("a store path").name().as_str(), "hello-2.12-dev");
        assert_ne!(out[..60], dev[..60]);
    }
}
