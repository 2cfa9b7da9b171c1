//! `/api/v1`: the administration commands over HTTP, for scripts. JSON; errors are RFC 9457 problem documents.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::flows::api_keys::{self, Caller};
use crate::flows::command::{AppAdd, AppInput, Command, Reply, UserAdd};
use crate::flows::dispatch;
use crate::model::event::AuditContext;
use crate::web::Web;
use crate::web::extract::body::Body;

/// A problem document.
fn problem(status: StatusCode, title: &str, detail: &str, checks: Value) -> HttpResponse {
    let mut builder = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        builder.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"linkspan\""));
    }
    let mut body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    if let (Value::Array(list), Some(object)) = (&checks, body.as_object_mut())
        && !list.is_empty()
    {
        object.insert("checks".to_owned(), checks.clone());
    }
    builder.content_type("application/problem+json").insert_header((header::CACHE_CONTROL, "no-store")).body(body.to_string())
}

/// A body that was too large, too slow or broken.
pub fn body_refused(status: StatusCode) -> HttpResponse {
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "send less; metadata may have 10 MiB",
        StatusCode::REQUEST_TIMEOUT => "send the whole body sooner, or raise listen.request_timeout",
        _ => "send the body as its headers announce it",
    };
    problem(status, status.canonical_reason().unwrap_or("Refused"), detail, Value::Null)
}

/// Finds the caller and holds the scope against the right: 401 without valid credentials, 403 without the right.
async fn admit(web: &Web, request: &HttpRequest, scope: &str) -> Result<Caller, HttpResponse> {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    let unauthorized =
        || problem(StatusCode::UNAUTHORIZED, "Not authenticated", "send a valid API key as Authorization: Bearer lsk_…", Value::Null);
    let Some(key) = bearer else { return Err(unauthorized()) };
    match api_keys::authenticate(&web.services, key, web.client_ip(request)).await {
        Ok(Some(caller)) if caller.scopes.iter().any(|held| held == scope) => Ok(caller),
        Ok(Some(_)) => Err(problem(StatusCode::FORBIDDEN, "Not allowed", &format!("this needs the scope {scope}"), Value::Null)),
        Ok(None) => Err(unauthorized()),
        Err(fault) => Err(of_reply(dispatch::broken(&fault), StatusCode::OK)),
    }
}

/// A reply as an answer: lists as `{"items", "next"}`, where `next` is the cursor of the next page; single records carry their
/// revision as ETag.
fn of_reply(reply: Reply, success: StatusCode) -> HttpResponse {
    if let Some(error) = reply.error {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        let checks = serde_json::to_value(&error.checks).unwrap_or_default();
        return problem(status, &error.cause, &error.remedy, checks);
    }
    if reply.exit == 3 && reply.value.get("entities").is_some() {
        let entities = reply.value.get("entities").map(ToString::to_string).unwrap_or_default();
        return problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The document holds several entities",
            &format!("choose one with the parameter entity: {entities}"),
            Value::Null,
        );
    }
    // The same metadata once more makes nothing.
    let unchanged = reply.value.get("result").and_then(Value::as_str) == Some("unchanged");
    let mut builder = HttpResponse::build(if unchanged { StatusCode::OK } else { success });
    if let Some(revision) = reply.value.get("revision").and_then(Value::as_i64) {
        builder.insert_header((header::ETAG, format!("\"{revision}\"")));
    }
    let value = match reply.value {
        list @ Value::Array(_) => json!({ "items": list, "next": null }),
        other => other,
    };
    builder.insert_header((header::CACHE_CONTROL, "no-store")).json(value)
}

async fn run(web: &Web, request: &HttpRequest, scope: &str, command: Command, success: StatusCode) -> HttpResponse {
    let caller = match admit(web, request, scope).await {
        Ok(caller) => caller,
        Err(answer) => return answer,
    };
    let context = AuditContext {
        actor: Some(format!("apikey:{}", caller.name)),
        client: Some(web.client_address(request)),
        ..AuditContext::default()
    };
    let reply = dispatch::run(&web.services, command, context).await.unwrap_or_else(|fault| dispatch::broken(&fault));
    of_reply(reply, success)
}

/// `If-Match`, where it is sent, must be the record's revision: another one means it changed meanwhile.
async fn unchanged(web: &Web, request: &HttpRequest, scope: &str, show: Command) -> Result<(), HttpResponse> {
    let Some(wanted) = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    admit(web, request, scope).await?;
    let reply = dispatch::run(&web.services, show, AuditContext::default()).await.unwrap_or_else(|fault| dispatch::broken(&fault));
    let revision = reply.value.get("revision").and_then(Value::as_i64);
    let same = wanted.trim() == "*" || revision.is_some_and(|revision| wanted.trim() == format!("\"{revision}\""));
    if same || reply.error.is_some() {
        return Ok(());
    }
    Err(problem(
        StatusCode::PRECONDITION_FAILED,
        "The record changed",
        "read it again and repeat the change with its new ETag",
        Value::Null,
    ))
}

