//! Runs one administrative command, whoever asks. Permission is the caller's matter: file access, or an API scope.

use serde_json::json;

use crate::flows::command::{Command, Reply};
use crate::flows::{Fault, Services, api_keys, apps, explain, groups, keys, sessions, setup, traces, users};
use crate::model::event::AuditContext;

/// Runs the command.
pub async fn run(services: &Services, command: Command, context: AuditContext) -> Result<Reply, Fault> {
    match command {
        Command::AppAdd(add) => apps::add(services, add, context).await,
        Command::AppList => Ok(apps::list(services)),
        Command::AppShow { id } => Ok(apps::show(services, &id)),
        Command::AppSet { id, settings } => apps::set(services, &id, settings, context).await,
        Command::AppLint { input, id } => apps::lint(services, input, id).await,
        Command::AppPreview { id, user } => apps::preview(services, &id, &user).await,
        Command::AppTest { id, user } => apps::test(services, &id, &user).await,
        Command::AppRefresh { id } => apps::refresh(services, &id, context).await,
        Command::AppRemove { id } => apps::remove(services, &id, context).await,
        Command::UserAdd(add) => users::add(services, add, context).await,
        Command::UserList { filter, after, limit } => users::list(services, filter, after, limit).await,
        Command::UserShow { name } => users::show(services, &name).await,
        Command::UserSet { name, settings } => users::set(services, &name, settings, context).await,
        Command::UserPassword { name, password } => users::set_password(services, &name, password, context).await,
        Command::UserEnable { name, enabled } => users::enable(services, &name, enabled, context).await,
        Command::UserRemove { name } => users::remove(services, &name, context).await,
        Command::UserImport { people, update, dry_run } => users::import(services, people, update, dry_run, context).await,
        Command::GroupList => groups::list(services).await,
        Command::GroupAdd { name } => groups::add(services, &name, context).await,
        Command::GroupRemove { name } => groups::remove(services, &name, context).await,
        Command::GroupMember { group, user, member } => groups::set_member(services, &group, &user, member, context).await,
        Command::KeyList => Ok(keys::list(services)),
        Command::KeyNew { algorithm } => keys::new(services, algorithm.as_deref(), context).await,
        Command::KeyPromote { id } => keys::promote(services, &id, context).await,
        Command::KeyRetire { id } => keys::retire(services, &id, context).await,
        Command::KeyImport { key, certificate, passphrase } => keys::import(services, key, certificate, passphrase, context).await,
        Command::SessionList { user } => sessions::list(services, user.as_deref()).await,
        Command::SessionEnd { id, user } => sessions::end(services, id.as_deref(), user.as_deref(), context).await,
        Command::TraceList { app, user, failed, limit } => traces::list(services, app, user, failed, limit).await,
        Command::TraceShow { reference } => traces::show(services, &reference).await,
        Command::SamlExplain { message, at, destination } => explain::run(services, &message, at.as_deref(), destination.as_deref()).await,
        Command::ApiKeyNew { name, scopes, expires, networks } => api_keys::new(services, &name, scopes, expires, networks, context).await,
        Command::ApiKeyList => api_keys::list(services).await,
        Command::ApiKeyRemove { id } => api_keys::remove(services, &id, context).await,
        Command::AuditRead { after, limit } => audit(services, after, limit).await,
        Command::AuditHead => Ok(Reply::ok(json!({ "head": services.audit.head().await? }))),
        Command::AdminSetupLink => setup_link(services).await,
    }
}

async fn audit(services: &Services, after: i64, limit: u32) -> Result<Reply, Fault> {
    let mut items = Vec::new();
    for stored in services.audit.read(after, limit.clamp(1, 10_000)).await? {
        let mut value = serde_json::to_value(&stored.record).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("seq".to_owned(), json!(stored.seq));
            object.insert("at".to_owned(), json!(stored.record.at.to_rfc3339()));
        }
        items.push(value);
    }
    Ok(Reply::ok(json!({ "items": items })))
}

async fn setup_link(services: &Services) -> Result<Reply, Fault> {
    Ok(match setup::offer(services).await? {
        Some(url) => Reply::ok(json!({ "url": url, "minutes": setup::LINK_FOR.as_seconds() / 60 })),
        None => Reply::failed(
            409,
            "an administrator exists already, so there is no set-up link",
            "make another one with: linkspan user set NAME admin=true",
        ),
    })
}

/// What a fault of ours looks like as a reply; the log has the cause too.
pub fn broken(fault: &Fault) -> Reply {
    tracing::error!(error = %fault, "a command failed");
    let mut reply = Reply::failed(
        if fault.is_passing() { 503 } else { 500 },
        fault.to_string(),
        if fault.is_passing() { "try again in a moment; /readyz on the ops listener says what is missing" } else { "see the server's log" },
    );
    reply.exit = if fault.is_passing() { 75 } else { 1 };
    reply
}
