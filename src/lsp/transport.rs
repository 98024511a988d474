//! Messages on a stream: header lines, an empty line, and a JSON text of the length that the header says.
//!
//! Written here because a server must survive what a broken client sends: a message that is no JSON is told of and
//! skipped, and no length makes it take memory that the message does not have.

use serde_json::Value;
use std::io::{BufRead, Read, Write};

/// The longest header line.
const MAX_LINE: u64 = 8 << 10;

/// A message that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

/// The next message; `None` at the end of the stream.
pub(super) fn read(input: &mut impl BufRead) -> Option<Result<Value, Malformed>> {
    let length = match read_header(input)? {
        Ok(length) => length,
        Err(malformed) => return Some(Err(malformed)),
    };
    let mut text = Vec::new();
    let read = input.by_ref().take(length).read_to_end(&mut text).ok()?;
    if (read as u64) < length {
        return None;
    }
    Some(serde_json::from_slice(&text).map_err(|error| Malformed(format!("a message is no JSON: {error}"))))
}

/// The length that a header says.
fn read_header(input: &mut impl BufRead) -> Option<Result<u64, Malformed>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if line.is_empty() {
            return Some(length.ok_or_else(|| Malformed("a message has no Content-Length".to_owned())));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
}

/// Writes a message.
pub(super) fn write(output: &mut impl Write, message: &Value) -> std::io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let mut stream = Vec::new();
        write(&mut stream, &json!({ "é": 1 })).unwrap();
        stream.extend_from_slice(b"Content-Length: 3\r\nContent-Type: x\r\n\r\n{]}");
        stream.extend_from_slice(b"nonsense\r\n\r\n");
        stream.extend_from_slice(b"content-length: 4\n\nnull");
        stream.extend_from_slice(b"Content-Length: 999999999999999\r\n\r\nshort");
        let mut input = stream.as_slice();
        assert_eq!(read(&mut input), Some(Ok(json!({ "é": 1 }))));
        assert!(matches!(read(&mut input), Some(Err(_))));
        assert!(matches!(read(&mut input), Some(Err(_))));
        assert_eq!(read(&mut input), Some(Ok(Value::Null)));
        assert_eq!(read(&mut input), None);
    }
}
