//! Lively state in the memory of the one process that serves, made durable by a journal.
//!
//! Each change is visible at once and appended to the journal under the same lock; `commit` waits until the journal has it.

mod frame;
mod journal;
mod lock;
mod pending;
mod replay;
mod sessions;
mod shards;
mod throttle;

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use crate::model::id::SessionId;
use crate::model::pending::PendingRequest;
use crate::model::secret::Digest;
use crate::model::session::{Session, SessionLifetime};
use crate::model::time::Timestamp;
use crate::store::audit_queue::{AuditQueue, Waiting};
use crate::store::embedded::frame::Frame;
use crate::store::embedded::journal::Journal;
use crate::store::embedded::lock::DirectoryLock;
use crate::store::embedded::shards::Shards;
use crate::store::embedded::throttle::Failures;
use crate::store::{Result, StoreConfig, StoreError};

/// How often the upkeep thread writes what nobody waited for and looks whether a snapshot is due.
const UPKEEP: Duration = Duration::from_secs(1);

/// The state and its journal.
pub(super) struct Embedded {
    state: Arc<State>,
    /// Dropping it ends the upkeep thread.
    upkeep: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _lock: DirectoryLock,
}

struct State {
    lifetime: SessionLifetime,
    journal: Arc<Journal>,
    tables: Tables,
    /// Whose records the journal holds until they are in SQL.
    audit: OnceLock<Arc<AuditQueue>>,
}

struct Tables {
    sessions: Shards<SessionId, Session>,
    pending: Shards<Digest, PendingRequest>,
    replay: Shards<Digest, (Digest, Timestamp)>,
    throttle: Mutex<HashMap<String, Failures>>,
}

impl Embedded {
    /// Opens `<directory>/lively` and returns the audit records that its journal still holds.
    ///
    /// Fails with `Unusable` if another process has it open, a newer version wrote it, or it is damaged.
    pub(super) fn open(config: &StoreConfig) -> Result<(Self, Vec<Waiting>)> {
        create_directory(&config.directory)?;
        let lock = DirectoryLock::take(&config.directory)?;
        let directory = config.directory.join("lively");
        create_directory(&directory)?;
        let tables =
            Tables { sessions: Shards::new(), pending: Shards::new(), replay: Shards::new(), throttle: Mutex::new(HashMap::new()) };
        let mut waiting = Vec::new();
        let journal = Journal::open(directory, config.sync_full, &mut |bytes| {
            tables.apply(frame::decode(bytes)?, &mut waiting);
            Ok(())
        })?;
        let state = Arc::new(State { lifetime: config.lifetime, journal: Arc::new(journal), tables, audit: OnceLock::new() });
        Ok((Self { state, upkeep: None, thread: None, _lock: lock }, waiting))
    }

    /// Ties in the queue whose records the journal holds, and starts the upkeep.
    pub(super) fn start(&mut self, audit: Option<Arc<AuditQueue>>) -> Result<()> {
        if let Some(audit) = audit {
            let _ = self.state.audit.set(audit);
        }
        let (sender, receiver) = mpsc::channel::<()>();
        let state = self.state.clone();
        let thread = std::thread::Builder::new()
            .name("linkspan-journal".to_owned())
            .spawn(move || {
                // At once, for those who open the store only for a moment again and again.
                state.keep_up();
                while receiver.recv_timeout(UPKEEP) == Err(mpsc::RecvTimeoutError::Timeout) {
                    state.keep_up();
                }
            })
            .map_err(|error| StoreError::Unusable(format!("cannot start a thread: {error}; raise the limit of processes")))?;
        self.upkeep = Some(sender);
        self.thread = Some(thread);
        Ok(())
    }

    /// Waits until everything done so far is in the journal.
    pub(super) async fn commit(&self) -> Result<()> {
        self.state.journal.commit().await
    }

    /// Fails with `Unavailable` while the journal cannot be written.
    pub(super) fn check(&self) -> Result<()> {
        self.state.journal.admit()
    }

    /// Keeps an audit record until it is in SQL.
    pub(super) fn spool(&self, record: &Waiting) {
        self.state.journal.append(&frame::audit(record));
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.upkeep = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Err(error) = self.state.journal.flush() {
            tracing::error!(error = %error, "the last changes to sessions could not be written");
        }
    }
}

impl State {
    fn keep_up(&self) {
        let outcome = self.journal.flush().and_then(|()| if self.journal.is_due() { self.compact() } else { Ok(()) });
        if let Err(error) = outcome {
            tracing::error!(error = %error, "the session journal cannot be written; sign-ins are refused until it can");
        }
    }

    fn compact(&self) -> Result<()> {
        self.journal.compact(&mut |out| {
            let other = std::io::Error::other;
            for piece in self.tables.sessions.pieces() {
                for session in piece.map.values() {
                    out.put(&frame::session(session).map_err(other)?)?;
                }
            }
            for piece in self.tables.pending.pieces() {
                for (key, request) in &piece.map {
                    out.put(&frame::pending(key, request).map_err(other)?)?;
                }
            }
            for piece in self.tables.replay.pieces() {
                for (message, (fingerprint, expires)) in &piece.map {
                    out.put(&frame::replay(message, fingerprint, *expires))?;
                }
            }
            for (key, failures) in self.tables.throttle.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                out.put(&frame::failures(key, failures).map_err(other)?)?;
            }
            for record in self.audit.get().map(|queue| queue.oldest(usize::MAX)).unwrap_or_default() {
                out.put(&frame::audit(&record))?;
            }
            Ok(())
        })
    }
}

impl Tables {
    fn apply(&self, frame: Frame, waiting: &mut Vec<Waiting>) {
        match frame {
            Frame::Session(session) => {
                self.sessions.piece(session.id.as_str()).map.insert(session.id.clone(), session);
            }
            Frame::Join(join) => {
                if let Some(session) = self.sessions.piece(join.id.as_str()).map.get_mut(&join.id) {
                    session.join(join.participant);
                }
            }
            Frame::Seen(id, at) => {
                if let Some(session) = self.sessions.piece(id.as_str()).map.get_mut(&id) {
                    session.last_seen = session.last_seen.max(at);
                }
            }
            Frame::End(id) => {
                self.sessions.piece(id.as_str()).map.remove(&id);
            }
            Frame::Pending(key, request) => {
                self.pending.piece(&key).map.insert(key, request);
            }
            Frame::Replay { message, fingerprint, expires } => {
                self.replay.piece(&message).map.insert(message, (fingerprint, expires));
            }
            Frame::Failures(key, failures) => {
                self.throttle.lock().unwrap_or_else(PoisonError::into_inner).insert(key, failures);
            }
            Frame::Cleared(key) => {
                self.throttle.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            }
            Frame::Audit(record) => waiting.push(record),
        }
    }
}

fn create_directory(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| StoreError::Unusable(format!("cannot create {}: {error}; check storage.directory", path.display())))
}

#[cfg(test)]
mod tests;
