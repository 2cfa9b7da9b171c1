//! Failure counters in memory. One lock for all: every attempt under it is followed by a password hash.

use std::collections::HashMap;
use std::sync::PoisonError;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::embedded::{Embedded, frame};
use crate::store::throttle::{Admission, Throttle, ThrottleRule};

/// How many counters are kept; beyond it the eighth that would be forgotten first goes.
const MOST: usize = 200_000;

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failures {
    count: u32,
    /// No attempt before this.
    until: Timestamp,
    /// From here on it counts as none.
    forget: Timestamp,
}

#[async_trait]
impl Throttle for Embedded {
    async fn attempt(&self, keys: &[(String, ThrottleRule)], now: Timestamp) -> Result<Admission> {
        let state = &self.state;
        state.journal.admit()?;
        let mut counters = state.tables.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = keys.iter().filter_map(|(key, _)| counters.get(key)).map(|failures| failures.until).filter(|until| *until > now).max();
        if let Some(until) = waits {
            return Ok(Admission::Wait { until });
        }
        if counters.len() + keys.len() > MOST {
            make_room(&mut counters, now);
        }
        for (key, rule) in keys {
            let before = counters.get(key).filter(|failures| failures.forget > now).map_or(0, |failures| failures.count);
            let count = before.saturating_add(1);
            let until = now + rule.wait_after(count);
            let failures = Failures { count, until, forget: until.max(now + rule.window) };
            state.journal.append(&frame::failures(key, &failures)?);
            counters.insert(key.clone(), failures);
        }
        Ok(Admission::Allowed)
    }

    async fn succeeded(&self, keys: &[String]) -> Result<()> {
        let state = &self.state;
        state.journal.admit()?;
        let mut counters = state.tables.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if counters.remove(key).is_some() {
                state.journal.append(&frame::cleared(key));
            }
        }
        Ok(())
    }

    async fn forgive(&self, keys: &[String]) -> Result<()> {
        let state = &self.state;
        state.journal.admit()?;
        let mut counters = state.tables.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let Some(failures) = counters.get_mut(key) else { continue };
            // The attempt was admitted, so whatever wait stands now is of its own making.
            *failures = Failures { count: failures.count.saturating_sub(1), until: Timestamp::from_millis(0), ..*failures };
            state.journal.append(&frame::failures(key, failures)?);
        }
        Ok(())
    }
}

fn make_room(counters: &mut HashMap<String, Failures>, now: Timestamp) {
    counters.retain(|_, failures| failures.forget > now);
    if counters.len() < MOST - MOST / 8 {
        return;
    }
    let mut ends: Vec<Timestamp> = counters.values().map(|failures| failures.forget).collect();
    let at = ends.len() / 8;
    let (_, border, _) = ends.select_nth_unstable(at);
    let border = *border;
    counters.retain(|_, failures| failures.forget > border);
}
