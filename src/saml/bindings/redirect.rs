//! HTTP-Redirect (Bindings 3.4). Guarded.
//!
//! Attacks it stops: a signature that covers another encoding than the one that is read (the signed bytes are the raw values
//! as received, never re-encoded); duplicated parameters, of which one is verified and the other read; a signature without
//! its algorithm; DEFLATE bombs; encodings that are not DEFLATE.

use crate::model::check::{Check, Refusal, RefusalClass, Trace};
use crate::saml::bindings::encoding::{Inflated, decode_base64, inflate, percent_decode};
use crate::saml::bindings::{QuerySignature, Received, Via, relay_state_check};
use crate::saml::messages::{Message, shown};
use crate::saml::spec;

const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";

/// Reads a request from the raw query string: what stands after `?`, exactly as it arrived.
///
/// # Errors
/// A refusal of class `MessageBroken` that says what is wrong with the query, its encoding or its XML.
pub fn decode<M: Message>(query: &str) -> Result<Received<M>, Refusal> {
    let mut trace = Trace::default();
    match read(query, &mut trace) {
        Ok(Parts { xml, query_signature, relay_state }) => Received::read(xml, Via::Redirect, query_signature, relay_state, trace),
        Err(check) => Err(trace.refuse(RefusalClass::MessageBroken, check)),
    }
}

struct Parts {
    xml: Vec<u8>,
    query_signature: Option<QuerySignature>,
    relay_state: Option<String>,
}

/// The raw values of the parameters that the binding knows.
#[derive(Default)]
struct Parameters<'q> {
    request: Option<&'q str>,
    response: Option<&'q str>,
    relay_state: Option<&'q str>,
    sig_alg: Option<&'q str>,
    signature: Option<&'q str>,
    encoding: Option<&'q str>,
}

fn read(query: &str, trace: &mut Trace) -> Result<Parts, Check> {
    let raw = parameters(query)?;
    let request = match (raw.request, raw.response) {
        (Some(request), None) => request,
        (None, Some(_)) => return Err(response_instead()),
        (Some(_), Some(_)) => return Err(broken("The query has both SAMLRequest and SAMLResponse.", "Send one message at a time.")),
        (None, None) => {
            return Err(broken(
                "The query has no SAMLRequest.",
                "Open the app and sign in from there; this address is not meant to be opened by hand.",
            ));
        }
    };
    if let Some(encoding) = raw.encoding
        && text(encoding)? != DEFLATE
    {
        return Err(broken(format!("SAMLEncoding is \"{}\".", shown(encoding)), "Only DEFLATE is known; leave SAMLEncoding out."));
    }
    let query_signature = query_signature(&raw, request)?;
    trace.push(Check::passed(&spec::PARAMETERS, "each parameter once"));

    let xml = xml(request)?;
    trace.push(Check::passed(&spec::REDIRECT_DECODED, format!("{} characters → {} bytes of XML", request.len(), xml.len())));
    // A "+" stands for a blank here as it does in a form, which is how senders encode it.
    let relay_state = raw.relay_state.map(|value| text(&value.replace('+', " "))).transpose()?;
    if let Some(relay_state) = &relay_state {
        trace.push(relay_state_check(relay_state)?);
    }
    Ok(Parts { xml, query_signature, relay_state })
}

/// Takes the query apart without decoding a value.
fn parameters(query: &str) -> Result<Parameters<'_>, Check> {
    let mut found = Parameters::default();
    for part in query.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        // A name in disguise must not slip past the search for duplicates.
        let Ok(name) = String::from_utf8(percent_decode(name).unwrap_or_default()) else { continue };
        let slot = match name.as_str() {
            "SAMLRequest" => &mut found.request,
            "SAMLResponse" => &mut found.response,
            "RelayState" => &mut found.relay_state,
            "SigAlg" => &mut found.sig_alg,
            "Signature" => &mut found.signature,
            "SAMLEncoding" => &mut found.encoding,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err(broken(
                format!("{name} stands in the query more than once."),
                "The app, or something between it and us, put the parameter in twice; one of them could be a forgery.",
            ));
        }
    }
    Ok(found)
}

