//! The table of addresses.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{
    Data, Path, PayloadConfig, QueryConfig, ServiceConfig, delete, get, head, patch, post, put, resource, route, scope, to,
};

use crate::web::error::WebError;
use crate::web::{Web, api, control, health, login, portal, saml, setup};

/// Most bytes of one command: an aggregate of 128 MiB in base64.
const CONTROL: usize = 192 << 20;
/// Most bytes of metadata given to the API.
const METADATA: usize = 10 << 20;

/// The public listener. `max_body` bounds posted forms, in bytes.
pub fn public(config: &mut ServiceConfig, max_body: usize) {
    config
        .app_data(PayloadConfig::new(max_body))
        .app_data(QueryConfig::default().error_handler(|_, request| broken_query(request)))
        .route("/", get().to(portal::root))
        .route("/login", get().to(login::show))
        .route("/login", post().to(login::submit))
        .route("/login/resume", get().to(login::resume))
        .route("/logout", get().to(portal::ask))
        .route("/logout", post().to(portal::leave))
        .route("/apps", get().to(portal::apps))
        .route("/setup/{token}", get().to(setup::show))
        .route("/setup/{token}", post().to(setup::submit))
        .route("/saml/metadata", get().to(saml::show_metadata))
        .route("/saml/metadata", head().to(saml::show_metadata))
        .route("/saml/sso", get().to(saml::redirect))
        .route("/saml/sso", post().to(saml::post))
        .route("/saml/start", get().to(saml::start))
        .route("/assets/{version}/{name}", get().to(asset))
        .service(
            scope("/api/v1")
                .app_data(PayloadConfig::new(METADATA))
                .route("/apps", get().to(api::list_apps))
                .route("/apps", post().to(api::add_app))
                .route("/apps/{id}", get().to(api::show_app))
                .route("/apps/{id}", put().to(api::replace_app))
                .route("/apps/{id}", patch().to(api::change_app))
                .route("/apps/{id}", delete().to(api::remove_app))
                .route("/users", get().to(api::list_users))
                .route("/users", post().to(api::add_user))
                .route("/users/{name}", get().to(api::show_user))
                .route("/users/{name}", patch().to(api::change_user))
                .route("/users/{name}", delete().to(api::remove_user))
                .route("/groups", get().to(api::list_groups))
                .route("/groups", post().to(api::add_group))
                .route("/groups/{name}", delete().to(api::remove_group))
                .route("/sessions", get().to(api::list_sessions))
                .route("/sessions/{id}", delete().to(api::end_session))
                .route("/traces", get().to(api::list_traces))
                .route("/traces/{reference}", get().to(api::show_trace))
                .default_service(to(api::unknown)),
        )
        .default_service(route().to(not_found));
}

/// The ops listener.
pub fn ops(config: &mut ServiceConfig) {
    config.route("/livez", get().to(health::live)).route("/readyz", get().to(health::ready)).route("/metrics", get().to(health::metrics));
}

/// The control socket.
pub fn control_socket(config: &mut ServiceConfig) {
    config.app_data(actix_web::web::JsonConfig::default().limit(CONTROL)).service(resource("/command").route(post().to(control::command)));
}

/// An asset under the address of its content: browsers may keep it for good.
async fn asset(web: Data<Web>, path: Path<(String, String)>) -> HttpResponse {
    let (version, name) = path.into_inner();
    match web.renderer.asset(&name) {
        Some(asset) if asset.version == version => HttpResponse::Ok()
            .content_type(asset.content_type)
            .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(asset.bytes.clone()),
        _ => HttpResponse::NotFound().finish(),
    }
}

/// A query that says the same thing twice, or nothing that can be read.
fn broken_query(request: &HttpRequest) -> actix_web::Error {
    match request.app_data::<Data<Web>>() {
        Some(web) => WebError::plain(web, StatusCode::BAD_REQUEST, "broken_query").into(),
        None => actix_web::error::ErrorBadRequest("the query cannot be read"),
    }
}

async fn not_found(web: Data<Web>, _request: HttpRequest) -> Result<HttpResponse, WebError> {
    Err(WebError::plain(&web, StatusCode::NOT_FOUND, "not_found"))
}
