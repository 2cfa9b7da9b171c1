//! Apps, as administrators add, see and change them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::crypto::x509;
use crate::flows::command::{AppAdd, AppInput, Reply};
use crate::flows::{Fault, Services, preview as previews, settings};
use crate::model::app::{App, AppSource, Release, SamlSettings};
use crate::model::event::AuditContext;
use crate::model::event::{Change, Event};
use crate::model::id::{AppId, EntityId};
use crate::model::sp::{Finding, Severity};
use crate::model::time::Timestamp;
use crate::outbound::Request;
use crate::registry::registered::RegisteredSp;
use crate::registry::release::plan::ReleasePlan;
use crate::saml::metadata::diff;
use crate::saml::metadata::import::{Import, ImportOptions, ImportedEntity, import, read_stored};
use crate::saml::metadata::refusal::MetadataRefusal;
use crate::saml::xml::reader::Limits;
use crate::store::users::{Inserted, Updated};

/// Bytes of metadata that are taken from a URL for one app; a federation's feed may have more.
const FETCHED_AT_MOST: usize = 128 << 20;

/// An app as JSON.
pub fn to_json(sp: &RegisteredSp, now: Timestamp) -> Value {
    let app = &sp.app;
    let metadata = &sp.metadata;
    let acs: Vec<Value> = metadata
        .acs
        .iter()
        .map(|acs| {
            json!({
                "binding": acs.binding, "location": acs.location, "index": acs.index, "default": acs.is_default,
                "usable": sp.can_use(acs.unusable), "unusable": acs.unusable,
            })
        })
        .collect();
    let slo: Vec<Value> = metadata
        .slo
        .iter()
        .map(|slo| {
            json!({
                "binding": slo.binding, "location": slo.location, "response_location": slo.response_location,
                "usable": sp.can_use(slo.unusable),
            })
        })
        .collect();
    let keys: Vec<Value> = metadata
        .keys
        .iter()
        .map(|key| {
            let facts = key.certificate.as_ref();
            json!({
                "use": key.key_use, "algorithm": key.algorithm.to_string(), "fingerprint": facts.map(|facts| &facts.fingerprint),
                "subject": facts.map(|facts| &facts.subject), "not_after": facts.map(|facts| facts.not_after.to_rfc3339()),
                "expired": facts.map(|facts| facts.not_after < now),
            })
        })
        .collect();
    json!({
        "id": app.id, "type": "saml", "entity_id": app.entity_id, "name": app.name, "enabled": app.enabled, "source": app.source,
        "saml": app.saml, "release": app.release, "acs": acs, "slo": slo, "keys": keys,
        "name_id_formats": metadata.name_id_formats, "authn_requests_signed": metadata.authn_requests_signed,
        "want_assertions_signed": metadata.want_assertions_signed, "valid_until": metadata.valid_until.map(Timestamp::to_rfc3339),
        "findings": sp.findings, "created": app.created.to_rfc3339(), "updated": app.updated.to_rfc3339(), "revision": app.revision,
    })
}

fn unknown(id: &str) -> Reply {
    Reply::failed(404, format!("there is no app {id}"), "linkspan app list  shows them")
}

fn raced(id: &AppId) -> Reply {
    Reply::failed(409, format!("the app {id} is being changed by somebody else"), "try again")
}

/// Finds by app ID or entity ID.
pub fn find(services: &Services, id: &str) -> Option<Arc<RegisteredSp>> {
    let by_id = AppId::parse(id).ok().and_then(|id| services.registry.by_id(&id));
    by_id.or_else(|| EntityId::parse(id).ok().and_then(|entity_id| services.registry.by_entity_id(&entity_id)))
}

pub fn list(services: &Services) -> Reply {
    let mut apps = services.registry.all();
    apps.sort_by(|a, b| a.app.id.cmp(&b.app.id));
    let now = (services.clock)();
    Reply::ok(Value::Array(apps.iter().map(|sp| to_json(sp, now)).collect()))
}

