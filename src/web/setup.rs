//! `/setup/TOKEN`: the first administrator.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::flows::setup::{self, Administrator, SetUp};
use crate::model::secret::Secret;
use crate::web::Web;
use crate::web::error::WebError;
use crate::web::extract::body::Body;
use crate::web::extract::form::Form;
use crate::web::headers::FormAction;
use crate::web::login::check_form;
use crate::web::pages::{SetupDeadPage, SetupPage};

/// `GET /setup/TOKEN`.
pub async fn show(web: Data<Web>, request: HttpRequest, token: Path<String>) -> Result<HttpResponse, WebError> {
    if !setup::is_valid(&web.services, &token).await.map_err(|f| WebError::from_fault(&web, &f))? {
        return dead(&web);
    }
    form(&web, &request, StatusCode::OK, SetupPage::default())
}

fn dead(web: &Web) -> Result<HttpResponse, WebError> {
    web.page(HttpResponse::Gone(), &SetupDeadPage {}, FormAction::OurSelves)
}

fn form(web: &Web, request: &HttpRequest, status: StatusCode, page: SetupPage) -> Result<HttpResponse, WebError> {
    let (_, browser) = web.visitor(request);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let facts = &web.services.facts;
    let ours = facts.public_url.split_once("://").map_or("", |(_, authority)| authority);
    let page = SetupPage {
        csrf: web.csrf.token(&browser),
        wrong_host: (host != ours).then(|| host.chars().take(100).collect()),
        public_url: facts.public_url.clone(),
        ..page
    };
    let mut builder = HttpResponse::build(status);
    if browser.fresh {
        builder.cookie(web.cookies.set_browser(&browser));
    }
    web.page(builder, &page, FormAction::OurSelves)
}

/// `POST /setup/TOKEN`.
pub async fn submit(web: Data<Web>, request: HttpRequest, token: Path<String>, body: Body) -> Result<HttpResponse, WebError> {
    let data = Form::parse(&body).map_err(|_| WebError::plain(&web, StatusCode::BAD_REQUEST, "form"))?;
    let (visitor, browser) = web.visitor(&request);
    check_form(&web, &request, &browser, &data)?;
    let given = Administrator {
        display_name: data.field("display_name").to_owned(),
        username: data.field("username").to_owned(),
        password: Secret::new(data.field("password").to_owned()),
    };
    let outcome = setup::run(&web.services, &visitor, &token, given).await.map_err(|f| WebError::from_fault(&web, &f))?;
    let error = match outcome {
        SetUp::Done { cookie } => {
            // The link in it is dead; a file that stays would only puzzle.
            let _ = std::fs::remove_file(&web.setup_file);
            return Ok(web.see_other("/apps").cookie(web.cookies.set_session(&cookie)).finish());
        }
        SetUp::Dead => return dead(&web),
        SetUp::NameTaken => "setup.name_taken",
        SetUp::UsernameMissing => "setup.username_missing",
        SetUp::PasswordTooLong => "setup.password_long",
        SetUp::PasswordTooShort => "setup.password_short",
    };
    let page = SetupPage {
        display_name: data.field("display_name").to_owned(),
        username: data.field("username").to_owned(),
        error: Some(web.renderer.text(error, &[])),
        ..SetupPage::default()
    };
    form(&web, &request, StatusCode::UNPROCESSABLE_ENTITY, page)
}
