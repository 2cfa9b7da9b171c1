//! The addresses of one test app.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, Form, Query};
use actix_web::{App, Either, Error, HttpRequest, HttpResponse, HttpServer};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;

use crate::crypto::random::Random;
use crate::demo::exchange::{self, Exchange};
use crate::demo::memory::{self, Browser};
use crate::demo::pages::Pages;
use crate::demo::request::{self, Knobs, Outgoing};
use crate::demo::sp::Sp;
use crate::demo::{DemoError, metadata};
use crate::model::time::Span;

/// The largest form that is read: a response in base64 with room to spare.
const MOST_FORM_BYTES: usize = 512 << 10;
/// Authentication contexts that the start page offers.
const CONTEXTS: [(&str, &str); 3] = [
    ("urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "Password"),
    ("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "Password over a protected transport"),
    ("https://refeds.org/profile/mfa", "Several factors (REFEDS MFA)"),
];

/// As long as a browser is remembered.
const COOKIE_LIFE: Span = Span::hours(8);

struct Shared {
    sp: Arc<Sp>,
    pages: Arc<Pages>,
}

/// The server of one app, on one worker.
pub fn server(listener: TcpListener, sp: Arc<Sp>, pages: Arc<Pages>) -> std::io::Result<Server> {
    let shared = Data::new(Shared { sp, pages });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(web::FormConfig::default().limit(MOST_FORM_BYTES))
            .wrap(from_fn(guard))
            .route("/", web::get().to(show_start))
            .route("/login", web::get().to(begin_sign_in))
            .route("/acs", web::post().to(receive_response))
            .route("/finish", web::get().to(finish_sign_in))
            .route("/result", web::get().to(show_refused))
            .route("/signout", web::post().to(sign_out))
            .route("/metadata", web::get().to(show_metadata))
            .route("/demo.css", web::get().to(|| asset("demo.css", "text/css; charset=utf-8")))
            .route("/post.js", web::get().to(|| asset("post.js", "text/javascript; charset=utf-8")))
            .route("/icon.svg", web::get().to(|| asset("icon.svg", "image/svg+xml")))
            .default_service(web::to(show_not_found))
    });
    Ok(server.workers(1).shutdown_timeout(2).disable_signals().listen(listener)?.run())
}

/// Answers only under the app's own name, so that no other name can be bent to it, and sets the headers of every page.
async fn guard(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let shared = request.app_data::<Data<Shared>>().cloned();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = shared.as_ref().is_some_and(|shared| shared.sp.base.strip_prefix("http://") == Some(host));
    let mut response = if own {
        next.call(request).await?.map_into_boxed_body()
    } else {
        request.into_response(plain_text(StatusCode::MISDIRECTED_REQUEST, "This test app answers under its own address only."))
    };
    let headers = response.headers_mut();
    let set = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "strict-origin"),
        (header::CACHE_CONTROL, "no-store"),
        // Browsers hold redirects after a form against form-action too, and the identity provider may redirect on.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self' http: https:; base-uri 'none'; \
             frame-ancestors 'none'",
        ),
    ];
    for (name, value) in set {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    Ok(response)
}

fn plain_text(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
}

async fn show_start(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    let browser = browser_of(&request, &shared.sp);
    match browser.signed_in {
        Some(exchange) => page(&shared, StatusCode::OK, "result.html", context! { exchange => Serde(exchange) }),
        None => page(&shared, StatusCode::OK, "start.html", context! { contexts => Serde(CONTEXTS) }),
    }
}

