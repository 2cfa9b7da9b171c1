//! `[oidc]`: the issuer. Read and checked; OpenID Connect itself is not part of this version.

use crate::config::key::{Key, Kind, Section};
use crate::config::public_url::PublicUrl;
use crate::config::values::Values;

pub(super) const SECTION: Section = Section {
    name: "oidc",
    doc: "Who this server is to OpenID Connect apps. Without effect in this version.",
    keys: &[Key {
        name: "issuer",
        kind: Kind::Text,
        written: "\"https://id.example.com\"",
        default_note: "public_url",
        secret: false,
        doc: "The issuer of ID tokens.",
    }],
};

/// `[oidc]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    pub issuer: String,
}

impl Oidc {
    pub(super) fn read(values: &mut Values, public_url: &PublicUrl) -> Self {
        let Some(issuer) = values.text("oidc.issuer") else {
            values.derived("oidc.issuer", public_url.as_str(), "default, from public_url");
            return Self { issuer: public_url.as_str().to_owned() };
        };
        let is_url =
            url::Url::parse(&issuer).is_ok_and(|url| url.scheme() == "https" || url.scheme() == "http" && public_url.is_loopback());
        if !is_url || issuer.contains(['?', '#']) {
            // OpenID Connect Discovery 3: the issuer is an https URL without query or fragment.
            values.problem(
                "oidc.issuer",
                "oidc.issuer must be an https URL without query and fragment".to_owned(),
                format!("write \"{public_url}\", or take the key out"),
            );
        }
        Self { issuer }
    }
}
