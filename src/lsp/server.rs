//! The one loop: takes messages, answers them, and tells of what is wrong with texts when they have been left alone for
//! a moment.
//!
//! Invariants: every request has exactly one answer, also if it makes no sense or answering it fails; the process ends
//! only when the protocol says so, or nobody is there any more.

use super::actions;
use super::completion::completion;
use super::documents::{Document, Documents};
use super::formatting::formatting;
use super::hover::hover;
use super::navigation::{definition, highlights, references};
use super::position::Encoding;
use super::renaming;
use super::reports;
use super::symbols::symbols;
use super::transport::{self, Malformed};
use crate::output;
use eval::analysis::File;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long a text must have been left alone before it is told what is wrong with it.
const PATIENCE: Duration = Duration::from_millis(150);

/// Errors of the protocol.
mod code {
    pub(super) const PARSE: i32 = -32700;
    pub(super) const INVALID_REQUEST: i32 = -32600;
    pub(super) const METHOD_NOT_FOUND: i32 = -32601;
    pub(super) const INVALID_PARAMS: i32 = -32602;
    pub(super) const INTERNAL: i32 = -32603;
    pub(super) const NOT_INITIALIZED: i32 = -32002;
    pub(super) const REQUEST_FAILED: i32 = -32803;
}

/// Where the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    ShutDown,
}

/// Why there is no answer.
struct Refusal {
    code: i32,
    message: String,
}

impl Refusal {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

struct Server {
    stage: Stage,
    documents: Documents,
    /// Texts that changed, and when to tell of them.
    changed: BTreeSet<String>,
    due: Option<Instant>,
}

/// Serves one client on standard input and output until it leaves.
pub(crate) fn run() -> ExitCode {
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(message) = transport::read(&mut input) {
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    let mut server = Server { stage: Stage::New, documents: Documents::new(), changed: BTreeSet::new(), due: None };
    loop {
        let message = match server.due {
            Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(message) => {
                if let Some(code) = server.take(message) {
                    return code;
                }
            }
            Err(RecvTimeoutError::Timeout) => server.report(),
            // The client is gone without a word.
            Err(RecvTimeoutError::Disconnected) => return ExitCode::from(1),
        }
    }
}

/// A client that does not read any more is gone: then the end of its messages follows.
fn send(message: &Value) {
    let _ = transport::write(&mut std::io::stdout().lock(), message);
}

fn refuse(id: &Value, refusal: &Refusal) {
    send(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": refusal.code, "message": refusal.message } }));
}

impl Server {
    /// Does what a message asks; the exit code, when it is the end.
    fn take(&mut self, message: Result<Value, Malformed>) -> Option<ExitCode> {
        let message = match message {
            Ok(message) => message,
            Err(Malformed(problem)) => {
                refuse(&Value::Null, &Refusal::new(code::PARSE, problem));
                return None;
            }
        };
        let params = message.get("params").cloned().unwrap_or_default();
        match (message.get("method").and_then(Value::as_str), message.get("id")) {
            (Some("exit"), None) => {
                return Some(ExitCode::from(u8::from(self.stage != Stage::ShutDown)));
            }
            (Some(method), Some(id)) => self.request(id, method, &params),
            (Some(method), None) if self.stage == Stage::Running => self.notify(method, &params),
            // Answers of the client: nothing is asked of it. And notifications out of their time.
            (Some(_), None) => {}
            (None, Some(_)) if message.get("result").is_some() || message.get("error").is_some() => {}
            _ => refuse(&Value::Null, &Refusal::new(code::INVALID_REQUEST, "a message is no request")),
        }
        None
    }

    fn request(&mut self, id: &Value, method: &str, params: &Value) {
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer(method, params)));
        let answer = answer.unwrap_or_else(|_| Err(Refusal::new(code::INTERNAL, "this is a bug of larder")));
        match answer {
            Ok(result) => send(&json!({ "jsonrpc": "2.0", "id": id, "result": result })),
            Err(refusal) => refuse(id, &refusal),
        }
    }

    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, Refusal> {
        match (self.stage, method) {
            (Stage::New, "initialize") => return Ok(self.initialize(params)),
            (Stage::New, _) => return Err(Refusal::new(code::NOT_INITIALIZED, "the first request is `initialize`")),
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                return Ok(Value::Null);
            }
            (Stage::Running, "initialize") => {
                return Err(Refusal::new(code::INVALID_REQUEST, "the session is initialized already"));
            }
            (Stage::Running, _) => {}
            (Stage::ShutDown, _) => return Err(Refusal::new(code::INVALID_REQUEST, "the session is shut down")),
        }
        let documents = &self.documents;
        let at = || Asked::new(documents, params);
        Ok(match method {
            "textDocument/hover" => at()?.with(|file, offset| hover(documents, file, offset))?,
            "textDocument/definition" => at()?.with(|file, offset| definition(documents, file, offset))?,
            "textDocument/documentHighlight" => at()?.with(|file, offset| highlights(documents, file, offset))?,
            "textDocument/completion" => at()?.with(|file, offset| completion(documents, file, offset))?,
            "textDocument/prepareRename" => at()?.with(|file, offset| renaming::prepare(documents, file, offset))?,
            "textDocument/references" => {
                let own = params.pointer("/context/includeDeclaration").and_then(Value::as_bool).unwrap_or(true);
                at()?.with(|file, offset| references(documents, file, offset, own))?
            }
            "textDocument/rename" => {
                let asked = at()?;
                let new =
                    params.get("newName").and_then(Value::as_str).ok_or_else(|| invalid("`newName` is missing"))?;
                let edits = renaming::edits(documents, asked.uri, asked.offset()?, new);
                edits.map_err(|problem| Refusal::new(code::REQUEST_FAILED, problem))?
            }
            "textDocument/documentSymbol" => symbols(documents, at()?.file()),
            "textDocument/formatting" => formatting(documents, at()?.document),
            "textDocument/codeAction" => {
                let asked = at()?;
                let range = params.get("range").and_then(|range| documents.lines(asked.file()).range(range));
                let range = range.ok_or_else(|| invalid("`range` makes no sense"))?;
                let only = params.pointer("/context/only").and_then(Value::as_array);
                let kinds: Vec<_> = only.into_iter().flatten().filter_map(Value::as_str).collect();
                actions::actions(documents, asked.uri, &range, &kinds)
            }
            _ => return Err(Refusal::new(code::METHOD_NOT_FOUND, format!("`{method}` is not known"))),
        })
    }

