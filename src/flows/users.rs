//! People, as administrators see and change them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::crypto::{password, random};
use crate::flows::command::{Reply, UserAdd};
use crate::flows::{Fault, Services};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::id::UserId;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::store::users::{Inserted, Updated};

/// A change is tried again this often when somebody else changed the record in between.
const TRIES: usize = 5;

/// A person as JSON: never the password hash.
pub fn to_json(user: &User) -> Value {
    json!({
        "id": user.id, "name": user.name, "email": user.email, "display_name": user.display_name,
        "attributes": user.attributes, "groups": user.groups, "admin": user.admin, "enabled": user.enabled,
        "has_password": user.password_hash.is_some(),
        "created": user.created.to_rfc3339(), "updated": user.updated.to_rfc3339(), "revision": user.revision,
    })
}

fn unknown(name: &str) -> Reply {
    Reply::failed(404, format!("there is no person called {name}"), "linkspan user list  shows everybody")
}

/// Adds a person.
pub async fn add(services: &Services, given: UserAdd, context: AuditContext) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let user = match build(services, given, now).await? {
        Ok(user) => user,
        Err(reply) => return Ok(reply),
    };
    if services.directory.insert(&user).await? == Inserted::Taken {
        return Ok(Reply::failed(
            409,
            format!("there is already a person called {}", user.name),
            format!("choose another name, or change the person: linkspan user set {}", user.name),
        ));
    }
    recorded_new(services, &user, &context, now).await?;
    Ok(Reply::ok(to_json(&user)))
}

async fn recorded_new(services: &Services, user: &User, context: &AuditContext, now: Timestamp) -> Result<(), Fault> {
    services.audit.record(now, Event::UserCreated { user: user.name.clone() }, context.clone()).await?;
    if user.admin {
        services.audit.record(now, Event::AdminGranted { user: user.name.clone() }, context.clone()).await?;
    }
    services.stores.health.commit().await?;
    Ok(())
}

async fn build(services: &Services, given: UserAdd, now: Timestamp) -> Result<Result<User, Reply>, Fault> {
    let name = given.name.trim().to_owned();
    if let Err(reply) = check_name(&name, "a name") {
        return Ok(Err(reply));
    }
    for group in &given.groups {
        if let Err(reply) = check_name(group, "a group's name") {
            return Ok(Err(reply));
        }
    }
    let password_hash = match (given.password, given.password_hash) {
        (Some(password), _) => match services.passwords.hash(&password).await {
            Ok(hash) => Some(hash),
            Err(problem) => return Ok(Err(password_refused(problem))),
        },
        (None, Some(hash)) if password::is_acceptable(&hash) => Some(hash),
        (None, Some(_)) => {
            return Ok(Err(Reply::failed(
                422,
                format!("the password hash of {name} is not argon2id in PHC form with 19 to 64 MiB, 2 to 10 passes and 1 to 4 lanes"),
                "give such a hash (it begins with $argon2id$v=19$), or leave it out and set a password",
            )));
        }
        (None, None) => None,
    };
    let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in given.attributes {
        attributes.entry(key).or_default().push(value);
    }
    let id = random::with_system(|random| random.letters("u_", 20));
    let mut groups = given.groups;
    groups.sort();
    groups.dedup();
    Ok(Ok(User {
        id: UserId::parse(id).map_err(|e| Fault::Other(e.to_string()))?,
        name,
        email: given.email.filter(|email| !email.is_empty()),
        display_name: given.display_name.filter(|name| !name.is_empty()),
        attributes,
        groups,
        admin: given.admin,
        enabled: true,
        password_hash,
        created: now,
        updated: now,
        revision: 1,
    }))
}

fn check_name(name: &str, what: &str) -> Result<(), Reply> {
    let fine = !name.is_empty() && name.len() <= 200 && name.trim() == name && !name.chars().any(char::is_control);
    if fine {
        return Ok(());
    }
    Err(Reply::failed(
        422,
        format!("\"{}\" is not {what}", name.escape_debug()),
        "use 1 to 200 visible characters, without blanks around them",
    ))
}

fn password_refused(problem: crate::authn::password::PasswordProblem) -> Reply {
    Reply::failed(422, problem.to_string(), "choose one of 12 to 1,024 characters; a sentence is easy to remember")
}

pub async fn list(services: &Services, filter: Option<String>, after: Option<String>, limit: Option<u32>) -> Result<Reply, Fault> {
    let page = services.directory.list(filter.as_deref(), after.as_deref(), limit.unwrap_or(1_000).clamp(1, 10_000)).await?;
    let people: Vec<Value> = page.items.iter().map(to_json).collect();
    Ok(Reply::ok(json!({ "items": people, "next": page.next })))
}

pub async fn show(services: &Services, name: &str) -> Result<Reply, Fault> {
    Ok(match find(services, name).await? {
        Some(user) => Reply::ok(to_json(&user)),
        None => unknown(name),
    })
}

/// Finds by ID, name or e-mail address.
pub async fn find(services: &Services, name: &str) -> Result<Option<User>, Fault> {
    if name.starts_with("u_")
        && let Ok(id) = UserId::parse(name)
        && let Some(user) = services.stores.users.by_id(&id).await?
    {
        return Ok(Some(user));
    }
    Ok(services.directory.by_name(name).await?)
}

