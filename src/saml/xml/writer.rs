//! Writes XML that already is exclusive-canonical, so that what is signed is what is sent; and prints trees.
//!
//! The rules are those of Exclusive XML Canonicalization 1.0 without comments: a namespace is declared on the outermost
//! element that visibly uses it, declarations go by prefix, attributes by namespace and name, nothing is self-closing. An
//! element whose prefixes no ancestor uses therefore has the same bytes in its document as on its own, and can be digested
//! in place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::saml::names::ns;
use crate::saml::xml::tree::{Element, Node};

/// A namespace and the prefix that we write it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespace<'n> {
    /// Empty for the default namespace.
    pub prefix: &'n str,
    pub uri: &'n str,
}

impl<'n> Namespace<'n> {
    /// A namespace under a prefix.
    pub const fn new(prefix: &'n str, uri: &'n str) -> Self {
        Self { prefix, uri }
    }
}

pub const SAML: Namespace<'static> = Namespace::new("saml", ns::SAML);
pub const SAMLP: Namespace<'static> = Namespace::new("samlp", ns::SAMLP);
pub const MD: Namespace<'static> = Namespace::new("md", ns::MD);
pub const MDUI: Namespace<'static> = Namespace::new("mdui", ns::MDUI);
pub const ALG: Namespace<'static> = Namespace::new("alg", ns::ALG);
pub const SHIBMD: Namespace<'static> = Namespace::new("shibmd", ns::SHIBMD);
pub const DS: Namespace<'static> = Namespace::new("ds", ns::DS);
pub const XENC: Namespace<'static> = Namespace::new("xenc", ns::XENC);
pub const XENC11: Namespace<'static> = Namespace::new("xenc11", ns::XENC11);
pub const SOAP: Namespace<'static> = Namespace::new("soap", ns::SOAP);
pub const XML: Namespace<'static> = Namespace::new("xml", ns::XML);
const NONE: Namespace<'static> = Namespace::new("", "");

/// Appends elements in exclusive-canonical form to a buffer.
///
/// Names are the caller's and must be XML names; values may be anything: what XML cannot carry (control characters) is
/// written as U+FFFD.
#[derive(Debug, Default)]
pub struct Writer<'n> {
    out: Vec<u8>,
    open: Vec<Open<'n>>,
    /// Declarations in force, inner ones last.
    rendered: Vec<Namespace<'n>>,
    /// The start tag of the innermost element is still to be written.
    pending: bool,
    attributes: Vec<PendingAttribute<'n>>,
    /// The escaped values of `attributes`.
    values: Vec<u8>,
}

#[derive(Debug)]
struct Open<'n> {
    namespace: Namespace<'n>,
    local: &'n str,
    /// How many declarations were in force outside of it.
    outside: usize,
}

#[derive(Debug)]
struct PendingAttribute<'n> {
    namespace: Namespace<'n>,
    local: &'n str,
    /// Where its escaped value stands in `values`.
    value: std::ops::Range<usize>,
}

impl<'n> Writer<'n> {
    /// Starts with an empty buffer that has room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Opens an element.
    pub fn start(&mut self, namespace: Namespace<'n>, local: &'n str) -> &mut Self {
        self.flush();
        self.open.push(Open { namespace, local, outside: self.rendered.len() });
        self.pending = true;
        self
    }

    /// Gives the element that was just opened an attribute without namespace. Call it before any content.
    pub fn attribute(&mut self, local: &'n str, value: &str) -> &mut Self {
        self.attribute_ns(NONE, local, value)
    }

    /// Gives the element that was just opened an attribute of a namespace, which must have a prefix.
    pub fn attribute_ns(&mut self, namespace: Namespace<'n>, local: &'n str, value: &str) -> &mut Self {
        debug_assert!(self.pending, "attributes come before content");
        let from = self.values.len();
        escape(value, &ATTRIBUTE, &mut self.values);
        self.attributes.push(PendingAttribute { namespace, local, value: from..self.values.len() });
        self
    }

