//! Audit records between `record()` and their row in the database.
//!
//! Where the lively store is embedded, a record is acknowledged once the journal has it (the spool), and moves on to SQL in
//! big batches; else the batch in SQL is the acknowledgement.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::model::event::AuditRecord;
use crate::store::{Result, StoreError, WAIT};

/// How many records wait at most; then `record` waits.
const MOST: usize = 20_000;

/// One record as it will be stored. `place` counts records, and is what the spool remembers them by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) place: u64,
    pub(super) at: i64,
    pub(super) doc: String,
}

/// How far the writer got.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The newest place in the database.
    pub(super) moved: u64,
    /// Counts failed batches, so that a waiter sees that one failed since it began to wait.
    pub(super) failures: u64,
    pub(super) reason: String,
}

/// The queue. Records leave it only after their batch was committed.
pub(super) struct AuditQueue {
    inner: Mutex<Inner>,
    /// Wakes the writer.
    pub(super) wake: Notify,
    /// Tells the writer that somebody waits.
    pub(super) urgent: Notify,
    progress: watch::Sender<Progress>,
}

struct Inner {
    waiting: VecDeque<Waiting>,
    next: u64,
    closed: bool,
}

impl AuditQueue {
    /// A queue that goes on after `moved`, with what a journal still held.
    pub(super) fn new(moved: u64, mut waiting: Vec<Waiting>) -> Self {
        // A journal and its snapshot may both hold a record.
        waiting.retain(|record| record.place > moved);
        waiting.sort_by_key(|record| record.place);
        waiting.dedup_by_key(|record| record.place);
        let next = waiting.last().map_or(moved, |record| record.place) + 1;
        let (progress, _) = watch::channel(Progress { moved, ..Progress::default() });
        let queue = Self {
            inner: Mutex::new(Inner { waiting: waiting.into(), next, closed: false }),
            wake: Notify::new(),
            urgent: Notify::new(),
            progress,
        };
        queue.wake.notify_one();
        queue
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a record in line, handing it to `spool` at its place. Waits while the queue is full.
    ///
    /// Fails with `Unavailable` if it stays full for two seconds.
    pub(super) async fn push(&self, record: &AuditRecord, spool: impl Fn(&Waiting)) -> Result<()> {
        let doc = serde_json::to_string(record).map_err(|error| StoreError::Corrupt {
            store: "audit",
            what: "an audit record",
            reason: error.to_string(),
        })?;
        let mut waiting = Waiting { place: 0, at: record.at.as_millis(), doc };
        let mut progress = self.progress.subscribe();
        loop {
            progress.mark_unchanged();
            match self.try_push(waiting, &spool) {
                None => break,
                Some(back) => waiting = back,
            }
            self.urgent.notify_one();
            let changed = tokio::time::timeout(WAIT, progress.changed()).await;
            if changed.is_err() || progress.borrow().failures > 0 && self.inner().waiting.len() >= MOST {
                let reason = progress.borrow().reason.clone();
                return Err(StoreError::Unavailable { store: "audit", reason: format!("{MOST} records wait to be written: {reason}") });
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    fn try_push(&self, mut record: Waiting, spool: impl Fn(&Waiting)) -> Option<Waiting> {
        let mut inner = self.inner();
        if inner.waiting.len() >= MOST {
            return Some(record);
        }
        record.place = inner.next;
        inner.next += 1;
        spool(&record);
        inner.waiting.push_back(record);
        None
    }

    /// Waits until everything that is in line now is in the database.
    ///
    /// Fails with `Unavailable` as soon as a batch fails, or after two seconds.
    pub(super) async fn moved(&self) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let target = self.inner().next - 1;
        let failures = progress.borrow().failures;
        if progress.borrow().moved >= target {
            return Ok(());
        }
        self.urgent.notify_one();
        self.wake.notify_one();
        let wait = progress.wait_for(|progress| progress.moved >= target || progress.failures > failures);
        let reason = match tokio::time::timeout(WAIT, wait).await {
            Ok(Ok(progress)) if progress.moved >= target => return Ok(()),
            Ok(Ok(progress)) => progress.reason.clone(),
            Ok(Err(_)) => "its writer has stopped".to_owned(),
            Err(_) => "no answer within two seconds".to_owned(),
        };
        Err(StoreError::Unavailable { store: "audit", reason })
    }

    /// The oldest records in line, for a batch or for the journal's snapshot.
    pub(super) fn oldest(&self, most: usize) -> Vec<Waiting> {
        self.inner().waiting.iter().take(most).cloned().collect()
    }

    /// Takes off what a committed batch holds.
    pub(super) fn done(&self, through: u64) {
        let mut inner = self.inner();
        while inner.waiting.front().is_some_and(|record| record.place <= through) {
            inner.waiting.pop_front();
        }
        drop(inner);
        self.progress.send_modify(|progress| progress.moved = through);
    }

    pub(super) fn failed(&self, reason: String) {
        self.progress.send_modify(|progress| {
            progress.failures += 1;
            progress.reason = reason;
        });
    }

    /// Lets the writer end once the line is empty.
    pub(super) fn close(&self) {
        self.inner().closed = true;
        self.wake.notify_one();
        self.urgent.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner().closed
    }
}
