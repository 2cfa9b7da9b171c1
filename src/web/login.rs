//! `/login`, and where an interrupted request goes on.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::flows::saml_sso::{self, Incoming};
use crate::flows::sign_in::{self, Credentials, Problem, SignedIn};
use crate::flows::{About, Visitor, pending};
use crate::model::pending::{PendingRequest, WaitingRequest};
use crate::model::secret::Secret;
use crate::web::Web;
use crate::web::error::{WebError, in_words};
use crate::web::extract::body::Body;
use crate::web::extract::client::throttle_key;
use crate::web::extract::cookies::Browser;
use crate::web::extract::csrf::CsrfProblem;
use crate::web::extract::form::Form;
use crate::web::headers::FormAction;
use crate::web::pages::LoginPage;
use crate::web::saml;

/// `r` names an interrupted request.
#[derive(Debug, Default, Deserialize)]
pub struct Resume {
    #[serde(default)]
    pub r: String,
    /// Set where a live session is not enough: the app asks for a fresh sign-in.
    #[serde(default)]
    pub again: String,
}

/// `GET /login`.
///
/// Somebody who is signed in already goes on at once: a reopened sign-in page is never an error.
pub async fn show(web: Data<Web>, request: HttpRequest, query: Query<Resume>) -> Result<HttpResponse, WebError> {
    let (visitor, browser) = web.visitor(&request);
    let now = (web.services.clock)();
    let waiting = pending::find(&web.services, &visitor, &query.r, now).await.map_err(|f| WebError::from_fault(&web, &f))?;
    let live = web.services.live_session(&visitor, now).await.map_err(|f| WebError::from_fault(&web, &f))?;
    let asks = match (&live, &waiting) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(live), Some(waiting)) => {
            // A reopened page whose sign-in was done meanwhile goes on.
            !query.again.is_empty() && live.session().newest_authn().is_none_or(|event| event.at < waiting.claimed)
        }
    };
    if !asks {
        let path = if waiting.is_some() { format!("/login/resume?r={}", query.r) } else { "/apps".to_owned() };
        return Ok(web.see_other(&path).finish());
    }
    let username = live.map(|live| live.session().user_name.clone());
    let page = LoginPage {
        again: username.is_some(),
        fixed_user: username.is_some(),
        username: username.unwrap_or_default(),
        ..LoginPage::default()
    };
    form(&web, &browser, StatusCode::OK, &query.r, waiting.as_ref(), page)
}

/// Shows the form, with the app that waits named as it is registered.
fn form(
    web: &Web,
    browser: &Browser,
    status: StatusCode,
    resume: &str,
    waiting: Option<&PendingRequest>,
    page: LoginPage,
) -> Result<HttpResponse, WebError> {
    let app = waiting.and_then(|waiting| saml_sso::app_of(&web.services, &waiting.request));
    let scheme = app.as_ref().map(|app| app.speaks_http);
    let page = LoginPage {
        app: app.as_ref().map(|app| app.name.clone()),
        app_host: app.and_then(|app| app.host),
        csrf: web.csrf.token(browser),
        resume: if waiting.is_some() { resume.to_owned() } else { String::new() },
        ..page
    };
    let form_action = match scheme {
        None => FormAction::OurSelves,
        Some(false) => FormAction::OnToHttps,
        Some(true) => FormAction::OnToHttp,
    };
    let mut builder = HttpResponse::build(status);
    if browser.fresh {
        builder.cookie(web.cookies.set_browser(browser));
    }
    web.page(builder, &page, form_action)
}