pub fn show(services: &Services, id: &str) -> Reply {
    let Some(sp) = find(services, id) else { return unknown(id) };
    let now = (services.clock)();
    let mut value = to_json(&sp, now);
    // Certificates and documents age while the app does not change.
    if let (Ok((_, findings)), Some(object)) = (read_stored(&sp.app.metadata, now, sp.app.saml.allow_http), value.as_object_mut()) {
        object.insert("findings".to_owned(), json!(findings));
    }
    Reply::ok(value)
}

/// Where bytes of metadata came from.
struct Fetched {
    bytes: Vec<u8>,
    source: AppSource,
}

fn fetching(url: &str, allow_http: bool) -> Request<'_> {
    Request { url, max_bytes: FETCHED_AT_MOST, accept: "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.8", allow_http }
}

async fn fetch(services: &Services, input: AppInput, signer: Option<&str>, allow_http: bool) -> Result<Fetched, Reply> {
    match input {
        AppInput::Document { base64, origin } => match STANDARD.decode(base64) {
            Ok(bytes) => Ok(Fetched { bytes, source: AppSource::Upload { signer: signer.map(str::to_owned) } }),
            Err(_) => Err(Reply::failed(422, format!("{origin} did not arrive whole"), "send it again")),
        },
        AppInput::Url(url) => match services.outbound.fetch(fetching(&url, allow_http)).await {
            Ok(fetched) => Ok(Fetched { bytes: fetched.bytes, source: AppSource::Url { url, signer: signer.map(str::to_owned) } }),
            Err(error) => Err(Reply::failed(422, error.to_string(), error.remedy())),
        },
    }
}

fn refused(refusal: MetadataRefusal) -> Reply {
    let mut reply = Reply::failed(422, refusal.sentence(), refusal.remedy());
    if let Some(error) = &mut reply.error {
        error.checks = vec![*refusal.check];
    }
    reply
}

async fn read(fetched: &[u8], options: ImportOptions) -> Result<Result<Import, MetadataRefusal>, Fault> {
    let bytes = fetched.to_vec();
    let options = ImportOptions { limits: if bytes.len() > 10 << 20 { Limits::AGGREGATE } else { Limits::METADATA }, ..options };
    // Large documents take their time; the server goes on meanwhile.
    let done = tokio::task::spawn_blocking(move || import(&bytes, &options)).await.map_err(|error| Fault::Other(error.to_string()))?;
    Ok(done)
}

/// Reads a document; apps that are registered with `saml.allow_http` keep that allowance.
pub async fn read_keeping(services: &Services, bytes: &[u8], options: ImportOptions) -> Result<Result<Import, MetadataRefusal>, Fault> {
    let refusal = match read(bytes, options.clone()).await? {
        Err(refusal) if refusal.code == "no-usable-acs" && !options.allow_http => refusal,
        other => return Ok(other),
    };
    let Ok(mut again) = read(bytes, ImportOptions { allow_http: true, ..options }).await? else { return Ok(Err(refusal)) };
    let allowed =
        |entity: &ImportedEntity| services.registry.by_entity_id(&entity.metadata.entity_id).is_some_and(|sp| sp.app.saml.allow_http);
    again.entities.retain(allowed);
    Ok(if again.entities.is_empty() { Err(refusal) } else { Ok(again) })
}

