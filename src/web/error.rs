//! The one place where refusals and faults become HTTP answers. The visitor gets a sentence and a reference, the log the
//! chain, neither a secret.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};

use crate::flows::Fault;
use crate::model::check::RefusalClass;
use crate::model::id::Reference;
use crate::model::time::Timestamp;
use crate::web::Web;
use crate::web::headers::{FormAction, content_security_policy};
use crate::web::pages::ErrorPage;

/// An answer that is an error page.
pub struct WebError {
    status: StatusCode,
    html: String,
    reference: Option<String>,
    retry_after: bool,
}

/// What an error page says.
pub struct ErrorWords<'a> {
    pub status: StatusCode,
    pub heading: String,
    pub body: String,
    pub reference: Option<&'a Reference>,
    pub app: Option<&'a str>,
}

impl WebError {
    /// Makes the page.
    pub fn page(web: &Web, words: ErrorWords<'_>) -> Self {
        let now = (web.services.clock)();
        let page = ErrorPage {
            heading: words.heading,
            body: words.body,
            reference: words.reference.map(ToString::to_string),
            app: words.app.map(str::to_owned),
            at: now.to_rfc3339(),
            at_words: in_words(now),
        };
        // If our own template is broken the sentence must still arrive.
        let html = web.renderer.render(&page).unwrap_or_else(|error| {
            tracing::error!(error = %error, "the error page cannot be rendered");
            "<!doctype html><title>Error</title><h1>Something broke on our side</h1>".to_owned()
        });
        Self { status: words.status, html, reference: page.reference, retry_after: words.status == StatusCode::SERVICE_UNAVAILABLE }
    }

    /// A refusal that has nowhere else to go.
    pub fn refused(web: &Web, class: RefusalClass, reference: &Reference, app: Option<&str>) -> Self {
        let status = match class {
            RefusalClass::AppSetup | RefusalClass::MessageBroken | RefusalClass::Expired => StatusCode::BAD_REQUEST,
            RefusalClass::AppUnknown => StatusCode::NOT_FOUND,
            RefusalClass::NotTrusted | RefusalClass::NotAllowed | RefusalClass::MissingInfo => StatusCode::FORBIDDEN,
            RefusalClass::OurFault => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let the_app = web.renderer.text("error.the_app", &[]);
        let named = [("app", app.unwrap_or(&the_app))];
        let heading = capitalised(web.renderer.text(&format!("error.{}_heading", class.as_str()), &named));
        let body = web.renderer.text(&format!("error.{}_body", class.as_str()), &named);
        Self::page(web, ErrorWords { status, heading, body, reference: Some(reference), app })
    }

    /// One of the plain pages: `not_found`, `form`, `cookie`, `too_large`.
    pub fn plain(web: &Web, status: StatusCode, which: &str) -> Self {
        let host = [("host", web.services.facts.host.as_str())];
        let heading = web.renderer.text(&format!("error.{which}_heading"), &[]);
        let body = web.renderer.text(&format!("error.{which}_body"), &host);
        Self::page(web, ErrorWords { status, heading, body, reference: None, app: None })
    }

    /// Something of ours failed: the log has the cause under the reference that the page shows.
    pub fn fault(web: &Web, cause: impl fmt::Display) -> Self {
        Self::broken(web, StatusCode::INTERNAL_SERVER_ERROR, &cause)
    }

    /// The same for what a flow reports; 503 where it may be gone in a moment.
    pub fn from_fault(web: &Web, fault: &Fault) -> Self {
        let status = if fault.is_passing() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self::broken(web, status, fault)
    }

    fn broken(web: &Web, status: StatusCode, cause: &dyn fmt::Display) -> Self {
        let reference = crate::crypto::random::with_system(|random| random.reference());
        tracing::error!(reference = %reference, error = %cause, "a request failed");
        let heading = web.renderer.text("error.our_fault_heading", &[]);
        let body = web.renderer.text("error.our_fault_body", &[]);
        Self::page(web, ErrorWords { status, heading, body, reference: Some(&reference), app: None })
    }
}

/// `24 November 2026, 14:02 (UTC)`.
pub fn in_words(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    let text = at.to_rfc3339();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|n| MONTHS.get(n.wrapping_sub(1))).copied().unwrap_or_default();
    format!("{} {month} {}, {} (UTC)", part(8..10).trim_start_matches('0'), part(0..4), part(11..16))
}

fn capitalised(text: String) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}

impl fmt::Debug for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebError({})", self.status)
    }
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)
    }
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut builder = HttpResponse::build(self.status);
        builder
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_SECURITY_POLICY, content_security_policy(FormAction::OurSelves)));
        if let Some(reference) = &self.reference {
            builder.insert_header(("x-linkspan-reference", reference.clone()));
        }
        if self.retry_after {
            builder.insert_header((header::RETRY_AFTER, "5"));
        }
        builder.body(self.html.clone())
    }
}
