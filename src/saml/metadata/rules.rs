//! The findings that import and lint can have: their codes, weight and rules. Codes are added, never renamed.

use crate::model::sp::{Finding, Severity};
use crate::saml::metadata::refusal::shorten;

/// One kind of finding.
pub(super) struct Rule {
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    /// The rule and where it is written.
    pub(super) rule: &'static str,
}

impl Rule {
    /// A finding of this kind about one value.
    pub(super) fn about(&self, value: &str, remedy: impl Into<String>) -> Finding {
        Finding {
            code: self.code.to_owned(),
            severity: self.severity,
            rule: self.rule.to_owned(),
            value: shorten(value),
            remedy: remedy.into(),
        }
    }
}

macro_rules! rules {
    ($($name:ident = $code:literal, $severity:ident, $rule:literal;)*) => {
        $(pub(super) const $name: Rule = Rule { code: $code, severity: Severity::$severity, rule: $rule };)*
        /// Every code, for the catalogue and for tests.
        pub const CODES: &[&str] = &[$($code),*];
    };
}

rules! {
    SEVERAL_ENTITIES = "several-entities", Warning, "An app is one entity; this document describes several (Metadata 2.3.1).";
    DUPLICATE_ENTITY = "duplicate-entity", Warning, "An entity ID stands for one entity (Metadata 2.3.2).";
    SIGNATURE_SHA1 = "signature-sha1", Warning, "SHA-1 no longer proves who signed (our rule).";
    SIGNATURE_UNCHECKED = "signature-unchecked", Info, "A signature proves something only to those who know the signer's key (Metadata 3.1).";
    ENTITY_ID_NOT_URI = "entity-id-not-uri", Info, "An entity ID is a URI of at most 1,024 characters (Metadata 2.2.1).";
    IDP_ROLE = "idp-role", Info, "The entity is an identity provider too; only its SP role matters here (Metadata 2.4).";
    SEVERAL_SP_ROLES = "several-sp-roles", Warning, "Of several SP roles only the first that names SAML 2.0 counts (Metadata 2.4.1).";
    PROTOCOL_LIST = "protocol-list", Warning, "protocolSupportEnumeration is a list of URIs with blanks between them and names SAML 2.0 (Metadata 2.4.1).";
    ELEMENT_ORDER = "element-order", Warning, "The elements of a role stand in the order of the schema (Metadata 2.4.4).";
    BAD_NAMESPACE = "bad-namespace", Warning, "A namespace is compared letter by letter (Namespaces in XML 2.3); elements in another one are not seen.";
    VALID_UNTIL_LEXICAL = "valid-until-lexical", Warning, "validUntil is a date and time in UTC, as 2030-01-31T00:00:00Z (Core 1.3.3).";
    VALID_UNTIL_EXPIRED = "valid-until-expired", Warning, "Metadata is not used after its validUntil (Metadata 2.3.2).";
    VALID_UNTIL_SOON = "valid-until-soon", Warning, "Metadata is not used after its validUntil (Metadata 2.3.2).";
    CERT_EXPIRED = "cert-expired", Warning, "Only the key counts, so it still works (Metadata Interoperability 2.6.1).";
    CERT_NOT_YET_VALID = "cert-not-yet-valid", Info, "Only the key counts, so it works already (Metadata Interoperability 2.6.1).";
    CERT_EXPIRES_SOON = "cert-expires-soon", Info, "Only the key counts, but the app's own side may stop (Metadata Interoperability 2.6.1).";
    WEAK_KEY = "weak-key", Warning, "RSA keys have 2,048 bits or more (our rule, NIST SP 800-131A).";
    KEY_UNREADABLE = "key-unreadable", Warning, "A KeyDescriptor holds a key as X509Certificate or KeyValue (Metadata 2.4.1.1).";
    NO_SIGNING_KEY = "no-signing-key", Warning, "An SP that signs its requests publishes the key (Metadata 2.4.4).";
    ENCRYPTION_METHODS = "encryption-methods", Warning, "Assertions are encrypted with a method that the key declares (Metadata 2.4.1.1).";
    SIGNING_METHODS = "signing-methods", Warning, "Answers are signed with an algorithm that the app declares (Algorithm Support 2.3).";
    HTTP_ENDPOINT = "http-endpoint", Warning, "Endpoints are on https, or on http on a loopback host (our rule).";
    ENDPOINT_SCHEME = "endpoint-scheme", Warning, "An endpoint is an absolute https address (Metadata 2.2.2).";
    ENDPOINT_BINDING = "endpoint-binding", Info, "A response travels by HTTP-POST, Artifact, SimpleSign or PAOS (Profiles 4.1.2).";
    NO_POST_ACS = "no-post-acs", Warning, "Responses are sent by HTTP-POST so far (our rule).";
    ACS_INDEX_MISSING = "acs-index-missing", Warning, "Each AssertionConsumerService has an index from 0 to 65535 (Metadata 2.2.3).";
    ACS_INDEX_TWICE = "acs-index-twice", Warning, "Each AssertionConsumerService has an index of its own (Metadata 2.4.4).";
    ACS_DEFAULTS = "acs-several-defaults", Warning, "At most one AssertionConsumerService is the default (Metadata 2.4.4).";
    ATTRIBUTE_INDEX_TWICE = "attribute-index-twice", Warning, "Each AttributeConsumingService has an index of its own (Metadata 2.4.4.1).";
    NO_LOGOUT = "no-logout", Info, "Single logout needs a SingleLogoutService (Metadata 2.4.2).";
    NO_DISPLAY_NAME = "no-display-name", Info, "People are shown the app's name from mdui:DisplayName (Login and Discovery UI 2.1.2).";
    NO_NAME_ID_FORMAT = "no-name-id-format", Info, "NameIDFormat says which kinds of user identifier the app takes (Metadata 2.4.2).";
    INFO_URL = "info-url", Info, "Addresses for people are on https (Login and Discovery UI 2.1.4).";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lower_case() {
        for (at, code) in CODES.iter().enumerate() {
            assert!(!CODES[..at].contains(code), "{code}");
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{code}");
        }
    }
}
