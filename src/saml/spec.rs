//! Every SAML rule that we check. `id`s are stable: add, never rename.

use crate::model::check::SpecRef;

macro_rules! rules {
    ($($name:ident = $id:literal, $spec:literal, $section:literal, $rule:literal;)*) => {
        $(#[doc = $rule] pub const $name: SpecRef = SpecRef { id: $id, spec: $spec, section: $section, rule: $rule };)*
        /// All of them, for the catalogue and for tests.
        pub const ALL: &[&SpecRef] = &[$(&$name),*];
    };
}

rules! {
    REDIRECT_DECODED = "binding.redirect.decoded", "Bindings", "3.4.4.1", "A redirect message is DEFLATE-compressed, then base64, then URL-encoded.";
    POST_DECODED = "binding.post.decoded", "Bindings", "3.5.4", "A posted message is base64 of the XML.";
    PARAMETERS = "binding.parameters", "Bindings", "3.4.4", "Each parameter stands in the query once, and exactly one message.";
    RELAY_STATE_SIZE = "binding.relay_state.size", "Bindings", "3.4.3", "RelayState has at most 80 bytes.";
    XML_SAFE = "xml.safe", "our rule", "", "No DTD, no entities, no processing instructions, bounded depth and size.";
    XML_SCHEMA = "xml.schema", "Core", "1.1", "The message follows the schema: its elements in order, none missing.";
    MESSAGE_TYPE = "message.type", "Bindings", "3.4.3", "A request belongs here, in the SAML 2.0 namespace.";
    MESSAGE_VERSION = "message.version", "Core", "3.2.1", "Version is 2.0.";
    MESSAGE_ID = "message.id", "Core", "1.3.4", "The message has an ID that is an XML name.";
    MESSAGE_REPLAY = "message.replay", "Bindings", "3.4.5.2", "A message ID of a sender counts once.";
    ISSUER_PRESENT = "issuer.present", "Profiles", "4.1.4.1", "The request names its issuer, an entity ID without format.";
    ISSUER_KNOWN = "issuer.known", "Core", "3.2.1", "The issuer is a registered app.";
    APP_ENABLED = "app.enabled", "our rule", "", "The app is switched on.";
    APP_METADATA_VALID = "app.metadata_valid", "Metadata", "2.3.2", "The app's metadata has not expired.";
    ISSUE_INSTANT = "issue_instant.fresh", "Core", "3.2.1", "IssueInstant is UTC and within three minutes of our clock.";
    DESTINATION = "destination.ours", "Bindings", "3.4.5.2", "Destination is the address where the message arrived; a signed message through a browser must have it.";
    SIGNATURE_PRESENT = "signature.present", "Metadata", "2.4.4", "An SP that says it signs its requests does so.";
    SIGNATURE_STRUCTURE = "signature.covers", "Core", "5.4.2", "One enveloped signature with one reference, to the message itself.";
    SIGNATURE_ALGORITHM = "signature.algorithm", "our rule", "", "RSA of 2048 bits or more, or ECDSA, with SHA-256 or stronger.";
    SIGNATURE_KEYS = "signature.keys", "Metadata", "2.4.1.1", "A signed message needs a signing key in the app's metadata.";
    SIGNATURE_VERIFIES = "signature.verifies", "Core", "5", "The signature is by a key of the app's metadata.";
    KEY_EXPIRED = "key.sp.expired", "metadata interoperability", "2.6.1", "Only the key counts, not its certificate's dates.";
    ACS_REGISTERED = "acs.registered", "Profiles", "4.1.4.1", "Answers go only to an address in the app's metadata.";
    ACS_BINDING = "acs.binding", "Profiles", "4.1.2", "The response travels by a binding that we and the endpoint support.";
    NAMEID_POLICY = "nameid.policy", "Core", "3.4.1.1", "The requested NameID can be given.";
    NAMEID_SPQUALIFIER = "nameid.spqualifier", "Core", "3.4.1.1", "SPNameQualifier names the requester itself.";
    AUTHN_CONTEXT = "authn_context.satisfiable", "Core", "3.3.2.2.1", "The requested authentication context can be reached.";
    PASSIVE = "passive.possible", "Core", "3.4.1", "A passive request is answered without showing a page.";
    FORCE_AUTHN = "force_authn.done", "Core", "3.4.1", "ForceAuthn asks for a fresh sign-in.";
    SUBJECT = "subject.matches", "Core", "3.4.1.4", "The person who signs in is the subject of the request.";
    ACS_ATTRIBUTE_INDEX = "acs_attribute_index", "Metadata", "2.4.4.1", "AttributeConsumingServiceIndex stands in the app's metadata.";
    SCOPING = "scoping.supported", "Core", "3.4.1.2", "The request allows this identity provider to answer.";
    ACCESS = "access.allowed", "our rule", "", "The person's account may use the app.";
    RELEASE_REQUIRED = "release.required_present", "Metadata", "2.4.4.1", "Attributes that the app marks as required have a value.";
    RELEASE_VALUE = "release.value_type", "our rule", "", "Each release expression can be evaluated.";
    ENCRYPT_POSSIBLE = "encrypt.possible", "Core", "6", "Where encryption is demanded, the app publishes a usable key.";
    SIGN_POSSIBLE = "sign.possible", "Core", "5", "We hold a key for the algorithm that the app wants.";
    SESSION_LIVE = "session.live", "our rule", "", "The session still lives when the assertion is issued.";
    REQUEST_KEPT = "request.kept", "our rule", "", "An interrupted request is still there and belongs to this browser.";
    METADATA_WELL_FORMED = "metadata.well_formed", "our rule", "", "Metadata is well-formed XML within our bounds, without processing instructions.";
    METADATA_DOCTYPE = "metadata.doctype", "our rule", "", "Metadata has no document type declaration (DOCTYPE).";
    METADATA_ROOT = "metadata.root", "Metadata", "2.3", "The document is an EntityDescriptor, or an EntitiesDescriptor that holds some, in the SAML 2.0 metadata namespace.";
    METADATA_ENTITY_ID = "metadata.entity_id", "Metadata", "2.3.2", "Each entity has an entityID.";
    METADATA_ENTITY_CHOSEN = "metadata.entity_chosen", "our rule", "", "The entity that was asked for stands in the document.";
    METADATA_SP_ROLE = "metadata.sp_role", "Metadata", "2.4.4", "An app's metadata has an SPSSODescriptor.";
    METADATA_SAML2 = "metadata.saml2", "Metadata", "2.4.1", "The role's protocolSupportEnumeration names SAML 2.0.";
    METADATA_ACS = "metadata.acs", "Metadata", "2.4.4", "The role has an AssertionConsumerService with a SAML 2.0 response binding, on https or on a loopback host.";
    METADATA_VALID_UNTIL = "metadata.valid_until", "Metadata", "2.3.2", "Metadata is not used after its validUntil.";
    METADATA_SIGNATURE = "metadata.signature", "Metadata", "3.1", "Where a signer is pinned, the document as a whole is signed by it.";
    OUTBOUND_STATUS = "outbound.status", "Core", "3.2.2", "The response says Success, and it has exactly one assertion.";
    OUTBOUND_ISSUER = "outbound.issuer", "Profiles", "4.1.4.2", "Response and assertion are by the identity provider that was asked.";
    OUTBOUND_DESTINATION = "outbound.destination", "Bindings", "3.5.5.2", "Destination is the address that the response is posted to.";
    OUTBOUND_IN_RESPONSE_TO = "outbound.in_response_to", "Profiles", "4.1.4.3", "InResponseTo names the request, on the response and in its confirmation.";
    OUTBOUND_SIGNATURE = "outbound.signature", "Profiles", "4.1.4.5", "The assertion or the response around it is signed by a published key.";
    OUTBOUND_ENCRYPTION = "outbound.encryption", "Core", "6.1", "The assertion is encrypted, or can be read.";
    OUTBOUND_RECIPIENT = "outbound.recipient", "Profiles", "4.1.4.3", "A bearer confirmation names the address as Recipient and still holds.";
    OUTBOUND_CONDITIONS = "outbound.conditions", "Core", "2.5.1", "The assertion holds now, for this audience.";
    OUTBOUND_AUTHN = "outbound.authn_statement", "Profiles", "4.1.4.2", "There is an AuthnStatement with a SessionIndex that has not ended.";
    OUTBOUND_SUBJECT = "outbound.subject", "Core", "2.4.1", "The subject is named in the format that the app uses.";
}