/// `app add`.
pub async fn add(services: &Services, add: AppAdd, context: AuditContext) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let signer = match add.signer.as_deref().map(|pem| x509::read_pem(pem.as_bytes())) {
        None => None,
        Some(Ok(certificate)) => Some(certificate.key),
        Some(Err(_)) => {
            return Ok(Reply::failed(
                422,
                "the signer's certificate cannot be read",
                "give a PEM file that begins with -----BEGIN CERTIFICATE-----",
            ));
        }
    };
    let entity = match add.entity.as_deref().map(EntityId::parse) {
        None => None,
        Some(Ok(entity)) => Some(entity),
        Some(Err(error)) => return Ok(Reply::failed(422, error.to_string(), "name one of the entities in the document")),
    };
    let fetched = match fetch(services, add.input.clone(), add.signer.as_deref(), add.allow_http).await {
        Ok(fetched) => fetched,
        Err(reply) => return Ok(reply),
    };
    let options =
        ImportOptions { entity, accept_expired: add.accept_expired, allow_http: add.allow_http, signer, ..ImportOptions::new(now) };
    let mut found = match read_keeping(services, &fetched.bytes, options).await? {
        Ok(found) => found,
        Err(refusal) => return Ok(refused(refusal)),
    };
    if found.entities.len() > 1 {
        let entities: Vec<&str> = found.entities.iter().map(|entity| entity.metadata.entity_id.as_str()).collect();
        return Ok(Reply::found(json!({
            "entities": entities, "findings": found.all_findings().collect::<Vec<_>>(), "hint": "choose one with --entity; nothing was imported",
        })));
    }
    let document_findings = std::mem::take(&mut found.findings);
    let Some(mut entity) = found.entities.pop() else {
        return Ok(Reply::failed(422, "there is no app in the document", "give metadata of a service provider"));
    };
    entity.findings.splice(0..0, document_findings);
    store(services, add, entity, fetched.source, context, now).await
}

async fn store(
    services: &Services,
    add: AppAdd,
    entity: ImportedEntity,
    source: AppSource,
    context: AuditContext,
    now: Timestamp,
) -> Result<Reply, Fault> {
    let entity_id = entity.metadata.entity_id.clone();
    let present = services.stores.apps.by_entity_id(&entity_id).await?;
    if let Some(id) = &add.id
        && present.as_ref().is_none_or(|app| app.id.as_str() != id)
    {
        return Ok(Reply::failed(
            409,
            format!("the metadata is of {entity_id}, which is not the app {id}"),
            "send metadata of that app; to add another one use POST",
        ));
    }
    let Some(present) = present else { return insert(services, add, entity, source, context, now).await };
    let same = present.metadata == entity.xml;
    let changes = services.registry.by_id(&present.id).map(|sp| diff::changes(&sp.metadata, &entity.metadata)).unwrap_or_default();
    if same && !add.replace {
        return Ok(reply_with(services, &present.id, "unchanged", &changes, &entity.findings));
    }
    if !add.replace {
        let mut reply = Reply::failed(
            409,
            format!("{entity_id} is registered already as the app {}, with other metadata", present.id),
            "add it with --replace to update it and keep its settings",
        );
        reply.value = json!({ "id": present.id, "changes": changes });
        return Ok(reply);
    }
    if matches!(present.source, AppSource::File { .. }) {
        return Ok(Reply::failed(409, format!("the app {} is kept as a metadata file", present.id), "change the file instead"));
    }
    if present.source.signer().is_some() && source.signer().is_none() {
        return Ok(Reply::failed(
            409,
            format!("the app {} is pinned to a signer, and the new metadata comes without one", present.id),
            "give the signer's certificate with --signer; to unpin the app, remove it and add it again",
        ));
    }
    let mut app = App { metadata: entity.xml, source, updated: now, ..present.clone() };
    if let Some(name) = add.name {
        app.name = name;
    }
    app.saml.allow_http |= add.allow_http;
    if !add.presets.is_empty() {
        app.release.presets = add.presets;
    }
    if let Err(reply) = check_release(services, &app, &entity.metadata) {
        return Ok(reply);
    }
    let mut changes = changes;
    changes.extend(settings::changes(&present, &app));
    if same && changes.is_empty() && present.source == app.source {
        return Ok(reply_with(services, &present.id, "unchanged", &[], &entity.findings));
    }
    if services.stores.apps.update(&app).await? != Updated::Updated {
        return Ok(raced(&app.id));
    }
    let id = app.id.clone();
    services.audit.record(now, Event::AppUpdated { app: id.to_string(), changes: changes.clone() }, context).await?;
    taken_over(services).await?;
    Ok(reply_with(services, &id, if same && changes.is_empty() { "unchanged" } else { "replaced" }, &changes, &entity.findings))
}

