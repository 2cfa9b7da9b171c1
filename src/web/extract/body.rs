//! Request bodies: bounded in size and in time. Guarded.
//!
//! Attack it stops: a client that sends a byte a minute and so keeps its connection, and what was read so far, for ever.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, ResponseError};

use crate::web::error::WebError;
use crate::web::{Web, api};

/// A whole body that came in time and within the bound of its route.
#[derive(Debug)]
pub struct Body(Bytes);

impl Deref for Body {
    type Target = Bytes;
    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let reading = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let Some(web) = request.app_data::<Data<Web>>().cloned() else {
                return Err(actix_web::error::ErrorInternalServerError("the server is not set up"));
            };
            match tokio::time::timeout(web.request_timeout, reading).await {
                Ok(Ok(bytes)) => Ok(Self(bytes)),
                Ok(Err(error)) => Err(refused(&web, &request, &error)),
                Err(_) => Err(answer(&web, &request, StatusCode::REQUEST_TIMEOUT, "too_slow")),
            }
        })
    }
}

fn refused(web: &Web, request: &HttpRequest, error: &actix_web::Error) -> actix_web::Error {
    let too_large = error.as_error::<PayloadError>().is_some_and(|error| matches!(error, PayloadError::Overflow))
        || error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE;
    if too_large {
        answer(web, request, StatusCode::PAYLOAD_TOO_LARGE, "too_large")
    } else {
        answer(web, request, StatusCode::BAD_REQUEST, "form")
    }
}

/// A page, or for the API a problem document.
fn answer(web: &Web, request: &HttpRequest, status: StatusCode, which: &str) -> actix_web::Error {
    let page = WebError::plain(web, status, which);
    if !request.path().starts_with("/api/") {
        return page.into();
    }
    let answer = api::body_refused(status);
    actix_web::error::InternalError::from_response(page.status_code(), answer).into()
}
