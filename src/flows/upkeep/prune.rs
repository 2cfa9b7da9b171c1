//! Removes what is kept for a time only.

use std::sync::Arc;
use std::time::Duration;

use crate::flows::Services;

/// Traces older than their time, once an hour.
pub async fn run(services: Arc<Services>) {
    loop {
        if let Err(error) = services.traces.prune((services.clock)()).await {
            tracing::warn!(error = %error, "old traces cannot be removed");
        }
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}
