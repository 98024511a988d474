//! Canonical JSON: the byte encoding of derivations, actions and realisations.
//!
//! ```text
//! value   = string | integer | boolean | list | object
//! object  = "{" [ string ":" value { "," string ":" value } ] "}"     keys sorted by bytes, unique
//! list    = "[" [ value { "," value } ] "]"
//! ```
//!
//! No white space, no floats, no null. Strings are UTF-8; only `"`, `\` and control characters are escaped, as
//! `serde_json` writes them. [`parse`] refuses every text that [`Json::encode`] would not have written.

use std::collections::BTreeMap;

/// A JSON value that has exactly one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Values in order.
    List(Vec<Json>),
    /// Values by key.
    Object(BTreeMap<String, Json>),
}

/// A text that is not canonical JSON of the expected shape.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON at all.
    #[error("not JSON")]
    Syntax(#[source] serde_json::Error),
    /// A value of a kind that canonical JSON has not: null or a float.
    #[error("{what} is not allowed in canonical JSON")]
    Forbidden {
        /// The kind of value.
        what: &'static str,
    },
    /// Valid JSON, but not spelled canonically: white space, unsorted or repeated keys, needless escapes.
    #[error("not in canonical form")]
    NotCanonical,
    /// A field is missing, of the wrong type, or unknown.
    #[error("field `{field}`: {problem}")]
    Field {
        /// The field's name.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Json {
    /// An object of the given fields.
    pub fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Json)>) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// A list of strings: each value as it displays.
    pub fn strings<T: ToString>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(|value| Self::String(value.to_string())).collect())
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.value(self);
        writer.finish()
    }
}

/// Writes canonical JSON without a [`Json`] in between. The caller gives the keys of an object in order.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A value.
    pub fn value(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.string(text),
            Json::Integer(number) => self.bytes.extend_from_slice(number.to_string().as_bytes()),
            Json::Boolean(value) => self.bytes.extend_from_slice(if *value { b"true" } else { b"false" }),
            Json::List(values) => self.list(values, |writer, value| writer.value(value)),
            Json::Object(fields) => self.object(fields, |writer, value| writer.value(value)),
        }
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        encode_string(text, &mut self.bytes);
    }

    /// A list.
    pub fn list<T>(&mut self, values: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.bytes.push(b'[');
        for value in values {
            self.separate();
            write(self, value);
        }
        self.bytes.push(b']');
    }

    /// A list of strings.
    pub fn strings<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        self.list(values, |writer, text| writer.string(text.as_ref()));
    }

    /// An object of fields in the order of their keys.
    pub fn object<K: AsRef<str>, T>(
        &mut self,
        fields: impl IntoIterator<Item = (K, T)>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.open();
        for (key, value) in fields {
            write(self.field(key.as_ref()), value);
        }
        self.close();
    }

    /// Begins an object whose fields follow, each with [`Self::field`] and a value.
    pub fn open(&mut self) {
        self.bytes.push(b'{');
    }

    /// Ends an object.
    pub fn close(&mut self) {
        self.bytes.push(b'}');
    }

    /// The key of a field; its value comes next.
    pub fn field(&mut self, key: &str) -> &mut Self {
        self.separate();
        self.string(key);
        self.bytes.push(b':');
        self
    }

    /// A comma, but before the first part.
    fn separate(&mut self) {
        if !matches!(self.bytes.last(), None | Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }
}

/// Text that needs no escape is copied at once.
fn encode_string(text: &str, bytes: &mut Vec<u8>) {
    // Without a way out of the loop it takes many bytes at a time.
    let escapes = text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if escapes {
        return serde_json::to_writer(&mut *bytes, text).expect("writing a string to memory cannot fail");
    }
    bytes.reserve(text.len() + 2);
    bytes.push(b'"');
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'"');
}

/// Reads canonical JSON.
///
/// # Errors
/// When the bytes are not JSON, hold a null or a float, or are not spelled canonically.
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let value = serde_json::from_slice(bytes).map_err(JsonError::Syntax)?;
    let json = convert(value)?;
    if json.encode() == bytes { Ok(json) } else { Err(JsonError::NotCanonical) }
}

