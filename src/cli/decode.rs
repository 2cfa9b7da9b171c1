//! Finds the SAML message in whatever people paste: XML, base64, a redirect URL, a query string, form fields, a self-posting
//! page. Nothing is judged here; `saml explain` judges.

use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::{DeflateDecoder, ZlibDecoder};

use crate::saml::bindings::pasted::{json_fields, page_fields};
use crate::saml::xml::reader::{self, Limits};
use crate::saml::xml::tree::Element;

/// What an inflated message may have at most; a bomb stops there.
const LARGEST: u64 = Limits::METADATA.bytes;

/// A message with what stood around it.
#[derive(Debug)]
pub(super) struct Decoded {
    /// How it was wrapped, from the outside in: `query string`, `base64`, `DEFLATE`.
    pub steps: Vec<&'static str>,
    /// `SAMLRequest` or `SAMLResponse`, where a parameter named it.
    pub parameter: Option<String>,
    pub relay_state: Option<String>,
    /// `SigAlg` of the redirect binding.
    pub sig_alg: Option<String>,
    pub root: Element,
}

/// Unwraps an input.
///
/// # Errors
/// One sentence that says what is in the way.
pub(super) fn decode(input: &[u8]) -> Result<Decoded, String> {
    if input.starts_with(&[0xff, 0xfe]) || input.starts_with(&[0xfe, 0xff]) {
        return finish(input, Vec::new(), &[]);
    }
    let Ok(text) = std::str::from_utf8(input) else {
        return match looks_like_xml(input) {
            true => finish(input, Vec::new(), &[]),
            false => inflate(input, Vec::new(), &[]),
        };
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("the input is empty".to_owned());
    }
    if text.starts_with('<') {
        let fields = page_fields(text);
        return match has_message(&fields) {
            true => from_fields(fields, "self-posting page"),
            false => finish(text.as_bytes(), Vec::new(), &[]),
        };
    }
    if text.starts_with('{') {
        let fields = json_fields(text);
        return match has_message(&fields) {
            true => from_fields(fields, "form fields as JSON"),
            false => Err("the JSON has no member SAMLRequest or SAMLResponse".to_owned()),
        };
    }
    if text.contains("SAMLRequest=") || text.contains("SAMLResponse=") {
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        return match has_message(&fields) {
            true => from_fields(fields, if text.contains("://") { "URL" } else { "query string" }),
            false => Err("the parameter SAMLRequest or SAMLResponse is empty".to_owned()),
        };
    }
    from_value(text, Vec::new(), &[])
}

fn has_message(fields: &[(String, String)]) -> bool {
    fields.iter().any(|(name, value)| matches!(name.as_str(), "SAMLRequest" | "SAMLResponse") && !value.is_empty())
}

fn from_fields(fields: Vec<(String, String)>, step: &'static str) -> Result<Decoded, String> {
    let message = fields.iter().find(|(name, _)| matches!(name.as_str(), "SAMLRequest" | "SAMLResponse"));
    let value = message.map_or("", |(_, value)| value.as_str()).to_owned();
    from_value(&value, vec![step], &fields)
}

/// Base64, perhaps still percent-encoded; a space was a `+` that somebody decoded.
fn from_value(value: &str, mut steps: Vec<&'static str>, fields: &[(String, String)]) -> Result<Decoded, String> {
    let plain = if value.contains('%') {
        steps.push("percent-encoding");
        url::form_urlencoded::parse(format!("v={}", value.replace('+', "%2B")).as_bytes())
            .next()
            .map_or_else(String::new, |(_, v)| v.into_owned())
    } else {
        value.to_owned()
    };
    let in_lines = plain.contains(['\r', '\n', '\t']);
    let packed: String =
        plain.chars().filter(|c| !c.is_ascii_whitespace() || (*c == ' ' && !in_lines)).map(|c| if c == ' ' { '+' } else { c }).collect();
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    let is_url_safe = packed.contains(['-', '_']);
    let alphabet = if is_url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let bytes = GeneralPurpose::new(alphabet, config)
        .decode(&packed)
        .map_err(|error| format!("this is neither XML nor base64 nor a URL with SAMLRequest or SAMLResponse ({error})"))?;
    steps.push("base64");
    if looks_like_xml(&bytes) { finish(&bytes, steps, fields) } else { inflate(&bytes, steps, fields) }
}

fn inflate(bytes: &[u8], mut steps: Vec<&'static str>, fields: &[(String, String)]) -> Result<Decoded, String> {
    let take = |source: &mut dyn std::io::Read| {
        let mut out = Vec::new();
        let read = source.take(LARGEST + 1).read_to_end(&mut out);
        (read.is_ok() && looks_like_xml(&out)).then_some(out)
    };
    let found = take(&mut DeflateDecoder::new(bytes)).map(|xml| (xml, "DEFLATE"));
    let found = found.or_else(|| take(&mut ZlibDecoder::new(bytes)).map(|xml| (xml, "zlib, which SAML does not know")));
    let Some((xml, step)) = found else {
        return Err("the decoded bytes are neither XML nor compressed XML; was a part cut off, or is it encrypted?".to_owned());
    };
    if xml.len() as u64 > LARGEST {
        return Err(format!("the message inflates to more than {LARGEST} bytes"));
    }
    steps.push(step);
    finish(&xml, steps, fields)
}