/// Changes a person. `edit` says which fields it changed, or why it cannot.
async fn change(
    services: &Services,
    name: &str,
    context: &AuditContext,
    edit: impl Fn(&mut User) -> Result<Vec<String>, Reply>,
) -> Result<Result<(User, User), Reply>, Fault> {
    for _ in 0..TRIES {
        let now = (services.clock)();
        let Some(before) = find(services, name).await? else { return Ok(Err(unknown(name))) };
        let mut user = before.clone();
        let fields = match edit(&mut user) {
            Ok(fields) => fields,
            Err(reply) => return Ok(Err(reply)),
        };
        if user == before && fields.is_empty() {
            return Ok(Ok((before, user)));
        }
        user.updated = now;
        match services.directory.update(&user).await? {
            Updated::Updated => {
                user.revision += 1;
                record_changes(services, &before, &user, fields, context, now).await?;
                return Ok(Ok((before, user)));
            }
            Updated::Taken => {
                return Ok(Err(Reply::failed(409, format!("there is already a person called {}", user.name), "choose another name")));
            }
            Updated::Unknown => return Ok(Err(unknown(name))),
            Updated::Stale => {}
        }
    }
    Ok(Err(Reply::failed(409, format!("{name} is being changed by somebody else"), "try again")))
}

async fn record_changes(
    services: &Services,
    before: &User,
    user: &User,
    fields: Vec<String>,
    context: &AuditContext,
    now: Timestamp,
) -> Result<(), Fault> {
    let name = || user.name.clone();
    let mut events = Vec::new();
    if !fields.is_empty() {
        events.push(Event::UserUpdated { user: name(), fields });
    }
    match (before.enabled, user.enabled) {
        (true, false) => events.push(Event::UserDisabled { user: name() }),
        (false, true) => events.push(Event::UserEnabled { user: name() }),
        _ => {}
    }
    match (before.admin, user.admin) {
        (false, true) => events.push(Event::AdminGranted { user: name() }),
        (true, false) => events.push(Event::AdminRevoked { user: name() }),
        _ => {}
    }
    for group in user.groups.iter().filter(|group| !before.groups.contains(group)) {
        events.push(Event::GroupMemberAdded { user: name(), group: group.clone() });
    }
    for group in before.groups.iter().filter(|group| !user.groups.contains(group)) {
        events.push(Event::GroupMemberRemoved { user: name(), group: group.clone() });
    }
    for event in events {
        services.audit.record(now, event, context.clone()).await?;
    }
    services.stores.health.commit().await?;
    Ok(())
}

/// `user set NAME KEY=VALUE…`.
pub async fn set(services: &Services, name: &str, settings: Vec<(String, String)>, context: AuditContext) -> Result<Reply, Fault> {
    let edit = |user: &mut User| {
        let mut fields = Vec::new();
        let mut replaced: Vec<&str> = Vec::new();
        for (key, value) in &settings {
            let first = !replaced.contains(&key.as_str());
            replaced.push(key);
            let optional = || Some(value.clone()).filter(|value| !value.is_empty());
            match key.as_str() {
                "name" => {
                    check_name(value, "a name")?;
                    user.name.clone_from(value);
                }
                "email" => user.email = optional(),
                "display_name" => user.display_name = optional(),
                "admin" => user.admin = parse_bool(key, value)?,
                "enabled" => user.enabled = parse_bool(key, value)?,
                "group" => {
                    if first {
                        user.groups.clear();
                    }
                    if !value.is_empty() {
                        check_name(value, "a group's name")?;
                        user.groups.push(value.clone());
                    }
                    user.groups.sort();
                    user.groups.dedup();
                }
                _ => match key.strip_prefix("attr.").filter(|attribute| !attribute.is_empty()) {
                    Some(attribute) => {
                        if first {
                            user.attributes.remove(attribute);
                        }
                        if !value.is_empty() {
                            user.attributes.entry(attribute.to_owned()).or_default().push(value.clone());
                        }
                    }
                    None => {
                        return Err(Reply::failed(
                            422,
                            format!("there is no setting {key}"),
                            "settings are name, email, display_name, admin, enabled, group and attr.NAME",
                        ));
                    }
                },
            }
            if !fields.contains(key) {
                fields.push(key.clone());
            }
        }
        Ok(fields)
    };
    match change(services, name, &context, edit).await? {
        Err(reply) => Ok(reply),
        Ok((before, user)) => {
            if before.enabled && !user.enabled {
                end_sessions(services, &user, "account disabled", &context).await?;
            }
            Ok(Reply::ok(to_json(&user)))
        }
    }
}

fn parse_bool(key: &str, value: &str) -> Result<bool, Reply> {
    match value {
        "true" | "yes" => Ok(true),
        "false" | "no" | "" => Ok(false),
        _ => Err(Reply::failed(
            422,
            format!("{key} is true or false, not \"{}\"", value.escape_debug()),
            format!("write {key}=true or {key}=false"),
        )),
    }
}

