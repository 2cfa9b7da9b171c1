//! The wire form of messages, and what exactly was signed.
//!
//! A message is first `Received`: nothing of it can be used but the issuer's name, with which its keys are found. `verify`
//! turns it into a `Verified` message, which was read from the very bytes that the signature covers, or was allowed to be
//! unsigned.

pub(in crate::saml) mod encoding;
pub mod pasted;
pub mod post;
pub mod redirect;

use std::marker::PhantomData;

use crate::crypto::digest;
use crate::crypto::keys::Hash;
use crate::model::check::{Check, Refusal, RefusalClass, Trace};
use crate::model::id::EntityId;
use crate::model::secret::Digest;
use crate::saml::messages::{self, Message, expect_root};
use crate::saml::names::{name_id, ns};
use crate::saml::spec;
use crate::saml::xml::reader::{self, Limits, XmlError};
use crate::saml::xml::signature::preflight::{SignatureShape, preflight};
use crate::saml::xml::signature::verify::{self as xml_verify, SignedBytes};
use crate::saml::xml::signature::{SignatureError, SignaturePolicy, VerificationKey};
use crate::saml::xml::tree::Element;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Redirect,
    Post,
}

/// A message of which only the sender's name may be believed, and that only to look its keys up.
pub struct Received<M> {
    issuer: EntityId,
    root: Element,
    xml: Vec<u8>,
    via: Via,
    query_signature: Option<QuerySignature>,
    relay_state: Option<String>,
    trace: Trace,
    message: PhantomData<M>,
}

/// The signature of the redirect binding.
struct QuerySignature {
    algorithm: String,
    /// The parameters as they stood in the query, in the order of Bindings 3.4.4.1.
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl QuerySignature {
    fn signed_bytes(&self) -> SignedBytes<'_> {
        SignedBytes { bytes: &self.signed, signature: &self.signature }
    }
}

impl<M: Message> Received<M> {
    /// Who the message says it is from.
    pub fn issuer(&self) -> &EntityId {
        &self.issuer
    }

    /// The XML as it arrived, for the record.
    pub fn xml(&self) -> &[u8] {
        &self.xml
    }

    pub fn via(&self) -> Via {
        self.via
    }

    /// Adds a check that the caller made, as whether the issuer is registered.
    pub fn note(&mut self, check: Check) {
        self.trace.push(check);
    }

    /// Gives up: the checks so far and the one that failed.
    pub fn refuse(self, class: RefusalClass, check: Check) -> Refusal {
        self.trace.refuse(class, check)
    }

    /// Reads a document and believes nothing but its Issuer.
    fn read(
        xml: Vec<u8>,
        via: Via,
        query_signature: Option<QuerySignature>,
        relay_state: Option<String>,
        mut trace: Trace,
    ) -> Result<Self, Refusal> {
        let root = match reader::parse(&xml, &Limits::MESSAGE) {
            Ok(root) => root,
            Err(error) => return Err(trace.refuse(RefusalClass::MessageBroken, xml_check(&error))),
        };
        trace.push(Check::passed(&spec::XML_SAFE, format!("{} bytes of XML, no DTD", xml.len())));
        if let Err(error) = expect_root(&root, M::NAME) {
            return Err(trace.refuse(error.class(), error.check()));
        }
        trace.push(Check::passed(&spec::MESSAGE_TYPE, M::NAME));
        let issuer = match read_issuer(&root, &mut trace) {
            Ok(issuer) => issuer,
            Err(check) => return Err(trace.refuse(RefusalClass::MessageBroken, check)),
        };
        Ok(Self { issuer, root, xml, via, query_signature, relay_state, trace, message: PhantomData })
    }
}

/// A message that counts: its signature was checked, or it was allowed to have none.
pub struct Verified<M> {
    pub(in crate::saml) message: M,
    issuer: EntityId,
    pub(in crate::saml) relay_state: Option<String>,
    via: Via,
    pub(in crate::saml) signed: Option<Signed>,
    pub(in crate::saml) trace: Trace,
    fingerprint: Digest,
}

/// By which key a message was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Its place in the list of keys that `verify` was given.
    pub key: usize,
}

impl<M: Message> Verified<M> {
    pub fn message(&self) -> &M {
        &self.message
    }

    pub fn issuer(&self) -> &EntityId {
        &self.issuer
    }

    pub fn relay_state(&self) -> Option<&str> {
        self.relay_state.as_deref()
    }

    pub fn via(&self) -> Via {
        self.via
    }

    /// Whether a signature was verified, and by which key.
    pub fn signed(&self) -> Option<Signed> {
        self.signed
    }

    /// A digest of the bytes that arrived: the same for a reload, another for everything else.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// Adds a check that the caller made.
    pub fn note(&mut self, check: Check) {
        self.trace.push(check);
    }
}

