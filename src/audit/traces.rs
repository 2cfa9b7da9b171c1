//! Traces: failures are kept in the store, the last successes of this node in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::check::{TraceOutcome, TraceRecord};
use crate::model::id::Reference;
use crate::model::time::{Span, Timestamp};
use crate::store::traces::{TraceFilter, Traces};
use crate::store::{self};

/// Successes that a node remembers.
const SUCCESSES: usize = 1_000;
/// Refusals of one stranger's address kept in a minute; the rest is counted.
const STRANGER_PER_MINUTE: u32 = 60;
/// How long failures are kept, and how many.
pub const KEPT_FOR: Span = Span::days(30);
pub const KEPT_AT_MOST: u64 = 100_000;

/// Keeps and finds traces.
#[derive(Clone)]
pub struct TraceLog {
    store: Arc<dyn Traces>,
    recent: Arc<Mutex<VecDeque<TraceRecord>>>,
    strangers: Arc<Mutex<HashMap<String, (Timestamp, u32)>>>,
}

impl TraceLog {
    pub fn new(store: Arc<dyn Traces>) -> Self {
        Self { store, recent: Arc::default(), strangers: Arc::default() }
    }

    /// Keeps a trace. `known` says whether the exchange named a registered app: a stranger's refusals above 60 a minute
    /// from one address are counted, not kept.
    pub async fn keep(&self, record: TraceRecord, known: bool) -> store::Result<()> {
        if record.outcome == TraceOutcome::Succeeded {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.len() >= SUCCESSES {
                recent.pop_front();
            }
            recent.push_back(record);
            return Ok(());
        }
        if !known && !self.admit_stranger(record.client.as_deref().unwrap_or(""), record.at) {
            return Ok(());
        }
        self.store.put(&record).await
    }

    fn admit_stranger(&self, address: &str, now: Timestamp) -> bool {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if strangers.len() > 10_000 {
            strangers.retain(|_, (since, _)| now.since(*since) < Span::minutes(1));
            // Still too many addresses within a minute: keep none of the new ones.
            if strangers.len() > 10_000 && !strangers.contains_key(address) {
                return false;
            }
        }
        let entry = strangers.entry(address.to_owned()).or_insert((now, 0));
        if now.since(entry.0) >= Span::minutes(1) {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 <= STRANGER_PER_MINUTE
    }

    pub async fn by_reference(&self, reference: &Reference) -> store::Result<Option<TraceRecord>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|r| r.reference == *reference).cloned();
        match recent {
            Some(record) => Ok(Some(record)),
            None => self.store.by_reference(reference).await,
        }
    }

    /// The newest first; successes of this node among them unless `failed`.
    pub async fn list(&self, filter: &TraceFilter, failed: bool, limit: u32) -> store::Result<Vec<TraceRecord>> {
        let mut records = self.store.list(filter, limit).await?;
        if !failed {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            records.extend(
                recent
                    .iter()
                    .filter(|record| {
                        filter.app.as_ref().is_none_or(|app| record.app.as_ref() == Some(app))
                            && filter.user.as_ref().is_none_or(|user| record.user.as_ref() == Some(user))
                            && filter.since.is_none_or(|since| record.at > since)
                    })
                    .cloned(),
            );
        }
        records.sort_by_key(|record| std::cmp::Reverse(record.at));
        records.truncate(limit as usize);
        Ok(records)
    }

    /// Removes what is too old or too much.
    pub async fn prune(&self, now: Timestamp) -> store::Result<u64> {
        let mut removed = 0;
        loop {
            match self.store.prune(now - KEPT_FOR, KEPT_AT_MOST).await? {
                0 => return Ok(removed),
                some => removed += some,
            }
        }
    }
}
