//! Where state rests. One file per trait; the backends are private modules.
//!
//! Durable state (people, apps, keys' public parts, audit) is SQL: one SQLite file or PostgreSQL. Lively state
//! (sessions, pending requests, replay guards, throttles) is embedded or Redis. Every operation that decides is one call
//! whose result is the verdict; the contract tests in `tests/it/store.rs` run every trait against every backend, with two
//! racing callers.

pub mod api_keys;
pub mod apps;
pub mod audit;
pub mod changes;
pub mod keys;
pub mod name_ids;
pub mod pending;
pub mod replay;
pub mod sessions;
pub mod setup;
pub mod throttle;
pub mod traces;
pub mod users;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::session::SessionLifetime;
use crate::model::time::Span;

mod audit_queue;
mod embedded;
mod open;
mod redis;
mod sql;

pub use open::open;

/// How long a store may take to answer before the caller gives up and answers 503.
const WAIT: Duration = Duration::from_secs(2);

/// `last_seen` of a session moves this often at most.
const TOUCH: Span = Span::minutes(1);

/// Something of a store's failed; the caller answers 503 and changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, or answered that it cannot now.
    #[error("the {store} store is not reachable: {reason}")]
    Unavailable { store: &'static str, reason: String },
    /// What is stored cannot be read as what it should be.
    #[error("the {store} store holds {what} that cannot be read: {reason}")]
    Corrupt { store: &'static str, what: &'static str, reason: String },
    /// Another process has the embedded data open, or it was written by a newer version.
    #[error("{0}")]
    Unusable(String),
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// Which stores to open: `[storage]` of the configuration, paths made absolute.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `storage.directory`, mode 0700; holds the embedded stores.
    pub directory: PathBuf,
    /// `sqlite:PATH` or `postgres://…`.
    pub data: String,
    /// `embedded`, or `redis://`, `rediss://`, `redis+sentinel://`, `redis+cluster://`.
    pub session: String,
    pub lifetime: SessionLifetime,
    /// `storage.sync = "full"`: an acknowledged answer also survives power loss.
    pub sync_full: bool,
}

/// All stores, opened.
#[derive(Clone)]
pub struct Stores {
    pub users: Arc<dyn users::Users>,
    pub apps: Arc<dyn apps::Apps>,
    pub keys: Arc<dyn keys::Keys>,
    pub api_keys: Arc<dyn api_keys::ApiKeys>,
    pub name_ids: Arc<dyn name_ids::NameIds>,
    pub audit: Arc<dyn audit::Audit>,
    pub traces: Arc<dyn traces::Traces>,
    pub setup: Arc<dyn setup::Setup>,
    pub changes: Arc<dyn changes::Changes>,
    pub sessions: Arc<dyn sessions::Sessions>,
    pub pending: Arc<dyn pending::Pending>,
    pub replay: Arc<dyn replay::Replay>,
    pub throttle: Arc<dyn throttle::Throttle>,
    pub health: Arc<dyn Health>,
}

/// Readiness and the acknowledgement of what was written.
#[async_trait::async_trait]
pub trait Health: Send + Sync {
    /// Asks both stores for a sign of life, within two seconds.
    async fn check(&self) -> Result<()>;
    /// Returns once every lively write and audit record that this process made before the call has been acknowledged by
    /// its store: it then survives the death of the process (of power loss with `sync_full`). An answer leaves after this.
    async fn commit(&self) -> Result<()>;
    /// How the stores are called in the start block: `SQLite + embedded`.
    fn describe(&self) -> String;
}
