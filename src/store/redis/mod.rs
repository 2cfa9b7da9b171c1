//! Lively state in Redis or Valkey, for several nodes.
//!
//! Keys begin with `linkspan:`; all keys of one session share its hash tag. Every operation that decides is one command or
//! one script, and each key has a time to live, so that Redis forgets by itself. Times to live are relative, because the
//! clocks of nodes and of Redis differ; what has ended exactly is judged by the caller's `now`.

mod address;
mod link;
mod pending;
mod replay;
mod sessions;
mod throttle;

use ::redis::Script;

use crate::model::session::SessionLifetime;
use crate::model::time::{Span, Timestamp};
use crate::store::redis::address::Address;
use crate::store::redis::link::Link;
use crate::store::{Result, StoreConfig, StoreError};

/// Added to every time to live, so that Redis never forgets before the caller's clock says so.
const MARGIN: Span = Span::minutes(2);

/// The connection and the scripts.
pub(super) struct Redis {
    link: Link,
    lifetime: SessionLifetime,
    scripts: Scripts,
}

struct Scripts {
    create: Script,
    index: Script,
    seen: Script,
    join: Script,
    step_up: Script,
    end: Script,
    first_seen: Script,
    attempt: Script,
    forgive: Script,
}

impl Redis {
    /// Connects.
    ///
    /// Fails with `Unusable` for an address that cannot be read, with `Unavailable` if nobody answers.
    pub(super) async fn open(config: &StoreConfig) -> Result<Self> {
        let link = Link::new(Address::parse(&config.session)?);
        let scripts = Scripts {
            create: Script::new(include_str!("scripts/create.lua")),
            index: Script::new(include_str!("scripts/index.lua")),
            seen: Script::new(include_str!("scripts/seen.lua")),
            join: Script::new(include_str!("scripts/join.lua")),
            step_up: Script::new(include_str!("scripts/step_up.lua")),
            end: Script::new(include_str!("scripts/end.lua")),
            first_seen: Script::new(include_str!("scripts/first_seen.lua")),
            attempt: Script::new(include_str!("scripts/attempt.lua")),
            forgive: Script::new(include_str!("scripts/forgive.lua")),
        };
        let store = Self { link, lifetime: config.lifetime, scripts };
        store.ping().await?;
        Ok(store)
    }

    /// Asks for a sign of life.
    pub(super) async fn ping(&self) -> Result<()> {
        let pong: String = self.link.command(&::redis::cmd("PING")).await?;
        if pong == "PONG" { Ok(()) } else { Err(corrupt("answer to PING", pong)) }
    }

    /// How it is called in the start block.
    pub(super) fn name(&self) -> &'static str {
        self.link.name()
    }
}

fn corrupt(what: &'static str, reason: impl ToString) -> StoreError {
    StoreError::Corrupt { store: "Redis", what, reason: reason.to_string() }
}

/// Milliseconds from `from` until `until`, with the margin; at least one, because Redis refuses none.
fn time_to_live(from: Timestamp, until: Timestamp) -> i64 {
    (until.since(from).as_millis().max(0)).saturating_add(MARGIN.as_millis()).max(1)
}
