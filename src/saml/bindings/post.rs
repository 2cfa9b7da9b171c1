//! HTTP-POST (Bindings 3.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::check::{Check, Refusal, RefusalClass, Trace};
use crate::saml::bindings::encoding::{Inflated, decode_base64, inflate};
use crate::saml::bindings::redirect::response_instead;
use crate::saml::bindings::{Received, Via, relay_state_check};
use crate::saml::messages::Message;
use crate::saml::spec;

/// Reads a request from the decoded fields of a form.
///
/// # Errors
/// A refusal of class `MessageBroken` that says what is wrong with the form, its encoding or its XML.
pub fn decode<M: Message>(fields: &[(String, String)]) -> Result<Received<M>, Refusal> {
    let mut trace = Trace::default();
    match read(fields, &mut trace) {
        Ok((xml, relay_state)) => Received::read(xml, Via::Post, None, relay_state, trace),
        Err(check) => Err(trace.refuse(RefusalClass::MessageBroken, check)),
    }
}

/// Reads a request from bare XML, as if it had been posted: for messages that people paste.
///
/// # Errors
/// As `decode`.
pub fn read_document<M: Message>(xml: &[u8], relay_state: Option<String>) -> Result<Received<M>, Refusal> {
    Received::read(xml.to_vec(), Via::Post, None, relay_state, Trace::default())
}

/// The value of the SAMLResponse field.
pub fn encode(xml: &[u8]) -> String {
    STANDARD.encode(xml)
}

fn read(fields: &[(String, String)], trace: &mut Trace) -> Result<(Vec<u8>, Option<String>), Check> {
    let request = match (field(fields, "SAMLRequest")?, field(fields, "SAMLResponse")?) {
        (Some(request), None) => request,
        (None, Some(_)) => return Err(response_instead()),
        (Some(_), Some(_)) => {
            return Err(Check::failed(&spec::PARAMETERS, "The form has both SAMLRequest and SAMLResponse.", "Send one message at a time."));
        }
        (None, None) => {
            return Err(Check::failed(
                &spec::PARAMETERS,
                "The form has no SAMLRequest.",
                "Post the message as application/x-www-form-urlencoded with a field SAMLRequest.",
            ));
        }
    };
    // A signature that is there is checked or refused, never passed over.
    if field(fields, "Signature")?.is_some() || field(fields, "SigAlg")?.is_some() {
        return Err(Check::failed(
            &spec::PARAMETERS,
            "The form has a Signature beside the message, as HTTP-POST-SimpleSign does.",
            "Sign inside the XML for HTTP-POST, or use HTTP-Redirect.",
        ));
    }
    trace.push(Check::passed(&spec::PARAMETERS, "each field once"));
    let xml = decode_message(request, trace)?;
    let relay_state = field(fields, "RelayState")?;
    if let Some(relay_state) = relay_state {
        trace.push(relay_state_check(relay_state)?);
    }
    Ok((xml, relay_state.map(str::to_owned)))
}

fn field<'f>(fields: &'f [(String, String)], name: &str) -> Result<Option<&'f str>, Check> {
    let mut values = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = values.next();
    if values.next().is_some() {
        return Err(Check::failed(
            &spec::PARAMETERS,
            format!("{name} stands in the form more than once."),
            "The app, or something between it and us, put the field in twice; one of them could be a forgery.",
        ));
    }
    Ok(first)
}

fn decode_message(request: &str, trace: &mut Trace) -> Result<Vec<u8>, Check> {
    let failed = |detail: String, remedy: &'static str| Check::failed(&spec::POST_DECODED, detail, remedy);
    let bytes = decode_base64(request).map_err(|error| {
        if request.trim_start().starts_with('<') {
            failed("SAMLRequest is bare XML.".to_owned(), "Encode the XML in base64.")
        } else if request.trim().contains(' ') {
            failed(
                format!("SAMLRequest is not base64: {error}; it has blanks where \"+\" may have stood."),
                "A proxy or the app rewrote the form: encode \"+\" as %2B.",
            )
        } else {
            failed(format!("SAMLRequest is not base64: {error}."), "The form was cut off or changed on its way.")
        }
    })?;
    // XML begins with "<", perhaps after white space, or with a byte-order mark, or is UTF-16 without one.
    let is_xml =
        matches!(bytes.trim_ascii_start(), [b'<', ..] | [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'<', ..]);
    if !is_xml && let Inflated::Whole(xml) = inflate(&bytes) {
        trace.push(Check::warned(
            &spec::POST_DECODED,
            format!("deflated-post: {} characters → {} bytes of XML, compressed as only HTTP-Redirect does", request.len(), xml.len()),
            "Post the XML in base64 without compressing it; it is read all the same.",
        ));
        return Ok(xml);
    }
    trace.push(Check::passed(&spec::POST_DECODED, format!("{} characters → {} bytes", request.len(), bytes.len())));
    Ok(bytes)
}

#[cfg(test)]
mod tests;
