//! Looks at received XML before samael does, and prints XML for people.
//!
//! The attack it stops: libxmlsec1 follows references and runs transforms before it has checked a signature, so any web
//! page could make an app fetch addresses, open files or burn time by posting a forged answer. Only the plain shape that
//! SAML allows goes on (Core 5.4): same-document references, two transforms, no objects.

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, Reader, Writer};

const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

const MOST_BYTES: usize = 256 << 10;
const MOST_DEPTH: usize = 64;

/// Elements of XML Signature that an answer may hold.
const DS_ELEMENTS: [&str; 14] = [
    "Signature",
    "SignedInfo",
    "CanonicalizationMethod",
    "SignatureMethod",
    "Reference",
    "Transforms",
    "Transform",
    "DigestMethod",
    "DigestValue",
    "SignatureValue",
    "KeyInfo",
    "KeyName",
    "X509Data",
    "X509Certificate",
];
/// Elements of XML Encryption that an answer may hold.
const XENC_ELEMENTS: [&str; 6] = ["EncryptedData", "EncryptedKey", "EncryptionMethod", "CipherData", "CipherValue", "OAEPparams"];

/// Why a document is not handed to samael.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("it is not base64")]
    NotBase64,
    #[error("it is larger than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("its elements are nested deeper than {MOST_DEPTH}")]
    TooDeep,
    #[error("it is not well-formed XML: {0}")]
    NotWellFormed(String),
    #[error("it has a {0}, which no SAML answer needs")]
    Forbidden(&'static str),
    #[error("its root element is not {0}")]
    WrongRoot(&'static str),
    #[error("its signature is not of the shape that SAML allows: {0}")]
    SignatureShape(String),
}

/// What stands in an answer, read without trusting any of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub in_response_to: Option<String>,
    pub destination: Option<String>,
    /// The issuer of the root element.
    pub issuer: Option<String>,
    /// The status code and the ones nested in it.
    pub status: Vec<String>,
    pub status_message: Option<String>,
    /// The local name of each signed element and its signature algorithm.
    pub signatures: Vec<(String, String)>,
    pub encrypted: Option<Encrypted>,
}

/// An encrypted assertion as it travels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encrypted {
    pub key_method: String,
    pub key: String,
    pub data_method: String,
    pub data: String,
}

/// The root elements that are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    Response,
    Assertion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Protocol,
    Assertion,
    Signature,
    Encryption,
    Other,
}

struct Open {
    space: Space,
    local: String,
}

/// Checks the shape of a document and reads the facts.
pub fn inspect(xml: &str, root: Root) -> Result<Facts, DocumentError> {
    if xml.len() > MOST_BYTES {
        return Err(DocumentError::TooLarge);
    }
    let malformed = |error: &dyn std::fmt::Display| DocumentError::NotWellFormed(error.to_string());
    let mut reader = NsReader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut facts = Facts::default();
    let mut path: Vec<Open> = Vec::new();
    let mut text = String::new();
    let mut seen_root = false;
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|e| malformed(&e))?;
        let space = space_of(&resolved);
        match event {
            Event::Start(tag) | Event::Empty(tag) if seen_root && path.is_empty() => {
                return Err(DocumentError::NotWellFormed(format!("<{}> follows the root element", local_of(&tag))));
            }
            Event::Start(tag) => {
                open(&mut facts, &mut path, space, &tag, root)?;
                seen_root = true;
                text.clear();
            }
            Event::Empty(tag) => {
                open(&mut facts, &mut path, space, &tag, root)?;
                seen_root = true;
                path.pop();
            }
            Event::End(_) => {
                close(&mut facts, &path, text.trim());
                text.clear();
                path.pop();
            }
            Event::Text(part) => text.push_str(&part.xml10_content().map_err(|e| malformed(&e))?),
            Event::CData(part) => text.push_str(&part.xml10_content().map_err(|e| malformed(&e))?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(|e| malformed(&e))? {
                Some(c) => text.push(c),
                None => {
                    let name = reference.decode().map_err(|e| malformed(&e))?;
                    text.push_str(resolve_xml_entity(&name).ok_or(DocumentError::Forbidden("reference to an entity"))?);
                }
            },
            Event::Comment(_) => return Err(DocumentError::Forbidden("comment")),
            Event::DocType(_) => return Err(DocumentError::Forbidden("document type declaration")),
            Event::PI(_) => return Err(DocumentError::Forbidden("processing instruction")),
            Event::Decl(_) => {}
            Event::Eof => break,
        }
    }
    match (seen_root, path.is_empty()) {
        (true, true) => Ok(facts),
        _ => Err(DocumentError::NotWellFormed("it ends too early".to_owned())),
    }
}

