//! Our keys, as administrators see and move them.

use serde_json::{Value, json};

use crate::crypto::keys::KeyKind;
use crate::flows::command::Reply;
use crate::flows::{Fault, Services};
use crate::keys::error::KeyRingError;
use crate::keys::{Import, key_kind};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::secret::Secret;
use crate::store::keys::KeyRecord;

fn to_json(key: &KeyRecord) -> Value {
    json!({
        "id": key.id, "kid": key.kid, "use": key.key_use, "algorithm": key.algorithm, "state": key.state,
        "created": key.created.to_rfc3339(), "certificate": key.certificate,
    })
}

fn refused(error: &KeyRingError) -> Reply {
    Reply::failed(409, error.to_string(), error.remedy())
}

pub fn list(services: &Services) -> Reply {
    let ring = services.keys.current();
    Reply::ok(Value::Array(ring.records().filter(|key| key.key_use == "saml").map(to_json).collect()))
}

/// Makes a `next` key of each algorithm, or of one.
pub async fn new(services: &Services, algorithm: Option<&str>, context: AuditContext) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let kinds = match algorithm {
        None => vec![KeyKind::Rsa2048, KeyKind::EcP256],
        Some(name) => match key_kind(name) {
            Some(kind) => vec![kind],
            None => return Ok(Reply::failed(422, format!("there is no algorithm {name}"), "algorithms are RSA-2048 and EC-P256")),
        },
    };
    let made = match services.keys.make_next(&kinds, now).await {
        Ok(made) => made,
        Err(error) => return Ok(refused(&error)),
    };
    for key in &made {
        let event = Event::KeyCreated { kid: key.kid.clone(), algorithm: key.algorithm.clone() };
        services.audit.record(now, event, context.clone()).await?;
    }
    services.stores.health.commit().await?;
    Ok(Reply::ok(Value::Array(made.iter().map(to_json).collect())))
}

/// Lets a `next` key sign; the one before stays published.
pub async fn promote(services: &Services, id: &str, context: AuditContext) -> Result<Reply, Fault> {
    if let Err(error) = services.keys.promote(id).await {
        return Ok(refused(&error));
    }
    moved(services, id, |kid| Event::KeyPromoted { kid }, context).await
}

/// Takes a key out of everything that we publish.
pub async fn retire(services: &Services, id: &str, context: AuditContext) -> Result<Reply, Fault> {
    if let Err(error) = services.keys.retire(id).await {
        return Ok(refused(&error));
    }
    moved(services, id, |kid| Event::KeyRetired { kid }, context).await
}

async fn moved(services: &Services, id: &str, event: impl FnOnce(String) -> Event, context: AuditContext) -> Result<Reply, Fault> {
    let ring = services.keys.current();
    let Some(key) = ring.records().find(|key| key.id == id) else {
        return Ok(Reply::failed(404, format!("there is no key {id}"), "linkspan key list  shows them"));
    };
    services.audit.record((services.clock)(), event(key.kid.clone()), context).await?;
    services.stores.health.commit().await?;
    Ok(Reply::ok(to_json(key)))
}

/// Takes a key from elsewhere into the ring as `next`.
pub async fn import(
    services: &Services,
    key: Secret<String>,
    certificate: Option<String>,
    passphrase: Option<Secret<String>>,
    context: AuditContext,
) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let import = Import { key: &key, passphrase: passphrase.as_ref(), certificate: certificate.as_deref() };
    let record = match services.keys.import(import, now).await {
        Ok(record) => record,
        Err(error) => return Ok(refused(&error)),
    };
    let event = Event::KeyCreated { kid: record.kid.clone(), algorithm: record.algorithm.clone() };
    services.audit.record(now, event, context).await?;
    services.stores.health.commit().await?;
    Ok(Reply::ok(to_json(&record)))
}
