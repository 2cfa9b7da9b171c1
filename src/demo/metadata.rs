//! The metadata document of an app.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::context;

use crate::demo::DemoError;
use crate::demo::pages::Pages;
use crate::demo::sp::{Kind, Sp};

/// Writes it (SAML Metadata 2.4.4). samael's writer names the encryption key a signing key, so it is ours.
pub fn write(sp: &Sp, pages: &Pages) -> Result<String, DemoError> {
    let description = match sp.kind {
        Kind::One => "A test app that signs its requests and wants encrypted assertions.",
        Kind::Two => "A test app that asks without signature and knows people by a pseudonym.",
    };
    pages.render(
        "metadata.xml",
        context! {
            entity_id => &sp.entity_id,
            acs => &sp.acs,
            name => sp.name(),
            description,
            certificate => STANDARD.encode(&sp.certificate),
            signs => sp.signs_requests(),
            decrypts => sp.decrypts(),
            name_id_format => sp.name_id_format(),
            wants_groups => sp.kind == Kind::Two,
        },
    )
}
