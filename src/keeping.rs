//! Derivations that evaluation has made, on their way to the store.
//!
//! Those that will be kept in any case go there in batches, on a thread of its own, while evaluation goes on. Those that
//! are of interest only when one of them must be built wait in a file without a name, so that looking at many packages
//! takes little memory. *Invariant:* what was taken in and is not in the store is still here, whatever failed.

use crate::adding::AddError;
use crate::host_io::scratch_file;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use store::EncodedDerivation;
use store::local::{LocalStore, StoreError};

/// So many derivations are kept at once.
const BATCH: usize = 512;
/// So many bytes go to the file at once.
const CHUNK: usize = 1 << 20;

/// Puts into the store what the derivations taken in so far name.
type Before<'b> = dyn Fn() -> Result<(), AddError> + 'b;

type Batch = Vec<Arc<EncodedDerivation>>;

/// Derivations on their way to the store.
#[derive(Debug)]
pub(crate) enum Keeping {
    /// All of them will be kept.
    Surely(Batches),
    /// They will be kept if somebody wants to build.
    Perhaps(Mutex<Spool>),
}

impl Keeping {
    /// On the way to a store; `surely` says whether they will be kept in any case.
    pub(crate) fn new(store: &Arc<LocalStore>, surely: bool) -> Self {
        if surely {
            Self::Surely(Batches { store: Arc::clone(store), pending: Mutex::default(), writer: Mutex::default() })
        } else {
            Self::Perhaps(Mutex::new(Spool { file: scratch_file(store), ..Spool::default() }))
        }
    }

    /// Takes a derivation in. What derivations name goes to the store before them: that is what `before` does.
    pub(crate) fn add(&self, derivation: EncodedDerivation, before: &Before<'_>) -> Result<(), AddError> {
        match self {
            Self::Surely(batches) => batches.add(Arc::new(derivation), before),
            Self::Perhaps(spool) => {
                lock(spool).push(derivation.encoding());
                Ok(())
            }
        }
    }

    /// Puts all that was taken in into the store, and what it names before it.
    pub(crate) fn flush(&self, store: &LocalStore, before: &Before<'_>) -> Result<(), AddError> {
        match self {
            Self::Surely(batches) => batches.flush(before),
            Self::Perhaps(spool) => {
                let mut spool = lock(spool);
                before()?;
                Ok(spool.drain(|batch| store.add_derivations(batch))?)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Batches, and the thread that writes them.
#[derive(Debug)]
pub(crate) struct Batches {
    store: Arc<LocalStore>,
    pending: Mutex<Batch>,
    writer: Mutex<Option<Writer>>,
}

#[derive(Debug)]
struct Writer {
    batches: SyncSender<Batch>,
    /// Gives back what it could not keep.
    thread: JoinHandle<Batch>,
    failed: Arc<AtomicBool>,
}

impl Batches {
    fn add(&self, derivation: Arc<EncodedDerivation>, before: &Before<'_>) -> Result<(), AddError> {
        let full = {
            let mut pending = lock(&self.pending);
            pending.push(derivation);
            pending.len() >= BATCH
        };
        if full { self.send(before) } else { Ok(()) }
    }

    /// Hands what is pending to the thread. Who holds the writer finds everything there or pending, nothing in between.
    fn send(&self, before: &Before<'_>) -> Result<(), AddError> {
        let mut writer = lock(&self.writer);
        let batch = std::mem::take(&mut *lock(&self.pending));
        if let Err(error) = before() {
            lock(&self.pending).extend(batch);
            return Err(error);
        }
        let Writer { batches, failed, .. } = writer.get_or_insert_with(|| start(&self.store));
        // Only a panic ends the thread before its senders.
        if let Err(unsent) = batches.send(batch) {
            lock(&self.pending).extend(unsent.0);
            failed.store(true, Ordering::Relaxed);
        }
        // Trying again says what is wrong.
        if failed.load(Ordering::Relaxed) { self.write_all(&mut writer, before) } else { Ok(()) }
    }

    fn flush(&self, before: &Before<'_>) -> Result<(), AddError> {
        self.write_all(&mut lock(&self.writer), before)
    }

    fn write_all(&self, writer: &mut Option<Writer>, before: &Before<'_>) -> Result<(), AddError> {
        let mut left = Batch::new();
        if let Some(Writer { batches, thread, .. }) = writer.take() {
            drop(batches);
            left = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        left.append(&mut lock(&self.pending));
        let keep = || if left.is_empty() { Ok(()) } else { Ok(self.store.add_derivations(&left)?) };
        let kept = before().and_then(|()| keep());
        if kept.is_err() {
            lock(&self.pending).append(&mut left);
        }
        kept
    }
}

/// Starts a thread that keeps batches; behind one that cannot be kept it keeps none.
fn start(store: &Arc<LocalStore>) -> Writer {
    // Evaluation waits when it is further ahead than that.
    let (batches, received) = sync_channel::<Batch>(2);
    let store = Arc::clone(store);
    let failed = Arc::new(AtomicBool::new(false));
    let has_failed = Arc::clone(&failed);
    let thread = std::thread::spawn(move || {
        let mut left = Batch::new();
        for batch in received {
            if !left.is_empty() || store.add_derivations(&batch).is_err() {
                has_failed.store(true, Ordering::Relaxed);
                left.extend(batch);
            }
        }
        left
    });
    Writer { batches, thread, failed }
}

/// Encodings in a file without a name, and those that are not there yet.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of each, in order.
    lengths: Vec<u32>,
}

impl Spool {
    fn push(&mut self, encoding: &[u8]) {
        self.lengths.push(u32::try_from(encoding.len()).expect("derivations below 4 GiB"));
        self.buffer.extend_from_slice(encoding);
        if self.buffer.len() < CHUNK {
            return;
        }
        let Some(file) = &mut self.file else { return };
        let Ok(end) = file.stream_position() else { return };
        if file.write_all(&self.buffer).is_ok() {
            self.buffer.clear();
        } else {
            // No room there: what is left stays in memory.
            let _ = file.set_len(end);
            self.read_back();
            self.file = None;
        }
    }

    /// Takes everything out of the file.
    fn read_back(&mut self) {
        let Some(file) = &mut self.file else { return };
        let mut all = Vec::new();
        let read = file.rewind().and_then(|()| file.read_to_end(&mut all)).and_then(|_| file.set_len(0));
        read.and_then(|()| file.rewind()).expect("what was just written to a file that nobody else has is there");
        all.append(&mut self.buffer);
        self.buffer = all;
    }

    /// Hands all over in batches; what is handed over without an error is forgotten.
    fn drain(&mut self, keep: impl Fn(&[Arc<EncodedDerivation>]) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.read_back();
        let mut rest = self.buffer.as_slice();
        let mut kept = 0;
        let result = self.lengths.chunks(BATCH).try_for_each(|lengths| {
            let mut batch = Vec::with_capacity(lengths.len());
            let mut behind = rest;
            for length in lengths {
                let (encoding, after) = behind.split_at(*length as usize);
                batch.push(Arc::new(EncodedDerivation::decode(encoding).expect("this program encoded it")));
                behind = after;
            }
            keep(&batch)?;
            (rest, kept) = (behind, kept + lengths.len());
            Ok(())
        });
        let done = self.buffer.len() - rest.len();
        self.buffer.drain(..done);
        self.lengths.drain(..kept);
        result
    }
}