async fn insert(
    services: &Services,
    add: AppAdd,
    entity: ImportedEntity,
    source: AppSource,
    context: AuditContext,
    now: Timestamp,
) -> Result<Reply, Fault> {
    let name = add.name.clone().unwrap_or_else(|| default_name(&entity));
    let presets = if add.presets.is_empty() { vec!["basic".to_owned()] } else { add.presets.clone() };
    let mut app = App {
        id: AppId::parse("app").map_err(|e| Fault::Other(e.to_string()))?,
        name,
        enabled: true,
        entity_id: entity.metadata.entity_id.clone(),
        source,
        metadata: entity.xml,
        saml: SamlSettings { allow_http: add.allow_http, ..SamlSettings::default() },
        release: Release { presets, rows: Vec::new() },
        created: now,
        updated: now,
        revision: 1,
    };
    if let Err(reply) = check_release(services, &app, &entity.metadata) {
        return Ok(reply);
    }
    let base = slug(&app.name);
    for number in 1..1_000 {
        let id = if number == 1 { base.clone() } else { format!("{base}-{number}") };
        app.id = AppId::parse(id).map_err(|e| Fault::Other(e.to_string()))?;
        if services.stores.apps.insert(&app).await? == Inserted::Inserted {
            let event = Event::AppCreated { app: app.id.to_string(), entity_id: app.entity_id.to_string() };
            services.audit.record(now, event, context).await?;
            taken_over(services).await?;
            return Ok(reply_with(services, &app.id, "created", &[], &entity.findings));
        }
        // Either the name is taken, or somebody registered the same entity this very moment.
        if services.stores.apps.by_entity_id(&app.entity_id).await?.is_some() {
            break;
        }
    }
    Ok(Reply::failed(409, format!("{} was registered by somebody else meanwhile", app.entity_id), "add it again with --replace"))
}

/// Makes this node serve what was just stored.
async fn taken_over(services: &Services) -> Result<(), Fault> {
    services.registry.reload(&*services.stores.apps, &services.facts.host).await?;
    services.stores.health.commit().await?;
    Ok(())
}

fn reply_with(services: &Services, id: &AppId, result: &str, changes: &[Change], findings: &[Finding]) -> Reply {
    let mut value = services.registry.by_id(id).map(|sp| to_json(&sp, (services.clock)())).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("result".to_owned(), json!(result));
        object.insert("changes".to_owned(), json!(changes));
        object.insert("findings".to_owned(), json!(findings));
    }
    Reply::ok(value)
}

fn check_release(services: &Services, app: &App, metadata: &crate::model::sp::SpMetadata) -> Result<(), Reply> {
    ReleasePlan::compile(app, metadata, &services.facts.host)
        .map(|_| ())
        .map_err(|error| Reply::failed(422, error.to_string(), error.remedy()))
}

/// What people call it: its own display name, else the host of its entity ID or first ACS.
fn default_name(entity: &ImportedEntity) -> String {
    if let Some(name) = entity.metadata.display_name() {
        return name.chars().take(100).collect();
    }
    let host = |text: &str| url::Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let entity_id = entity.metadata.entity_id.as_str();
    let from_acs = || entity.metadata.acs.first().and_then(|acs| host(&acs.location));
    host(entity_id).or_else(from_acs).unwrap_or_else(|| entity_id.chars().take(100).collect())
}

/// `Grafana (prod)` becomes `grafana-prod`.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars().take(100) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "app".to_owned() } else { slug.to_owned() }
}

