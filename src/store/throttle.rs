//! Failure counters that make guessing slow.

use async_trait::async_trait;

use crate::model::time::{Span, Timestamp};
use crate::store::Result;

/// One rule: so many failures are free; each further one doubles the wait, up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleRule {
    pub free: u32,
    pub first_wait: Span,
    pub longest: Span,
    /// Failures older than this are forgotten.
    pub window: Span,
}

impl ThrottleRule {
    /// How long to wait after the `failures`th failure.
    pub fn wait_after(&self, failures: u32) -> Span {
        match failures.checked_sub(self.free) {
            None => Span::ZERO,
            // Past 2^40 any wait is the longest, and the product stays in range.
            Some(doublings) => {
                Span::millis(self.first_wait.as_millis().saturating_mul(1 << doublings.min(40)).min(self.longest.as_millis()))
            }
        }
    }
}

/// Whether an attempt may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Allowed,
    Wait { until: Timestamp },
}

#[async_trait]
pub trait Throttle: Send + Sync {
    /// Takes one attempt under each key in one atomic step, counting it as a failure until `succeeded` says otherwise; if
    /// any key has to wait nothing is counted and the latest end is returned. Racing callers cannot exceed the rule.
    async fn attempt(&self, keys: &[(String, ThrottleRule)], now: Timestamp) -> Result<Admission>;
    /// Clears the counters of these keys.
    async fn succeeded(&self, keys: &[String]) -> Result<()>;
    /// Takes back one attempt under each key, which `attempt` counted as a failure in advance: many people may sign in from
    /// behind one address.
    async fn forgive(&self, keys: &[String]) -> Result<()>;
}
