//! Messages that people paste to have them explained: they are judged as if they had arrived that way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::check::Refusal;
use crate::saml::bindings::encoding::percent_decode;
use crate::saml::bindings::{Received, post, redirect};
use crate::saml::messages::Message;

/// How a pasted message would have arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pasted {
    /// By HTTP-Redirect: the raw query.
    Query(String),
    /// By HTTP-POST: the fields of the form.
    Form(Vec<(String, String)>),
}

/// Recognises XML, an address or its query, the fields of a form (URL-encoded, as JSON, or the page that posts them), or the
/// bare value of SAMLRequest.
pub fn recognise(pasted: &[u8]) -> Pasted {
    let Ok(text) = std::str::from_utf8(pasted) else { return document(pasted) };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') {
        return match page_fields(text) {
            fields if fields.is_empty() => document(text.as_bytes()),
            fields => Pasted::Form(fields),
        };
    }
    if text.starts_with('{') {
        return Pasted::Form(json_fields(text));
    }
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    if query.split('&').any(|part| part.starts_with("SAMLRequest=") || part.starts_with("SAMLResponse=")) {
        let query = query.split('#').next().unwrap_or(query).to_owned();
        return match url_encoded_xml(&query) {
            Some(fields) => Pasted::Form(fields),
            None => Pasted::Query(query),
        };
    }
    Pasted::Form(vec![("SAMLRequest".to_owned(), text.to_owned())])
}

impl Pasted {
    /// Reads the message as the binding does by which it would have come.
    ///
    /// # Errors
    /// As the binding's own `decode`.
    pub fn decode<M: Message>(&self) -> Result<Received<M>, Refusal> {
        match self {
            Self::Query(query) => redirect::decode(query),
            Self::Form(fields) => post::decode(fields),
        }
    }
}

fn document(xml: &[u8]) -> Pasted {
    Pasted::Form(vec![("SAMLRequest".to_owned(), STANDARD.encode(xml))])
}

/// The body of a form looks like a query, but its message is XML and not compressed.
fn url_encoded_xml(query: &str) -> Option<Vec<(String, String)>> {
    let fields: Vec<(String, String)> = query
        .split('&')
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let decoded = percent_decode(&value.replace('+', " ")).and_then(|bytes| String::from_utf8(bytes).ok());
            (name.to_owned(), decoded.unwrap_or_else(|| value.to_owned()))
        })
        .collect();
    let (_, message) = fields.iter().find(|(name, _)| name == "SAMLRequest")?;
    // "PD" and "PH" are how base64 of "<?" and "<s" begins.
    message.starts_with('P').then_some(fields)
}

fn json_fields(text: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else { return Vec::new() };
    object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

/// The hidden fields of a page that posts itself; nothing where the text is no such page.
fn page_fields(text: &str) -> Vec<(String, String)> {
    let names = ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"];
    let inputs = text.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
    let fields = inputs.filter_map(|tag| {
        let name = attribute(tag, "name")?;
        let known = names.into_iter().find(|known| *known == name)?;
        Some((known.to_owned(), attribute(tag, "value").unwrap_or_default()))
    });
    fields.collect()
}

/// The value of an attribute of a tag, references resolved.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let after = tag.match_indices(name).find_map(|(at, _)| {
        let stands_alone = tag.get(..at)?.ends_with(|c: char| c.is_ascii_whitespace());
        tag.get(at + name.len()..)?.trim_start().strip_prefix('=').filter(|_| stands_alone)
    })?;
    let after = after.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = after.get(1..)?.split(quote).next()?;
    Some(
        value
            .replace("&#43;", "+")
            .replace("&#x2B;", "+")
            .replace("&#x3D;", "=")
            .replace("&#61;", "=")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixtures::{percent, query, request, signed_query, sp_key};
    use crate::saml::messages::authn_request::AuthnRequest;

    fn issuer(pasted: &str) -> String {
        recognise(pasted.as_bytes()).decode::<AuthnRequest>().ok().unwrap().issuer().to_string()
    }

    #[test]
    fn every_form_that_people_paste_is_recognised() {
        let xml = request("", "");
        let encoded = STANDARD.encode(&xml);
        let signed = signed_query(xml.as_bytes(), Some("a"), sp_key());

        for pasted in [
            xml.clone(),
            format!("\u{feff}\n<?xml version=\"1.0\"?>\n{xml}"),
            encoded.clone(),
            signed.clone(),
            format!("https://id.example.com/saml/sso?{signed}#top"),
            format!("RelayState=x&{}", query(xml.as_bytes(), None)),
            format!("RelayState=a+b&SAMLRequest={}", percent(&encoded)),
            format!("{{\"SAMLRequest\": \"{encoded}\", \"RelayState\": \"x\"}}"),
            format!(
                "<html><form method='post'><input type=\"hidden\" name=\"SAMLRequest\" value=\"{}\"/></form></html>",
                encoded.replace('=', "&#x3D;")
            ),
        ] {
            assert_eq!(issuer(&pasted), "https://sp.example.org/saml", "{pasted}");
        }
    }

    #[test]
    fn a_pasted_address_is_judged_with_its_signature() {
        let signed = signed_query(request("", "").as_bytes(), Some("a"), sp_key());

        assert_eq!(recognise(format!("https://id.example.com/saml/sso?{signed}").as_bytes()), Pasted::Query(signed));
    }

    #[test]
    fn nonsense_is_refused_and_not_more() {
        for pasted in ["", "hello", "{", "<html></html>", "SAMLRequest=", "<input", "?"] {
            assert!(recognise(pasted.as_bytes()).decode::<AuthnRequest>().is_err(), "{pasted}");
        }
        assert!(recognise(&[0xff, 0x00]).decode::<AuthnRequest>().is_err());
    }
}