fn query(request: &HttpRequest) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect()
}

fn one(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

/// Metadata as a body, or `{"url"}`; the options of `app add` are query parameters.
fn app_add(request: &HttpRequest, body: &Bytes, id: Option<String>) -> Result<AppAdd, HttpResponse> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let input = match content_type.split(';').next().map(str::trim) {
        Some("application/samlmetadata+xml" | "application/xml" | "text/xml") => {
            AppInput::Document { base64: STANDARD.encode(body), origin: "the request body".to_owned() }
        }
        Some("application/json") => {
            match serde_json::from_slice::<Value>(body).ok().as_ref().and_then(|v| v.get("url")).and_then(Value::as_str) {
                Some(url) => AppInput::Url(url.to_owned()),
                None => {
                    return Err(problem(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        "No metadata",
                        "send {\"url\": \"https://…\"}, or the XML itself",
                        Value::Null,
                    ));
                }
            }
        }
        _ => {
            let detail = "send SAML metadata as application/samlmetadata+xml, or {\"url\"} as application/json";
            return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not a kind of body that is read here", detail, Value::Null));
        }
    };
    let pairs = query(request);
    let flag = |name: &str| one(&pairs, name).is_some_and(|value| matches!(value.as_str(), "" | "true" | "1"));
    Ok(AppAdd {
        input,
        name: one(&pairs, "name"),
        replace: id.is_some() || flag("replace"),
        id,
        presets: pairs.iter().filter(|(key, _)| key == "preset").map(|(_, value)| value.clone()).collect(),
        signer: one(&pairs, "signer"),
        entity: one(&pairs, "entity"),
        accept_expired: flag("accept_expired"),
        allow_http: flag("allow_http"),
    })
}

pub async fn list_apps(web: Data<Web>, request: HttpRequest) -> HttpResponse {
    run(&web, &request, "apps:read", Command::AppList, StatusCode::OK).await
}

pub async fn add_app(web: Data<Web>, request: HttpRequest, body: Body) -> HttpResponse {
    // The right first: a stranger learns nothing of what a body should look like.
    if let Err(answer) = admit(&web, &request, "apps:write").await {
        return answer;
    }
    match app_add(&request, &body, None) {
        Ok(add) => run(&web, &request, "apps:write", Command::AppAdd(add), StatusCode::CREATED).await,
        Err(answer) => answer,
    }
}

pub async fn show_app(web: Data<Web>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    run(&web, &request, "apps:read", Command::AppShow { id: id.into_inner() }, StatusCode::OK).await
}

pub async fn replace_app(web: Data<Web>, request: HttpRequest, id: Path<String>, body: Body) -> HttpResponse {
    if let Err(answer) = admit(&web, &request, "apps:write").await {
        return answer;
    }
    if let Err(answer) = unchanged(&web, &request, "apps:write", Command::AppShow { id: id.clone() }).await {
        return answer;
    }
    match app_add(&request, &body, Some(id.into_inner())) {
        Ok(add) => run(&web, &request, "apps:write", Command::AppAdd(add), StatusCode::OK).await,
        Err(answer) => answer,
    }
}

/// `PATCH /api/v1/apps/ID`: an object of settings in dotted form, as `{"saml.sign": "both", "enabled": false}`.
pub async fn change_app(web: Data<Web>, request: HttpRequest, id: Path<String>, body: Body) -> HttpResponse {
    if let Err(answer) = admit(&web, &request, "apps:write").await {
        return answer;
    }
    if let Err(answer) = unchanged(&web, &request, "apps:write", Command::AppShow { id: id.clone() }).await {
        return answer;
    }
    match settings(&body) {
        Ok(settings) => run(&web, &request, "apps:write", Command::AppSet { id: id.into_inner(), settings }, StatusCode::OK).await,
        Err(answer) => answer,
    }
}

fn settings(body: &Bytes) -> Result<Vec<(String, String)>, HttpResponse> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(problem(StatusCode::UNPROCESSABLE_ENTITY, "Not a JSON object", "send an object of settings", Value::Null));
    };
    let mut settings = Vec::new();
    for (key, value) in object {
        let values = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        for value in values {
            settings.push((
                key.clone(),
                match value {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    other => other.to_string(),
                },
            ));
        }
    }
    Ok(settings)
}

pub async fn remove_app(web: Data<Web>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    if let Err(answer) = unchanged(&web, &request, "apps:write", Command::AppShow { id: id.clone() }).await {
        return answer;
    }
    run(&web, &request, "apps:write", Command::AppRemove { id: id.into_inner() }, StatusCode::OK).await
}

