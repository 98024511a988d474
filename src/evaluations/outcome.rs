//! What evaluating something came to, as it is remembered: names for what was asked for, and bytes for what came of it.

use super::file::{Reader, put_bytes};
use eval::DerivationRef;
use store::{OutputName, StorePath};

/// What was asked of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The derivation that an attribute is, or the set of them.
    Derivations(String),
    /// The same of what lies below an attribute, by the names that lead to it.
    Member(String, Vec<Vec<u8>>),
    /// The value of an attribute, printed in a way.
    Printed {
        attribute: String,
        /// Which way, as a letter for each choice.
        way: String,
    },
}

impl Wanted {
    /// Different for each. Neither attribute paths of a command line nor names have NUL in them.
    pub(super) fn name(&self) -> Vec<u8> {
        let mut name = Vec::new();
        match self {
            Self::Derivations(attribute) => put_bytes(&mut name, attribute.as_bytes()),
            Self::Member(attribute, names) => {
                put_bytes(&mut name, attribute.as_bytes());
                names.iter().for_each(|member| put_bytes(&mut name, member));
            }
            Self::Printed { attribute, way } => {
                name.extend_from_slice(b"\xff\xff\xff\xff");
                [way, attribute].iter().for_each(|text| put_bytes(&mut name, text.as_bytes()));
            }
        }
        name
    }
}

/// The names that lead to what a name is of, where it is plain names and a derivation was asked for.
pub(super) fn attributes(name: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader(name);
    let attribute = reader.bytes()?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    if !attribute.iter().all(plain) {
        return None;
    }
    let mut names: Vec<_> = (!attribute.is_empty()).then(|| attribute.to_vec()).into_iter().collect();
    while !reader.0.is_empty() {
        names.push(reader.bytes()?.to_vec());
    }
    Some(names)
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Neither a derivation nor a set of them.
    Nothing,
    /// A derivation.
    Derivation(DerivationRef),
    /// A set to look for derivations in, by the names of its attributes.
    Names(Vec<Vec<u8>>),
    /// What was printed, and what was there of the store paths in it.
    Printed(Vec<u8>, Vec<StorePath>),
}

impl Outcome {
    /// What must be in the store for this to be of use.
    pub(super) fn needs(&self) -> &[StorePath] {
        match self {
            Self::Nothing | Self::Names(_) => &[],
            Self::Derivation(derivation) => std::slice::from_ref(&derivation.path),
            Self::Printed(_, needs) => needs,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Nothing => out.push(0),
            Self::Derivation(DerivationRef { path, output, outputs }) => {
                out.push(1);
                put_bytes(&mut out, path.base_name().as_bytes());
                put_bytes(&mut out, output.as_str().as_bytes());
                outputs.iter().for_each(|output| put_bytes(&mut out, output.as_str().as_bytes()));
            }
            Self::Names(names) => {
                out.push(2);
                names.iter().for_each(|name| put_bytes(&mut out, name));
            }
            Self::Printed(text, needs) => {
                out.push(3);
                put_bytes(&mut out, text);
                needs.iter().for_each(|path| put_bytes(&mut out, path.base_name().as_bytes()));
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let mut reader = Reader(rest);
        let mut fields = Vec::new();
        while !reader.0.is_empty() {
            fields.push(reader.bytes()?);
        }
        let text = |bytes: &&[u8]| String::from_utf8(bytes.to_vec()).ok();
        let path = |bytes: &&[u8]| StorePath::parse_base_name(&text(bytes)?).ok();
        let output = |bytes: &&[u8]| text(bytes)?.parse::<OutputName>().ok();
        match (tag, &fields[..]) {
            (0, []) => Some(Self::Nothing),
            (1, [derivation, one, outputs @ ..]) => Some(Self::Derivation(DerivationRef {
                path: path(derivation)?,
                output: output(one)?,
                outputs: outputs.iter().map(output).collect::<Option<_>>()?,
            })),
            (2, names) => Some(Self::Names(names.iter().map(|name| name.to_vec()).collect())),
            (3, [text, needs @ ..]) => {
                Some(Self::Printed(text.to_vec(), needs.iter().map(path).collect::<Option<_>>()?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let path = StorePath::parse_base_name(&format!("{}-x.drv", "a".repeat(52))).unwrap();
        let outputs: Vec<OutputName> = vec!["out".parse().unwrap(), "dev".parse().unwrap()];
        let derivation = DerivationRef { path: path.clone(), output: outputs[1].clone(), outputs };
        for outcome in [
            Outcome::Nothing,
            Outcome::Derivation(derivation),
            Outcome::Names(vec![]),
            Outcome::Names(vec![b"a".to_vec(), b"\xff".to_vec()]),
            Outcome::Printed(b"text\0".to_vec(), vec![path]),
        ] {
            assert_eq!(Outcome::decode(&outcome.encode()), Some(outcome.clone()));
            assert_eq!(Outcome::decode(&[outcome.encode(), vec![0]].concat()), None);
        }
        assert_eq!(Outcome::decode(&[4]), None);
    }

    #[test]
    fn different_questions_have_different_names() {
        let printed =
            |attribute: &str, way: &str| Wanted::Printed { attribute: attribute.to_owned(), way: way.to_owned() };
        let all = [
            Wanted::Derivations(String::new()),
            Wanted::Derivations("a".to_owned()),
            Wanted::Derivations("a.b".to_owned()),
            Wanted::Member(String::new(), vec![b"a".to_vec()]),
            Wanted::Member("a".to_owned(), vec![b"b".to_vec()]),
            Wanted::Member("a".to_owned(), vec![b"b".to_vec(), b"c".to_vec()]),
            printed("a", ""),
            printed("", "a"),
        ];
        let mut names: Vec<_> = all.iter().map(Wanted::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }
}
