//! Oddities of the XML itself: elements out of order, namespaces that are almost right.

use crate::model::sp::Finding;
use crate::saml::metadata::rules;
use crate::saml::names::ns;
use crate::saml::xml::tree::Element;

/// The children of SPSSODescriptor in the order of the schema (Metadata 2.4.1, 2.4.2, 2.4.4).
const ROLE_ORDER: &[&str] = &[
    "Signature",
    "Extensions",
    "KeyDescriptor",
    "Organization",
    "ContactPerson",
    "ArtifactResolutionService",
    "SingleLogoutService",
    "ManageNameIDService",
    "NameIDFormat",
    "AssertionConsumerService",
    "AttributeConsumingService",
];

/// Finds what other readers may trip over.
pub(super) fn judge(entity: &Element, role: &Element, findings: &mut Vec<Finding>) {
    let mut reached = 0;
    for child in role.elements() {
        let Some(rank) = ROLE_ORDER.iter().position(|name| *name == child.local) else { continue };
        if rank < reached {
            let value = format!("{} on line {} stands after {}", child.local, child.line, ROLE_ORDER.get(reached).unwrap_or(&""));
            findings.push(
                rules::ELEMENT_ORDER.about(&value, "Nothing to do here: the order does not matter to us, but other readers refuse it."),
            );
            break;
        }
        reached = rank;
    }

    let mut odd: Vec<String> = Vec::new();
    entity.walk(&mut |element| {
        for (prefix, uri) in &element.declarations {
            if let Some(meant) = almost_known(uri) {
                let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
                let value = format!("{name}=\"{uri}\" instead of \"{meant}\"");
                if odd.len() < 5 && !odd.contains(&value) {
                    odd.push(value);
                }
            }
        }
    });
    for value in odd {
        findings.push(rules::BAD_NAMESPACE.about(&value, "Ask the app's owner to correct it; what stands in that namespace is not read."));
    }
}

/// The namespace that was probably meant.
fn almost_known(uri: &str) -> Option<&'static str> {
    const KNOWN: &[&str] =
        &[ns::SAML, ns::SAMLP, ns::MD, ns::DS, ns::DSIG11, ns::XENC, ns::XENC11, ns::MDUI, ns::MDATTR, ns::MDRPI, ns::ALG, ns::SHIBMD];
    let bare = |uri: &str| -> String {
        let uri = uri.trim().to_ascii_lowercase();
        let uri = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://")).unwrap_or(&uri);
        uri.trim_end_matches(['#', '/', ':']).to_owned()
    };
    if uri.len() > 200 || KNOWN.contains(&uri) {
        return None;
    }
    let given = bare(uri);
    KNOWN.iter().find(|known| bare(known) == given).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_almost_right_is_recognised() {
        assert_eq!(almost_known("https://www.w3.org/2000/09/xmldsig#"), Some(ns::DS));
        assert_eq!(almost_known("urn:oasis:names:tc:SAML:2.0:assertion "), Some(ns::SAML));
        assert_eq!(almost_known("http://www.w3.org/2001/04/xmlenc"), Some(ns::XENC));
        assert_eq!(almost_known(ns::MD), None);
        assert_eq!(almost_known("urn:other"), None);
    }
}
