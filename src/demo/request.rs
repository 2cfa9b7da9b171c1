//! Making an AuthnRequest, with the knobs of the start page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samael::crypto::CertificateDer;
use samael::schema::{AuthnContextClassRef, AuthnContextComparison, AuthnRequest, RequestedAuthnContext};
use samael::signature::{DigestAlgorithm, Signature};
use samael::traits::ToXml as _;
use serde::Deserialize;

use crate::crypto::random::Random;
use crate::demo::DemoError;
use crate::demo::idp::Idp;
use crate::demo::memory::Pending;
use crate::demo::sp::{Kind, Sp};
use crate::model::time::Timestamp;

/// What the start page lets people choose. Unknown values count as not chosen.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Knobs {
    /// `on`: ForceAuthn.
    pub force: String,
    /// `on`: IsPassive.
    pub passive: String,
    /// A class reference to ask for; empty asks for none.
    pub context: String,
    /// `exact`, `minimum`, `maximum`, `better`.
    pub comparison: String,
    /// `redirect` or `post`; empty is the app's own habit.
    pub binding: String,
}

/// The request on its way to the identity provider.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// A redirect (Bindings 3.4).
    Redirect(String),
    /// A form that posts itself (Bindings 3.5).
    Post { action: String, saml_request: String, relay_state: String },
}

/// A request, what to remember of it, and its ID.
pub struct Asked {
    pub id: String,
    pub pending: Pending,
    pub outgoing: Outgoing,
}

/// Makes a request by samael and encodes it for the binding that was chosen.
pub fn ask(sp: &Sp, idp: &Idp, knobs: &Knobs, browser: String, now: Timestamp, random: &mut Random) -> Result<Asked, DemoError> {
    let by_post = match knobs.binding.as_str() {
        "post" => true,
        "redirect" => false,
        _ => sp.kind == Kind::Two,
    };
    let location = if by_post { &idp.sso_post } else { &idp.sso_redirect };
    let location = location.as_deref().ok_or_else(|| {
        let binding = if by_post { "HTTP-POST" } else { "HTTP-Redirect" };
        DemoError::MetadataUseless(format!("it has no SingleSignOnService for {binding}"))
    })?;
    let request = build(sp, idp, knobs, location, random)?;
    let id = request.id.clone();
    let relay_state = random.letters("", 20);
    let exact = knobs.comparison.is_empty() || knobs.comparison == "exact";
    let pending = Pending {
        browser,
        relay_state: relay_state.clone(),
        at: now,
        force_authn: request.force_authn.unwrap_or(false),
        exact_context: (exact && !knobs.context.is_empty()).then(|| knobs.context.clone()),
    };
    let outgoing = if by_post {
        let xml = post_xml(sp, request)?;
        Outgoing::Post { action: location.to_owned(), saml_request: STANDARD.encode(xml), relay_state }
    } else {
        let url =
            if sp.signs_requests() { request.signed_redirect(&relay_state, sp.key.openssl()) } else { request.redirect(&relay_state) };
        let url = url.map_err(failed)?.ok_or_else(|| DemoError::Request("samael made no address".to_owned()))?;
        Outgoing::Redirect(url.into())
    };
    Ok(Asked { id, pending, outgoing })
}

fn build(sp: &Sp, idp: &Idp, knobs: &Knobs, location: &str, random: &mut Random) -> Result<AuthnRequest, DemoError> {
    let mut request = sp.service_provider(idp.entity.clone(), false).make_authentication_request(location).map_err(failed)?;
    // samael's own ID has 32 random bits; Core 1.3.4 asks for 128.
    request.id = random.xml_id();
    request.provider_name = Some(sp.name().to_owned());
    request.force_authn = (knobs.force == "on").then_some(true);
    request.is_passive = (knobs.passive == "on").then_some(true);
    if !knobs.context.is_empty() {
        let comparison = match knobs.comparison.as_str() {
            "minimum" => AuthnContextComparison::Minimum,
            "maximum" => AuthnContextComparison::Maximum,
            "better" => AuthnContextComparison::Better,
            _ => AuthnContextComparison::Exact,
        };
        // samael writes text as it stands, so only a plain URI may go in.
        if !knobs.context.bytes().all(|b| b.is_ascii_alphanumeric() || b":/._-#".contains(&b)) {
            return Err(DemoError::Request("the authentication context is not a plain URI".to_owned()));
        }
        request.requested_authn_context = Some(RequestedAuthnContext {
            authn_context_class_refs: Some(vec![AuthnContextClassRef { value: Some(knobs.context.clone()) }]),
            authn_context_decl_refs: None,
            comparison: Some(comparison),
        });
    }
    Ok(request)
}

fn post_xml(sp: &Sp, mut request: AuthnRequest) -> Result<String, DemoError> {
    if !sp.signs_requests() {
        return request.to_string().map_err(failed);
    }
    let mut signature = Signature::template(&request.id, &CertificateDer::from(sp.certificate.clone()));
    for reference in &mut signature.signed_info.reference {
        // samael's template digests with SHA-1.
        reference.digest_method.algorithm = DigestAlgorithm::Sha256;
    }
    request.signature = Some(signature);
    let key = sp.key.openssl().private_key_to_der().map_err(|stack| DemoError::Request(stack.to_string()))?;
    request.to_signed_xml(&key).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn failed(error: Box<dyn std::error::Error>) -> DemoError {
    DemoError::Request(error.to_string())
}
