//! The HTTP edge: decodes, calls one flow, copies the answer.

pub mod api;
pub mod control;
pub mod error;
pub mod extract;
pub mod headers;
pub mod health;
pub mod login;
pub mod metrics;
pub mod pages;
pub mod portal;
pub mod routes;
pub mod saml;
pub mod setup;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::flows::{Services, Visitor};
use crate::model::network::Network;
use crate::model::session::ClientFacts;
use crate::web::error::WebError;
use crate::web::extract::client;
use crate::web::extract::cookies::{Browser, CookieJar};
use crate::web::extract::csrf::Csrf;
use crate::web::headers::FormAction;
use crate::web::metrics::Metrics;
use crate::web::pages::{Page, Renderer};

/// What handlers share.
pub struct Web {
    pub services: Arc<Services>,
    pub renderer: Renderer,
    pub cookies: CookieJar,
    pub csrf: Csrf,
    pub trusted_proxies: Vec<Network>,
    /// Whether the public URL is https.
    pub secure: bool,
    pub metrics: Metrics,
    /// Where the set-up link was left; it goes when the link was used.
    pub setup_file: PathBuf,
    /// How long a body may take to arrive.
    pub request_timeout: Duration,
    /// Set while the server drains: readiness turns false.
    pub draining: AtomicBool,
}

impl Web {
    /// The peer's address as a network knows it, behind trusted proxies.
    pub fn client_address(&self, request: &HttpRequest) -> String {
        // A proxy may add a line of its own below the client's. What cannot be read is a hop that cannot be believed.
        let lines = |name: &str| {
            let all: Vec<&str> = request.headers().get_all(name).map(|value| value.to_str().unwrap_or("?")).collect();
            (!all.is_empty()).then(|| all.join(","))
        };
        let forwarded = lines("x-forwarded-for").or_else(|| lines("forwarded").map(|value| client::forwarded_for(&value)));
        client::address(request.peer_addr().map(|peer| peer.ip()), forwarded.as_deref(), &self.trusted_proxies)
    }

    /// The same, parsed.
    pub fn client_ip(&self, request: &HttpRequest) -> Option<IpAddr> {
        self.client_address(request).parse().ok()
    }

    /// Who sent this request.
    pub fn visitor(&self, request: &HttpRequest) -> (Visitor, Browser) {
        let browser = self.cookies.browser(request);
        let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let visitor = Visitor {
            client: ClientFacts {
                address: Some(self.client_address(request)),
                agent: agent.map(|agent| agent.chars().take(256).collect()),
            },
            browser: browser.digest(),
            session: self.cookies.session(request),
        };
        (visitor, browser)
    }

    /// An HTML answer. Nothing of it may be kept by caches: it is about a person.
    pub fn page<P: Page>(&self, mut builder: HttpResponseBuilder, page: &P, form_action: FormAction) -> Result<HttpResponse, WebError> {
        let html = self.renderer.render(page).map_err(|error| WebError::fault(self, format!("{}: {error:#}", P::TEMPLATE)))?;
        Ok(builder
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_SECURITY_POLICY, headers::content_security_policy(form_action)))
            .body(html))
    }

    /// A redirect to one of our own addresses, by GET.
    pub fn see_other(&self, path: &str) -> HttpResponseBuilder {
        let mut builder = HttpResponse::SeeOther();
        builder.insert_header((header::LOCATION, path.to_owned())).insert_header((header::CACHE_CONTROL, "no-store"));
        builder
    }
}
