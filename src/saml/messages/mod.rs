//! One file per protocol message: what it says, read strictly in the order of the schema.

pub mod authn_request;
pub mod response;
mod sequence;

use crate::model::check::{Check, RefusalClass};
use crate::saml::names::ns;
use crate::saml::spec;
use crate::saml::xml::tree::Element;

/// A request that can be read from its XML.
pub trait Message: Sized {
    /// The local name of its root element in the SAML protocol namespace.
    const NAME: &'static str;

    /// Reads it from its root element.
    ///
    /// # Errors
    /// `MessageError` where the schema (or a rule of Core that the schema cannot say) is broken.
    fn read(root: &Element) -> Result<Self, MessageError>;

    /// The text of its Issuer; `None` where it has none.
    fn issuer(&self) -> Option<&Issuer>;
}

/// Who sent a message (Core 2.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    pub value: String,
    pub format: Option<String>,
}

/// Why the XML is not the message that it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not this message at all: `found` is its root in words.
    #[error("the root element is {found}, not the {expected} that belongs here")]
    NotThisMessage { found: String, expected: &'static str },
    /// An element is missing, unexpected or out of order.
    #[error("line {line}: {what}")]
    Schema { line: u32, what: String },
    /// The ID is missing or no XML name.
    #[error("{what}")]
    Id { what: String },
}

impl MessageError {
    /// The failed check that says so.
    pub fn check(&self) -> Check {
        match self {
            Self::NotThisMessage { found, .. } => Check::failed(
                &spec::MESSAGE_TYPE,
                self.to_string(),
                "Only a SAML 2.0 AuthnRequest may be sent to this address. If the app sends a Response here, it has mixed up our single \
                 sign-on address and its own assertion consumer service.",
            )
            .seen(found.clone()),
            Self::Schema { .. } => Check::failed(
                &spec::XML_SCHEMA,
                self.to_string(),
                "The software that made the message breaks the SAML schema; report the line to its vendor.",
            ),
            Self::Id { .. } => Check::failed(
                &spec::MESSAGE_ID,
                self.to_string(),
                "The ID must begin with a letter or \"_\" and hold only letters, digits, \".\", \"-\" and \"_\"; many libraries put \"_\" or \
                 \"id\" in front of a UUID.",
            ),
        }
    }

    /// What the person is told.
    pub fn class(&self) -> RefusalClass {
        RefusalClass::MessageBroken
    }
}

/// Makes sure that the root is the message `expected` of SAML 2.0.
///
/// # Errors
/// `MessageError::NotThisMessage` names what it is instead.
pub fn expect_root(root: &Element, expected: &'static str) -> Result<(), MessageError> {
    if root.is(ns::SAMLP, expected) {
        return Ok(());
    }
    let found = match root.namespace.as_deref() {
        Some(ns::SAMLP) => format!("a SAML 2.0 {}", shown(&root.local)),
        Some(other) => format!("{} in the namespace {}", shown(&root.local), shown(other)),
        None => format!("{} in no namespace", shown(&root.local)),
    };
    Err(MessageError::NotThisMessage { found, expected })
}

/// Reads the Issuer out of an element.
pub(crate) fn read_issuer(element: &Element) -> Issuer {
    Issuer { value: element.text(), format: attribute(element, "Format") }
}

/// An attribute's value without the white space around it; `None` where it is missing.
pub(crate) fn attribute(element: &Element, name: &str) -> Option<String> {
    element.attribute(name).map(|value| value.trim_matches([' ', '\t', '\r', '\n']).to_owned())
}

/// A received word, short enough to be shown.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 200;
    if text.chars().nth(MOST).is_none() {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(std::iter::once('…')).collect()
}
