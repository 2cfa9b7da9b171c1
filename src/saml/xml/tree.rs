//! A small element tree, namespaces resolved.

use std::sync::Arc;

/// An element with everything in it, built by `reader` and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The namespace URI; `None` outside any namespace.
    pub namespace: Option<Arc<str>>,
    pub prefix: String,
    pub local: String,
    /// Attributes in document order, without namespace declarations.
    pub attributes: Vec<Attribute>,
    /// Namespace declarations that stand on this element: prefix (empty for the default) and URI (empty undeclares).
    pub declarations: Vec<(String, Arc<str>)>,
    pub children: Vec<Node>,
    /// The line on which its start tag ends, from 1.
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `None` for the usual attribute without prefix.
    pub namespace: Option<Arc<str>>,
    pub prefix: String,
    pub local: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Element(Element),
    /// Text with references resolved and CDATA unwrapped; neighbours are merged.
    Text(String),
}

impl Element {
    /// Whether it is this element of this namespace.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace.as_deref() == Some(namespace)
    }

    /// The value of an attribute that has no namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.namespace.is_none() && a.local == local).map(|a| a.value.as_str())
    }

    /// The value of an attribute of a namespace, as `xml:lang`.
    pub fn attribute_ns(&self, namespace: &str, local: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.namespace.as_deref() == Some(namespace) && a.local == local).map(|a| a.value.as_str())
    }

    /// Child elements in document order.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Child elements of one name.
    pub fn children_named<'a>(&'a self, namespace: &'a str, local: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |element| element.is(namespace, local))
    }

    /// The first child element of one name.
    pub fn child<'a>(&'a self, namespace: &'a str, local: &'a str) -> Option<&'a Element> {
        self.children_named(namespace, local).next()
    }

    /// The text directly in it, trimmed of XML white space (real peers indent their values).
    pub fn text(&self) -> String {
        let mut out = String::new();
        for node in &self.children {
            if let Node::Text(text) = node {
                out.push_str(text);
            }
        }
        let trimmed = out.trim_matches([' ', '\t', '\r', '\n']);
        if trimmed.len() == out.len() { out } else { trimmed.to_owned() }
    }

    /// Visits the element and everything below it, in document order.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Element)) {
        visit(self);
        for child in self.elements() {
            child.walk(visit);
        }
    }
}
