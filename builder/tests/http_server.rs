//! A server on 127.0.0.1 that answers exactly what a test tells it to, byte by byte.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What to do with one connection.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Send these bytes and close.
    Bytes(Vec<u8>),
    /// Send these bytes, wait, and close.
    Stall(Vec<u8>, Duration),
    /// Send these bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
}

/// An answer with a body and its length.
pub(crate) fn ok(body: &[u8], headers: &str) -> Answer {
    response("200 OK", body, headers)
}

/// An answer with any status.
pub(crate) fn response(status: &str, body: &[u8], headers: &str) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    Answer::Bytes([head.as_bytes(), body].concat())
}

/// An answer that promises `length` bytes.
pub(crate) fn promising(length: usize, body: &[u8], headers: &str) -> Answer {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    Answer::Bytes([head.as_bytes(), body].concat())
}

/// A redirect.
pub(crate) fn redirect(location: &str) -> Answer {
    response("302 Found", b"", &format!("Location: {location}\r\n"))
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers request number n (from 0) with `answer(n, head)`.
    pub(crate) fn start(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { address, requests }
    }

    /// Answers with these in turn; the last one again and again.
    pub(crate) fn with(answers: Vec<Answer>) -> Self {
        Self::start(move |index, _| answers[index.min(answers.len() - 1)].clone())
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same, with credentials.
    pub(crate) fn url_as(&self, credentials: &str, path: &str) -> String {
        format!("http://{credentials}@{}{path}", self.address)
    }

    /// The heads of all requests so far, lower-case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &dyn Fn(usize, &str) -> Answer) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while reader.read_line(&mut head).unwrap_or(0) > 2 {}
    if head.is_empty() {
        return;
    }
    let index = {
        let mut seen = seen.lock().unwrap();
        seen.push(head.to_lowercase());
        seen.len() - 1
    };
    // A client that has seen enough closes the connection: not an error here.
    match answer(index, &head) {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Answer::Stall(bytes, pause) => {
            let _ = stream.write_all(&bytes);
            thread::sleep(pause);
        }
        Answer::Drip(bytes, pause) => {
            for byte in bytes {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(pause);
            }
        }
    }
}