/// What is demanded of a sender's signatures.
#[derive(Debug, Clone, Copy)]
pub struct VerifyPolicy {
    /// Whether unsigned messages are refused.
    pub require_signature: bool,
    pub algorithms: SignaturePolicy,
}

/// Checks every signature that the message carries, and reads it from the bytes that were verified.
///
/// # Errors
/// A refusal of class `NotTrusted` where a signature is demanded and missing, or is there and does not hold; of class
/// `MessageBroken` where the message does not follow the schema.
pub fn verify<M: Message>(received: Received<M>, keys: &[VerificationKey], policy: &VerifyPolicy) -> Result<Verified<M>, Refusal> {
    let Received { issuer, root, xml, via, query_signature, relay_state, mut trace, message: _ } = received;
    let fingerprint = digest::sha256_parts(&[&xml, relay_state.as_deref().unwrap_or_default().as_bytes()]);
    let mut signed = None;

    if let Some(query) = &query_signature {
        match xml_verify::verify_raw(keys, &query.algorithm, query.signed_bytes(), &policy.algorithms) {
            Ok(key) => signed = Some(Signed { key }),
            Err(error) => return Err(trace.refuse(RefusalClass::NotTrusted, signature_check(&error, keys.is_empty()))),
        }
        trace.push(Check::passed(&spec::SIGNATURE_VERIFIES, format!("signed in the query by {}", short_algorithm(&query.algorithm))));
    }

    // A signature that is there is checked, whether or not the binding expects it there.
    let root = match preflight(&root) {
        Ok(None) => root,
        Ok(Some(shape)) => match xml_verify::verify(&root, keys, &digest_allowance(&shape, policy.algorithms)) {
            Ok(verified) => {
                trace.push(algorithm_check(&shape));
                trace.push(enveloped_check(via));
                signed = Some(Signed { key: verified.key });
                verified.root
            }
            Err(error) => return Err(trace.refuse(RefusalClass::NotTrusted, signature_check(&error, keys.is_empty()))),
        },
        Err(error) => return Err(trace.refuse(RefusalClass::NotTrusted, signature_check(&error, keys.is_empty()))),
    };

    match (signed, policy.require_signature) {
        (Some(_), _) => trace.push(Check::passed(&spec::SIGNATURE_PRESENT, "signed")),
        (None, false) => trace.push(Check::passed(&spec::SIGNATURE_PRESENT, "not signed; this app need not sign its requests")),
        (None, true) => {
            let check = Check::failed(
                &spec::SIGNATURE_PRESENT,
                "The message is not signed, but this app's metadata or its settings say that it signs.",
                "Let the app sign its requests; or, where it cannot, remove AuthnRequestsSigned from its metadata and \
                 saml.require_signed_requests from its settings.",
            );
            return Err(trace.refuse(RefusalClass::NotTrusted, check));
        }
    }

    let message = match M::read(&root) {
        Ok(message) => message,
        Err(error) => return Err(trace.refuse(error.class(), error.check())),
    };
    trace.push(Check::passed(&spec::XML_SCHEMA, "elements in order, none missing"));
    // The keys were found by this name, so it must be the one that is now read from the verified bytes.
    if message.issuer().is_none_or(|read| read.value != issuer.as_str()) {
        let check = Check::failed(
            &spec::SIGNATURE_STRUCTURE,
            "The verified part of the message names another issuer than the message itself.",
            "This looks like a wrapping attack: treat it as one.",
        );
        return Err(trace.refuse(RefusalClass::NotTrusted, check));
    }
    Ok(Verified { message, issuer, relay_state, via, signed, trace, fingerprint })
}

/// Profiles 4.1.4.1: the Issuer is the entity ID of the sender.
fn read_issuer(root: &Element, trace: &mut Trace) -> Result<EntityId, Check> {
    const REMEDY: &str = "Set the app's entity ID (in many products \"Issuer\" or \"SP entity ID\").";
    let Some(element) = root.child(ns::SAML, "Issuer") else {
        return Err(Check::failed(&spec::ISSUER_PRESENT, "The message has no Issuer.", REMEDY));
    };
    let issuer = messages::read_issuer(element);
    let id = EntityId::parse(issuer.value.as_str())
        .map_err(|error| Check::failed(&spec::ISSUER_PRESENT, format!("The Issuer is no entity ID: {error}."), REMEDY))?;
    trace.push(match issuer.format.as_deref() {
        None | Some("" | name_id::ENTITY) => Check::passed(&spec::ISSUER_PRESENT, "present").seen(id.as_str()),
        Some(other) => Check::warned(
            &spec::ISSUER_PRESENT,
            format!("The Issuer has the format {}.", messages::shown(other)),
            "An Issuer has no Format, or that of an entity; it is read as an entity ID all the same.",
        )
        .seen(id.as_str()),
    });
    Ok(id)
}

