//! Recorded exchanges, for whoever must find out why a sign-in failed.

use serde_json::{Value, json};

use crate::flows::command::Reply;
use crate::flows::{Fault, Services};
use crate::model::check::TraceRecord;
use crate::model::id::{EntityId, Reference};
use crate::store::traces::TraceFilter;

/// A trace as JSON, with the time in words.
pub fn to_json(record: &TraceRecord) -> Value {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("at".to_owned(), json!(record.at.to_rfc3339()));
    }
    value
}

/// `app` is an app's ID or an entity ID.
pub async fn list(
    services: &Services,
    app: Option<String>,
    user: Option<String>,
    failed: bool,
    limit: Option<u32>,
) -> Result<Reply, Fault> {
    let app = app.map(|app| {
        let by_id = crate::model::id::AppId::parse(app.as_str()).ok().and_then(|id| services.registry.by_id(&id));
        by_id.map_or(app, |sp| EntityId::to_string(&sp.app.entity_id))
    });
    let filter = TraceFilter { app, user, since: None };
    let records = services.traces.list(&filter, failed, limit.unwrap_or(100).clamp(1, 1_000)).await?;
    Ok(Reply::ok(Value::Array(records.iter().map(to_json).collect())))
}

pub async fn show(services: &Services, reference: &str) -> Result<Reply, Fault> {
    let typed = reference.trim().to_uppercase();
    let found = match Reference::parse(typed.as_str()) {
        Ok(reference) => services.traces.by_reference(&reference).await?,
        Err(_) => {
            return Ok(Reply::failed(
                422,
                format!("\"{}\" is not a reference", reference.escape_debug()),
                "a reference looks like 7F3K-9QXD; error pages show it",
            ));
        }
    };
    Ok(match found {
        Some(record) => Reply::ok(to_json(&record)),
        None => Reply::failed(
            404,
            format!("no trace is kept under {typed}"),
            "failures are kept 30 days, successes only by the node that made them; linkspan trace list  shows them",
        ),
    })
}
