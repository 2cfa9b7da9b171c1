//! Groups.

use serde_json::{Value, json};

use crate::flows::command::Reply;
use crate::flows::{Fault, Services, users};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::store::users::Inserted;

pub async fn list(services: &Services) -> Result<Reply, Fault> {
    let groups: Vec<Value> =
        services.directory.groups().await?.into_iter().map(|(name, members)| json!({ "name": name, "members": members })).collect();
    Ok(Reply::ok(Value::Array(groups)))
}

pub async fn add(services: &Services, name: &str, context: AuditContext) -> Result<Reply, Fault> {
    let name = name.trim();
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        return Ok(Reply::failed(422, "that is not a group's name", "use 1 to 200 visible characters"));
    }
    if services.directory.insert_group(name).await? == Inserted::Taken {
        return Ok(Reply::failed(409, format!("there is already a group {name}"), "linkspan group list  shows them"));
    }
    services.audit.record((services.clock)(), Event::GroupCreated { group: name.to_owned() }, context).await?;
    services.stores.health.commit().await?;
    Ok(Reply::ok(json!({ "name": name, "members": 0 })))
}

pub async fn remove(services: &Services, name: &str, context: AuditContext) -> Result<Reply, Fault> {
    if !services.directory.remove_group(name).await? {
        return Ok(Reply::failed(404, format!("there is no group {name}"), "linkspan group list  shows them"));
    }
    services.audit.record((services.clock)(), Event::GroupDeleted { group: name.to_owned() }, context).await?;
    services.stores.health.commit().await?;
    Ok(Reply::ok(json!({ "removed": name })))
}

/// Adds somebody to a group (made if missing), or takes them out.
pub async fn set_member(services: &Services, group: &str, user: &str, member: bool, context: AuditContext) -> Result<Reply, Fault> {
    let Some(person) = users::find(services, user).await? else {
        return Ok(Reply::failed(404, format!("there is no person called {user}"), "linkspan user list  shows everybody"));
    };
    let mut groups: Vec<String> = person.groups.iter().filter(|present| *present != group).cloned().collect();
    if member {
        groups.push(group.to_owned());
    }
    let mut settings: Vec<(String, String)> = groups.into_iter().map(|group| ("group".to_owned(), group)).collect();
    if settings.is_empty() {
        settings.push(("group".to_owned(), String::new()));
    }
    users::set(services, person.id.as_str(), settings, context).await
}
