//! Writing to standard output and standard error: results to the one, all else to the other.

use crate::error::CliError;
use std::io::{BufWriter, IsTerminal, Write};

/// Writes bytes to standard output. A reader that has gone away is no error: nobody wants the rest.
pub(crate) fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    wrote(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Writes all that is in a file to standard output.
pub(crate) fn copy(mut file: impl std::io::Read, name: &str) -> Result<(), CliError> {
    /// Bytes at a time.
    const PIECE: usize = 1 << 18;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => write(&piece[..length])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CliError::failed(format!("cannot read {name}: {error}"))),
        }
    }
}

/// What it means that writing to standard output came to this.
pub(crate) fn wrote(result: std::io::Result<()>) -> Result<(), CliError> {
    result.map_err(|error| not_written(&error))
}

/// What it means that standard output could not be written. If its reader has gone away, this process ends.
pub(crate) fn not_written(error: &std::io::Error) -> CliError {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    CliError::failed(format!("cannot write to standard output: {error}"))
}

/// Text of a recipe or a build for standard output: harmless if that is a terminal, for programs get what is there.
pub(crate) fn shown(text: String) -> String {
    if std::io::stdout().is_terminal() { crate::text::harmless(&text) } else { text }
}

/// Writes one line to standard output.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<(), CliError> {
    write(format!("{text}\n").as_bytes())
}

/// Writes many lines to standard output, a good part of them at a time.
pub(crate) fn lines(texts: impl IntoIterator<Item = impl std::fmt::Display>) -> Result<(), CliError> {
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let written = texts.into_iter().try_for_each(|text| writeln!(out, "{text}"));
    wrote(written.and_then(|()| out.flush()))
}

/// Writes a JSON document with its schema, `NAME/VERSION`, to standard output.
pub(crate) fn json(schema: &str, mut value: serde_json::Value) -> Result<(), CliError> {
    if let Some(object) = value.as_object_mut() {
        object.insert("schema".to_owned(), format!("larder/{schema}").into());
    }
    line(value)
}

/// Writes text to standard error. If even that fails there is nobody left to tell.
pub(crate) fn error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Whether colours may be used on standard error.
pub(crate) fn colours() -> bool {
    std::io::stderr().is_terminal() && colours_wanted()
}

/// Whether colours may be used on standard output.
pub(crate) fn stdout_colours() -> bool {
    std::io::stdout().is_terminal() && colours_wanted()
}

fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text in a style, where colours may be used.
pub(crate) fn styled(text: &str, style: &str) -> String {
    if colours() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}
