//! Names of files as people see them: nothing in a name reaches a terminal as a command, or begins a line of its own.

use std::ffi::OsStr;
use std::fmt::{self, Write};

/// A name or path with its control characters escaped. What is not UTF-8 is shown as such.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'n>(&'n [u8]);

/// Shows a name or path to people.
pub fn shown(name: &(impl AsRef<OsStr> + ?Sized)) -> Shown<'_> {
    Shown(name.as_ref().as_encoded_bytes())
}

/// Shows a name that is known by its bytes.
pub(crate) fn shown_bytes(name: &[u8]) -> Shown<'_> {
    Shown(name)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in String::from_utf8_lossy(self.0).chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        assert_eq!(shown("a/\x1b[2J\n\u{9b}").to_string(), "a/\\u{1b}[2J\\n\\u{9b}");
        assert_eq!(shown("ü 'b' \\ \"c\"").to_string(), "ü 'b' \\ \"c\"");
        assert_eq!(shown_bytes(b"a\xff\t").to_string(), "a\u{fffd}\\t");
    }
}
