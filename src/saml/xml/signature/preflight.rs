//! Looks at the shape of a signature before any library works on it.
//!
//! libxmlsec1 resolves references and runs transforms before it authenticates anything. So nothing but the one shape that Core
//! 5.4 prescribes reaches it: no reference to elsewhere (requests from our network, files), no XSLT or XPath (seconds of work),
//! no second signature and no second place for the signed ID (wrapping), no canonical form much larger than the document.

use std::collections::HashSet;

use crate::crypto::keys::Hash;
use crate::saml::names::{alg, ns};
use crate::saml::xml::reader::is_ncname;
use crate::saml::xml::signature::{SignatureAlgorithm, SignatureError, digest_from_uri};
use crate::saml::xml::tree::{Element, Node};

/// What a well-shaped signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureShape {
    pub algorithm: SignatureAlgorithm,
    /// The digest of the reference, which may be another than the signature's.
    pub digest: Hash,
    /// The root element's ID.
    pub id: String,
}

/// Prefixes in an InclusiveNamespaces list; real lists have a dozen.
const MOST_PREFIXES: usize = 64;

/// Refuses everything but one signature of the shape that Core 5.4 prescribes, which covers the root element.
///
/// `None` means that there is no `ds:Signature` anywhere in the document.
pub fn preflight(root: &Element) -> Result<Option<SignatureShape>, SignatureError> {
    let mut signatures = 0;
    root.walk(&mut |element| signatures += usize::from(element.is(ns::DS, "Signature")));
    if signatures == 0 {
        return Ok(None);
    }
    if signatures > 1 {
        return refuse(format!("there are {signatures} ds:Signature elements, one is allowed"));
    }
    let Some(signature) = root.child(ns::DS, "Signature") else {
        return refuse("the ds:Signature is not a child of the message's root element");
    };
    let id = unique_id(root)?;
    bounded_when_canonical(root)?;

    let signed_info = match children(signature)?.as_slice() {
        [signed_info, value] => named([signed_info, value], ["SignedInfo", "SignatureValue"])?,
        [signed_info, value, key_info] => {
            let signed_info = named([signed_info, value, key_info], ["SignedInfo", "SignatureValue", "KeyInfo"])?;
            inert(key_info)?;
            signed_info
        }
        _ => return refuse("ds:Signature must hold SignedInfo, SignatureValue and perhaps KeyInfo, and nothing else"),
    };
    if let Some(value) = signature.child(ns::DS, "SignatureValue") {
        childless(value)?;
    }

    let (algorithm, reference) = match children(signed_info)?.as_slice() {
        [canonicalization, method, reference] => {
            named([canonicalization, method, reference], ["CanonicalizationMethod", "SignatureMethod", "Reference"])?;
            exclusive_canonicalization(canonicalization)?;
            childless(method)?;
            let uri = algorithm(method)?;
            let known = SignatureAlgorithm::from_uri(uri).ok_or_else(|| SignatureError::UnknownAlgorithm(uri.to_owned()))?;
            (known, *reference)
        }
        [_, _, _, ..] => return refuse("ds:SignedInfo must hold exactly one Reference"),
        _ => return refuse("ds:SignedInfo must hold CanonicalizationMethod, SignatureMethod and one Reference"),
    };
    Ok(Some(SignatureShape { algorithm, digest: check_reference(reference, id)?, id: id.to_owned() }))
}

fn refuse<T>(what: impl Into<String>) -> Result<T, SignatureError> {
    Err(SignatureError::Structure(what.into()))
}

/// Core 5.4.2: one Reference, with the root's ID as its URI. Core 5.4.4: no other transforms than these two.
fn check_reference(reference: &Element, id: &str) -> Result<Hash, SignatureError> {
    match reference.attribute("URI") {
        Some(uri) if uri.strip_prefix('#') == Some(id) => {}
        Some("") => return refuse("the Reference is empty; it must name the ID of the root element"),
        Some(_) => return refuse("the Reference does not name the ID of the root element"),
        None => return refuse("the Reference has no URI"),
    }
    match children(reference)?.as_slice() {
        [transforms, method, value] => {
            named([transforms, method, value], ["Transforms", "DigestMethod", "DigestValue"])?;
            match children(transforms)?.as_slice() {
                [enveloped, canonicalization] => {
                    named([enveloped, canonicalization], ["Transform", "Transform"])?;
                    childless(enveloped)?;
                    if algorithm(enveloped)? != alg::ENVELOPED {
                        return refuse("the first transform must be enveloped-signature");
                    }
                    exclusive_canonicalization(canonicalization)?;
                }
                _ => return refuse("the transforms must be enveloped-signature and then exclusive canonicalization, nothing else"),
            }
            childless(method)?;
            childless(value)?;
            let uri = algorithm(method)?;
            digest_from_uri(uri).ok_or_else(|| SignatureError::UnknownAlgorithm(uri.to_owned()))
        }
        _ => refuse("the Reference must hold Transforms, DigestMethod and DigestValue"),
    }
}

