//! API keys of the admin API.

use serde_json::{Value, json};

use crate::crypto::{digest, random};
use crate::flows::command::Reply;
use crate::flows::{Fault, Services};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::network::Network;
use crate::model::time::Span;
use crate::store::api_keys::ApiKeyRecord;
use crate::store::users::Inserted;

/// Scopes that mean something so far.
pub const SCOPES: &[&str] = &["apps:read", "apps:write", "users:read", "users:write", "sessions:read", "sessions:write", "traces:read"];

fn to_json(key: &ApiKeyRecord) -> Value {
    json!({
        "id": key.id, "name": key.name, "scopes": key.scopes, "networks": key.networks,
        "expires": key.expires.map(|at| at.to_rfc3339()), "created": key.created.to_rfc3339(),
    })
}

/// Makes a key; it is shown once.
pub async fn new(
    services: &Services,
    name: &str,
    scopes: Vec<String>,
    expires: Option<String>,
    networks: Vec<String>,
    context: AuditContext,
) -> Result<Reply, Fault> {
    let now = (services.clock)();
    if name.trim().is_empty() || name.len() > 200 {
        return Ok(Reply::failed(422, "a key needs a name", "name what it is for: --name ci"));
    }
    if scopes.is_empty() {
        return Ok(Reply::failed(422, "a key needs at least one scope", format!("scopes are {}", SCOPES.join(", "))));
    }
    if let Some(scope) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Ok(Reply::failed(422, format!("there is no scope {scope}"), format!("scopes are {}", SCOPES.join(", "))));
    }
    for network in &networks {
        if let Err(error) = Network::parse(network) {
            return Ok(Reply::failed(422, error.to_string(), "write networks as 10.1.0.0/16"));
        }
    }
    let expires = match expires.as_deref().map(|text| (text, Span::parse(text))) {
        None => None,
        Some((_, Some(span))) if span > Span::ZERO => Some(now + span),
        Some((text, _)) => {
            return Ok(Reply::failed(422, format!("\"{}\" is not a time span", text.escape_debug()), "write it as 90d or 12h"));
        }
    };
    let (id, secret) = random::with_system(|random| (random.letters("k_", 16), random.letters("", 52)));
    let key = with_checksum(&secret)?;
    let record = ApiKeyRecord {
        id: id.clone(),
        name: name.trim().to_owned(),
        digest: digest::sha256(key.as_bytes()),
        scopes,
        expires,
        networks,
        created: now,
    };
    if services.stores.api_keys.insert(&record).await? == Inserted::Taken {
        return Ok(Reply::failed(
            409,
            format!("there is already a key called {name}"),
            "choose another name, or remove it: linkspan apikey rm",
        ));
    }
    let event = Event::ApiKeyCreated { name: record.name.clone(), scopes: record.scopes.clone() };
    services.audit.record(now, event, context).await?;
    services.stores.health.commit().await?;
    let mut value = to_json(&record);
    if let Some(object) = value.as_object_mut() {
        object.insert("key".to_owned(), json!(key));
    }
    Ok(Reply::ok(value))
}

/// `lsk_` + 260 random bits + 6 letters of checksum, so that scanners and people recognise a key.
fn with_checksum(secret: &str) -> Result<String, Fault> {
    let sum = digest::sha256(secret.as_bytes()).to_hex();
    Ok(format!("lsk_{secret}{}", sum.get(..6).unwrap_or_default()))
}

pub async fn list(services: &Services) -> Result<Reply, Fault> {
    let keys = services.stores.api_keys.all().await?;
    Ok(Reply::ok(Value::Array(keys.iter().map(to_json).collect())))
}

pub async fn remove(services: &Services, id: &str, context: AuditContext) -> Result<Reply, Fault> {
    let Some(removed) = services.stores.api_keys.remove(id).await? else {
        return Ok(Reply::failed(404, format!("there is no API key {id}"), "linkspan apikey list  shows them"));
    };
    services.audit.record((services.clock)(), Event::ApiKeyRevoked { name: removed.name.clone() }, context).await?;
    services.stores.health.commit().await?;
    Ok(Reply::ok(json!({ "removed": removed.id })))
}

/// Who calls the API.
#[derive(Debug, Clone)]
pub struct Caller {
    pub name: String,
    pub scopes: Vec<String>,
}

/// Finds the key that a request brings; `None` for a wrong, expired or misplaced one.
pub async fn authenticate(services: &Services, key: &str, address: Option<std::net::IpAddr>) -> Result<Option<Caller>, Fault> {
    if !key.starts_with("lsk_") || key.len() > 128 {
        return Ok(None);
    }
    let Some(record) = services.stores.api_keys.by_digest(&digest::sha256(key.as_bytes())).await? else { return Ok(None) };
    if record.expires.is_some_and(|at| (services.clock)() >= at) {
        return Ok(None);
    }
    let networks: Vec<Network> = record.networks.iter().filter_map(|text| Network::parse(text).ok()).collect();
    let placed = record.networks.is_empty() || address.is_some_and(|address| networks.iter().any(|network| network.contains(address)));
    Ok(placed.then_some(Caller { name: record.name, scopes: record.scopes }))
}
