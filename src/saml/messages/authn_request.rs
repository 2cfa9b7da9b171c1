//! AuthnRequest (Core 3.4.1).

use crate::model::session::NameId;
use crate::model::time::Timestamp;
use crate::saml::messages::sequence::{Sequence, boolean, broken, required, text, unsigned_short};
use crate::saml::messages::{Issuer, Message, MessageError, attribute, expect_root, read_issuer, shown};
use crate::saml::names::{name_id, ns};
use crate::saml::xml::tree::Element;

/// What an SP asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthnRequest {
    pub id: String,
    /// As written; the judgement refuses all but `2.0`.
    pub version: String,
    pub issue_instant: Timestamp,
    /// Whether IssueInstant was written in UTC, as Core 1.3.3 demands.
    pub issue_instant_is_utc: bool,
    pub destination: Option<String>,
    pub consent: Option<String>,
    pub issuer: Option<Issuer>,
    /// Names of the extensions, which are passed over.
    pub extensions: Vec<String>,
    pub subject: Option<RequestedSubject>,
    pub name_id_policy: Option<NameIdPolicy>,
    /// Whether it suggests Conditions; Core 3.4.1 lets us ignore them.
    pub has_conditions: bool,
    pub requested_authn_context: Option<RequestedAuthnContext>,
    pub scoping: Option<Scoping>,
    pub force_authn: bool,
    pub is_passive: bool,
    pub acs_index: Option<u16>,
    pub acs_url: Option<String>,
    pub protocol_binding: Option<String>,
    pub attribute_consuming_service_index: Option<u16>,
    pub provider_name: Option<String>,
}

/// Who is to sign in, and how the SP wants the answer to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedSubject {
    pub identifier: Option<RequestedIdentifier>,
    /// Methods of its SubjectConfirmations.
    pub confirmation_methods: Vec<String>,
}

impl RequestedSubject {
    /// The NameID, where it is one that can be read.
    pub fn name_id(&self) -> Option<&NameId> {
        match &self.identifier {
            Some(RequestedIdentifier::NameId(name_id)) => Some(name_id),
            Some(RequestedIdentifier::Unreadable(_)) | None => None,
        }
    }
}

/// How the Subject names the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedIdentifier {
    /// `format` is the unspecified one where none was written (Core 2.2.2).
    NameId(NameId),
    /// BaseID or EncryptedID, which we cannot read.
    Unreadable(&'static str),
}

/// NameIDPolicy (Core 3.4.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameIdPolicy {
    pub format: Option<String>,
    pub sp_name_qualifier: Option<String>,
    pub allow_create: Option<bool>,
}

/// RequestedAuthnContext (Core 3.3.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAuthnContext {
    pub comparison: Comparison,
    pub references: ContextReferences,
}

/// Classes or declarations, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextReferences {
    Classes(Vec<String>),
    Declarations(Vec<String>),
}

/// How the context reached relates to the ones requested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Comparison {
    #[default]
    Exact,
    Minimum,
    Maximum,
    Better,
}

impl Comparison {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Better => "better",
        }
    }
}

/// Scoping (Core 3.4.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scoping {
    pub proxy_count: Option<u32>,
    /// `ProviderID`s of the IDPList; `None` where there is no list.
    pub idp_list: Option<Vec<String>>,
    pub requester_ids: Vec<String>,
}

impl Message for AuthnRequest {
    const NAME: &'static str = "AuthnRequest";

    fn read(root: &Element) -> Result<Self, MessageError> {
        expect_root(root, Self::NAME)?;
        let id = attribute(root, "ID").ok_or_else(|| MessageError::Id { what: "the AuthnRequest has no ID".to_owned() })?;
        check_id(&id)?;
        let instant = required(root, "IssueInstant")?;
        let issue_instant = Timestamp::parse_xs_date_time(&instant)
            .ok_or_else(|| broken(root, format!("IssueInstant is \"{}\", which is no date and time", shown(&instant))))?;

        let mut children = Sequence::of(root)?;
        let issuer = children.optional(ns::SAML, "Issuer").map(read_issuer);
        // The signature was judged where the message was verified.
        let _ = children.optional(ns::DS, "Signature");
        let extensions = children.optional(ns::SAMLP, "Extensions");
        let subject = children.optional(ns::SAML, "Subject").map(read_subject).transpose()?;
        let name_id_policy = children.optional(ns::SAMLP, "NameIDPolicy").map(read_name_id_policy).transpose()?;
        let conditions = children.optional(ns::SAML, "Conditions");
        let context = children.optional(ns::SAMLP, "RequestedAuthnContext").map(read_context).transpose()?;
        let scoping = children.optional(ns::SAMLP, "Scoping").map(read_scoping).transpose()?;
        children.end()?;

        Ok(Self {
            id,
            version: required(root, "Version")?,
            issue_instant,
            issue_instant_is_utc: instant.ends_with('Z'),
            destination: attribute(root, "Destination").filter(|value| !value.is_empty()),
            consent: attribute(root, "Consent"),
            issuer,
            extensions: extensions.map_or_else(Vec::new, |element| element.elements().map(|child| shown(&child.local)).collect()),
            subject,
            name_id_policy,
            has_conditions: conditions.is_some(),
            requested_authn_context: context,
            scoping,
            force_authn: boolean(root, "ForceAuthn")?.unwrap_or(false),
            is_passive: boolean(root, "IsPassive")?.unwrap_or(false),
            acs_index: unsigned_short(root, "AssertionConsumerServiceIndex")?,
            acs_url: attribute(root, "AssertionConsumerServiceURL").filter(|value| !value.is_empty()),
            protocol_binding: attribute(root, "ProtocolBinding").filter(|value| !value.is_empty()),
            attribute_consuming_service_index: unsigned_short(root, "AttributeConsumingServiceIndex")?,
            provider_name: attribute(root, "ProviderName"),
        })
    }

    fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }
}

/// Core 1.3.4 and the schema: an `xs:ID`. It comes back as InResponseTo, which must be an NCName too.
fn check_id(id: &str) -> Result<(), MessageError> {
    const MOST: usize = 1_024;
    let mut chars = id.chars();
    let first = chars.next().is_some_and(|c| c == '_' || c.is_alphabetic());
    if first && chars.all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) && id.len() <= MOST {
        return Ok(());
    }
    Err(MessageError::Id { what: format!("the ID \"{}\" is no XML name", shown(id)) })
}

fn read_subject(element: &Element) -> Result<RequestedSubject, MessageError> {
    let mut children = Sequence::of(element)?;
    let identifier = if let Some(name_id) = children.optional(ns::SAML, "NameID") {
        Some(RequestedIdentifier::NameId(read_name_id(name_id)?))
    } else if children.optional(ns::SAML, "EncryptedID").is_some() {
        Some(RequestedIdentifier::Unreadable("EncryptedID"))
    } else {
        children.optional(ns::SAML, "BaseID").map(|_| RequestedIdentifier::Unreadable("BaseID"))
    };
    let confirmations = children.many(ns::SAML, "SubjectConfirmation");
    children.end()?;
    // Core 2.4.1: an identifier, or at least one confirmation.
    if identifier.is_none() && confirmations.is_empty() {
        return Err(broken(element, "Subject names nobody"));
    }
    let confirmation_methods = confirmations.into_iter().map(|one| required(one, "Method")).collect::<Result<_, _>>()?;
    Ok(RequestedSubject { identifier, confirmation_methods })
}

fn read_name_id(element: &Element) -> Result<NameId, MessageError> {
    Ok(NameId {
        value: text(element)?,
        format: attribute(element, "Format").filter(|value| !value.is_empty()).unwrap_or_else(|| name_id::UNSPECIFIED.to_owned()),
        name_qualifier: attribute(element, "NameQualifier").filter(|value| !value.is_empty()),
        sp_name_qualifier: attribute(element, "SPNameQualifier").filter(|value| !value.is_empty()),
    })
}

fn read_name_id_policy(element: &Element) -> Result<NameIdPolicy, MessageError> {
    // Old versions of crewjam/saml wrote the format as text in it, which says nothing.
    if let Some(child) = element.elements().next() {
        return Err(broken(child, format!("the element {} is not expected here in NameIDPolicy", shown(&child.local))));
    }
    Ok(NameIdPolicy {
        format: attribute(element, "Format").filter(|value| !value.is_empty()),
        sp_name_qualifier: attribute(element, "SPNameQualifier").filter(|value| !value.is_empty()),
        allow_create: boolean(element, "AllowCreate")?,
    })
}

fn read_context(element: &Element) -> Result<RequestedAuthnContext, MessageError> {
    let comparison = match attribute(element, "Comparison").as_deref() {
        None | Some("exact") => Comparison::Exact,
        Some("minimum") => Comparison::Minimum,
        Some("maximum") => Comparison::Maximum,
        Some("better") => Comparison::Better,
        Some(other) => return Err(broken(element, format!("Comparison is \"{}\"", shown(other)))),
    };
    let mut children = Sequence::of(element)?;
    let classes = children.many(ns::SAML, "AuthnContextClassRef");
    let declarations = children.many(ns::SAML, "AuthnContextDeclRef");
    children.end()?;
    let read = |references: Vec<&Element>| references.into_iter().map(text).collect::<Result<Vec<_>, _>>();
    let references = match (classes.is_empty(), declarations.is_empty()) {
        (false, true) => ContextReferences::Classes(read(classes)?),
        (true, false) => ContextReferences::Declarations(read(declarations)?),
        (true, true) => return Err(broken(element, "RequestedAuthnContext names no context")),
        (false, false) => return Err(broken(element, "RequestedAuthnContext mixes classes and declarations")),
    };
    Ok(RequestedAuthnContext { comparison, references })
}

fn read_scoping(element: &Element) -> Result<Scoping, MessageError> {
    let proxy_count = match attribute(element, "ProxyCount") {
        None => None,
        Some(value) => {
            Some(value.parse().map_err(|_| broken(element, format!("ProxyCount is \"{}\", which is no number from 0 up", shown(&value))))?)
        }
    };
    let mut children = Sequence::of(element)?;
    let idp_list = children.optional(ns::SAMLP, "IDPList").map(read_idp_list).transpose()?;
    let requester_ids = children.many(ns::SAMLP, "RequesterID").into_iter().map(text).collect::<Result<_, _>>()?;
    children.end()?;
    Ok(Scoping { proxy_count, idp_list, requester_ids })
}

fn read_idp_list(element: &Element) -> Result<Vec<String>, MessageError> {
    let mut children = Sequence::of(element)?;
    let entries = children.many(ns::SAMLP, "IDPEntry");
    // GetComplete is the address of a longer list; we fetch nothing that a message names.
    let _ = children.optional(ns::SAMLP, "GetComplete");
    children.end()?;
    if entries.is_empty() {
        return Err(broken(element, "IDPList names no identity provider"));
    }
    entries.into_iter().map(|entry| required(entry, "ProviderID")).collect()
}

#[cfg(test)]
mod tests;
