//! `builtins.fromJSON`: straight from text to values.
//!
//! A number without fraction and exponent is an integer if it fits, an error if it would fit without a sign, and a float
//! otherwise, as in Nix (so is `-0` an integer). Of a key that is there twice the last value counts. What a string of the
//! language cannot hold, a NUL or half a surrogate pair, is an error.

use super::{Builtin, row};
use crate::attrs::{Attr, Attrs};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::evaluate::Evaluator;
use crate::source::{Pos, Span};
use crate::value::Value;
use std::borrow::Cow;

pub(super) const TABLE: &[Builtin] =
    &[row("fromJSON", 1, "The value that a JSON text stands for.", from_json).forcing(1)];

fn from_json(evaluator: &Evaluator<'_>, args: &[Value], span: Span) -> Result<Value> {
    let text = evaluator.expect_plain_string(args[0], span, "as the argument of `fromJSON`")?;
    let mut reader = Reader { evaluator, span, text: text.bytes(), at: 0 };
    let Ok(utf8) = std::str::from_utf8(text.bytes()) else { return Err(reader.error("it is not UTF-8")) };
    // A byte order mark is no part of the text.
    reader.at = if utf8.starts_with('\u{feff}') { 3 } else { 0 };
    let value = reader.value()?;
    reader.skip_blank();
    if reader.at < text.bytes().len() { Err(reader.error("something follows the value")) } else { Ok(value) }
}

struct Reader<'a, 'b> {
    evaluator: &'a Evaluator<'b>,
    span: Span,
    text: &'static [u8],
    at: usize,
}

impl Reader<'_, '_> {
    #[cold]
    fn error(&self, problem: &str) -> Box<Diagnostic> {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let message = format!("this string is not JSON: {problem} at line {line} column {column}");
        let error = Diagnostic::new(Code::BadArgument, self.span, message);
        self.evaluator.session.in_text(error, "(JSON)", self.text, self.at, problem)
    }

    fn skip_blank(&mut self) {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.text[self.at..].iter().take_while(blank).count();
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Value> {
        self.skip_blank();
        match self.text.get(self.at) {
            Some(b'"') => self.string().map(|text| self.evaluator.string(&text)),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            _ => Err(self.error("a value is expected")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("a value is expected"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> Result<()> {
        let count = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.error("a digit is expected")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        self.take(b'-');
        // A zero is the only digit before the point, if it is the first.
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            whole = false;
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if whole {
            if let Ok(number) = text.parse() {
                return Ok(Value::Int(number));
            }
            if text.parse::<u64>().is_ok() {
                let message = format!("the JSON number {text} does not fit an integer");
                return Err(Diagnostic::new(Code::Arithmetic, self.span, message));
            }
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(self.error("a number that does not fit a float is")),
        }
    }

    fn array(&mut self) -> Result<Value> {
        self.evaluator.check_stack(self.span)?;
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blank();
        if !self.take(b']') {
            loop {
                items.push(self.value()?);
                if self.ends(b']')? {
                    break;
                }
            }
        }
        Ok(self.evaluator.list(&items))
    }

    /// Reads the comma or the bracket behind an element.
    fn ends(&mut self, close: u8) -> Result<bool> {
        self.evaluator.check_stopped(self.span)?;
        self.skip_blank();
        if self.take(close) {
            return Ok(true);
        }
        if self.take(b',') { Ok(false) } else { Err(self.error("a comma or a closing bracket is expected")) }
    }

    fn object(&mut self) -> Result<Value> {
        self.evaluator.check_stack(self.span)?;
        self.at += 1;
        let mut attrs = Vec::new();
        self.skip_blank();
        if !self.take(b'}') {
            loop {
                self.skip_blank();
                if self.text.get(self.at) != Some(&b'"') {
                    return Err(self.error("a key is expected"));
                }
                let name = self.string()?;
                let name = self.evaluator.session.symbols().intern(&name);
                self.skip_blank();
                if !self.take(b':') {
                    return Err(self.error("a colon is expected"));
                }
                attrs.push(Attr { name, pos: Pos::NONE, value: self.value()? });
                if self.ends(b'}')? {
                    break;
                }
            }
        }
        // The first of a name counts in a set, the last in JSON.
        attrs.reverse();
        let bump = self.evaluator.bump();
        Ok(Value::Attrs(Attrs::from_unsorted(bump, attrs)))
    }

    /// Reads a string; without escapes it is a piece of the text.
    fn string(&mut self) -> Result<Cow<'static, [u8]>> {
        self.at += 1;
        let text = self.text;
        let mut read: Cow<'static, [u8]> = Cow::Borrowed(&[]);
        loop {
            let rest = &text[self.at..];
            let length = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            if read.is_empty() {
                read = Cow::Borrowed(&rest[..length]);
            } else {
                read.to_mut().extend_from_slice(&rest[..length]);
            }
            self.at += length;
            match text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(read);
                }
                Some(b'\\') => self.escape(read.to_mut())?,
                Some(_) => return Err(self.error("a control character in a string is")),
                None => return Err(self.error("a string is not closed")),
            }
        }
    }

    fn escape(&mut self, read: &mut Vec<u8>) -> Result<()> {
        let Some(byte) = self.text.get(self.at + 1) else { return Err(self.error("a string is not closed")) };
        self.at += 2;
        read.push(match byte {
            b'"' | b'\\' | b'/' => *byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(read),
            _ => return Err(self.error("an unknown escape is")),
        });
        Ok(())
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(number) = digits.and_then(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        else {
            return Err(self.error("four hexadecimal digits are expected"));
        };
        self.at += 4;
        Ok(number)
    }

    fn unicode(&mut self, read: &mut Vec<u8>) -> Result<()> {
        let mut number = self.hex()?;
        if (0xd800..0xdc00).contains(&number) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.error("half a surrogate pair is"));
            }
            number = 0x10000 + ((number - 0xd800) << 10) + (low - 0xdc00);
        }
        match char::from_u32(number) {
            Some('\0') => Err(self.error("a NUL character, which a string cannot have, is")),
            Some(character) => {
                read.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                Ok(())
            }
            None => Err(self.error("half a surrogate pair is")),
        }
    }
}
