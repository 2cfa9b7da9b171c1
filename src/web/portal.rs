//! `/apps`, `/logout`, `/`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::flows::{logout, portal};
use crate::web::Web;
use crate::web::error::{WebError, in_words};
use crate::web::extract::body::Body;
use crate::web::extract::form::Form;
use crate::web::headers::FormAction;
use crate::web::login::check_form;
use crate::web::pages::{AppTile, AppsPage, LogoutPage, SignedOutPage};

/// `GET /`.
pub async fn root(web: Data<Web>) -> HttpResponse {
    web.see_other("/apps").finish()
}

/// `GET /apps`: plain links, each an IdP-initiated sign-on.
pub async fn apps(web: Data<Web>, request: HttpRequest) -> Result<HttpResponse, WebError> {
    let (visitor, _) = web.visitor(&request);
    let Some(found) = portal::run(&web.services, &visitor).await.map_err(|f| WebError::from_fault(&web, &f))? else {
        return Ok(web.see_other("/login").finish());
    };
    let apps = found
        .apps
        .into_iter()
        .map(|(sp, joined)| {
            let entity_id = sp.app.entity_id.as_str();
            let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("sp", entity_id).finish();
            AppTile { name: sp.app.name.clone(), host: sp.host().unwrap_or_default(), href: format!("/saml/start?{query}"), joined }
        })
        .collect();
    let name = found.user.display_name.clone().unwrap_or_else(|| found.user.name.clone());
    let since = found.session.newest_authn().map_or(found.session.created, |event| event.at);
    let page = AppsPage { name, since: in_words(since).trim_end_matches(" (UTC)").to_owned(), apps };
    web.page(HttpResponse::Ok(), &page, FormAction::OurSelves)
}

/// `GET /logout`: asks, since a link of somebody else's must not sign people out.
pub async fn ask(web: Data<Web>, request: HttpRequest) -> Result<HttpResponse, WebError> {
    let (_, browser) = web.visitor(&request);
    let mut builder = HttpResponse::Ok();
    if browser.fresh {
        builder.cookie(web.cookies.set_browser(&browser));
    }
    web.page(builder, &LogoutPage { csrf: web.csrf.token(&browser) }, FormAction::OurSelves)
}

/// `POST /logout`.
pub async fn leave(web: Data<Web>, request: HttpRequest, body: Body) -> Result<HttpResponse, WebError> {
    let data = Form::parse(&body).map_err(|_| WebError::plain(&web, StatusCode::BAD_REQUEST, "form"))?;
    let (visitor, browser) = web.visitor(&request);
    check_form(&web, &request, &browser, &data)?;
    let apps = logout::run(&web.services, &visitor).await.map_err(|f| WebError::from_fault(&web, &f))?.unwrap_or_default();
    let mut builder = HttpResponse::Ok();
    builder.cookie(web.cookies.clear_session());
    web.page(builder, &SignedOutPage { apps }, FormAction::OurSelves)
}