/// `POST /login`: `username`, `password`; everything else hidden. A refused attempt answers 422 with the form.
pub async fn submit(web: Data<Web>, request: HttpRequest, body: Body) -> Result<HttpResponse, WebError> {
    let form_data = Form::parse(&body).map_err(|_| WebError::plain(&web, StatusCode::BAD_REQUEST, "form"))?;
    let (visitor, browser) = web.visitor(&request);
    check_form(&web, &request, &browser, &form_data)?;
    let resume = form_data.field("r");
    let now = (web.services.clock)();
    let waiting = pending::find(&web.services, &visitor, resume, now).await.map_err(|f| WebError::from_fault(&web, &f))?;
    let given =
        Credentials { username: form_data.field("username").to_owned(), password: Secret::new(form_data.field("password").to_owned()) };
    let username = given.username.trim().to_owned();
    let throttle = throttle_key(visitor.client.address.as_deref().unwrap_or(""));
    let outcome = sign_in::run(&web.services, &visitor, given, &throttle).await.map_err(|f| WebError::from_fault(&web, &f))?;
    match outcome {
        SignedIn::Welcome { cookie } => {
            web.metrics.login("password", "succeeded");
            let path = match &waiting {
                Some(_) => format!("/login/resume?r={resume}"),
                None => "/apps".to_owned(),
            };
            Ok(web.see_other(&path).cookie(web.cookies.set_session(&cookie)).finish())
        }
        SignedIn::Refused(problem) => {
            web.metrics.login("password", "failed");
            let live = web.services.live_session(&visitor, now).await.map_err(|f| WebError::from_fault(&web, &f))?;
            let again = live.is_some() && waiting.is_some();
            let page = LoginPage { username, error: Some(words(&web, problem, now)), again, ..LoginPage::default() };
            form(&web, &browser, StatusCode::UNPROCESSABLE_ENTITY, resume, waiting.as_ref(), page)
        }
    }
}

fn words(web: &Web, problem: Problem, now: crate::model::time::Timestamp) -> String {
    let text = |key: &str| web.renderer.text(key, &[]);
    match problem {
        Problem::UsernameMissing => text("login.username_missing"),
        Problem::PasswordMissing => text("login.password_missing"),
        Problem::NoMatch => text("login.refused"),
        Problem::Disabled => text("login.disabled"),
        Problem::Busy => text("login.busy"),
        Problem::Wait { until } => {
            let minutes = (until.since(now).as_seconds() + 59) / 60;
            let span = match minutes {
                ..=1 => text("login.wait_minute"),
                _ => web.renderer.text("login.wait_minutes", &[("minutes", &minutes.to_string())]),
            };
            let at = in_words(until);
            let time = at.split_once(", ").map_or(at.as_str(), |(_, time)| time).trim_end_matches(" (UTC)").to_owned();
            web.renderer.text("login.wait", &[("minutes", &span), ("time", &time)])
        }
    }
}

/// Refuses forms of other origins and other browsers.
pub fn check_form(web: &Web, request: &HttpRequest, browser: &Browser, form: &Form) -> Result<(), WebError> {
    web.csrf.check(request, browser, form.field("csrf")).map_err(|problem| match problem {
        CsrfProblem::NoCookie => WebError::plain(web, StatusCode::FORBIDDEN, "cookie"),
        CsrfProblem::Foreign => WebError::plain(web, StatusCode::FORBIDDEN, "form"),
    })
}

/// `GET /login/resume`: the only place where an interrupted request goes on.
pub async fn resume(web: Data<Web>, request: HttpRequest, query: Query<Resume>) -> Result<HttpResponse, WebError> {
    let (visitor, browser) = web.visitor(&request);
    let now = (web.services.clock)();
    let found = pending::find(&web.services, &visitor, &query.r, now).await.map_err(|f| WebError::from_fault(&web, &f))?;
    let Some(waiting) = found else { return gone(&web, &visitor).await };
    match &waiting.request {
        WaitingRequest::Page { path } => Ok(web.see_other(path).finish()),
        _ => {
            let incoming = Incoming::resumed(&waiting, &query.r, now);
            saml::answer(&web, &visitor, &browser, incoming).await
        }
    }
}

/// What was interrupted is not there any more, or belongs to another browser.
async fn gone(web: &Web, visitor: &Visitor) -> Result<HttpResponse, WebError> {
    let refusal = pending::gone();
    let client = visitor.client.address.as_deref();
    let now = (web.services.clock)();
    let kept = web.services.keep_refusal(&refusal, About { flow: "saml.sso", client, ..About::default() }, now).await;
    let reference = kept.map_err(|f| WebError::from_fault(web, &f))?;
    Err(WebError::refused(web, refusal.class, &reference, None))
}
