//! Response and Assertion (Core 3.3.3, 2.3.3), written in canonical form so that they are signed where they stand.

use crate::model::release::ReleasedAttribute;
use crate::model::session::NameId;
use crate::model::time::Timestamp;
use crate::saml::names::{name_id, status};
use crate::saml::xml::writer::{SAML, SAMLP, Writer};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// The envelope.
#[derive(Debug, Clone, Copy)]
pub struct ResponseParts<'a> {
    pub id: &'a str,
    pub issue_instant: Timestamp,
    pub issuer: &'a str,
    pub destination: &'a str,
    /// `None` for an unsolicited response (Profiles 4.1.5).
    pub in_response_to: Option<&'a str>,
}

/// A status (Core 3.2.2).
#[derive(Debug, Clone, Copy)]
pub struct Status<'a> {
    pub code: &'static str,
    pub second: Option<&'static str>,
    /// For the SP's administrators and logs.
    pub message: Option<&'a str>,
}

impl Status<'static> {
    /// Success.
    pub const SUCCESS: Self = Self { code: status::SUCCESS, second: None, message: None };
}

/// What an assertion states.
#[derive(Debug, Clone, Copy)]
pub struct AssertionParts<'a> {
    pub id: &'a str,
    pub issue_instant: Timestamp,
    pub issuer: &'a str,
    pub subject: Subject<'a>,
    pub recipient: &'a str,
    pub in_response_to: Option<&'a str>,
    pub audience: &'a str,
    pub not_before: Timestamp,
    pub not_on_or_after: Timestamp,
    pub authn_instant: Timestamp,
    pub session_index: &'a str,
    pub session_not_on_or_after: Timestamp,
    pub class: &'a str,
    pub attributes: &'a [ReleasedAttribute],
}

/// How an assertion names the person.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Not at all: the attributes say who it is.
    Unnamed,
    Named(&'a NameId),
    /// A finished EncryptedID in canonical form.
    Encrypted(&'a [u8]),
}

/// Opens a Response and writes it up to and including its Status; the caller adds an assertion and closes it. Returns the
/// offset at which its signature goes.
pub fn start_response(writer: &mut Writer<'_>, parts: &ResponseParts<'_>, status: &Status<'_>) -> usize {
    let mut time = String::with_capacity(24);
    parts.issue_instant.write_rfc3339(&mut time);
    writer
        .start(SAMLP, "Response")
        .attribute("Destination", parts.destination)
        .attribute("ID", parts.id)
        .attribute_if("InResponseTo", parts.in_response_to)
        .attribute("IssueInstant", &time)
        .attribute("Version", "2.0")
        .leaf(SAML, "Issuer", parts.issuer);
    let signature = writer.offset();

    writer.start(SAMLP, "Status").start(SAMLP, "StatusCode").attribute("Value", status.code);
    if let Some(second) = status.second {
        writer.start(SAMLP, "StatusCode").attribute("Value", second).end();
    }
    writer.end();
    if let Some(message) = status.message {
        writer.leaf(SAMLP, "StatusMessage", message);
    }
    writer.end();
    signature
}

/// Writes an Assertion. Returns the offset at which its signature goes.
pub fn write_assertion(writer: &mut Writer<'_>, parts: &AssertionParts<'_>) -> usize {
    let mut time = String::with_capacity(24);
    let mut at = |timestamp: Timestamp| -> String {
        time.clear();
        timestamp.write_rfc3339(&mut time);
        time.clone()
    };
    let not_on_or_after = at(parts.not_on_or_after);

    writer
        .start(SAML, "Assertion")
        .attribute("ID", parts.id)
        .attribute("IssueInstant", &at(parts.issue_instant))
        .attribute("Version", "2.0")
        .leaf(SAML, "Issuer", parts.issuer);
    let signature = writer.offset();

    writer.start(SAML, "Subject");
    match parts.subject {
        Subject::Unnamed => {}
        Subject::Named(name_id) => write_name_id(writer, name_id),
        Subject::Encrypted(canonical) => {
            writer.raw(canonical);
        }
    }
    // Profiles 4.1.4.2: bearer, with Recipient, NotOnOrAfter, InResponseTo, and no NotBefore.
    writer
        .start(SAML, "SubjectConfirmation")
        .attribute("Method", BEARER)
        .start(SAML, "SubjectConfirmationData")
        .attribute_if("InResponseTo", parts.in_response_to)
        .attribute("NotOnOrAfter", &not_on_or_after)
        .attribute("Recipient", parts.recipient)
        .end()
        .end()
        .end();

    writer
        .start(SAML, "Conditions")
        .attribute("NotBefore", &at(parts.not_before))
        .attribute("NotOnOrAfter", &not_on_or_after)
        .start(SAML, "AudienceRestriction")
        .leaf(SAML, "Audience", parts.audience)
        .end()
        .end();

    writer
        .start(SAML, "AuthnStatement")
        .attribute("AuthnInstant", &at(parts.authn_instant))
        .attribute("SessionIndex", parts.session_index)
        .attribute("SessionNotOnOrAfter", &at(parts.session_not_on_or_after))
        .start(SAML, "AuthnContext")
        .leaf(SAML, "AuthnContextClassRef", parts.class)
        .end()
        .end();

    // Core 2.7.3: a statement has at least one attribute.
    if !parts.attributes.is_empty() {
        writer.start(SAML, "AttributeStatement");
        for attribute in parts.attributes {
            writer
                .start(SAML, "Attribute")
                .attribute_if("FriendlyName", attribute.friendly_name.as_deref())
                .attribute("Name", &attribute.name)
                .attribute_if("NameFormat", attribute.name_format.as_deref());
            for value in &attribute.values {
                writer.leaf(SAML, "AttributeValue", value);
            }
            writer.end();
        }
        writer.end();
    }
    writer.end();
    signature
}

/// Writes a NameID (Core 2.2.3). The unspecified format is the default and is left out only where it says nothing.
pub fn write_name_id(writer: &mut Writer<'_>, name_id: &NameId) {
    let format = if name_id.format.is_empty() { name_id::UNSPECIFIED } else { &name_id.format };
    writer
        .start(SAML, "NameID")
        .attribute("Format", format)
        .attribute_if("NameQualifier", name_id.name_qualifier.as_deref())
        .attribute_if("SPNameQualifier", name_id.sp_name_qualifier.as_deref())
        .text(&name_id.value)
        .end();
}