/// Takes an entity of a metadata file over; says why where it cannot.
pub async fn take_from_file(
    services: &Services,
    entity: ImportedEntity,
    file: &str,
    context: AuditContext,
) -> Result<Result<(), String>, Fault> {
    let now = (services.clock)();
    let source = AppSource::File { path: file.to_owned(), gone: false };
    let Some(present) = services.stores.apps.by_entity_id(&entity.metadata.entity_id).await? else {
        let reply = insert(services, AppAdd::default(), entity, source, context, now).await?;
        return Ok(reply.error.map_or(Ok(()), |error| Err(error.cause)));
    };
    let AppSource::File { gone, .. } = present.source else {
        return Ok(Err(format!("the app {} is stored otherwise; files do not displace it", present.id)));
    };
    if present.metadata == entity.xml && present.source == source {
        return Ok(Ok(()));
    }
    // What an administrator switched off stays off; what went off with its file comes back with it.
    let enabled = present.enabled || gone;
    let changes = services.registry.by_id(&present.id).map(|sp| diff::changes(&sp.metadata, &entity.metadata)).unwrap_or_default();
    let app = App { metadata: entity.xml, source, enabled, updated: now, ..present };
    if services.stores.apps.update(&app).await? != Updated::Updated {
        return Ok(Err("it is being changed by somebody else".to_owned()));
    }
    services.audit.record(now, Event::AppUpdated { app: app.id.to_string(), changes }, context).await?;
    taken_over(services).await?;
    Ok(Ok(()))
}

/// Switches an app off whose file went.
pub async fn disable_for_file(services: &Services, id: &AppId, context: AuditContext) -> Result<(), Fault> {
    let now = (services.clock)();
    let Some(present) = services.stores.apps.by_id(id).await? else { return Ok(()) };
    let source = match present.source {
        AppSource::File { path, .. } => AppSource::File { path, gone: true },
        other => other,
    };
    let app = App { enabled: false, source, updated: now, ..present };
    if services.stores.apps.update(&app).await? == Updated::Updated {
        let change = Change { field: "enabled".to_owned(), before: Some("true".to_owned()), after: Some("false".to_owned()) };
        services.audit.record(now, Event::AppUpdated { app: id.to_string(), changes: vec![change] }, context).await?;
        taken_over(services).await?;
    }
    Ok(())
}

/// `app set ID KEY=VALUE…`.
pub async fn set(services: &Services, id: &str, given: Vec<(String, String)>, context: AuditContext) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let Some(sp) = find(services, id) else { return Ok(unknown(id)) };
    let Some(present) = services.stores.apps.by_id(&sp.app.id).await? else { return Ok(unknown(id)) };
    let mut app = present.clone();
    let changes = match settings::apply(&mut app, &given) {
        Ok(changes) => changes,
        Err(problem) => return Ok(Reply::failed(422, problem.cause, problem.remedy)),
    };
    if let Err(reply) = check_release(services, &app, &sp.metadata) {
        return Ok(reply);
    }
    if changes.is_empty() {
        return Ok(Reply::ok(to_json(&sp, now)));
    }
    if let Err(reason) = RegisteredSp::load(app.clone(), &services.facts.host, now) {
        return Ok(Reply::failed(
            422,
            format!("with these settings the app cannot be used: {reason}"),
            "nothing was changed; choose other settings",
        ));
    }
    app.updated = now;
    if services.stores.apps.update(&app).await? != Updated::Updated {
        return Ok(raced(&app.id));
    }
    services.audit.record(now, Event::AppUpdated { app: app.id.to_string(), changes }, context).await?;
    taken_over(services).await?;
    Ok(show(services, app.id.as_str()))
}

pub async fn remove(services: &Services, id: &str, context: AuditContext) -> Result<Reply, Fault> {
    // A record that cannot be used is in the store only; it can still be removed.
    let app = match (find(services, id), AppId::parse(id)) {
        (Some(sp), _) => Some(sp.app.clone()),
        (None, Ok(id)) => services.stores.apps.by_id(&id).await?,
        (None, Err(_)) => None,
    };
    let Some(app) = app else { return Ok(unknown(id)) };
    if matches!(app.source, AppSource::File { gone: false, .. }) {
        return Ok(Reply::failed(409, format!("the app {} is kept as a metadata file", app.id), "remove the file first"));
    }
    if !services.stores.apps.remove(&app.id).await? {
        return Ok(unknown(id));
    }
    let event = Event::AppDeleted { app: app.id.to_string(), entity_id: app.entity_id.to_string() };
    services.audit.record((services.clock)(), event, context).await?;
    taken_over(services).await?;
    Ok(Reply::ok(json!({ "removed": app.id })))
}