/// Sets a password and ends the person's sessions, which may be somebody else's.
pub async fn set_password(services: &Services, name: &str, password: Secret<String>, context: AuditContext) -> Result<Reply, Fault> {
    let hash = match services.passwords.hash(&password).await {
        Ok(hash) => hash,
        Err(problem) => return Ok(password_refused(problem)),
    };
    let edit = |user: &mut User| {
        user.password_hash = Some(hash.clone());
        Ok(vec!["password".to_owned()])
    };
    match change(services, name, &context, edit).await? {
        Err(reply) => Ok(reply),
        Ok((_, user)) => {
            end_sessions(services, &user, "password changed", &context).await?;
            Ok(Reply::ok(to_json(&user)))
        }
    }
}

pub async fn enable(services: &Services, name: &str, enabled: bool, context: AuditContext) -> Result<Reply, Fault> {
    set(services, name, vec![("enabled".to_owned(), enabled.to_string())], context).await
}

/// Removes a person and ends their sessions.
pub async fn remove(services: &Services, name: &str, context: AuditContext) -> Result<Reply, Fault> {
    let Some(user) = find(services, name).await? else { return Ok(unknown(name)) };
    if !services.directory.remove(&user.id).await? {
        return Ok(unknown(name));
    }
    let now = (services.clock)();
    services.audit.record(now, Event::UserDeleted { user: user.name.clone() }, context.clone()).await?;
    end_sessions(services, &user, "account removed", &context).await?;
    Ok(Reply::ok(json!({ "removed": user.name })))
}

/// Ends all live sessions of a person. Returns how many.
pub async fn end_sessions(services: &Services, user: &User, reason: &str, context: &AuditContext) -> Result<u64, Fault> {
    let now = (services.clock)();
    let mut ended = 0;
    for session in services.sessions.list(Some(&user.id), now, 10_000).await? {
        if let Some(session) = services.sessions.end(&session.id).await? {
            ended += 1;
            let event = Event::SessionEnded { user: session.user_name, reason: reason.to_owned() };
            let context = AuditContext { session: Some(session.id.to_string()), ..context.clone() };
            services.audit.record(now, event, context).await?;
        }
    }
    services.stores.health.commit().await?;
    Ok(ended)
}

/// `user import`: each line by itself; what cannot be taken is named and the rest goes on.
pub async fn import(services: &Services, people: Vec<UserAdd>, update: bool, dry_run: bool, context: AuditContext) -> Result<Reply, Fault> {
    let mut lines = Vec::new();
    let mut failed = false;
    for given in people {
        let name = given.name.clone();
        let outcome = import_one(services, given, update, dry_run, &context).await?;
        failed |= outcome.is_err();
        lines.push(match outcome {
            Ok(result) => json!({ "name": name, "result": result }),
            Err(reply) => {
                let (cause, remedy) = reply.error.map(|e| (e.cause, e.remedy)).unwrap_or_default();
                json!({ "name": name, "result": "refused", "cause": cause, "remedy": remedy })
            }
        });
    }
    services.stores.health.commit().await?;
    let value = json!({ "dry_run": dry_run, "people": lines });
    Ok(if failed { Reply::found(value) } else { Reply::ok(value) })
}

async fn import_one(
    services: &Services,
    given: UserAdd,
    update: bool,
    dry_run: bool,
    context: &AuditContext,
) -> Result<Result<&'static str, Reply>, Fault> {
    let now = (services.clock)();
    let present = services.directory.by_name(&given.name).await?.filter(|user| User::fold(&user.name) == User::fold(&given.name));
    let mut user = match build(services, given, now).await? {
        Ok(user) => user,
        Err(reply) => return Ok(Err(reply)),
    };
    let Some(present) = present else {
        if !dry_run {
            if services.directory.insert(&user).await? == Inserted::Taken {
                return Ok(Err(Reply::failed(409, format!("there is already a person called {}", user.name), "import with --update")));
            }
            recorded_new(services, &user, context, now).await?;
        }
        return Ok(Ok("created"));
    };
    if !update {
        return Ok(Err(Reply::failed(409, format!("there is already a person called {}", user.name), "import with --update")));
    }
    // What a line does not say stays as it is.
    let mut attributes = present.attributes.clone();
    attributes.extend(user.attributes);
    user = User {
        id: present.id.clone(),
        name: user.name,
        email: user.email.or_else(|| present.email.clone()),
        display_name: user.display_name.or_else(|| present.display_name.clone()),
        attributes,
        groups: if user.groups.is_empty() { present.groups.clone() } else { user.groups },
        admin: user.admin || present.admin,
        enabled: present.enabled,
        password_hash: user.password_hash.or_else(|| present.password_hash.clone()),
        created: present.created,
        updated: now,
        revision: present.revision,
    };
    if dry_run {
        return Ok(Ok("updated"));
    }
    match services.directory.update(&user).await? {
        Updated::Updated => {
            record_changes(services, &present, &user, vec!["import".to_owned()], context, now).await?;
            Ok(Ok("updated"))
        }
        _ => Ok(Err(Reply::failed(409, format!("{} is being changed by somebody else", user.name), "import again"))),
    }
}