fn xml_check(error: &XmlError) -> Check {
    match error {
        XmlError::NotWellFormed { .. } | XmlError::Encoding(_) => Check::failed(
            &spec::XML_SCHEMA,
            format!("The message is not XML that can be read: {error}."),
            "The message was damaged on its way or by the software that made it; compare it with what the app logged.",
        ),
        _ => Check::failed(
            &spec::XML_SAFE,
            format!("The message was not read on: {error}."),
            "SAML needs none of this, and attacks do; no honest SP sends it.",
        ),
    }
}

/// A Reference whose digest is SHA-1 under a signature by SHA-2 is let through with a warning.
///
/// Some toolkits still write it by default. Forging one needs a second message with the digest of a given one, which nobody
/// can find; SHA-1 is broken where the attacker makes both, and the SP signs only what it makes itself.
fn digest_allowance(shape: &SignatureShape, policy: SignaturePolicy) -> SignaturePolicy {
    let only_the_digest = shape.digest == Hash::Sha1 && shape.algorithm.hash() != Hash::Sha1;
    SignaturePolicy { allow_sha1: policy.allow_sha1 || only_the_digest, ..policy }
}

fn algorithm_check(shape: &SignatureShape) -> Check {
    if shape.digest == Hash::Sha1 || shape.algorithm.hash() == Hash::Sha1 {
        Check::warned(
            &spec::SIGNATURE_ALGORITHM,
            format!("{}, and the digest of the reference is {:?}", shape.algorithm, shape.digest),
            "Let the app use SHA-256 for both: \"signature algorithm\" and \"digest algorithm\" are often two settings.",
        )
    } else {
        Check::passed(&spec::SIGNATURE_ALGORITHM, shape.algorithm.to_string())
    }
}

fn enveloped_check(via: Via) -> Check {
    match via {
        Via::Post => Check::passed(&spec::SIGNATURE_VERIFIES, "signed inside the XML, over the whole message"),
        Via::Redirect => Check::warned(
            &spec::SIGNATURE_VERIFIES,
            "The XML is signed inside although it came by HTTP-Redirect; the signature holds.",
            "By HTTP-Redirect the signature belongs into the query (Bindings 3.4.4.1), where it also covers RelayState.",
        ),
    }
}

fn signature_check(error: &SignatureError, no_keys: bool) -> Check {
    let detail = error.to_string();
    match error {
        SignatureError::Structure(_) => Check::failed(
            &spec::SIGNATURE_STRUCTURE,
            detail,
            "Sign the whole message once, with one Reference to its ID, by the enveloped and exclusive-c14n transforms.",
        ),
        SignatureError::UnknownAlgorithm(_) | SignatureError::WeakAlgorithm(_) | SignatureError::WeakKey { .. } => Check::failed(
            &spec::SIGNATURE_ALGORITHM,
            detail,
            "Let the app sign by RSA-SHA256 with a key of 2048 bits or more. Where it cannot, saml.allow_sha1 or saml.allow_weak_keys \
             lets this one app.",
        ),
        SignatureError::NoFittingKey { .. } => Check::failed(
            &spec::SIGNATURE_KEYS,
            if no_keys { "The message is signed, but the app's metadata has no signing key.".to_owned() } else { detail },
            "Import the app's metadata again, with the certificate that it signs with.",
        ),
        _ => Check::failed(
            &spec::SIGNATURE_VERIFIES,
            detail,
            "The app signs with another key than its metadata says, or the message was changed on its way. Import its metadata again, and \
             see whether a proxy re-encodes the query.",
        ),
    }
}

fn short_algorithm(uri: &str) -> String {
    messages::shown(uri.rsplit(['#', '/']).next().unwrap_or(uri))
}

/// Bindings 3.4.3: at most 80 bytes; real apps send more, so that is only said. It comes back exactly as it came.
fn relay_state_check(relay_state: &str) -> Result<Check, Check> {
    const PROMISED: usize = 80;
    const MOST: usize = 16 << 10;
    let length = relay_state.len();
    if length > MOST {
        return Err(Check::failed(
            &spec::RELAY_STATE_SIZE,
            format!("RelayState has {length} bytes."),
            format!("Keep the state in the app and send a short key for it; more than {MOST} bytes are not carried."),
        ));
    }
    Ok(if length > PROMISED {
        Check::warned(
            &spec::RELAY_STATE_SIZE,
            format!("RelayState has {length} bytes; it is returned as it came."),
            "The app is out of the specification here; other identity providers may cut it off.",
        )
    } else {
        Check::passed(&spec::RELAY_STATE_SIZE, format!("{length} bytes"))
    })
}