    fn initialize(&mut self, params: &Value) -> Value {
        self.stage = Stage::Running;
        let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let offers = |name: &str| offered.is_some_and(|offered| offered.iter().any(|offer| offer == name));
        // Without a word from the client it is UTF-16.
        self.documents.encoding = if offers("utf-8") { Encoding::Utf8 } else { Encoding::Utf16 };
        json!({
            "serverInfo": { "name": "larder", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": {
                "positionEncoding": self.documents.encoding.name(),
                "textDocumentSync": { "openClose": true, "change": 2 },
                "hoverProvider": true,
                "definitionProvider": true,
                "referencesProvider": true,
                "documentHighlightProvider": true,
                "documentSymbolProvider": true,
                "documentFormattingProvider": true,
                "completionProvider": { "triggerCharacters": [".", "/"] },
                "renameProvider": { "prepareProvider": true },
                "codeActionProvider": { "codeActionKinds": ["quickfix", actions::FIX_ALL] },
            },
        })
    }

    fn notify(&mut self, method: &str, params: &Value) {
        let Some(uri) = params.pointer("/textDocument/uri").and_then(Value::as_str) else { return };
        let version = params.pointer("/textDocument/version").cloned().unwrap_or_default();
        let changed = catch_unwind(AssertUnwindSafe(|| match method {
            "textDocument/didOpen" => {
                let text = params.pointer("/textDocument/text").and_then(Value::as_str)?;
                self.documents.put(uri, version, text.as_bytes());
                Some(())
            }
            "textDocument/didChange" => {
                let changes = params.get("contentChanges").and_then(Value::as_array)?;
                self.documents.change(uri, version, changes)
            }
            _ => None,
        }));
        if let Ok(Some(())) = changed {
            self.changed.insert(uri.to_owned());
            self.due = Some(Instant::now() + PATIENCE);
        }
        if method == "textDocument/didClose" && self.documents.close(uri) {
            self.changed.remove(uri);
            tell(&json!({ "uri": uri, "diagnostics": [] }));
        }
    }

    /// Tells of what is wrong with the texts that changed.
    fn report(&mut self) {
        self.due = None;
        for uri in std::mem::take(&mut self.changed) {
            let Some(document) = self.documents.get(&uri) else { continue };
            match catch_unwind(AssertUnwindSafe(|| reports::publish(&self.documents, &uri, document))) {
                Ok(report) => tell(&report),
                Err(_) => output::error("this is a bug of larder: please report it with the lines above\n"),
            }
        }
    }
}

fn tell(params: &Value) {
    send(&json!({ "jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": params }));
}

fn invalid(problem: &str) -> Refusal {
    Refusal::new(code::INVALID_PARAMS, problem)
}

/// The open text that a request is about.
struct Asked<'a> {
    documents: &'a Documents,
    params: &'a Value,
    uri: &'a str,
    document: &'a Document,
}

impl<'a> Asked<'a> {
    fn new(documents: &'a Documents, params: &'a Value) -> Result<Self, Refusal> {
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| invalid("`textDocument` is missing"))?;
        let document = documents.get(uri).ok_or_else(|| invalid("this text is not open"))?;
        Ok(Self { documents, params, uri, document })
    }

    fn file(&self) -> &'a Arc<File> {
        &self.document.file
    }

    /// The offset of the position that is asked about.
    fn offset(&self) -> Result<usize, Refusal> {
        let position = self.params.get("position").and_then(|at| self.documents.lines(self.file()).offset(at));
        position.ok_or_else(|| invalid("`position` makes no sense"))
    }

    fn with(&self, answer: impl FnOnce(&Arc<File>, usize) -> Value) -> Result<Value, Refusal> {
        Ok(answer(self.file(), self.offset()?))
    }
}
