//! What people upload instead of metadata, told in words.

use std::io::{self, Read};

use crate::saml::metadata::refusal::{MetadataRefusal, shorten};
use crate::saml::names::ns;
use crate::saml::xml::reader::XmlError;
use crate::saml::xml::tree::Element;

pub(super) const EXPORT: &str =
    "Export the SAML metadata from the app again; it is an XML document whose first element is EntityDescriptor.";

/// The first bytes of a stream, and the rest of it.
pub(super) fn head<R: Read>(mut source: R) -> Result<(Vec<u8>, R), MetadataRefusal> {
    let mut head = Vec::with_capacity(1_024);
    let mut chunk = [0; 1_024];
    while head.len() < 1_024 {
        let want = 1_024 - head.len();
        match source.read(chunk.get_mut(..want).unwrap_or_default()) {
            Ok(0) => break,
            Ok(n) => head.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(XmlError::Io(error.to_string()).into()),
        }
    }
    Ok((head, source))
}

/// Says so if the beginning of a document is not that of an XML document.
pub(super) fn not_xml(head: &[u8]) -> Option<MetadataRefusal> {
    // UTF-16 has a zero byte in each of its first characters; the reader knows what to do.
    if head.iter().take(4).any(|byte| *byte == 0 || *byte >= 0xfe) {
        return None;
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.get(..text.floor_char_boundary(512)).unwrap_or_default().to_ascii_lowercase();
    if text.is_empty() {
        return Some(MetadataRefusal::not_metadata("The document is empty.", EXPORT));
    }
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") || after_prolog(&lower).starts_with("<!doctype html") {
        return Some(web_page());
    }
    if text.starts_with('{') || text.starts_with('[') {
        return Some(MetadataRefusal::not_metadata("This is JSON, not SAML metadata.", EXPORT));
    }
    if text.starts_with("-----BEGIN") {
        let remedy = "The metadata holds the certificate already: import the metadata alone. To pin who signed it, give the certificate as the signer.";
        return Some(MetadataRefusal::not_metadata("This is a certificate or key (PEM), not SAML metadata.", remedy));
    }
    if !text.starts_with('<') {
        let start: String = text.chars().take(40).collect();
        return Some(MetadataRefusal::not_metadata("This is not XML, so it is not SAML metadata.", EXPORT).seen(&start));
    }
    None
}

/// What follows an XML declaration and comments.
fn after_prolog(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<?xml") {
            rest.split_once("?>")
        } else if rest.starts_with("<!--") {
            rest.split_once("-->")
        } else {
            return rest;
        };
        match end {
            Some((_, after)) => rest = after,
            None => return rest,
        }
    }
}

fn web_page() -> MetadataRefusal {
    MetadataRefusal::not_metadata(
        "This is a web page, not metadata. Did the URL need a login?",
        "Open the address in a browser and sign in there; then download the metadata and import the file.",
    )
}

/// Checks the root's name; returns whether it is a single EntityDescriptor.
pub(super) fn check_root(root: &Element) -> Result<bool, MetadataRefusal> {
    let metadata = root.namespace.as_deref() == Some(ns::MD);
    match (metadata, root.local.as_str()) {
        (true, "EntityDescriptor") => return Ok(true),
        (true, "EntitiesDescriptor") => return Ok(false),
        _ => {}
    }
    let name = if root.prefix.is_empty() { root.local.clone() } else { format!("{}:{}", root.prefix, root.local) };
    let name = shorten(&name);
    if root.local.eq_ignore_ascii_case("html") {
        return Err(web_page());
    }
    if matches!(root.namespace.as_deref(), Some(ns::SAMLP | ns::SAML)) {
        let detail = format!("This is a SAML message ({name}), not metadata.");
        return Err(MetadataRefusal::not_metadata(detail, EXPORT).seen(&name));
    }
    if matches!(root.local.as_str(), "EntityDescriptor" | "EntitiesDescriptor") {
        let (detail, seen) = match root.namespace.as_deref() {
            None => {
                (format!("{name} is in no namespace, so it is not SAML metadata although it looks like it."), "no namespace".to_owned())
            }
            Some(other) => {
                let other = shorten(other);
                (format!("{name} is in the namespace \"{other}\", not in that of SAML 2.0 metadata."), other)
            }
        };
        let remedy = format!("Declare the namespace on the first element: xmlns=\"{}\", or with the prefix that the elements use.", ns::MD);
        return Err(MetadataRefusal::not_metadata(detail, remedy).seen(&seen).allowed(&[ns::MD]));
    }
    let detail = format!("The first element is {name}; SAML metadata begins with EntityDescriptor.");
    Err(MetadataRefusal::not_metadata(detail, EXPORT).seen(&name).allowed(&["EntityDescriptor", "EntitiesDescriptor"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::metadata::aggregate::Entities;
    use crate::saml::xml::reader::Limits;

    fn refused(document: &'static str) -> MetadataRefusal {
        Entities::new(document.as_bytes(), Limits::METADATA).err().expect(document)
    }

    #[test]
    fn what_is_uploaded_instead_is_named() {
        for (document, code, words) in [
            ("<!DOCTYPE html><html></html>", "not-metadata", "web page"),
            ("<?xml version='1.0'?>\n<!-- x --><!DOCTYPE html PUBLIC 'a' 'b'><html/>", "not-metadata", "web page"),
            ("<html xmlns='http://www.w3.org/1999/xhtml'/>", "not-metadata", "web page"),
            ("\u{feff}", "not-metadata", "empty"),
            ("{\"issuer\": \"x\"}", "not-metadata", "JSON"),
            ("-----BEGIN CERTIFICATE-----", "not-metadata", "certificate"),
            ("hello", "not-metadata", "not XML"),
            ("<rss/>", "not-metadata", "first element is rss"),
            ("<EntityDescriptor/>", "not-metadata", "no namespace"),
            ("<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata '/>", "not-metadata", "in the namespace"),
            ("<EntityDescriptor2 xmlns='urn:oasis:names:tc:SAML:2.0:metadata'/>", "not-metadata", "EntityDescriptor2"),
            ("<AuthnRequest xmlns='urn:oasis:names:tc:SAML:2.0:protocol'/>", "not-metadata", "SAML message"),
            ("<!DOCTYPE EntityDescriptor><EntityDescriptor/>", "doctype", "DOCTYPE"),
            ("<a", "not-well-formed", "line 1"),
            ("<?xml version='1.0'?><?x y?><a/>", "not-well-formed", "processing instruction"),
        ] {
            let refusal = refused(document);
            assert_eq!(refusal.code, code, "{document}");
            assert!(refusal.sentence().contains(words), "{document}: {}", refusal.sentence());
            assert!(!refusal.remedy().is_empty(), "{document}");
        }
    }
}