    /// Gives the element that was just opened an attribute without namespace if there is a value for it.
    pub fn attribute_if(&mut self, local: &'n str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attribute(local, value),
            None => self,
        }
    }

    /// Appends text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.flush();
        escape(text, &TEXT, &mut self.out);
        self
    }

    /// Appends bytes as base64 text.
    pub fn base64(&mut self, bytes: &[u8]) -> &mut Self {
        self.flush();
        let from = self.out.len();
        self.out.resize(from + bytes.len().div_ceil(3) * 4, 0);
        // The buffer was made to measure, so this cannot fail.
        if let Some(target) = self.out.get_mut(from..) {
            let written = STANDARD.encode_slice(bytes, target).unwrap_or(0);
            self.out.truncate(from + written);
        }
        self
    }

    /// Appends an element that holds text only.
    pub fn leaf(&mut self, namespace: Namespace<'n>, local: &'n str, text: &str) -> &mut Self {
        self.start(namespace, local).text(text).end()
    }

    /// Appends bytes that are canonical at this very place.
    pub fn raw(&mut self, canonical: &[u8]) -> &mut Self {
        self.flush();
        self.out.extend_from_slice(canonical);
        self
    }

    /// Closes the innermost element.
    pub fn end(&mut self) -> &mut Self {
        self.flush();
        if let Some(element) = self.open.pop() {
            self.out.extend_from_slice(b"</");
            push_name(&mut self.out, element.namespace.prefix, element.local);
            self.out.push(b'>');
            self.rendered.truncate(element.outside);
        }
        self
    }

    /// The offset at which the next byte will stand; it completes the start tag of the innermost element. Two of them around an
    /// element are the range to sign, one inside is where its signature goes.
    pub fn offset(&mut self) -> usize {
        self.flush();
        self.out.len()
    }

    /// Closes what is open and returns the bytes.
    pub fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }

    /// Writes the start tag that waits for its attributes.
    fn flush(&mut self) {
        if !self.pending {
            return;
        }
        self.pending = false;
        let Some(element) = self.open.last() else { return };
        let out = &mut self.out;
        out.push(b'<');
        push_name(out, element.namespace.prefix, element.local);

        // Exclusive canonicalisation 3: only what the element or one of its attributes uses, unless it is in force already.
        let fresh = self.rendered.len();
        declare(&mut self.rendered, fresh, element.namespace);
        for attribute in &self.attributes {
            if !attribute.namespace.prefix.is_empty() {
                declare(&mut self.rendered, fresh, attribute.namespace);
            }
        }
        if let Some(fresh) = self.rendered.get_mut(fresh..) {
            fresh.sort_unstable_by_key(|namespace| namespace.prefix);
            for namespace in fresh {
                out.extend_from_slice(if namespace.prefix.is_empty() { b" xmlns" } else { b" xmlns:" });
                out.extend_from_slice(namespace.prefix.as_bytes());
                out.extend_from_slice(b"=\"");
                escape(namespace.uri, &ATTRIBUTE, out);
                out.push(b'"');
            }
        }

        self.attributes.sort_unstable_by_key(|attribute| (attribute.namespace.uri, attribute.local));
        for attribute in &self.attributes {
            out.push(b' ');
            push_name(out, attribute.namespace.prefix, attribute.local);
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(self.values.get(attribute.value.clone()).unwrap_or_default());
            out.push(b'"');
        }
        self.attributes.clear();
        self.values.clear();
        out.push(b'>');
    }
}

/// Adds a declaration unless the same one is in force; `xml` is never declared.
fn declare<'n>(rendered: &mut Vec<Namespace<'n>>, fresh: usize, namespace: Namespace<'n>) {
    let known = match rendered.iter().rev().find(|known| known.prefix == namespace.prefix) {
        Some(known) => known.uri,
        None => "",
    };
    if known == namespace.uri || namespace.uri == ns::XML {
        return;
    }
    debug_assert!(rendered.iter().skip(fresh).all(|known| known.prefix != namespace.prefix), "one prefix, two namespaces on one element");
    rendered.push(namespace);
}

fn push_name(out: &mut Vec<u8>, prefix: &str, local: &str) {
    if !prefix.is_empty() {
        out.extend_from_slice(prefix.as_bytes());
        out.push(b':');
    }
    out.extend_from_slice(local.as_bytes());
}

/// Whether a byte needs a second look, for each byte.
type Special = [bool; 256];

/// Control characters, which XML 1.0 does not know (production 2), and the first byte of U+FFFE and U+FFFF, which it does not
/// know either.
const fn special(more: &[u8]) -> Special {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = byte != b'\t' as usize && byte != b'\n' as usize;
        byte += 1;
    }
    table[0xef] = true;
    let mut at = 0;
    while at < more.len() {
        table[more[at] as usize] = true;
        at += 1;
    }
    table
}

/// Canonical XML 1.0, 2.3: text nodes, attribute nodes.
static TEXT: Special = special(b"&<>");
static ATTRIBUTE: Special = special(b"&<\"\t\n");

