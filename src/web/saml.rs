//! `/saml/…`: our metadata, single sign-on, IdP-initiated sign-on.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::flows::saml_sso::{self, Incoming, Outcome};
use crate::flows::{Visitor, metadata, pending};
use crate::model::pending::WaitingRequest;
use crate::web::Web;
use crate::web::error::WebError;
use crate::web::extract::body::Body;
use crate::web::extract::cookies::Browser;
use crate::web::extract::form::Form;
use crate::web::headers::FormAction;
use crate::web::pages::PostPage;

/// `GET /saml/metadata`; `?download` gives the copy that people keep, without validUntil.
pub async fn show_metadata(web: Data<Web>, request: HttpRequest) -> Result<HttpResponse, WebError> {
    let download = request.query_string() == "download";
    let document = metadata::current(&web.services, download).map_err(|f| WebError::from_fault(&web, &f))?;
    let etag = format!("\"{}\"", document.etag);
    let mut builder = HttpResponse::Ok();
    builder.insert_header((header::ETAG, etag.clone())).insert_header((header::CACHE_CONTROL, "public, max-age=300"));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|one| matches!(one.trim().trim_start_matches("W/"), "*") || one.trim().trim_start_matches("W/") == etag) {
        return Ok(builder.status(StatusCode::NOT_MODIFIED).finish());
    }
    if download {
        builder.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"linkspan-metadata.xml\""));
    }
    Ok(builder.content_type("application/samlmetadata+xml").body(document.xml.clone()))
}

/// `GET /saml/sso`: HTTP-Redirect.
pub async fn redirect(web: Data<Web>, request: HttpRequest) -> Result<HttpResponse, WebError> {
    let (visitor, browser) = web.visitor(&request);
    let incoming = Incoming::new(WaitingRequest::SamlRedirect { query: request.query_string().to_owned() }, (web.services.clock)());
    answer(&web, &visitor, &browser, incoming).await
}

/// `POST /saml/sso`: HTTP-POST. A cross-site post brings no cookie of ours, so it is parked and goes on at our own GET, where
/// SameSite=Lax cookies arrive.
pub async fn post(web: Data<Web>, request: HttpRequest, body: Body) -> Result<HttpResponse, WebError> {
    let (visitor, _) = web.visitor(&request);
    let now = (web.services.clock)();
    let form = match Form::parse(&body) {
        Ok(form) => form,
        Err(error) => {
            let refusal = saml_sso::broken_form(&error.to_string());
            return refused(&web, &visitor, refusal).await;
        }
    };
    let Some(saml_request) = form.get("SAMLRequest") else {
        let refusal = saml_sso::broken_form("the form has no field SAMLRequest");
        return refused(&web, &visitor, refusal).await;
    };
    // HTTP-POST-SimpleSign is not built: its signature must not be passed over in silence.
    for name in ["Signature", "SigAlg", "SAMLResponse"] {
        if form.get(name).is_some() {
            let refusal = saml_sso::broken_form(&format!("the form has the field {name}, which does not belong to an HTTP-POST request"));
            return refused(&web, &visitor, refusal).await;
        }
    }
    let waiting =
        WaitingRequest::SamlPost { saml_request: saml_request.to_owned(), relay_state: form.get("RelayState").map(str::to_owned) };
    if let Err(refusal) = saml_sso::check_parkable(&web.services, &waiting) {
        return refused(&web, &visitor, refusal).await;
    }
    // No browser cookie is set here: this answer would replace the one that other tabs rely on.
    let key = pending::park_post(&web.services, waiting, now).await.map_err(|f| WebError::from_fault(&web, &f))?;
    Ok(web.see_other(&format!("/login/resume?r={}", key.expose())).finish())
}

/// `sp`: whom to go to; `target`: the RelayState.
#[derive(Debug, Deserialize)]
pub struct Start {
    #[serde(default)]
    sp: String,
    target: Option<String>,
}

/// `GET /saml/start`: IdP-initiated sign-on.
pub async fn start(web: Data<Web>, request: HttpRequest, query: Query<Start>) -> Result<HttpResponse, WebError> {
    let (visitor, browser) = web.visitor(&request);
    let Start { sp, target } = query.into_inner();
    let incoming = Incoming::new(WaitingRequest::SamlStart { sp, target }, (web.services.clock)());
    answer(&web, &visitor, &browser, incoming).await
}

async fn refused(web: &Web, visitor: &Visitor, refusal: crate::model::check::Refusal) -> Result<HttpResponse, WebError> {
    let outcome = saml_sso::refuse_unread(&web.services, visitor, refusal).await.map_err(|f| WebError::from_fault(web, &f))?;
    render(web, None, outcome)
}

/// Runs the exchange and shows how it came out.
pub async fn answer(web: &Web, visitor: &Visitor, browser: &Browser, incoming: Incoming) -> Result<HttpResponse, WebError> {
    let outcome = saml_sso::run(&web.services, visitor, incoming).await.map_err(|f| WebError::from_fault(web, &f))?;
    render(web, Some(browser), outcome)
}

fn render(web: &Web, browser: Option<&Browser>, outcome: Outcome) -> Result<HttpResponse, WebError> {
    match outcome {
        Outcome::Answer(outgoing) => {
            web.metrics.saml("sso", if outgoing.success { "succeeded" } else { "refused" });
            let form_action = if outgoing.acs.starts_with("http:") { FormAction::Http } else { FormAction::Https };
            let page = PostPage {
                app: outgoing.app,
                acs: outgoing.acs,
                saml_response: STANDARD.encode(&outgoing.saml_response),
                relay_state: outgoing.relay_state,
                success: outgoing.success,
            };
            let mut builder = HttpResponse::Ok();
            with_browser(web, browser, &mut builder);
            web.page(builder, &page, form_action)
        }
        Outcome::SignIn { key, again } => {
            let again = if again { "&again=1" } else { "" };
            let mut builder = web.see_other(&format!("/login?r={}{again}", key.expose()));
            with_browser(web, browser, &mut builder);
            Ok(builder.finish())
        }
        Outcome::Refused { class, reference, app } => {
            web.metrics.saml("sso", "refused");
            Err(WebError::refused(web, class, &reference, app.as_deref()))
        }
    }
}

fn with_browser(web: &Web, browser: Option<&Browser>, builder: &mut actix_web::HttpResponseBuilder) {
    if let Some(browser) = browser.filter(|browser| browser.fresh) {
        builder.cookie(web.cookies.set_browser(browser));
    }
}
