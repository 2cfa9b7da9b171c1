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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::web::extract::cookies::CookieJar;

    const COOKIE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn browser(cookie: Option<&str>) -> Browser {
        let mut request = TestRequest::default();
        if let Some(cookie) = cookie {
            request = request.cookie(actix_web::cookie::Cookie::new("linkspan-browser", cookie.to_owned()));
        }
        CookieJar::new(false).browser(&request.to_http_request())
    }

    fn csrf() -> Csrf {
        Csrf::new([7; 32], "https://id.example.com".to_owned())
    }

    #[test]
    fn a_form_of_ours_from_the_same_browser_counts_and_no_other() {
        let (csrf, browser_one) = (csrf(), browser(Some(COOKIE)));
        let token = csrf.token(&browser_one);
        let from = |origin: &str| TestRequest::default().insert_header(("origin", origin.to_owned())).to_http_request();
        let silent = TestRequest::default().to_http_request();

        assert_eq!(csrf.check(&from("https://id.example.com"), &browser_one, &token), Ok(()));
        assert_eq!(csrf.check(&silent, &browser_one, &token), Ok(()), "a browser that sends no Origin");
        for origin in ["https://evil.example.com", "null", "http://id.example.com", "https://id.example.com:8443"] {
            assert_eq!(csrf.check(&from(origin), &browser_one, &token), Err(CsrfProblem::Foreign), "{origin}");
        }
        assert_eq!(csrf.check(&silent, &browser_one, ""), Err(CsrfProblem::Foreign));
        assert_eq!(csrf.check(&silent, &browser(Some(&COOKIE.replace('a', "b"))), &token), Err(CsrfProblem::Foreign));
        assert_eq!(csrf.check(&silent, &browser(None), &token), Err(CsrfProblem::NoCookie));
    }
}