/// Appends a value with references in the form that Canonical XML 1.0, 2.3 prescribes.
fn escape(text: &str, special: &Special, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| special[usize::from(*byte)]) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let (instead, length) = match from {
            [b'&', ..] => ("&amp;", 1),
            [b'<', ..] => ("&lt;", 1),
            [b'>', ..] => ("&gt;", 1),
            [b'"', ..] => ("&quot;", 1),
            [b'\t', ..] => ("&#x9;", 1),
            [b'\n', ..] => ("&#xA;", 1),
            [b'\r', ..] => ("&#xD;", 1),
            [0xef, 0xbf, 0xbe | 0xbf, ..] => ("\u{fffd}", 3),
            // Another character of three bytes stands for itself; its first byte is copied, the others follow.
            [0xef, ..] => {
                out.push(0xef);
                ("", 1)
            }
            _ => ("\u{fffd}", 1),
        };
        out.extend_from_slice(instead.as_bytes());
        rest = from.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Writes a tree again as it was read: prefixes, declarations and the order of attributes are kept.
///
/// A prefix that was declared outside of the tree (because the tree is a part of a document) is declared where it is used.
pub fn serialize(element: &Element) -> String {
    let mut out = Vec::with_capacity(4_096);
    let mut scope = Vec::new();
    print(element, &mut scope, None, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Writes a tree for people: indented, empty elements closed at once. It must not be read again by machines: white space
/// around text is lost.
pub fn pretty(element: &Element) -> String {
    let mut out = Vec::with_capacity(4_096);
    let mut scope = Vec::new();
    print(element, &mut scope, Some(0), &mut out);
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

type Scope<'e> = Vec<(&'e str, &'e str)>;

/// `indent` is the level of nesting where the tree is printed for people.
fn print<'e>(element: &'e Element, scope: &mut Scope<'e>, indent: Option<usize>, out: &mut Vec<u8>) {
    let outside = scope.len();
    start_tag(element, scope, out);
    let text = |text: &str, out: &mut Vec<u8>| {
        escape(if indent.is_some() { text.trim_matches([' ', '\t', '\r', '\n']) } else { text }, &TEXT, out);
    };
    let nested = element.elements().next().is_some();
    match indent {
        Some(_) if !nested && element.text().is_empty() => out.extend_from_slice(b"/>"),
        _ => {
            out.push(b'>');
            for child in &element.children {
                match (child, indent) {
                    (Node::Element(child), Some(level)) => {
                        new_line(level + 1, out);
                        print(child, scope, Some(level + 1), out);
                    }
                    (Node::Element(child), None) => print(child, scope, None, out),
                    (Node::Text(value), Some(level)) if nested => {
                        if !value.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
                            new_line(level + 1, out);
                            text(value, out);
                        }
                    }
                    (Node::Text(value), _) => text(value, out),
                }
            }
            if let (true, Some(level)) = (nested, indent) {
                new_line(level, out);
            }
            out.extend_from_slice(b"</");
            push_name(out, &element.prefix, &element.local);
            out.push(b'>');
        }
    }
    scope.truncate(outside);
}

/// Everything of a start tag but the `>`.
fn start_tag<'e>(element: &'e Element, scope: &mut Scope<'e>, out: &mut Vec<u8>) {
    let outside = scope.len();
    scope.extend(element.declarations.iter().map(|(prefix, uri)| (prefix.as_str(), &**uri)));
    let name = (element.prefix.as_str(), element.namespace.as_deref());
    let attributes = element.attributes.iter().filter(|a| a.namespace.is_some()).map(|a| (a.prefix.as_str(), a.namespace.as_deref()));
    for (prefix, uri) in std::iter::once(name).chain(attributes) {
        let uri = uri.unwrap_or_default();
        let known = scope.iter().rev().find(|(known, _)| *known == prefix).map_or("", |(_, uri)| *uri);
        if known != uri && uri != ns::XML {
            scope.push((prefix, uri));
        }
    }

    out.push(b'<');
    push_name(out, &element.prefix, &element.local);
    for (prefix, uri) in scope.iter().skip(outside) {
        out.extend_from_slice(if prefix.is_empty() { b" xmlns" } else { b" xmlns:" });
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(b"=\"");
        escape(uri, &ATTRIBUTE, out);
        out.push(b'"');
    }
    for attribute in &element.attributes {
        out.push(b' ');
        push_name(out, &attribute.prefix, &attribute.local);
        out.extend_from_slice(b"=\"");
        escape(&attribute.value, &ATTRIBUTE, out);
        out.push(b'"');
    }
}

fn new_line(level: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 2 * level, b' ');
}

#[cfg(test)]
mod tests;
