//! Proof that a form was ours and came from the same browser. Guarded.
//!
//! Attacks it stops: cross-site request forgery and login CSRF. The token is a keyed digest of the browser cookie, so a
//! restored tab still works; `Origin`, where a browser sends it, must be ours as well.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::crypto::digest;
use crate::web::extract::cookies::Browser;

/// Makes and checks form tokens.
#[derive(Clone)]
pub struct Csrf {
    key: [u8; 32],
    origin: String,
}

/// Why a form is not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsrfProblem {
    /// The browser brought no cookie: it does not keep ours.
    NoCookie,
    /// Another origin, or a token of another browser.
    Foreign,
}

impl Csrf {
    /// `key` is derived from seal.key; `origin` is that of the public URL.
    pub fn new(key: [u8; 32], origin: String) -> Self {
        Self { key, origin }
    }

    /// The token for forms shown to this browser.
    pub fn token(&self, browser: &Browser) -> String {
        match digest::hmac(&self.key, &[b"form", browser.digest().as_bytes()]) {
            Ok(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
            // Cannot happen with a 32-byte key; an unguessable token then fits no form.
            Err(_) => crate::crypto::random::with_system(crate::crypto::random::Random::bearer),
        }
    }

    /// Checks the Origin of a post, and the token that came in its body.
    pub fn check(&self, request: &HttpRequest, browser: &Browser, token: &str) -> Result<(), CsrfProblem> {
        if let Some(origin) = request.headers().get(header::ORIGIN)
            && origin.as_bytes() != self.origin.as_bytes()
        {
            return Err(CsrfProblem::Foreign);
        }
        if browser.fresh {
            return Err(CsrfProblem::NoCookie);
        }
        if digest::same(self.token(browser).as_bytes(), token.as_bytes()) { Ok(()) } else { Err(CsrfProblem::Foreign) }
    }
}
