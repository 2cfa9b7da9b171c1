//! Walks the children of an element in the order that the schema gives them.

use std::iter::Peekable;
use std::vec::IntoIter;

use crate::saml::messages::{MessageError, attribute, shown};
use crate::saml::xml::tree::{Element, Node};

/// The children of one element, taken from the front.
pub struct Sequence<'a> {
    children: Peekable<IntoIter<&'a Element>>,
    parent: &'a Element,
}

impl<'a> Sequence<'a> {
    /// Starts at the first child of an element that may hold elements only.
    ///
    /// # Errors
    /// `MessageError::Schema` where it holds text besides white space.
    pub fn of(parent: &'a Element) -> Result<Self, MessageError> {
        let stray = parent.children.iter().any(|node| match node {
            Node::Text(text) => !text.trim_matches([' ', '\t', '\r', '\n']).is_empty(),
            Node::Element(_) => false,
        });
        if stray {
            return Err(broken(parent, format!("{} holds text between its elements", parent.local)));
        }
        let children: Vec<&Element> = parent.elements().collect();
        Ok(Self { children: children.into_iter().peekable(), parent })
    }

    /// The next child if it is of this name.
    pub fn optional(&mut self, namespace: &str, local: &str) -> Option<&'a Element> {
        self.children.next_if(|child| child.is(namespace, local))
    }

    /// All next children of this name.
    pub fn many(&mut self, namespace: &str, local: &str) -> Vec<&'a Element> {
        std::iter::from_fn(|| self.optional(namespace, local)).collect()
    }

    /// Makes sure that nothing is left.
    ///
    /// # Errors
    /// `MessageError::Schema` names the child that the schema does not expect there.
    pub fn end(mut self) -> Result<(), MessageError> {
        match self.children.next() {
            None => Ok(()),
            Some(child) => {
                Err(broken(child, format!("the element {} is not expected here in {}", shown(&child.local), shown(&self.parent.local))))
            }
        }
    }
}

/// A broken rule at an element.
pub fn broken(element: &Element, what: impl Into<String>) -> MessageError {
    MessageError::Schema { line: element.line, what: what.into() }
}

/// An attribute that must be there.
///
/// # Errors
/// `MessageError::Schema` where it is missing or empty.
pub fn required(element: &Element, name: &str) -> Result<String, MessageError> {
    attribute(element, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| broken(element, format!("{} has no {name}", shown(&element.local))))
}

/// An `xs:boolean` attribute: `true`, `1`, `false`, `0`.
///
/// # Errors
/// `MessageError::Schema` for any other value.
pub fn boolean(element: &Element, name: &str) -> Result<Option<bool>, MessageError> {
    match attribute(element, name).as_deref() {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(other) => Err(broken(element, format!("{name} is \"{}\", which is neither true nor false", shown(other)))),
    }
}

/// An `xs:unsignedShort` attribute.
///
/// # Errors
/// `MessageError::Schema` for any other value.
pub fn unsigned_short(element: &Element, name: &str) -> Result<Option<u16>, MessageError> {
    let Some(value) = attribute(element, name) else { return Ok(None) };
    let digits = value.strip_prefix('+').unwrap_or(&value);
    let number = if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None };
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(broken(element, format!("{name} is \"{}\", which is no number between 0 and 65535", shown(&value)))),
    }
}

/// A non-empty text of an element.
///
/// # Errors
/// `MessageError::Schema` where there is none.
pub fn text(element: &Element) -> Result<String, MessageError> {
    let text = element.text();
    if text.is_empty() { Err(broken(element, format!("{} is empty", shown(&element.local)))) } else { Ok(text) }
}