/// The ID of the root, if nothing else in the document answers to it.
fn unique_id(root: &Element) -> Result<&str, SignatureError> {
    let Some(id) = root.attribute("ID").filter(|id| is_ncname(id)) else {
        return refuse("the root element has no ID, or one that is not an XML name");
    };
    // Libraries differ in what they take for an ID, so every spelling counts, in any namespace (as xml:id, wsu:Id).
    let mut namesakes = 0usize;
    let mut seen = HashSet::new();
    let mut repeated = false;
    root.walk(&mut |element| {
        for attribute in &element.attributes {
            if attribute.local.eq_ignore_ascii_case("id") {
                namesakes += usize::from(attribute.value == id);
                repeated |= attribute.local == "ID" && !seen.insert(attribute.value.as_str());
            }
        }
    });
    if namesakes != 1 {
        return refuse("the ID of the root element occurs again in the document");
    }
    if repeated {
        return refuse("an ID occurs twice in the document");
    }
    Ok(id)
}

/// Exclusive canonicalisation repeats a namespace on each element that uses it while its parent does not: a long name declared
/// once could grow a message a thousandfold. And libxml2 writes namespace names without escaping them.
fn bounded_when_canonical(root: &Element) -> Result<(), SignatureError> {
    let mut own = 0usize;
    let mut repeated = 0usize;
    let mut odd = false;
    root.walk(&mut |element| {
        own += element.local.len() + element.attributes.iter().map(|a| a.local.len() + a.value.len()).sum::<usize>();
        own += element.children.iter().map(|node| if let Node::Text(text) = node { text.len() } else { 0 }).sum::<usize>();
        repeated += element.namespace.as_deref().map_or(0, str::len);
        repeated += element.attributes.iter().filter_map(|a| a.namespace.as_deref()).map(str::len).sum::<usize>();
        odd |= element.declarations.iter().any(|(_, uri)| uri.contains(|c: char| c <= ' ' || matches!(c, '<' | '>' | '"' | '\'' | '&')));
    });
    if odd {
        return refuse("a namespace name with blanks, quotes, \"<\", \">\" or \"&\"");
    }
    if repeated > (1 << 20) + 4 * own {
        return refuse("the namespace names are so long that the canonical form would be far larger than the document");
    }
    Ok(())
}

/// `ds:KeyInfo` is never used, only tolerated, and must not point anywhere.
fn inert(key_info: &Element) -> Result<(), SignatureError> {
    let mut points = false;
    key_info.walk(&mut |element| {
        points |= element.is(ns::DS, "RetrievalMethod") || element.is(ns::DSIG11, "KeyInfoReference") || element.is(ns::DS, "Transforms");
    });
    if points { refuse("ds:KeyInfo must not refer to anything") } else { Ok(()) }
}

fn exclusive_canonicalization(element: &Element) -> Result<(), SignatureError> {
    if algorithm(element)? != alg::EXC_C14N {
        return refuse("the canonicalization must be exclusive, without comments");
    }
    match children(element)?.as_slice() {
        [] => Ok(()),
        [list] if list.is(alg::EXC_C14N, "InclusiveNamespaces") => {
            childless(list)?;
            let prefixes = list.attribute("PrefixList").unwrap_or_default();
            let mut known = prefixes.split([' ', '\t', '\r', '\n']).filter(|prefix| !prefix.is_empty());
            if known.clone().count() > MOST_PREFIXES || !known.all(|prefix| prefix == "#default" || is_ncname(prefix)) {
                return refuse("InclusiveNamespaces must list a few prefixes");
            }
            Ok(())
        }
        _ => refuse("exclusive canonicalization takes one InclusiveNamespaces and nothing else"),
    }
}

fn algorithm(element: &Element) -> Result<&str, SignatureError> {
    match element.attribute("Algorithm") {
        Some(algorithm) => Ok(algorithm),
        None => refuse(format!("ds:{} has no Algorithm", element.local)),
    }
}

/// The child elements, where nothing but white space may stand between them.
fn children(element: &Element) -> Result<Vec<&Element>, SignatureError> {
    if !element.text().is_empty() {
        return refuse(format!("there is text in ds:{}", element.local));
    }
    Ok(element.elements().collect())
}

fn childless(element: &Element) -> Result<(), SignatureError> {
    if element.elements().next().is_some() {
        return refuse(format!("there is an element in {}, which must have none", element.local));
    }
    Ok(())
}

/// Checks the names of children and returns the first of them.
fn named<'e, const N: usize>(elements: [&&'e Element; N], names: [&str; N]) -> Result<&'e Element, SignatureError> {
    for (element, name) in elements.iter().zip(names) {
        if !element.is(ns::DS, name) {
            return refuse(format!("{} where ds:{name} must be", element.local));
        }
    }
    match elements.first() {
        Some(first) => Ok(first),
        None => refuse("an empty list"),
    }
}
