//! The journal of the embedded store: an append-only file of checked frames, and the snapshot that it starts from.
//!
//! `<directory>/lively/` holds `N.snapshot`, the state before journal N, and `N.journal` with what happened since; a
//! snapshot in the making ends in `.new`. An append lands in memory; `commit` writes whatever has gathered by one call and
//! returns when the system has it, so that it survives the death of the process; with `sync_full` when the disk has it.
//! Why not SQLite: `docs/decisions/0001-embedded-lively-store.md`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Result, StoreError};

/// The first bytes of each file; the last one is the version of the format.
const MAGIC: &[u8; 16] = b"linkspan-lively\x01";

/// Past this a journal is replaced by a snapshot, unless the snapshot before it was more than half of this.
const ENOUGH: u64 = 64 << 20;

/// More journals than this, one for each start, are replaced too.
const MANY: usize = 8;

/// What gathers in memory before it is written although nobody waits for it.
const GATHER: usize = 1 << 20;

/// No frame is longer.
const LONGEST: usize = 64 << 20;

pub(super) struct Journal {
    directory: PathBuf,
    sync_full: bool,
    buffer: Mutex<Buffer>,
    /// Held by whoever writes for all.
    output: Mutex<Output>,
    /// The same turn, for those who must not block while they wait for the disk.
    turn: tokio::sync::Mutex<()>,
    appended: AtomicU64,
    written: AtomicU64,
    failing: AtomicBool,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    appended: u64,
}

struct Output {
    file: File,
    generation: u64,
    /// Where the next frame goes. What a failed write left behind it is written over.
    length: u64,
    /// Length at which a snapshot is due.
    due: u64,
    /// Taken from the buffer and not yet in the file.
    pending: Vec<u8>,
    /// Journals before this one that no snapshot covers yet: how many, and their bytes.
    inherited: (usize, u64),
}

