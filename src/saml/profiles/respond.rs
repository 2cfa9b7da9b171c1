//! Builds and signs the answer (Profiles 4.1.4.2): an assertion, or a status that says why there is none.

use crate::crypto::CryptoError;
use crate::crypto::random::Random;
use crate::model::app::Sign;
use crate::model::check::{Check, Trace};
use crate::model::release::ReleasedAttribute;
use crate::model::session::NameId;
use crate::model::time::{Span, Timestamp};
use crate::saml::messages::response::{AssertionParts, ResponseParts, Status, Subject, start_response, write_assertion, write_name_id};
use crate::saml::profiles::denial::Denial;
use crate::saml::profiles::destination::AcsUrl;
use crate::saml::profiles::service_provider::{Encryption, SigningKeys, SpView};
use crate::saml::profiles::web_sso::{Accepted, ErrorAnswer};
use crate::saml::spec;
use crate::saml::xml::encryption::{Wrapper, encrypt};
use crate::saml::xml::signature::sign::{SigningKey, sign};
use crate::saml::xml::writer::{SAML, Writer};

/// How long an assertion may be used.
pub const LIFETIME: Span = Span::minutes(5);
/// How far before its making it already counts, for clocks that are behind.
pub const EARLIER: Span = Span::minutes(1);

/// Who answers.
#[derive(Debug, Clone, Copy)]
pub struct Idp<'a> {
    pub entity_id: &'a str,
    pub keys: &'a SigningKeys,
}

/// What is stated about the person and the sign-in.
#[derive(Debug, Clone, Copy)]
pub struct AssertionFacts<'a> {
    /// `None` leaves the subject without a name.
    pub name_id: Option<&'a NameId>,
    /// `NameIdPlan::encrypt`.
    pub encrypt_name_id: bool,
    pub attributes: &'a [ReleasedAttribute],
    pub session_index: &'a str,
    pub authn_instant: Timestamp,
    /// The honest class of the sign-in.
    pub class: &'a str,
    /// When the session ends at the latest.
    pub session_not_on_or_after: Timestamp,
}

/// A finished answer: post `xml` to `acs`.
pub struct OutgoingResponse {
    pub acs: AcsUrl,
    pub xml: Vec<u8>,
    pub relay_state: Option<String>,
    pub response_id: String,
    /// `None` for an error status.
    pub assertion_id: Option<String>,
    /// The signed assertion as it was before it was encrypted, for previews; it must not be kept.
    pub plain: Option<Vec<u8>>,
    pub trace: Trace,
}

impl std::fmt::Debug for OutgoingResponse {
    /// Names the answer without showing what it says of somebody.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutgoingResponse").field("acs", &self.acs).field("response_id", &self.response_id).finish_non_exhaustive()
    }
}

/// Builds the Response with its assertion, signed and encrypted as the SP's settings and metadata say.
///
/// # Errors
/// An answer with an error status where encryption is demanded and impossible, or we cannot sign.
pub fn respond(
    accepted: Accepted,
    facts: &AssertionFacts<'_>,
    sp: &SpView,
    idp: &Idp<'_>,
    now: Timestamp,
    random: &mut Random,
) -> Result<OutgoingResponse, Box<ErrorAnswer>> {
    let encryption = match sp.encryption(facts.encrypt_name_id) {
        Ok(encryption) => encryption,
        Err(check) => return Err(Box::new(accepted.deny(Denial::our_fault(*check)))),
    };
    let key = match idp.keys.for_sp(sp) {
        Ok(key) => key,
        Err(check) => return Err(Box::new(accepted.deny(Denial::our_fault(*check)))),
    };
    let ids = Ids { response: random.xml_id(), assertion: random.xml_id() };
    let built = build(&accepted, facts, sp, &Tools { entity_id: idp.entity_id, key, encryption, ids: &ids, now }, random);
    let (xml, plain) = match built {
        Ok(built) => built,
        Err(error) => return Err(Box::new(accepted.deny(Denial::our_fault(crypto_check(&error))))),
    };
    let (acs, relay_state, _, mut trace) = accepted.into_parts();
    trace.push(sp.check_signing(key.algorithm()));
    trace.push(Check::passed(
        &spec::ENCRYPT_POSSIBLE,
        match encryption {
            Encryption::Nothing => "not encrypted",
            Encryption::NameId(_) => "the NameID is encrypted",
            Encryption::Assertion(_) => "the assertion is encrypted",
            Encryption::Both(_) => "the assertion is encrypted, and the NameID inside as well",
        },
    ));
    Ok(OutgoingResponse { acs, xml, relay_state, response_id: ids.response, assertion_id: Some(ids.assertion), plain, trace })
}