/// SAML Bindings 3.4.4.1: signed are SAMLRequest, RelayState (if there is one) and SigAlg in this order, as they were sent.
fn query_signature(raw: &Parameters<'_>, request: &str) -> Result<Option<QuerySignature>, Check> {
    let (algorithm, signature) = match (raw.sig_alg, raw.signature) {
        (None, None) => return Ok(None),
        (Some(algorithm), Some(signature)) => (algorithm, signature),
        (None, Some(_)) => return Err(broken("There is a Signature without SigAlg.", "Send the signature's algorithm as SigAlg.")),
        (Some(_), None) => {
            return Err(broken(
                "There is SigAlg without a Signature.",
                "Send the Signature, or leave SigAlg out of a request that is not signed.",
            ));
        }
    };
    let mut signed = Vec::with_capacity(request.len() + algorithm.len() + 64);
    signed.extend_from_slice(b"SAMLRequest=");
    signed.extend_from_slice(request.as_bytes());
    if let Some(relay_state) = raw.relay_state {
        signed.extend_from_slice(b"&RelayState=");
        signed.extend_from_slice(relay_state.as_bytes());
    }
    signed.extend_from_slice(b"&SigAlg=");
    signed.extend_from_slice(algorithm.as_bytes());
    // What is not base64 cannot verify; the empty signature says so in the right place.
    let signature = decode_base64(&text(signature)?).unwrap_or_default();
    Ok(Some(QuerySignature { algorithm: text(algorithm)?, signed, signature }))
}

fn xml(request: &str) -> Result<Vec<u8>, Check> {
    let failed = |detail: String, remedy: &'static str| Check::failed(&spec::REDIRECT_DECODED, detail, remedy);
    let packed = decode_base64(&text(request)?).map_err(|error| {
        failed(
            format!("SAMLRequest is not base64: {error}."),
            "The address was cut off or changed on its way; some proxies and mail programs do that.",
        )
    })?;
    match inflate(&packed) {
        Inflated::Whole(xml) => Ok(xml),
        Inflated::TooLarge => Err(failed(
            "SAMLRequest unpacks to more than a message may have.".to_owned(),
            "A request has a few kilobytes; this one looks like an attack.",
        )),
        Inflated::NotDeflate if packed.first() == Some(&b'<') => Err(failed(
            "SAMLRequest is plain base64, not compressed.".to_owned(),
            "Their side sent plain base64: compress with raw DEFLATE first (without zlib header), or use HTTP-POST.",
        )),
        Inflated::NotDeflate => Err(failed(
            "SAMLRequest is not DEFLATE-compressed.".to_owned(),
            "Compress with raw DEFLATE (without zlib or gzip header), then base64, then URL encoding; an address that was cut off looks the same.",
        )),
    }
}

/// A percent-decoded value that must be UTF-8.
fn text(raw: &str) -> Result<String, Check> {
    let bytes = percent_decode(raw)
        .ok_or_else(|| broken("A \"%\" in the query is not followed by two hexadecimal digits.", "Encode the query again."))?;
    String::from_utf8(bytes).map_err(|_| broken("A value in the query is not UTF-8.", "Encode the query in UTF-8."))
}

fn broken(detail: impl Into<std::borrow::Cow<'static, str>>, remedy: &'static str) -> Check {
    Check::failed(&spec::PARAMETERS, detail, remedy)
}

pub(super) fn response_instead() -> Check {
    Check::failed(
        &spec::MESSAGE_TYPE,
        "A SAMLResponse was sent to the address for requests.",
        "The app has mixed up our single sign-on address and its own assertion consumer service.",
    )
}

#[cfg(test)]
mod tests;
