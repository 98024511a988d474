//! Bracket expressions, and the sets of bytes they stand for.

use super::syntax::Malformed;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set([u64; 4]);

impl Set {
    /// Every byte.
    pub(super) const ANY: Self = Self([u64::MAX; 4]);
    const EMPTY: Self = Self([0; 4]);

    /// A single byte.
    pub(super) fn of(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.add(byte);
        set
    }

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn add_all(&mut self, holds: impl Fn(u8) -> bool) {
        (0..=u8::MAX).filter(|byte| holds(*byte)).for_each(|byte| self.add(byte));
    }

    fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// Whether a byte is in it.
    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    /// Writes it in the syntax of the `regex` crate.
    pub(super) fn translate(&self, out: &mut String) {
        let bytes: Vec<u8> = (0..=u8::MAX).filter(|byte| self.contains(*byte)).collect();
        match bytes[..] {
            // A class that nothing is in.
            [] => out.push_str(r"[^\x00-\xFF]"),
            [byte] => out.push_str(&format!("\\x{byte:02X}")),
            _ => {
                out.push('[');
                let mut from = 0;
                for at in 0..bytes.len() {
                    if bytes.get(at + 1).is_none_or(|next| *next != bytes[at] + 1) {
                        out.push_str(&format!("\\x{:02X}-\\x{:02X}", bytes[from], bytes[at]));
                        from = at + 1;
                    }
                }
                out.push(']');
            }
        }
    }
}

/// What was read last inside the brackets: it may become the start of a range.
enum Last {
    Nothing,
    Byte(u8),
    Class,
}

enum Token<'a> {
    Byte(u8),
    Dash,
    End,
    Collating(&'a [u8]),
    Equivalent(&'a [u8]),
    Class(&'a [u8]),
}

fn token<'a>(rest: &mut &'a [u8], first: bool) -> Result<Token<'a>, Malformed> {
    let [byte, behind @ ..] = *rest else { return Err("a `[` is not closed") };
    *rest = behind;
    Ok(match (byte, behind.first()) {
        (b'-', _) => Token::Dash,
        (b'[', None) => return Err("a `[` is not closed"),
        (b'[', Some(b'.')) => Token::Collating(name(rest, b'.')?),
        (b'[', Some(b':')) => Token::Class(name(rest, b':')?),
        (b'[', Some(b'=')) => Token::Equivalent(name(rest, b'=')?),
        (b']', _) if !first => Token::End,
        (byte, _) => Token::Byte(*byte),
    })
}

/// The name in `[:name:]`, of which the first bracket is read already.
fn name<'a>(rest: &mut &'a [u8], mark: u8) -> Result<&'a [u8], Malformed> {
    let inside = &rest[1..];
    let length = inside.iter().position(|byte| *byte == mark).ok_or("a class in brackets is not closed")?;
    if inside.get(length + 1) != Some(&b']') {
        return Err("a class in brackets is not closed");
    }
    *rest = &inside[length + 2..];
    Ok(&inside[..length])
}

/// Reads a bracket expression behind its `[`.
pub(super) fn parse(rest: &mut &[u8]) -> Result<Set, Malformed> {
    let negated = rest.first() == Some(&b'^');
    if negated {
        *rest = &rest[1..];
    }
    let mut set = Set::EMPTY;
    let mut last = Last::Nothing;
    let mut first = true;
    loop {
        let token = token(rest, first)?;
        let byte = match token {
            Token::End => break,
            Token::Byte(byte) => Some(byte),
            // A dash is itself as the first and as the last byte.
            Token::Dash if first => Some(b'-'),
            Token::Dash if rest.first() == Some(&b']') => Some(b'-'),
            Token::Dash => {
                let Last::Byte(from) = last else { return Err("a range in brackets has no start") };
                add_range(&mut set, from, rest)?;
                last = Last::Nothing;
                continue;
            }
            Token::Collating(name) => Some(collating(name).ok_or("there is no such collating element")?),
            Token::Equivalent(name) => {
                let byte = collating(name).ok_or("there is no such equivalence class")?;
                set.add_all(|other| other.eq_ignore_ascii_case(&byte));
                None
            }
            Token::Class(name) => {
                let class = class(name).ok_or("there is no such class of characters")?;
                set.add_all(class);
                None
            }
        };
        if let Last::Byte(byte) = last {
            set.add(byte);
        }
        last = byte.map_or(Last::Class, Last::Byte);
        first = false;
    }
    if let Last::Byte(byte) = last {
        set.add(byte);
    }
    Ok(if negated { set.complement() } else { set })
}

fn add_range(set: &mut Set, from: u8, rest: &mut &[u8]) -> Result<(), Malformed> {
    let to = match token(rest, false)? {
        Token::Byte(byte) => byte,
        Token::Dash => b'-',
        _ => return Err("a range in brackets has no end"),
    };
    // Bytes compare as signed numbers, as `char` does where Nix runs.
    let (from, to) = (from.cast_signed(), to.cast_signed());
    if from > to {
        return Err("a range in brackets ends before it starts");
    }
    set.add_all(|byte| (from..=to).contains(&byte.cast_signed()));
    Ok(())
}

fn class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name.to_ascii_lowercase().as_slice() {
        b"d" | b"digit" => |byte| byte.is_ascii_digit(),
        b"w" => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
        b"s" | b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

/// The names of collating elements in POSIX, in the order of their bytes.
const NAMES: &[&str] = &[
    "NUL",
    "SOH",
    "STX",
    "ETX",
    "EOT",
    "ENQ",
    "ACK",
    "alert",
    "backspace",
    "tab",
    "newline",
    "vertical-tab",
    "form-feed",
    "carriage-return",
    "SO",
    "SI",
    "DLE",
    "DC1",
    "DC2",
    "DC3",
    "DC4",
    "NAK",
    "SYN",
    "ETB",
    "CAN",
    "EM",
    "SUB",
    "ESC",
    "IS4",
    "IS3",
    "IS2",
    "IS1",
    "space",
    "exclamation-mark",
    "quotation-mark",
    "number-sign",
    "dollar-sign",
    "percent-sign",
    "ampersand",
    "apostrophe",
    "left-parenthesis",
    "right-parenthesis",
    "asterisk",
    "plus-sign",
    "comma",
    "hyphen",
    "period",
    "slash",
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "colon",
    "semicolon",
    "less-than-sign",
    "equals-sign",
    "greater-than-sign",
    "question-mark",
    "commercial-at",
];

fn collating(name: &[u8]) -> Option<u8> {
    match name {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        b"left-square-bracket" => Some(b'['),
        b"backslash" => Some(b'\\'),
        b"right-square-bracket" => Some(b']'),
        b"circumflex" => Some(b'^'),
        b"underscore" => Some(b'_'),
        b"grave-accent" => Some(b'`'),
        b"left-curly-bracket" => Some(b'{'),
        b"vertical-line" => Some(b'|'),
        b"right-curly-bracket" => Some(b'}'),
        b"tilde" => Some(b'~'),
        b"DEL" => Some(127),
        _ => NAMES.iter().position(|known| known.as_bytes() == name).and_then(|at| u8::try_from(at).ok()),
    }
}
