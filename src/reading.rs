//! Reading files that may be larger than there is room for, have no end, or let one wait: it can be ended at any time.

use crate::error::CliError;
use eval::GoesOn;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// So many bytes are read between two questions whether to go on.
const CHUNK: usize = 1 << 20;
/// While nothing comes, the question is asked so often.
const PATIENCE: Duration = Duration::from_millis(100);

/// All of standard input.
pub(crate) fn standard_input() -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let read = std::io::stdin().read_to_end(&mut text);
    read.map_err(|error| CliError::failed(format!("cannot read standard input: {error}")))?;
    Ok(text)
}

/// The content of a file; `None` when reading was ended.
pub(crate) fn read(path: &Path, goes_on: &GoesOn<'_>) -> std::io::Result<Option<Vec<u8>>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        read_regular(File::open(path)?, metadata.len(), goes_on)
    } else {
        read_other(path, goes_on)
    }
}

/// The content of a regular file that says to have so many bytes; `None` when reading was ended.
pub(crate) fn read_regular(mut file: File, length: u64, goes_on: &GoesOn<'_>) -> std::io::Result<Option<Vec<u8>>> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !goes_on(length) {
        return Ok(None);
    }
    let mut content = Vec::with_capacity(length.saturating_add(1));
    // What a file says to be empty, as those of `/proc` do, need not be.
    while (&mut file).take(CHUNK as u64).read_to_end(&mut content)? > 0 {
        if !goes_on(content.len()) {
            return Ok(None);
        }
    }
    Ok(Some(content))
}

/// Reads what may let one wait, as pipes and devices do, in a thread of its own: that can be left alone.
fn read_other(path: &Path, goes_on: &GoesOn<'_>) -> std::io::Result<Option<Vec<u8>>> {
    let (send, receive) = sync_channel(2);
    let path = PathBuf::from(path);
    std::thread::Builder::new().name("reading".to_owned()).spawn(move || send_chunks(&path, &send))?;
    let mut content = Vec::new();
    loop {
        match receive.recv_timeout(PATIENCE) {
            Ok(chunk) => content.extend_from_slice(&chunk?),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Some(content)),
        }
        if !goes_on(content.len()) {
            return Ok(None);
        }
    }
}

/// Sends the content of a file in chunks, until it ends or nobody wants it.
fn send_chunks(path: &Path, send: &SyncSender<std::io::Result<Vec<u8>>>) {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // Who would read it has gone.
        Err(error) => return drop(send.send(Err(error))),
    };
    loop {
        let mut chunk = vec![0; CHUNK];
        let chunk = match file.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => {
                chunk.truncate(length);
                Ok(chunk)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if send.send(chunk).is_err() || failed {
            return;
        }
    }
}