fn finish(xml: &[u8], steps: Vec<&'static str>, fields: &[(String, String)]) -> Result<Decoded, String> {
    let root = reader::parse(xml, &Limits::METADATA).map_err(|error| error.to_string())?;
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let parameter = fields.iter().map(|(name, _)| name).find(|name| matches!(name.as_str(), "SAMLRequest" | "SAMLResponse")).cloned();
    Ok(Decoded { steps, parameter, relay_state: field("RelayState"), sig_alg: field("SigAlg"), root })
}

fn looks_like_xml(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const XML: &str = r#"<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1"/>"#;

    fn base64(bytes: &[u8]) -> String {
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    fn deflated(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn percent(text: &str) -> String {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }

    #[test]
    fn a_message_is_found_in_every_wrapping() {
        let post = base64(XML.as_bytes());
        let redirect = percent(&base64(&deflated(XML)));
        let wrapped: String = post.as_bytes().chunks(20).map(|line| std::str::from_utf8(line).unwrap().to_owned() + "\r\n").collect();
        for (input, steps) in [
            (XML.to_owned(), vec![]),
            (format!("\u{feff}  {XML}\n"), vec![]),
            (post.clone(), vec!["base64"]),
            (post.trim_end_matches('=').to_owned(), vec!["base64"]),
            (wrapped, vec!["base64"]),
            (base64(&deflated(XML)), vec!["base64", "DEFLATE"]),
            (redirect.clone(), vec!["percent-encoding", "base64", "DEFLATE"]),
            (format!("SAMLRequest={redirect}&RelayState=r"), vec!["query string", "base64", "DEFLATE"]),
            (format!("https://id/saml/sso?RelayState=r&SAMLRequest={redirect}#x"), vec!["URL", "base64", "DEFLATE"]),
            (format!("RelayState=r&SAMLResponse={}", percent(&post)), vec!["query string", "base64"]),
            (format!("{{\"SAMLRequest\": \"{post}\", \"RelayState\": \"r\"}}"), vec!["form fields as JSON", "base64"]),
            (
                format!(
                    "<!DOCTYPE html><html><FORM><input type=hidden name='SAMLRequest' value=\"{}\"/></FORM>",
                    post.replace('=', "&#x3D;")
                ),
                vec!["self-posting page", "base64"],
            ),
        ] {
            let decoded = decode(input.as_bytes()).unwrap_or_else(|error| panic!("{input}: {error}"));
            assert_eq!(
                decoded.steps,
                steps.iter().filter(|step| *step != &"percent-encoding" || !input.contains("SAML")).copied().collect::<Vec<_>>()
            );
            assert_eq!(decoded.root.local, "AuthnRequest");
        }
    }

    #[test]
    fn what_stands_beside_the_message_is_kept() {
        let input = format!("SAMLRequest={}&RelayState=a%26b&SigAlg=urn%3Aalg&Signature=x", percent(&base64(&deflated(XML))));
        let decoded = decode(input.as_bytes()).unwrap();
        assert_eq!(decoded.parameter.as_deref(), Some("SAMLRequest"));
        assert_eq!(decoded.relay_state.as_deref(), Some("a&b"));
        assert_eq!(decoded.sig_alg.as_deref(), Some("urn:alg"));
    }

    #[test]
    fn what_holds_no_message_is_refused_in_a_sentence() {
        let bomb = base64(&deflated(&format!("<{}", " ".repeat(11 << 20))));
        for (input, part) in [
            ("", "empty"),
            ("hello world!", "neither XML nor base64"),
            ("aGVsbG8gd29ybGQ=", "neither XML nor compressed XML"),
            ("{}", "no member SAMLRequest"),
            ("SAMLRequest=", "is empty"),
            ("<a", "not well-formed"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "DOCTYPE"),
            (&bomb, "more than"),
        ] {
            let error = decode(input.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    /// Every request of the corpus, in whatever form it stands there, where the corpus is present.
    #[test]
    fn the_requests_of_the_corpus_are_decoded() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/requests");
        let Ok(files) = std::fs::read_dir(&folder) else {
            println!("skipped: {} is not there", folder.display());
            return;
        };
        for file in files.map(|file| file.unwrap().path()) {
            let decoded = decode(&std::fs::read(&file).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let name = decoded.root.local.as_str();
            assert!(matches!(name, "AuthnRequest" | "LogoutRequest" | "Envelope"), "{}: {name}", file.display());
        }
    }
}
