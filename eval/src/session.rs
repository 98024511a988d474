//! A session: everything that evaluations share. Names, sources, imported files, settings, and the outside.
//!
//! Evaluation happens in [`Session::run`], on a thread of its own with a deep stack. Values stay valid between runs, and
//! as long as the process lives: nothing that evaluation makes is freed.

mod files;
mod owners;
mod store_links;

pub(crate) use files::path_name;
pub(crate) use store_links::Last;

use crate::arena::{Arena, Budget, NoMemory};
use crate::builtins;
use crate::compile::{self, Compiler, Globals, Scope};
use crate::diagnostic::{Code, Diagnostic, RenderOptions, Result, render};
use crate::evaluate::Evaluator;
use crate::evaluate::crew::{Crew, MAIN, MAX_THREADS};
use crate::io::EvalIo;
use crate::reads::{Question, Read, Reads};
use crate::remembered::Memory;
use crate::settings::Settings;
use crate::source::{Origin, Pos, Source, Sources, Span};
use crate::symbol::Symbols;
use crate::syntax::{self, ParseOptions};
use crate::thunk::{Owner, Thunk};
use crate::value::Value;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::StorePath;

/// All that went wrong, at least one thing.
pub type Failure = Vec<Diagnostic>;

/// The stack that is kept back for what happens between two checks of it.
const STACK_RESERVE: usize = 1 << 20;