/// `app lint`: what import would say, without importing.
pub async fn lint(services: &Services, input: Option<AppInput>, id: Option<String>) -> Result<Reply, Fault> {
    let (bytes, allow_http) = match (input, id) {
        (Some(input), _) => match fetch(services, input, None, true).await {
            Ok(fetched) => (fetched.bytes, false),
            Err(reply) => return Ok(reply),
        },
        (None, Some(id)) => match find(services, &id) {
            Some(sp) => (sp.app.metadata.clone().into_bytes(), sp.app.saml.allow_http),
            None => return Ok(unknown(&id)),
        },
        (None, None) => return Ok(Reply { exit: 2, ..Reply::failed(422, "nothing to lint", "give a file, a URL or an app") }),
    };
    let options = ImportOptions { accept_expired: true, allow_http, ..ImportOptions::new((services.clock)()) };
    let found = match read(&bytes, options).await? {
        Ok(found) => found,
        Err(refusal) => {
            // A refusal is the strongest finding.
            let finding = json!({
                "code": refusal.code, "severity": Severity::Error, "rule": refusal.check.spec, "value": refusal.sentence(),
                "remedy": refusal.remedy(),
            });
            return Ok(Reply::found(json!({ "findings": [finding], "entities": [] })));
        }
    };
    let findings: Vec<&Finding> = found.all_findings().collect();
    let entities: Vec<&str> = found.entities.iter().map(|entity| entity.metadata.entity_id.as_str()).collect();
    let value = json!({ "findings": findings, "entities": entities });
    let clean = findings.iter().all(|finding| finding.severity == Severity::Info);
    Ok(if clean { Reply::ok(value) } else { Reply::found(value) })
}

/// `app refresh`: fetches metadata that came from a URL again, keeping the local settings.
pub async fn refresh(services: &Services, id: &str, context: AuditContext) -> Result<Reply, Fault> {
    let Some(sp) = find(services, id) else { return Ok(unknown(id)) };
    let AppSource::Url { url, signer } = sp.app.source.clone() else {
        return Ok(Reply::failed(
            409,
            format!("the metadata of {} did not come from a URL", sp.app.id),
            "add the new metadata with --replace instead",
        ));
    };
    let again = AppAdd {
        input: AppInput::Url(url.clone()),
        replace: true,
        id: Some(sp.app.id.to_string()),
        signer,
        entity: Some(sp.app.entity_id.to_string()),
        allow_http: sp.app.saml.allow_http,
        ..AppAdd::default()
    };
    let reply = add(services, again, context.clone()).await?;
    let now = (services.clock)();
    let event = match &reply.error {
        None => Event::AppMetadataRefreshed { app: sp.app.id.to_string() },
        Some(error) => Event::AppMetadataRejected { source: url, reason: error.cause.clone() },
    };
    services.audit.record(now, event, context).await?;
    services.stores.health.commit().await?;
    Ok(reply)
}

/// `app preview`: the very assertion that would be sent.
pub async fn preview(services: &Services, id: &str, user: &str) -> Result<Reply, Fault> {
    let Some(sp) = find(services, id) else { return Ok(unknown(id)) };
    previews::preview(services, &sp, user).await
}

/// `app test`: a dry run through the whole pipeline, judged as the app would.
pub async fn test(services: &Services, id: &str, user: &str) -> Result<Reply, Fault> {
    let Some(sp) = find(services, id) else { return Ok(unknown(id)) };
    previews::test(services, &sp, user).await
}
