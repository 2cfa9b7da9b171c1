//! Hears what other nodes (and other processes) changed, within two seconds.

use std::sync::Arc;
use std::time::Duration;

use crate::flows::{Fault, Services};
use crate::model::id::UserId;
use crate::store::changes::Changed;

/// Four times in the promised two seconds.
const EVERY: Duration = Duration::from_millis(500);

/// Follows the log of changes until the task is dropped.
pub async fn run(services: Arc<Services>, mut seen: i64) {
    loop {
        tokio::time::sleep(EVERY).await;
        match catch_up(&services, seen).await {
            Ok(now_seen) => seen = now_seen,
            // The store is away; readiness says so, and nothing was forgotten: the place in the log is kept.
            Err(fault) => tracing::warn!(error = %fault, "changes of other nodes cannot be read"),
        }
    }
}

/// Applies everything after `seen`; returns the new place.
pub async fn catch_up(services: &Services, seen: i64) -> Result<i64, Fault> {
    let changes = services.stores.changes.after(seen).await?;
    let Some(last) = changes.last() else { return Ok(seen) };
    let newest = last.seq;
    let mut apps = false;
    let mut keys = false;
    for change in &changes {
        match change.kind {
            Changed::User => match UserId::parse(change.id.as_str()) {
                Ok(id) => services.directory.forget(&id),
                Err(_) => services.directory.forget_all(),
            },
            Changed::App => apps = true,
            Changed::Key => keys = true,
            // API keys are read from the store at each use.
            Changed::ApiKey => {}
        }
    }
    if apps {
        services.registry.reload(&*services.stores.apps, &services.facts.host).await?;
    }
    if keys {
        services.keys.reload().await.map_err(|error| Fault::Other(error.to_string()))?;
    }
    Ok(newest)
}
