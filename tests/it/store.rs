//! The contract of each store, run against every backend: SQLite and PostgreSQL, embedded and Redis.

mod durable;
mod fixtures;
mod lively;
mod outage;
mod races;
mod restart;
mod topologies;

use linkspan::model::session::SessionLifetime;
use linkspan::model::time::Span;
use linkspan::store::{StoreConfig, Stores, open};

use crate::support::dir::TempDir;
use crate::support::servers;

/// One combination of backends, opened on data of its own.
pub struct Opened {
    pub stores: Stores,
    pub config: StoreConfig,
    pub directory: TempDir,
}

/// Runs a test against SQLite + embedded, and against PostgreSQL + Redis where those are.
pub async fn on_each(test: impl AsyncFn(&Opened)) {
    for opened in [opened("sqlite", "embedded").await, opened("postgres", "redis").await].into_iter().flatten() {
        println!("on {}", opened.stores.health.describe());
        test(&opened).await;
    }
}

/// The same with the other two combinations, where how the backends work together matters.
pub async fn on_all_combinations(test: impl AsyncFn(&Opened)) {
    for (data, session) in [("sqlite", "embedded"), ("postgres", "redis"), ("sqlite", "redis"), ("postgres", "embedded")] {
        let Some(opened) = opened(data, session).await else { continue };
        println!("on {}", opened.stores.health.describe());
        test(&opened).await;
    }
}

/// Opens `sqlite` or `postgres` with `embedded` or `redis`; `None` where a server is missing.
pub async fn opened(data: &str, session: &str) -> Option<Opened> {
    let directory = TempDir::new();
    let config = config(
        &directory,
        &if data == "sqlite" { sqlite(&directory) } else { servers::postgres_database()? },
        &if session == "embedded" { session.to_owned() } else { servers::redis()? },
    );
    let stores = open(&config).await.expect("the stores open");
    Some(Opened { stores, config, directory })
}

pub fn sqlite(directory: &TempDir) -> String {
    format!("sqlite:{}", directory.path().join("linkspan #1.db").display())
}

pub fn config(directory: &TempDir, data: &str, session: &str) -> StoreConfig {
    StoreConfig {
        directory: directory.path().to_owned(),
        data: data.to_owned(),
        session: session.to_owned(),
        lifetime: SessionLifetime { idle: Span::hours(8), absolute: Span::hours(24) },
        sync_full: false,
    }
}