fn open(facts: &mut Facts, path: &mut Vec<Open>, space: Space, tag: &BytesStart, root: Root) -> Result<(), DocumentError> {
    let local = local_of(tag);
    if path.len() >= MOST_DEPTH {
        return Err(DocumentError::TooDeep);
    }
    if path.is_empty() {
        match (root, space, local.as_str()) {
            (Root::Response, Space::Protocol, "Response") | (Root::Assertion, Space::Assertion, "Assertion") => {}
            (Root::Response, ..) => return Err(DocumentError::WrongRoot("a SAML Response")),
            (Root::Assertion, ..) => return Err(DocumentError::WrongRoot("a SAML Assertion")),
        }
        facts.in_response_to = attribute(tag, "InResponseTo")?;
        facts.destination = attribute(tag, "Destination")?;
    }
    match space {
        Space::Signature => signature_shape(tag, &local)?,
        Space::Encryption if !XENC_ELEMENTS.contains(&local.as_str()) => {
            return Err(DocumentError::SignatureShape(format!("xenc:{local} is not needed")));
        }
        _ => {}
    }
    let inside = |name: &str| path.iter().any(|open| open.space == Space::Encryption && open.local == name);
    match (space, local.as_str()) {
        (Space::Protocol, "StatusCode") => facts.status.extend(attribute(tag, "Value")?),
        (Space::Signature, "SignatureMethod") => {
            let signed = path.iter().rev().find(|open| open.space != Space::Signature).map(|open| open.local.clone());
            facts.signatures.push((signed.unwrap_or_default(), attribute(tag, "Algorithm")?.unwrap_or_default()));
        }
        (Space::Encryption, "EncryptionMethod") if in_encrypted_assertion(path) => {
            let method = attribute(tag, "Algorithm")?.unwrap_or_default();
            let encrypted = facts.encrypted.get_or_insert_default();
            if inside("EncryptedKey") { encrypted.key_method = method } else { encrypted.data_method = method }
        }
        _ => {}
    }
    path.push(Open { space, local });
    Ok(())
}

fn close(facts: &mut Facts, path: &[Open], text: &str) {
    let Some(closing) = path.last() else { return };
    match (closing.space, closing.local.as_str()) {
        (Space::Assertion, "Issuer") if path.len() == 2 => facts.issuer = Some(text.to_owned()),
        (Space::Protocol, "StatusMessage") => facts.status_message = Some(text.to_owned()),
        (Space::Encryption, "CipherValue") if in_encrypted_assertion(path) => {
            let value = text.split_ascii_whitespace().collect();
            let in_key = path.iter().any(|open| open.space == Space::Encryption && open.local == "EncryptedKey");
            let encrypted = facts.encrypted.get_or_insert_default();
            if in_key { encrypted.key = value } else { encrypted.data = value }
        }
        _ => {}
    }
}

/// A NameID may be encrypted too, and is none of ours.
fn in_encrypted_assertion(path: &[Open]) -> bool {
    path.iter().any(|open| open.space == Space::Assertion && open.local == "EncryptedAssertion")
}

fn signature_shape(tag: &BytesStart, local: &str) -> Result<(), DocumentError> {
    let shape = |what: String| Err(DocumentError::SignatureShape(what));
    if !DS_ELEMENTS.contains(&local) {
        return shape(format!("ds:{local} is not needed"));
    }
    match local {
        "Reference" => match attribute(tag, "URI")? {
            Some(uri) if uri.len() > 1 && uri.starts_with('#') && !uri.contains('(') => Ok(()),
            Some(uri) => shape(format!("it refers to “{uri}”, not to an element of the answer")),
            None => shape("its reference has no URI".to_owned()),
        },
        "Transform" | "CanonicalizationMethod" => match attribute(tag, "Algorithm")?.as_deref() {
            Some(EXC_C14N) => Ok(()),
            Some(ENVELOPED) if local == "Transform" => Ok(()),
            other => shape(format!("it uses the transform “{}”", other.unwrap_or_default())),
        },
        _ => Ok(()),
    }
}

fn attribute(tag: &BytesStart, name: &str) -> Result<Option<String>, DocumentError> {
    let malformed = |error: &dyn std::fmt::Display| DocumentError::NotWellFormed(error.to_string());
    match tag.try_get_attribute(name).map_err(|e| malformed(&e))? {
        None => Ok(None),
        Some(attribute) => {
            let raw = std::str::from_utf8(&attribute.value).map_err(|e| malformed(&e))?;
            Ok(Some(quick_xml::escape::unescape(raw).map_err(|e| malformed(&e))?.into_owned()))
        }
    }
}

fn local_of(tag: &BytesStart) -> String {
    String::from_utf8_lossy(tag.local_name().as_ref()).into_owned()
}