/// Everything that evaluations share.
pub struct Session {
    settings: Settings,
    /// The memory that evaluation may take.
    budget: Arc<Budget>,
    io: Arc<dyn EvalIo>,
    symbols: Symbols,
    sources: Sources,
    globals: Globals,
    /// The values of files, by canonical path.
    imports: Mutex<FxHashMap<Vec<u8>, Value>>,
    files_read: Mutex<BTreeSet<PathBuf>>,
    /// Where directories in the store are when links are followed.
    real_directories: Mutex<FxHashMap<Vec<u8>, Vec<u8>>>,
    /// The store paths of paths that were added whole, by canonical path.
    added: Mutex<FxHashMap<Vec<u8>, &'static StorePath>>,
    /// Derivations that were handed to the outside.
    derivations: Mutex<BTreeSet<StorePath>>,
    /// Further diagnostics of a failure: a syntax error in an imported file may have brothers.
    brothers: Mutex<Vec<Diagnostic>>,
    reads: Reads,
    memory: Memory,
    /// What evaluations since the last [`Session::take_reads`] rest on.
    taken: Mutex<Vec<Read>>,
    /// Held while evaluating: a thunk that is found claimed is then always claimed by the same evaluation.
    evaluating: Mutex<()>,
    /// What evaluation began with.
    roots: Mutex<owners::Roots>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The address that the stack of this thread, which has so many bytes, must not grow beyond.
fn stack_end(size: usize) -> usize {
    let marker = 0u8;
    (&raw const marker).addr().saturating_sub(size - STACK_RESERVE)
}

struct CloseOnDrop<'a>(&'a Crew);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A session with these settings that reaches the outside through `io`.
    #[must_use]
    pub fn new(settings: Settings, io: Arc<dyn EvalIo>) -> Self {
        let symbols = Symbols::default();
        let globals = builtins::globals(&symbols, &settings);
        let budget = Budget::new(settings.max_memory.unwrap_or(usize::MAX));
        Self {
            settings,
            budget,
            symbols,
            sources: Sources::with_archive(io.scratch_file()),
            io,
            globals,
            imports: Mutex::default(),
            files_read: Mutex::default(),
            real_directories: Mutex::default(),
            added: Mutex::default(),
            derivations: Mutex::default(),
            brothers: Mutex::default(),
            reads: Reads::default(),
            memory: Memory::default(),
            taken: Mutex::default(),
            evaluating: Mutex::default(),
            roots: Mutex::default(),
        }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends the evaluation that runs, from another thread: it fails with [`Code::Interrupted`].
    pub fn interrupt(&self) {
        self.budget.interrupt();
    }

    /// The memory that evaluation may take.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// The names.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The source texts, to show diagnostics with.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The variables that every text knows, in no order.
    pub(crate) fn global_names(&self) -> Vec<String> {
        self.globals.keys().map(|name| self.symbols.display(*name)).collect()
    }

    /// The outside.
    pub(crate) fn io(&self) -> &dyn EvalIo {
        &*self.io
    }

    /// The files that were read so far, sorted.
    #[must_use]
    pub fn files_read(&self) -> Vec<PathBuf> {
        lock(&self.files_read).iter().cloned().collect()
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What everything that was asked of the outside was, when the settings say that it be recorded.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// What all evaluations since the last time rest on. A value that was made before must be kept with the reads of
    /// that time: forcing it later gives only what is read then.
    #[must_use]
    pub fn take_reads(&self) -> Read {
        self.reads.set(std::mem::take(&mut *lock(&self.taken)))
    }

    /// Runs an evaluation on a thread with a deep stack. One evaluation of a session runs at a time; neither `work` nor
    /// the session's [`EvalIo`] may start another one in it, which would wait for ever.
    ///
    /// # Errors
    /// What the evaluation raises, and when no thread can be started.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce(&Evaluator<'_>) -> Result<T> + Send,
    ) -> std::result::Result<T, Failure> {
        let _evaluating = lock(&self.evaluating);
        lock(&self.brothers).clear();
        self.budget.begin();
        let mut work = Some(work);
        // Where so much address space is not to be had, less must do: deep recursion fails sooner.
        let mut size = self.settings.stack_bytes.max(4 * STACK_RESERVE);
        loop {
            let result = self.run_with_stack(size, &mut work);
            match result {
                Some(result) => return result.map_err(|error| self.failure(*error)),
                None if size > 16 * STACK_RESERVE => size /= 4,
                None => {
                    let message = "no thread with a stack for evaluation can be started";
                    return Err(vec![*Diagnostic::new(Code::Internal, Span::NONE, message)]);
                }
            }
        }
    }

    /// Runs on a thread with a stack of this size, with helpers on others; `None` when there is no such thread, and then
    /// `work` is untouched.
    fn run_with_stack<T: Send, F>(&self, size: usize, work: &mut Option<F>) -> Option<Result<T>>
    where
        F: FnOnce(&Evaluator<'_>) -> Result<T> + Send,
    {
        let threads = self.settings.threads.clamp(1, MAX_THREADS);
        let crew = (threads > 1).then(Crew::default);
        let crew = crew.as_ref();
        std::thread::scope(|scope| {
            for owner in 1..threads as Owner {
                let help = move || {
                    let crew = crew?;
                    let helper = || Evaluator::new(self, stack_end(size), owner, Some(crew)).help(crew);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(helper)) {
                        self.budget.exhaust();
                        crew.lose();
                        panic.downcast::<NoMemory>().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    }
                    Some(())
                };
                // With fewer helpers, or none, it only takes longer.
                let thread = std::thread::Builder::new().name(format!("evaluation-{owner}")).stack_size(size);
                let _ = thread.spawn_scoped(scope, help);
            }
            let body = || {
                let work = work.take().expect("a thread runs once");
                // Also when it panics, so that the helpers end.
                let _close = crew.map(CloseOnDrop);
                // Settled here, where the stack is deep and empty again.
                let evaluator = Evaluator::new(self, stack_end(size), MAIN, crew);
                let result = work(&evaluator).map_err(|error| error.settle(self));
                lock(&self.taken).append(&mut evaluator.frames().take());
                result
            };
            let thread = std::thread::Builder::new().name("evaluation".to_owned()).stack_size(size);
            let Ok(thread) = thread.spawn_scoped(scope, body) else {
                crew.inspect(|crew| crew.close());
                return None;
            };
            Some(thread.join().unwrap_or_else(|panic| match panic.downcast::<NoMemory>() {
                Ok(_) => {
                    self.budget.exhaust();
                    Err(self.memory_limit(Span::NONE))
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }))
        })
    }

    /// The error for an evaluation that takes more memory than it may, or than there is.
    #[cold]
    pub(crate) fn memory_limit(&self, span: Span) -> Box<Diagnostic> {
        let message = match self.budget.limit() {
            usize::MAX => "evaluation takes more memory than there is".to_owned(),
            limit => format!("evaluation takes more than {} MiB of memory", limit >> 20),
        };
        Diagnostic::new(Code::MemoryLimit, span, message).hint(
            "does the recursion ever end? are lists or strings longer than they should be? if not, raise the limit",
        )
    }

    fn failure(&self, first: Diagnostic) -> Failure {
        let mut failure = vec![first];
        let brothers = std::mem::take(&mut *lock(&self.brothers));
        failure.extend(brothers.into_iter().filter(|brother| brother.code != Code::Thrown));
        failure
    }

    /// One error of several that one step gave; the others are kept for the failure.
    fn first_of(&self, evaluator: &Evaluator<'_>, errors: Vec<Diagnostic>) -> Box<Diagnostic> {
        let mut errors = without_repetition(errors).into_iter();
        let first = errors.next().expect("a failure has at least one diagnostic");
        if evaluator.is_main() {
            lock(&self.brothers).extend(errors);
        }
        Box::new(first)
    }

    /// Shows a warning to the user; its excerpt only if it shows the user's own code.
    #[cold]
    pub(crate) fn warn(&self, warning: &Diagnostic) {
        let mut warning = warning.clone();
        if self.owners().is_library(warning.primary.span) && warning.code == Code::Warned {
            warning.primary.span = Span::NONE;
        }
        self.io.trace(render(&warning, &self.sources, RenderOptions::default()).trim_end());
    }

    /// Adds to an error the place in a text that is no source, as one of JSON, where the problem is.
    #[cold]
    pub(crate) fn in_text(
        &self,
        error: Box<Diagnostic>,
        name: &str,
        text: &[u8],
        at: usize,
        problem: &str,
    ) -> Box<Diagnostic> {
        match self.sources.add(Origin::Text(name.to_owned()), text.into()) {
            Some(source) => error.also(source.span(at.min(text.len()), (at + 1).min(text.len())), problem),
            None => error,
        }
    }

    /// Parses a text and gives its errors, without evaluating it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check_syntax(&self, origin: Origin, text: &[u8]) -> std::result::Result<(), Failure> {
        let mut errors = Vec::new();
        self.run(|_| {
            let source = self.add_source(origin, text.into())?;
            errors = syntax::parse(&source, &self.symbols, self.parse_options()).err().unwrap_or_default();
            Ok(())
        })?;
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn parse_options(&self) -> ParseOptions {
        ParseOptions { pipe_operators: self.settings.pipe_operators, ..ParseOptions::default() }
    }

    /// The syntax tree of the text that a place is in.
    pub(crate) fn reparse(&self, span: Span) -> Option<syntax::ast::Expr> {
        let source = self.sources.find(span.start)?;
        syntax::parse(&source, &self.symbols, self.parse_options()).ok()
    }

    fn add_source(&self, origin: Origin, text: Arc<[u8]>) -> Result<Arc<Source>> {
        self.sources
            .add(origin, text)
            .ok_or_else(|| Diagnostic::new(Code::TooLarge, Span::NONE, "the source texts of this session exceed 4 GiB"))
    }

    /// Parses and compiles a text in a scope; relative paths are relative to `directory`.
    pub(crate) fn compile(
        &self,
        evaluator: &Evaluator<'_>,
        origin: Origin,
        text: Arc<[u8]>,
        directory: &[u8],
        scope: &Scope<'_>,
    ) -> Result<&'static crate::code::Expr> {
        let source = self.add_source(origin, text)?;
        let tree = syntax::parse(&source, &self.symbols, self.parse_options())
            .map_err(|errors| self.first_of(evaluator, errors))?;
        let bump: &'static Arena = evaluator.bump();
        let home = self.settings.impure.as_ref().and_then(|impure| impure.home.as_deref());
        let compiler =
            Compiler { symbols: &self.symbols, bump, globals: &self.globals, directory, home, source: &source };
        let compiled = compile::compile(compiler, &tree, scope);
        let (code, warnings) = compiled.map_err(|errors| self.first_of(evaluator, errors))?;
        if !warnings.is_empty() {
            evaluator.check_effect()?;
            warnings.iter().take(MAX_ERRORS).for_each(|warning| self.warn(warning));
        }
        Ok(bump.alloc(code))
    }

    /// Evaluates a text; relative paths are relative to the directory.
    pub(crate) fn eval_text(
        &self,
        evaluator: &Evaluator<'_>,
        origin: Origin,
        text: &[u8],
        directory: &Path,
    ) -> Result<Value> {
        let delayed = self.delay_text(evaluator, origin, text, directory)?;
        evaluator.force(delayed)
    }

    /// The value of a text, when it is needed.
    pub(crate) fn delay_text(
        &self,
        evaluator: &Evaluator<'_>,
        origin: Origin,
        text: &[u8],
        directory: &Path,
    ) -> Result<Value> {
        self.begin_in(directory);
        let scope = Scope::of_names(None, Vec::new());
        let code = self.compile(evaluator, origin, text.into(), crate::paths::to_bytes(directory), &scope)?;
        Ok(Value::Thunk(evaluator.bump().alloc(Thunk::code(code, evaluator.empty_env()))))
    }

    /// The value of a file or of the `default.nix` of a directory.
    pub(crate) fn import(&self, evaluator: &Evaluator<'_>, path: &[u8], span: Span) -> Result<Value> {
        let path = evaluator.resolve_import(path, span)?;
        let known = lock(&self.imports).get(&path).copied();
        if let Some(value) = known {
            evaluator.note(|| Question::Content(crate::paths::from_bytes(&path).to_owned()));
            return evaluator.force(value);
        }
        let scope = Scope::of_names(None, Vec::new());
        let code = self.compile_file(evaluator, &path, &scope, span)?;
        let value = Value::Thunk(evaluator.bump().alloc(Thunk::code(code, evaluator.empty_env())));
        // Another thread may have been faster: a file has one value.
        let value = *lock(&self.imports).entry(path).or_insert(value);
        evaluator.force(value)
    }

    /// Compiles a file that [`Self::resolve_import`] gave, in a scope.
    pub(crate) fn compile_file(
        &self,
        evaluator: &Evaluator<'_>,
        path: &[u8],
        scope: &Scope<'_>,
        span: Span,
    ) -> Result<&'static crate::code::Expr> {
        let text = evaluator.read_file(path, span)?;
        let origin = Origin::File(crate::paths::from_bytes(path).to_owned());
        self.compile(evaluator, origin, text.into(), crate::paths::dir_name(path), scope)
    }

    /// The text of a span.
    pub(crate) fn name_text(&self, span: Span) -> String {
        self.sources.find(span.start).map_or(String::new(), |source| {
            let (start, end) = (source.offset(span.start), source.offset(span.end));
            String::from_utf8_lossy(&source.text[start..end]).into_owned()
        })
    }

    /// The span of the name that starts at a place.
    pub(crate) fn name_span(&self, pos: Pos) -> Span {
        let Some(source) = self.sources.find(pos) else { return Span::NONE };
        let start = source.offset(pos);
        let rest = &source.text[start..];
        let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'\'');
        let length = rest.iter().take_while(name).count().max(1);
        source.span(start, start + length)
    }
}

/// How many errors of one text are reported.
const MAX_ERRORS: usize = 20;

/// The first errors of many; those that say the same are one.
fn without_repetition(errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kept: Vec<(Diagnostic, usize)> = Vec::new();
    let mut left_out = 0;
    for error in errors {
        let same = |known: &Diagnostic| known.code == Code::UndefinedVariable && known.message == error.message;
        let full = kept.len() == MAX_ERRORS;
        match kept.iter_mut().find(|(known, _)| same(known)) {
            Some((_, times)) => *times += 1,
            None if full => left_out += 1,
            None => kept.push((error, 1)),
        }
    }
    if let Some((last, _)) = kept.last_mut().filter(|_| left_out > 0) {
        last.hints.push(format!("{left_out} more errors of this text are not shown"));
    }
    let told = kept.into_iter().map(|(mut error, times)| {
        match times {
            1 => {}
            2 => error.hints.push("the same in one more place".to_owned()),
            times => error.hints.push(format!("the same in {} more places", times - 1)),
        }
        error
    });
    told.collect()
}