pub async fn list_users(web: Data<Web>, request: HttpRequest) -> HttpResponse {
    let pairs = query(&request);
    let limit = one(&pairs, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
    let command = Command::UserList { filter: one(&pairs, "filter"), after: one(&pairs, "cursor"), limit: Some(limit) };
    run(&web, &request, "users:read", command, StatusCode::OK).await
}

pub async fn add_user(web: Data<Web>, request: HttpRequest, body: Body) -> HttpResponse {
    if let Err(answer) = admit(&web, &request, "users:write").await {
        return answer;
    }
    match serde_json::from_slice::<UserAdd>(&body) {
        Ok(user) if user.admin => not_by_key(),
        Ok(user) => run(&web, &request, "users:write", Command::UserAdd(user), StatusCode::CREATED).await,
        Err(error) => problem(StatusCode::UNPROCESSABLE_ENTITY, "Not a person", &error.to_string(), Value::Null),
    }
}

pub async fn show_user(web: Data<Web>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    run(&web, &request, "users:read", Command::UserShow { name: name.into_inner() }, StatusCode::OK).await
}

pub async fn change_user(web: Data<Web>, request: HttpRequest, name: Path<String>, body: Body) -> HttpResponse {
    if let Err(answer) = admit(&web, &request, "users:write").await {
        return answer;
    }
    if let Err(answer) = unchanged(&web, &request, "users:write", Command::UserShow { name: name.clone() }).await {
        return answer;
    }
    match settings(&body) {
        Ok(settings) if settings.iter().any(|(key, _)| key == "admin") => not_by_key(),
        Ok(settings) => run(&web, &request, "users:write", Command::UserSet { name: name.into_inner(), settings }, StatusCode::OK).await,
        Err(answer) => answer,
    }
}

/// An API key must not make administrators: that right has no scope yet.
fn not_by_key() -> HttpResponse {
    problem(StatusCode::FORBIDDEN, "Not allowed", "administrators are made on the host: linkspan user set NAME admin=true", Value::Null)
}

pub async fn remove_user(web: Data<Web>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    if let Err(answer) = unchanged(&web, &request, "users:write", Command::UserShow { name: name.clone() }).await {
        return answer;
    }
    run(&web, &request, "users:write", Command::UserRemove { name: name.into_inner() }, StatusCode::OK).await
}

pub async fn list_groups(web: Data<Web>, request: HttpRequest) -> HttpResponse {
    run(&web, &request, "users:read", Command::GroupList, StatusCode::OK).await
}

/// `POST /api/v1/groups` with `{"name"}`.
pub async fn add_group(web: Data<Web>, request: HttpRequest, body: Body) -> HttpResponse {
    if let Err(answer) = admit(&web, &request, "users:write").await {
        return answer;
    }
    let name = serde_json::from_slice::<Value>(&body).ok().and_then(|value| value.get("name")?.as_str().map(str::to_owned));
    match name {
        Some(name) => run(&web, &request, "users:write", Command::GroupAdd { name }, StatusCode::CREATED).await,
        None => problem(StatusCode::UNPROCESSABLE_ENTITY, "Not a group", "send {\"name\": \"staff\"}", Value::Null),
    }
}

pub async fn remove_group(web: Data<Web>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    run(&web, &request, "users:write", Command::GroupRemove { name: name.into_inner() }, StatusCode::OK).await
}

pub async fn list_sessions(web: Data<Web>, request: HttpRequest) -> HttpResponse {
    let user = one(&query(&request), "user");
    run(&web, &request, "sessions:read", Command::SessionList { user }, StatusCode::OK).await
}

pub async fn end_session(web: Data<Web>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    run(&web, &request, "sessions:write", Command::SessionEnd { id: Some(id.into_inner()), user: None }, StatusCode::OK).await
}

pub async fn list_traces(web: Data<Web>, request: HttpRequest) -> HttpResponse {
    let pairs = query(&request);
    let command = Command::TraceList {
        app: one(&pairs, "app"),
        user: one(&pairs, "user"),
        failed: one(&pairs, "failed").is_some_and(|value| value != "false"),
        limit: one(&pairs, "limit").and_then(|limit| limit.parse().ok()),
    };
    run(&web, &request, "traces:read", command, StatusCode::OK).await
}

pub async fn show_trace(web: Data<Web>, request: HttpRequest, reference: Path<String>) -> HttpResponse {
    run(&web, &request, "traces:read", Command::TraceShow { reference: reference.into_inner() }, StatusCode::OK).await
}

/// Anything else below `/api/`.
pub async fn unknown() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "There is no such address", "see docs/api.md for what there is", Value::Null)
}