async fn begin_sign_in(request: HttpRequest, shared: Data<Shared>, knobs: Query<Knobs>) -> HttpResponse {
    let sp = &shared.sp;
    let now = (sp.now)();
    let mut random = Random::system();
    let cookie = cookie_of(&request, sp).unwrap_or_else(|| random.bearer());
    let asked = match sp.idp.current(now).await {
        Ok(idp) => request::ask(sp, &idp, &knobs, memory::key(&cookie), now, &mut random),
        Err(error) => Err(error),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return trouble(&shared, &error),
    };
    sp.memory.asked(asked.id, asked.pending);
    let mut response = match asked.outgoing {
        Outgoing::Redirect(url) => HttpResponse::SeeOther().insert_header((header::LOCATION, url)).finish(),
        Outgoing::Post { action, saml_request, relay_state } => {
            page(&shared, StatusCode::OK, "post.html", context! { action, saml_request, relay_state })
        }
    };
    set_cookie(&mut response, sp, &cookie);
    response
}

#[derive(Deserialize)]
struct ResponseForm {
    #[serde(rename = "SAMLResponse")]
    saml_response: String,
    #[serde(rename = "RelayState")]
    relay_state: Option<String>,
}

/// Takes an answer. It is a POST from another site, so the browser keeps our cookie back; the judged answer waits under a
/// ticket until the browser has come back by a GET of our own.
async fn receive_response(shared: Data<Shared>, form: Either<Form<ResponseForm>, ()>) -> HttpResponse {
    let Either::Left(Form(form)) = form else {
        return message(&shared, StatusCode::BAD_REQUEST, "There is no SAML answer in this request.", "Start again from the start page.");
    };
    let sp = Arc::clone(&shared.sp);
    let now = (sp.now)();
    let idp = match sp.idp.current(now).await {
        Ok(idp) => idp,
        Err(error) => return trouble(&shared, &error),
    };
    let judged = web::block(move || {
        let pending = |id: &str| sp.memory.pending(id, now);
        exchange::judge(&sp, &idp, &form.saml_response, form.relay_state.as_deref(), pending, now)
    });
    let Ok(judged) = judged.await else {
        // A panic inside the library: the answer is refused, the app lives on.
        return message(
            &shared,
            StatusCode::BAD_REQUEST,
            "The library that reads SAML answers gave up on this one.",
            "Nobody was signed in. Start again from the start page.",
        );
    };
    let sp = &shared.sp;
    let judged = match &judged.assertion_id {
        Some(id) if judged.accepted && !sp.memory.consume(judged.request_id.as_deref(), id, now) => judged.into_replayed(),
        _ => judged,
    };
    let ticket = Random::system().bearer();
    sp.memory.keep(&ticket, Arc::new(judged), now);
    see_other(&format!("/finish?ticket={ticket}"))
}

#[derive(Deserialize)]
struct Ticket {
    ticket: String,
}

async fn finish_sign_in(request: HttpRequest, shared: Data<Shared>, ticket: Query<Ticket>) -> HttpResponse {
    let sp = &shared.sp;
    let now = (sp.now)();
    let Some(exchange) = sp.memory.collect(&ticket.ticket, now) else {
        return message(&shared, StatusCode::NOT_FOUND, "This step is over.", "Go to the start page.");
    };
    let old = cookie_of(&request, sp);
    let foreign = exchange.browser.as_ref().is_some_and(|asked| old.as_deref().map(memory::key).as_ref() != Some(asked));
    let exchange = if foreign && exchange.accepted { Arc::new(Exchange::clone(&exchange).into_foreign()) } else { exchange };

    let before = browser_of(&request, sp);
    let (browser, next) = if exchange.accepted {
        (Browser { signed_in: Some(exchange), refused: None }, "/")
    } else {
        (Browser { refused: Some(exchange), ..before }, "/result")
    };
    // A new cookie at every sign-in, so that one planted before is worth nothing after.
    let cookie = Random::system().bearer();
    if let Some(old) = old {
        sp.memory.forget_browser(&old, now);
    }
    sp.memory.set_browser(&cookie, browser, now);
    let mut response = see_other(next);
    set_cookie(&mut response, sp, &cookie);
    response
}

