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
        let fields = page_fields(text);
        let is_page = fields.iter().any(|(name, _)| matches!(name.as_str(), "SAMLRequest" | "SAMLResponse"));
        // Other fields of the form, as a button's, are not of the message.
        let fields = fields.into_iter().filter(|(name, _)| matches!(name.as_str(), "SAMLRequest" | "SAMLResponse" | "RelayState"));
        return if is_page { Pasted::Form(fields.collect()) } else { document(text.as_bytes()) };
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

/// The members of a JSON object that are texts; none where it is no object.
pub fn json_fields(text: &str) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else { return Vec::new() };
    object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

/// The `input` elements of a page, as a self-posting one has; none where the text is no page.
pub fn page_fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let lower = text.to_ascii_lowercase();
    for (at, _) in lower.match_indices("<input") {
        let Some(tag) = text.get(at + "<input".len()..) else { continue };
        let (mut name, mut value) = (None, None);
        let mut rest = tag;
        while let Some((key, content, after)) = html_attribute(rest) {
            match key.to_ascii_lowercase().as_str() {
                "name" => name = Some(html_text(content)),
                "value" => value = Some(html_text(content)),
                _ => {}
            }
            rest = after;
        }
        if let (Some(name), Some(value)) = (name, value) {
            fields.push((name, value));
        }
    }
    fields
}

/// The next attribute of a tag: its name, its value, what follows; `None` at the end of the tag.
fn html_attribute(tag: &str) -> Option<(&str, &str, &str)> {
    let tag = tag.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    let name_end = tag.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))?;
    if name_end == 0 {
        return None;
    }
    let (name, rest) = tag.split_at(name_end);
    let Some(value) = rest.trim_start().strip_prefix('=') else { return Some((name, "", rest)) };
    let value = value.trim_start();
    match value.chars().next()? {
        quote @ ('"' | '\'') => {
            let (content, after) = value.get(1..)?.split_once(quote)?;
            Some((name, content, after))
        }
        _ => {
            let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len());
            let (content, after) = value.split_at(end);
            Some((name, content, after))
        }
    }
}

/// Resolves the character references that pages use in such values.
fn html_text(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let resolved = after.split_once(';').and_then(|(name, tail)| Some((reference(name)?, tail)));
        match resolved {
            Some((c, tail)) => {
                out.push(c);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    let number = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        "plus" => return Some('+'),
        "equals" => return Some('='),
        _ => name.strip_prefix('#')?,
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
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
