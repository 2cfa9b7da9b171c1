//! The ops listener: `/livez`, `/readyz`, `/metrics`.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;

use crate::web::Web;

/// `GET /livez`: the process answers; never touches storage.
pub async fn live() -> HttpResponse {
    text(HttpResponse::Ok(), "ok\n")
}

/// `GET /readyz`: whether sign-ins work now, with the reason where they do not.
pub async fn ready(web: Data<Web>) -> HttpResponse {
    if web.draining.load(Ordering::Relaxed) {
        return text(HttpResponse::ServiceUnavailable(), "not ready: the server is stopping\n");
    }
    match web.services.stores.health.check().await {
        Ok(()) => text(HttpResponse::Ok(), "ready\n"),
        Err(error) => text(HttpResponse::ServiceUnavailable(), &format!("not ready: {error}\n")),
    }
}

/// `GET /metrics`: OpenMetrics text.
pub async fn metrics(web: Data<Web>) -> HttpResponse {
    match web.metrics.encode() {
        Ok(body) => HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(body),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn text(mut builder: actix_web::HttpResponseBuilder, body: &str) -> HttpResponse {
    builder.content_type("text/plain; charset=utf-8").insert_header((header::CACHE_CONTROL, "no-store")).body(body.to_owned())
}