fn space_of(resolved: &ResolveResult) -> Space {
    let ResolveResult::Bound(namespace) = resolved else { return Space::Other };
    match std::str::from_utf8(namespace.as_ref()) {
        Ok(SAMLP) => Space::Protocol,
        Ok(SAML) => Space::Assertion,
        Ok(DS) => Space::Signature,
        Ok(XENC) => Space::Encryption,
        _ => Space::Other,
    }
}

/// Prints XML with one element a line, for reading only: white space changes.
pub fn pretty(xml: &str) -> String {
    let mut reader = Reader::from_str(xml);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    loop {
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Text(text)) if text.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(Event::Decl(_)) => continue,
            Ok(event) => event,
            // What cannot be read is shown as it came.
            Err(_) => return xml.to_owned(),
        };
        if writer.write_event(event).is_err() {
            return xml.to_owned();
        }
    }
    String::from_utf8(writer.into_inner()).unwrap_or_else(|_| xml.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(inside: &str) -> String {
        format!(
            r##"<p:Response xmlns:p="{SAMLP}" xmlns:a="{SAML}" xmlns:ds="{DS}" InResponseTo="_q" Destination="d">{inside}</p:Response>"##
        )
    }

    #[test]
    fn status_codes_are_read_with_the_nested_one() {
        let xml = response(
            r#"<a:Issuer>i &amp; j</a:Issuer><p:Status><p:StatusCode Value="outer"><p:StatusCode Value="inner"/></p:StatusCode><p:StatusMessage>no</p:StatusMessage></p:Status>"#,
        );

        let facts = inspect(&xml, Root::Response).unwrap();
        assert_eq!(facts.status, ["outer", "inner"]);
        assert_eq!(facts.status_message.as_deref(), Some("no"));
        assert_eq!(facts.issuer.as_deref(), Some("i & j"));
        assert_eq!(facts.in_response_to.as_deref(), Some("_q"));
    }

    #[test]
    fn what_libxmlsec_would_fetch_or_run_is_refused() {
        for inside in [
            r#"<ds:Signature><ds:SignedInfo><ds:Reference URI="http://127.0.0.1:9/"/></ds:SignedInfo></ds:Signature>"#,
            r#"<ds:Signature><ds:SignedInfo><ds:Reference URI="file:///etc/passwd"/></ds:SignedInfo></ds:Signature>"#,
            r##"<ds:Signature><ds:SignedInfo><ds:Reference URI="#xpointer(/)"/></ds:SignedInfo></ds:Signature>"##,
            r#"<ds:Signature><ds:SignedInfo><ds:Reference URI=""/></ds:SignedInfo></ds:Signature>"#,
            r#"<ds:Signature><ds:SignedInfo><ds:Reference/></ds:SignedInfo></ds:Signature>"#,
            r#"<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>"#,
            r#"<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>"#,
            r#"<ds:Object/>"#,
            r#"<ds:RetrievalMethod URI="http://127.0.0.1:9/"/>"#,
        ] {
            assert!(matches!(inspect(&response(inside), Root::Response), Err(DocumentError::SignatureShape(_))), "{inside}");
        }
    }

    #[test]
    fn doctypes_comments_and_instructions_are_refused() {
        for (xml, what) in [
            (format!("<!DOCTYPE r>{}", response("")), "document type declaration"),
            (response("<!-- -->"), "comment"),
            (response("<?x y?>"), "processing instruction"),
            (response("&x;"), "reference to an entity"),
        ] {
            assert_eq!(inspect(&xml, Root::Response), Err(DocumentError::Forbidden(what)));
        }
    }

    #[test]
    fn only_one_whole_response_is_read() {
        assert!(matches!(inspect("<a/>", Root::Response), Err(DocumentError::WrongRoot(_))));
        assert!(matches!(inspect("", Root::Response), Err(DocumentError::NotWellFormed(_))));
        let twice = format!("{}{}", response(""), response(""));
        assert!(matches!(inspect(&twice, Root::Response), Err(DocumentError::NotWellFormed(_))));
        let cut = response("").replace("</p:Response>", "");
        assert!(matches!(inspect(&cut, Root::Response), Err(DocumentError::NotWellFormed(_))));
        let deep = response(&format!("{}{}", "<x>".repeat(100), "</x>".repeat(100)));
        assert_eq!(inspect(&deep, Root::Response), Err(DocumentError::TooDeep));
    }

    #[test]
    fn pretty_xml_has_one_element_a_line() {
        assert_eq!(pretty("<a><b>x &amp; y</b><c/></a>"), "<a>\n  <b>x &amp; y</b>\n  <c/>\n</a>");
    }
}
