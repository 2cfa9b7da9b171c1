//! Our two cookies: the session, and the browser that a sign-in belongs to. Guarded.
//!
//! Attacks it stops: a cookie set by a neighbour host or over plain http (`__Host-`, Secure), reading by script (HttpOnly),
//! cross-site use (SameSite=Lax), a stolen store (only digests rest).

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};

use crate::crypto::{digest, random};
use crate::model::secret::{Digest, Secret};

/// Names and attributes, which depend on whether the public URL is https.
#[derive(Debug, Clone, Copy)]
pub struct CookieJar {
    secure: bool,
}

/// The browser as this request knows it.
#[derive(Debug, Clone)]
pub struct Browser {
    value: Secret<String>,
    /// The cookie has to be sent, because the request did not bring one.
    pub fresh: bool,
}

impl Browser {
    /// What records hold of it.
    pub fn digest(&self) -> Digest {
        digest::sha256_parts(&[b"browser", self.value.expose().as_bytes()])
    }
}

impl CookieJar {
    /// `secure` is false only where `public_url` is http on a loopback host.
    pub fn new(secure: bool) -> Self {
        Self { secure }
    }

    fn session_name(self) -> &'static str {
        if self.secure { "__Host-linkspan" } else { "linkspan" }
    }

    fn browser_name(self) -> &'static str {
        if self.secure { "__Host-linkspan-browser" } else { "linkspan-browser" }
    }

    /// The value of the session cookie that the request brings.
    pub fn session(self, request: &HttpRequest) -> Option<Secret<String>> {
        request.cookie(self.session_name()).map(|cookie| Secret::new(cookie.value().to_owned()))
    }

    /// The browser that the request comes from; a new one where it brings no cookie.
    pub fn browser(self, request: &HttpRequest) -> Browser {
        let brought = request.cookie(self.browser_name()).map(|cookie| cookie.value().to_owned());
        match brought.filter(|value| value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')) {
            Some(value) => Browser { value: Secret::new(value), fresh: false },
            None => Browser { value: Secret::new(random::with_system(random::Random::bearer)), fresh: true },
        }
    }

    fn build(self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value).path("/").http_only(true).secure(self.secure).same_site(SameSite::Lax).finish()
    }

    pub fn set_session(self, value: &Secret<String>) -> Cookie<'static> {
        self.build(self.session_name(), value.expose().clone())
    }

    pub fn clear_session(self) -> Cookie<'static> {
        let mut cookie = self.build(self.session_name(), String::new());
        cookie.make_removal();
        cookie
    }

    pub fn set_browser(self, browser: &Browser) -> Cookie<'static> {
        self.build(self.browser_name(), browser.value.expose().clone())
    }
}