impl Journal {
    /// Reads what is there into `apply`, frame by frame, and starts a new journal after the newest.
    ///
    /// Fails with `Unusable` for files of a newer version or damage that a crash cannot
    /// explain.
    pub(super) fn open(directory: PathBuf, sync_full: bool, apply: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Self> {
        let unusable = |error: io::Error| unreadable(&directory, &error);
        std::fs::create_dir_all(&directory).map_err(unusable)?;
        let mut snapshots = numbered(&directory, "snapshot").map_err(unusable)?;
        let mut journals = numbered(&directory, "journal").map_err(unusable)?;
        snapshots.sort_unstable();
        journals.sort_unstable();
        let base = snapshots.last().copied();
        if let Some(number) = base {
            let path = directory.join(format!("{number}.snapshot"));
            if let Some(at) = replay(&path, apply)? {
                return Err(StoreError::Unusable(format!(
                    "{} is damaged at byte {at}; restore it from a backup, or remove the folder {}: everybody then signs in again",
                    path.display(),
                    directory.display()
                )));
            }
        }
        let mut inherited = (0, 0);
        for number in journals.iter().filter(|number| base.is_none_or(|base| **number >= base)) {
            let path = directory.join(format!("{number}.journal"));
            if let Some(at) = replay(&path, apply)? {
                tracing::warn!(file = %path.display(), at, "the session journal ends in an unfinished record, as after a power failure; it is dropped");
            }
            inherited = (inherited.0 + 1, inherited.1 + std::fs::metadata(&path).map_or(0, |file| file.len()));
        }
        let generation = journals.last().copied().max(base).map_or(1, |newest| newest + 1);
        let file = create(&directory, generation).map_err(unusable)?;
        Ok(Self {
            directory,
            sync_full,
            buffer: Mutex::default(),
            output: Mutex::new(Output { file, generation, length: MAGIC.len() as u64, due: ENOUGH, pending: Vec::new(), inherited }),
            turn: tokio::sync::Mutex::new(()),
            appended: AtomicU64::new(0),
            written: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        })
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a change may be made: while the disk refuses to take what was appended, nothing more is.
    pub(super) fn admit(&self) -> Result<()> {
        if self.failing.load(Ordering::Acquire) { self.flush() } else { Ok(()) }
    }

    /// Appends one frame. The caller holds the lock of what it changed, so that frames stand in the order of changes.
    pub(super) fn append(&self, payload: &[u8]) {
        let mut buffer = self.buffer();
        frame(&mut buffer.bytes, payload);
        buffer.appended += 1;
        self.appended.store(buffer.appended, Ordering::Release);
        let full = buffer.bytes.len() >= GATHER;
        drop(buffer);
        if full {
            // Whoever commits hears of a failure; here it only marks the journal as failing.
            let _ = self.flush();
        }
    }

    /// Returns once everything appended so far is written (with `sync_full`: is on the disk).
    ///
    /// Fails with `Unavailable` while the file system does not take it.
    pub(super) async fn commit(self: &Arc<Self>) -> Result<()> {
        let target = self.appended.load(Ordering::Acquire);
        if self.written.load(Ordering::Acquire) >= target {
            return Ok(());
        }
        if !self.sync_full {
            // Copying a few kilobytes into the page cache takes less than handing them to another thread.
            return self.flush_to(target);
        }
        let _turn = self.turn.lock().await;
        if self.written.load(Ordering::Acquire) >= target {
            return Ok(());
        }
        let journal = Arc::clone(self);
        tokio::task::spawn_blocking(move || journal.flush_to(target)).await.unwrap_or_else(|error| Err(unavailable(&error)))
    }

    /// Writes what has gathered.
    pub(super) fn flush(&self) -> Result<()> {
        self.flush_to(self.appended.load(Ordering::Acquire))
    }

    fn flush_to(&self, target: u64) -> Result<()> {
        let mut output = self.output();
        if self.written.load(Ordering::Acquire) >= target {
            return Ok(());
        }
        self.write(&mut output)
    }

    fn write(&self, output: &mut Output) -> Result<()> {
        let upto = {
            let mut buffer = self.buffer();
            if output.pending.is_empty() {
                std::mem::swap(&mut output.pending, &mut buffer.bytes);
            } else {
                output.pending.append(&mut buffer.bytes);
            }
            buffer.appended
        };
        let outcome = output.file.write_all_at(&output.pending, output.length);
        let outcome = if self.sync_full { outcome.and_then(|()| output.file.sync_data()) } else { outcome };
        if let Err(error) = outcome {
            self.failing.store(true, Ordering::Release);
            return Err(unavailable(&error));
        }
        output.length += output.pending.len() as u64;
        output.pending.clear();
        output.pending.shrink_to(GATHER);
        self.failing.store(false, Ordering::Release);
        self.written.store(upto, Ordering::Release);
        Ok(())
    }

    /// Whether the journals are long enough to be replaced by a snapshot, or there are many.
    pub(super) fn is_due(&self) -> bool {
        let output = self.output();
        let (count, bytes) = output.inherited;
        count > MANY || output.length + bytes >= output.due
    }

    /// Replaces all files by a snapshot that `state` writes and an empty journal.
    ///
    /// Changes go on meanwhile: they stand in the new journal, and a frame in both places comes to the same.
    pub(super) fn compact(&self, state: &mut dyn FnMut(&mut SnapshotWriter) -> io::Result<()>) -> Result<()> {
        let generation = {
            let mut output = self.output();
            self.write(&mut output)?;
            let generation = output.generation + 1;
            let file = create(&self.directory, generation).map_err(|error| unavailable(&error))?;
            *output = Output { file, generation, length: MAGIC.len() as u64, due: ENOUGH, pending: Vec::new(), inherited: (0, 0) };
            generation
        };
        let size = self.snapshot(generation, state).map_err(|error| unavailable(&error))?;
        self.output().due = ENOUGH.max(size.saturating_mul(2));
        Ok(())
    }

    /// Puts another file in place of the journal's, for tests of what a failing disk does.
    #[cfg(test)]
    pub(super) fn replace_file(&self, file: File) -> File {
        std::mem::replace(&mut self.output().file, file)
    }

    fn snapshot(&self, generation: u64, state: &mut dyn FnMut(&mut SnapshotWriter) -> io::Result<()>) -> io::Result<u64> {
        let path = self.directory.join(format!("{generation}.snapshot"));
        let new = path.with_extension("new");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut writer = SnapshotWriter { file: BufWriter::with_capacity(1 << 18, file), frame: Vec::new(), size: 0 };
        writer.file.write_all(MAGIC)?;
        state(&mut writer)?;
        let size = writer.size;
        writer.file.into_inner()?.sync_all()?;
        std::fs::rename(&new, &path)?;
        // The name must be on the disk before what it replaces goes.
        File::open(&self.directory)?.sync_all()?;
        for kind in ["snapshot", "journal"] {
            for number in numbered(&self.directory, kind)?.into_iter().filter(|number| *number < generation) {
                std::fs::remove_file(self.directory.join(format!("{number}.{kind}")))?;
            }
        }
        Ok(size)
    }
}

/// Takes the frames of a snapshot.
pub(super) struct SnapshotWriter {
    file: BufWriter<File>,
    frame: Vec<u8>,
    size: u64,
}

impl SnapshotWriter {
    pub(super) fn put(&mut self, payload: &[u8]) -> io::Result<()> {
        self.frame.clear();
        frame(&mut self.frame, payload);
        self.size += self.frame.len() as u64;
        self.file.write_all(&self.frame)
    }
}

/// Length and checksum, four bytes each, little-endian, then the payload.
fn frame(out: &mut Vec<u8>, payload: &[u8]) {
    out.reserve(8 + payload.len());
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&checksum(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(payload: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(payload);
    crc.sum()
}

/// Hands each whole frame to `apply`; `Some` is the place of the first that is not whole.
fn replay(path: &Path, apply: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Option<u64>> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = io::BufReader::with_capacity(1 << 18, file);
    let mut magic = [0; 16];
    if reader.read_exact(&mut magic).is_err() {
        return Ok(Some(0));
    }
    if magic != *MAGIC {
        return Err(StoreError::Unusable(format!(
            "{} was not written by this version of linkspan: start the newer version, or remove the file: everybody then signs in again",
            path.display()
        )));
    }
    let mut at = MAGIC.len() as u64;
    let mut payload = Vec::new();
    loop {
        let mut head = [0; 8];
        match reader.read(&mut head[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
        if reader.read_exact(&mut head[1..]).is_err() {
            return Ok(Some(at));
        }
        let [a, b, c, d, e, f, g, h] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length == 0 || length > LONGEST {
            return Ok(Some(at));
        }
        payload.resize(length, 0);
        if reader.read_exact(&mut payload).is_err() || checksum(&payload) != u32::from_le_bytes([e, f, g, h]) {
            return Ok(Some(at));
        }
        apply(&payload)?;
        at += 8 + length as u64;
    }
}

fn create(directory: &Path, generation: u64) -> io::Result<File> {
    let path = directory.join(format!("{generation}.journal"));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all_at(MAGIC, 0)?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}

/// The numbers of the files with this extension.
fn numbered(directory: &Path, extension: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            numbers.extend(path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok()));
        }
    }
    Ok(numbers)
}

fn unavailable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable { store: "embedded", reason: format!("the journal cannot be written: {error}") }
}

fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable(format!("cannot read or write {}: {error}; check who owns it and whether the disk is full", path.display()))
}