async fn show_refused(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    match browser_of(&request, &shared.sp).refused {
        Some(exchange) => page(&shared, StatusCode::FORBIDDEN, "result.html", context! { exchange => Serde(exchange) }),
        None => see_other("/"),
    }
}

/// Ends the session at this app, here only.
async fn sign_out(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    let sp = &shared.sp;
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if origin.is_some_and(|origin| origin != sp.base) {
        return message(&shared, StatusCode::FORBIDDEN, "Another page asked to sign you out.", "Use the button on this app’s own page.");
    }
    if let Some(cookie) = cookie_of(&request, sp) {
        sp.memory.forget_browser(&cookie, (sp.now)());
    }
    let mut response = see_other("/");
    write_cookie(&mut response, sp, "", 0);
    response
}

async fn show_metadata(shared: Data<Shared>) -> HttpResponse {
    match metadata::write(&shared.sp, &shared.pages) {
        Ok(xml) => HttpResponse::Ok().content_type("application/samlmetadata+xml").body(xml),
        Err(error) => trouble(&shared, &error),
    }
}

async fn show_not_found(shared: Data<Shared>) -> HttpResponse {
    message(&shared, StatusCode::NOT_FOUND, "There is nothing at this address.", "Go to the start page.")
}

async fn asset(name: &'static str, content_type: &'static str) -> HttpResponse {
    match Pages::asset(name) {
        Some(bytes) => HttpResponse::Ok().content_type(content_type).body(bytes),
        None => HttpResponse::NotFound().finish(),
    }
}

fn page(shared: &Shared, status: StatusCode, name: &str, more: Value) -> HttpResponse {
    let sp = &shared.sp;
    let common = context! {
        app => sp.name(),
        other => sp.other_name(),
        other_url => &sp.other,
        entity_id => &sp.entity_id,
        idp_logout => &sp.idp_logout,
        signs => sp.signs_requests(),
        kind => sp.cookie(),
    };
    match shared.pages.render(name, context! { ..more, ..common }) {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(error) => {
            tracing::error!(error = %error, "a page of the test app could not be made");
            plain_text(StatusCode::INTERNAL_SERVER_ERROR, "This page could not be made. The log says why.")
        }
    }
}

fn message(shared: &Shared, status: StatusCode, headline: &str, remedy: &str) -> HttpResponse {
    page(shared, status, "message.html", context! { headline, remedy })
}

fn trouble(shared: &Shared, error: &DemoError) -> HttpResponse {
    tracing::warn!(error = %error, "the test app cannot go on");
    match error {
        DemoError::MetadataUnreachable { .. } => message(
            shared,
            StatusCode::SERVICE_UNAVAILABLE,
            "Linkspan does not answer yet.",
            "Wait a moment and load this page again. If it stays so, see whether Linkspan runs.",
        ),
        error => message(shared, StatusCode::BAD_GATEWAY, "The sign-in cannot begin.", &format!("{error}.")),
    }
}

fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

fn cookie_of(request: &HttpRequest, sp: &Sp) -> Option<String> {
    let headers = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == sp.cookie())?;
    // What `Random::bearer` makes.
    (value.len() == 43).then(|| value.to_owned())
}

fn browser_of(request: &HttpRequest, sp: &Sp) -> Browser {
    cookie_of(request, sp).and_then(|cookie| sp.memory.browser(&cookie, (sp.now)())).unwrap_or_default()
}

fn set_cookie(response: &mut HttpResponse, sp: &Sp, value: &str) {
    write_cookie(response, sp, value, COOKIE_LIFE.as_seconds());
}

/// Not Secure: the app is http on a loopback address.
fn write_cookie(response: &mut HttpResponse, sp: &Sp, value: &str, max_age: i64) {
    let text = format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax", sp.cookie());
    match header::HeaderValue::from_str(&text) {
        Ok(text) => response.headers_mut().append(header::SET_COOKIE, text),
        Err(error) => tracing::error!(error = %error, "a cookie of the test app could not be set"),
    }
}
