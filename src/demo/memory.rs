//! What an app remembers, in memory and bounded: browsers, open requests, answers on their way, assertions seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::crypto::digest;
use crate::demo::exchange::Exchange;
use crate::model::time::{Span, Timestamp};

/// What was asked, so that the answer can be held against it.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The digest of the cookie of the browser that asked.
    pub browser: String,
    pub relay_state: String,
    pub at: Timestamp,
    pub force_authn: bool,
    /// The classes that would do, where it was asked for exactly one of them.
    pub exact_context: Option<String>,
}

/// What one browser sees.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    pub signed_in: Option<Arc<Exchange>>,
    pub refused: Option<Arc<Exchange>>,
}

/// Everything that an app remembers.
pub struct Memory {
    shelves: Mutex<Shelves>,
}

struct Shelves {
    pending: Shelf<Pending>,
    tickets: Shelf<Arc<Exchange>>,
    browsers: Shelf<Browser>,
    assertions: Shelf<()>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            shelves: Mutex::new(Shelves {
                pending: Shelf::new(1_000, Span::minutes(30)),
                tickets: Shelf::new(200, Span::minutes(2)),
                browsers: Shelf::new(200, Span::hours(8)),
                // Longer than samael accepts an assertion after its issue.
                assertions: Shelf::new(5_000, Span::minutes(30)),
            }),
        }
    }
}

impl Memory {
    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // Nothing is half-done when a holder panics: each operation is one call on one map.
        self.shelves.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn asked(&self, request_id: String, pending: Pending) {
        let at = pending.at;
        self.shelves().pending.put(request_id, pending, at);
    }

    pub fn pending(&self, request_id: &str, now: Timestamp) -> Option<Pending> {
        self.shelves().pending.get(request_id, now).cloned()
    }

    /// Closes a request and marks its assertion as seen. False where another answer came first.
    pub fn consume(&self, request_id: Option<&str>, assertion_id: &str, now: Timestamp) -> bool {
        let mut shelves = self.shelves();
        if shelves.assertions.get(assertion_id, now).is_some() {
            return false;
        }
        if let Some(request_id) = request_id
            && shelves.pending.take(request_id, now).is_none()
        {
            return false;
        }
        shelves.assertions.put(assertion_id.to_owned(), (), now);
        true
    }

    /// Keeps a judged answer until its browser comes for it.
    pub fn keep(&self, ticket: &str, exchange: Arc<Exchange>, now: Timestamp) {
        self.shelves().tickets.put(key(ticket), exchange, now);
    }

    pub fn collect(&self, ticket: &str, now: Timestamp) -> Option<Arc<Exchange>> {
        self.shelves().tickets.take(&key(ticket), now)
    }

    pub fn browser(&self, cookie: &str, now: Timestamp) -> Option<Browser> {
        self.shelves().browsers.get(&key(cookie), now).cloned()
    }

    pub fn set_browser(&self, cookie: &str, browser: Browser, now: Timestamp) {
        self.shelves().browsers.put(key(cookie), browser, now);
    }

    pub fn forget_browser(&self, cookie: &str, now: Timestamp) {
        self.shelves().browsers.take(&key(cookie), now);
    }
}

/// What live credentials rest as.
pub fn key(credential: &str) -> String {
    digest::sha256(credential.as_bytes()).to_hex()
}

/// A map that holds at most so many things for at most so long; the oldest makes room.
struct Shelf<V> {
    items: HashMap<String, (Timestamp, V)>,
    most: usize,
    life: Span,
}

impl<V> Shelf<V> {
    fn new(most: usize, life: Span) -> Self {
        Self { items: HashMap::new(), most, life }
    }

    fn put(&mut self, key: String, value: V, now: Timestamp) {
        if self.items.len() >= self.most && !self.items.contains_key(&key) {
            let life = self.life;
            self.items.retain(|_, (at, _)| now.since(*at) < life);
            if self.items.len() >= self.most
                && let Some(oldest) = self.items.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| key.clone())
            {
                self.items.remove(&oldest);
            }
        }
        self.items.insert(key, (now, value));
    }

    fn get(&self, key: &str, now: Timestamp) -> Option<&V> {
        self.items.get(key).filter(|(at, _)| now.since(*at) < self.life).map(|(_, value)| value)
    }

    fn take(&mut self, key: &str, now: Timestamp) -> Option<V> {
        let (at, value) = self.items.remove(key)?;
        (now.since(at) < self.life).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_shelf_gives_up_its_oldest() {
        let mut shelf = Shelf::new(2, Span::minutes(1));
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            shelf.put(key.to_owned(), (), Timestamp::from_seconds(at as i64));
        }

        let now = Timestamp::from_seconds(3);
        assert!(shelf.get("a", now).is_none());
        assert!(shelf.get("b", now).is_some() && shelf.get("c", now).is_some());
        assert!(shelf.get("c", Timestamp::from_seconds(62)).is_none());
    }

    #[test]
    fn an_assertion_is_consumed_once() {
        let memory = Memory::default();
        let now = Timestamp::from_seconds(0);

        assert!(memory.consume(None, "_a", now));
        assert!(!memory.consume(None, "_a", now));
        assert!(!memory.consume(Some("_never_asked"), "_b", now));
    }
}
