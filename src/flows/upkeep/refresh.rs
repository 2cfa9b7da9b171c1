//! Fetches metadata that came from a URL again, before it runs out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::flows::{Services, apps};
use crate::model::app::AppSource;
use crate::model::event::AuditContext;
use crate::model::id::AppId;
use crate::model::time::{Span, Timestamp};
use crate::registry::registered::RegisteredSp;

const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Where the metadata says nothing.
const USUALLY: Span = Span::days(1);
/// However short-lived the metadata calls itself, and after a fetch that failed.
const AT_MOST_EVERY: Span = Span::minutes(5);

/// Looks for apps that are due until the task is dropped. With several nodes each of them does; the second finds nothing new.
pub async fn run(services: Arc<Services>) {
    let mut fetched: HashMap<AppId, Timestamp> = HashMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let apps = services.registry.all();
        fetched.retain(|id, _| apps.iter().any(|sp| sp.app.id == *id));
        for sp in apps.iter().filter(|sp| matches!(sp.app.source, AppSource::Url { .. })) {
            let now = (services.clock)();
            let last = fetched.get(&sp.app.id).copied().unwrap_or(sp.app.updated);
            if now < due(sp, last) {
                continue;
            }
            fetched.insert(sp.app.id.clone(), now);
            let context = AuditContext { actor: Some("refresh".to_owned()), ..AuditContext::default() };
            match apps::refresh(&services, sp.app.id.as_str(), context).await {
                Ok(reply) => {
                    if let Some(error) = reply.error {
                        tracing::warn!(app = %sp.app.id, error = %error.cause, "the metadata of an app cannot be refreshed");
                    }
                }
                Err(fault) => tracing::warn!(app = %sp.app.id, error = %fault, "the metadata of an app cannot be refreshed"),
            }
        }
    }
}

/// By cacheDuration, and well before validUntil (Metadata 2.3.2), within bounds.
fn due(sp: &RegisteredSp, last: Timestamp) -> Timestamp {
    let cached = sp.metadata.cache_duration.unwrap_or(USUALLY);
    let left = sp.metadata.valid_until.map_or(USUALLY, |until| Span::millis(until.since(last).as_millis() / 2));
    last + cached.min(left).min(USUALLY).max(AT_MOST_EVERY)
}
