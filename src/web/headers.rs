//! The headers that every answer carries. Guarded: one policy, loosened only by the page that needs it.

use actix_web::http::header::{self, HeaderName, HeaderValue};

/// `form-action` of a page: where its forms may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormAction {
    /// Only to us.
    OurSelves,
    /// To us, and on to `https:`: browsers hold redirects after the post against the policy.
    OnToHttps,
    /// The same, where the target speaks plain http (loopback, or `saml.allow_http`).
    OnToHttp,
    /// The self-posting page: only to the scheme of its ACS.
    Https,
    Http,
}

impl FormAction {
    fn sources(self) -> &'static str {
        match self {
            Self::OurSelves => "'self'",
            Self::OnToHttps => "'self' https:",
            Self::OnToHttp => "'self' http:",
            Self::Https => "https:",
            Self::Http => "http:",
        }
    }
}

/// The Content-Security-Policy of an HTML page: nothing inline, nothing foreign, never framed.
pub fn content_security_policy(form_action: FormAction) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
         form-action {}; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        form_action.sources()
    )
}

/// Headers of every answer, whatever it is.
pub fn common(secure: bool) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static(
                "camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
            ),
        ),
    ];
    if secure {
        headers.push((header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")));
    }
    headers
}