/// Builds a Response that has a status only. It is signed where the app gets its responses signed.
pub fn respond_error(answer: ErrorAnswer, sp: &SpView, idp: &Idp<'_>, now: Timestamp, random: &mut Random) -> OutgoingResponse {
    let response_id = random.xml_id();
    let mut writer = Writer::with_capacity(4_096);
    let parts = ResponseParts {
        id: &response_id,
        issue_instant: now,
        issuer: idp.entity_id,
        destination: answer.acs.as_str(),
        in_response_to: answer.in_response_to.as_deref(),
    };
    let signature_at = start_response(&mut writer, &parts, &answer.denial.status());
    let mut xml = writer.finish();
    if signs_response(sp)
        && let Ok(key) = idp.keys.for_sp(sp)
    {
        let whole = 0..xml.len();
        // An error that cannot be signed is told all the same: it grants nothing.
        let _ = sign(&mut xml, whole, signature_at, &response_id, key);
    }
    OutgoingResponse {
        acs: answer.acs,
        xml,
        relay_state: answer.relay_state,
        response_id,
        assertion_id: None,
        plain: None,
        trace: answer.refusal.trace,
    }
}

struct Ids {
    response: String,
    assertion: String,
}

/// What an answer is made with.
struct Tools<'a> {
    entity_id: &'a str,
    key: &'a SigningKey,
    encryption: Encryption<'a>,
    ids: &'a Ids,
    now: Timestamp,
}

type Built = (Vec<u8>, Option<Vec<u8>>);

fn build(
    accepted: &Accepted,
    facts: &AssertionFacts<'_>,
    sp: &SpView,
    tools: &Tools<'_>,
    random: &mut Random,
) -> Result<Built, CryptoError> {
    let &Tools { entity_id, key, encryption, ids, now } = tools;
    let acs = accepted.acs().as_str();
    let in_response_to = accepted.request().map(|request| request.id.as_str());
    let encrypted_name_id = match (encryption.of_name_id(), facts.name_id) {
        (Some(target), Some(name_id)) => {
            let mut plain = Writer::with_capacity(512);
            write_name_id(&mut plain, name_id);
            // Written as it stands inside of a Subject, which already declares the prefix.
            let mut scratch = Writer::with_capacity(2_048);
            let from = scratch.start(SAML, "Subject").offset();
            encrypt(&plain.finish(), Wrapper::EncryptedId, (&target.key, target.choice), &mut scratch, random)?;
            let to = scratch.offset();
            Some(scratch.finish().get(from..to).unwrap_or_default().to_vec())
        }
        _ => None,
    };
    let assertion = AssertionParts {
        id: &ids.assertion,
        issue_instant: now,
        issuer: entity_id,
        subject: match (&encrypted_name_id, facts.name_id) {
            (Some(encrypted), _) => Subject::Encrypted(encrypted),
            (None, Some(name_id)) => Subject::Named(name_id),
            (None, None) => Subject::Unnamed,
        },
        recipient: acs,
        in_response_to,
        audience: sp.metadata.entity_id.as_str(),
        not_before: now - EARLIER,
        not_on_or_after: now + LIFETIME,
        authn_instant: facts.authn_instant,
        session_index: facts.session_index,
        session_not_on_or_after: facts.session_not_on_or_after,
        class: facts.class,
        attributes: facts.attributes,
    };
    let response = ResponseParts { id: &ids.response, issue_instant: now, issuer: entity_id, destination: acs, in_response_to };

    let mut writer = Writer::with_capacity(16 << 10);
    let response_at = start_response(&mut writer, &response, &Status::SUCCESS);
    let (mut xml, plain) = match encryption.of_assertion() {
        Some(target) => {
            // Core 6.2: signed first, then encrypted.
            let mut inner = Writer::with_capacity(12 << 10);
            let signature_at = write_assertion(&mut inner, &assertion);
            let mut plain = inner.finish();
            if signs_assertion(sp) {
                let whole = 0..plain.len();
                sign(&mut plain, whole, signature_at, &ids.assertion, key)?;
            }
            encrypt(&plain, Wrapper::EncryptedAssertion, (&target.key, target.choice), &mut writer, random)?;
            (writer.finish(), Some(plain))
        }
        None => {
            let from = writer.offset();
            let signature_at = write_assertion(&mut writer, &assertion);
            let to = writer.offset();
            let mut xml = writer.finish();
            if signs_assertion(sp) {
                sign(&mut xml, from..to, signature_at, &ids.assertion, key)?;
            }
            (xml, None)
        }
    };
    if signs_response(sp) {
        let whole = 0..xml.len();
        sign(&mut xml, whole, response_at, &ids.response, key)?;
    }
    Ok((xml, plain))
}

/// Metadata 2.4.4: WantAssertionsSigned is met whatever the settings say.
fn signs_assertion(sp: &SpView) -> bool {
    sp.settings.sign != Sign::Response || sp.metadata.want_assertions_signed
}

fn signs_response(sp: &SpView) -> bool {
    sp.settings.sign != Sign::Assertion
}

fn crypto_check(error: &CryptoError) -> Check {
    Check::failed(
        &spec::SIGN_POSSIBLE,
        format!("The answer could not be signed or encrypted: {error}."),
        "Look at our signing keys (\"linkspan key list\") and at the app's encryption certificate.",
    )
}

#[cfg(test)]
mod tests;