fn convert(value: serde_json::Value) -> Result<Json, JsonError> {
    use serde_json::Value;
    Ok(match value {
        Value::Null => return Err(JsonError::Forbidden { what: "null" }),
        Value::Bool(value) => Json::Boolean(value),
        Value::Number(number) => {
            Json::Integer(number.as_i64().ok_or(JsonError::Forbidden { what: "a number other than a 64-bit integer" })?)
        }
        Value::String(text) => Json::String(text),
        Value::Array(values) => Json::List(values.into_iter().map(convert).collect::<Result<_, _>>()?),
        Value::Object(fields) => Json::Object(
            fields.into_iter().map(|(key, value)| Ok((key, convert(value)?))).collect::<Result<_, JsonError>>()?,
        ),
    })
}

/// The fields of an object, taken out one by one so that unknown ones can be refused.
#[derive(Debug)]
pub struct Fields(BTreeMap<String, Json>);

impl Fields {
    /// Takes an object apart.
    ///
    /// # Errors
    /// When the value is not an object.
    pub fn of(json: Json) -> Result<Self, JsonError> {
        match json {
            Json::Object(fields) => Ok(Self(fields)),
            _ => Err(field_error("", "an object was expected")),
        }
    }

    /// Takes a field, or `None` if it is absent.
    pub fn optional(&mut self, field: &str) -> Option<Json> {
        self.0.remove(field)
    }

    /// Takes a string.
    ///
    /// # Errors
    /// When it is absent or not a string.
    pub fn string(&mut self, field: &str) -> Result<String, JsonError> {
        match self.0.remove(field) {
            Some(Json::String(text)) => Ok(text),
            _ => Err(field_error(field, "a string was expected")),
        }
    }

    /// Takes a string and reads it with its type's own parser.
    ///
    /// # Errors
    /// When it is absent, not a string, or refused by the parser.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &str) -> Result<T, JsonError> {
        self.string(field)?.parse().map_err(|error: T::Err| field_error(field, &error.to_string()))
    }

    /// Takes a list of strings, each read with its type's own parser.
    ///
    /// # Errors
    /// When it is absent, not a list of strings, or an element is refused.
    pub fn parsed_list<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
    ) -> Result<Vec<T>, JsonError> {
        let Some(Json::List(values)) = self.0.remove(field) else {
            return Err(field_error(field, "a list was expected"));
        };
        let read = |value| match value {
            Json::String(text) => text.parse().map_err(|error: T::Err| field_error(field, &error.to_string())),
            _ => Err(field_error(field, "a list of strings was expected")),
        };
        values.into_iter().map(read).collect()
    }

    /// Takes an object.
    ///
    /// # Errors
    /// When it is absent or not an object.
    pub fn object(&mut self, field: &str) -> Result<BTreeMap<String, Json>, JsonError> {
        match self.0.remove(field) {
            Some(Json::Object(fields)) => Ok(fields),
            _ => Err(field_error(field, "an object was expected")),
        }
    }

    /// Takes the field `version` and checks that it is `expected`.
    ///
    /// # Errors
    /// When it is absent or another version.
    pub fn version(&mut self, expected: i64) -> Result<(), JsonError> {
        match self.0.remove("version") {
            Some(Json::Integer(version)) if version == expected => Ok(()),
            _ => Err(field_error("version", &format!("only version {expected} is known"))),
        }
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// When there is a field that nobody took.
    pub fn finish(self) -> Result<(), JsonError> {
        self.0.into_keys().next().map_or(Ok(()), |field| Err(field_error(&field, "unknown field")))
    }
}

/// An error about one field.
#[must_use]
pub fn field_error(field: &str, problem: &str) -> JsonError {
    JsonError::Field { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_spellings_are_refused() {
        assert!(parse(br#"{"a":1,"b":[true,"x"]}"#).is_ok());
        for bad in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            r#""\u0041""#,
            r#""\/""#,
            "1.0",
            "1e2",
            "-0",
            "null",
            "[1,]",
            "01",
            "18446744073709551615",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad} was taken");
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Json::String),
            any::<i64>().prop_map(Json::Integer),
            any::<bool>().prop_map(Json::Boolean),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Json::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn round_trip(json in any_json()) {
            prop_assert_eq!(parse(&json.encode()).expect("own encoding"), json);
        }

        #[test]
        fn what_is_read_is_written_again(bytes: Vec<u8>) {
            if let Ok(json) = parse(&bytes) {
                prop_assert_eq!(json.encode(), bytes);
            }
        }
    }
}
