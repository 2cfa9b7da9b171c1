//! What the tokenizer's events mean: namespaces, references, and everything that it lets pass although XML does not.

use std::borrow::Cow;
use std::sync::Arc;

use quick_xml::events::{BytesDecl, BytesStart, Event};

use crate::saml::names::ns;
use crate::saml::xml::reader::{Comments, Limits, StartTag, XmlError, is_ncname};
use crate::saml::xml::tree::{Attribute, Element};

const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// What the builder of a tree is told.
pub(super) enum Token {
    Start(StartTag),
    End,
    Text(String),
    /// Inside the root element, and only where comments are not simply dropped.
    Comment,
    Eof,
}

/// What must be known of everything that was read so far.
pub(super) struct Interpreter {
    pub(super) limits: Limits,
    pub(super) depth: u32,
    /// Declarations in force, inner ones last, and where those of each open element begin.
    scope: Vec<(String, Arc<str>)>,
    frames: Vec<usize>,
    /// Namespace URIs that were met, so that each is stored once.
    uris: Vec<Arc<str>>,
    seen_root: bool,
    /// An XML declaration may still come.
    beginning: bool,
    /// An empty element's end tag still has to be told.
    pending_end: bool,
}

impl Interpreter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            depth: 0,
            scope: vec![("xml".to_owned(), Arc::from(ns::XML))],
            frames: Vec::new(),
            uris: Vec::new(),
            seen_root: false,
            beginning: true,
            pending_end: false,
        }
    }

    /// The end of an empty element whose start was told last.
    pub(super) fn pending(&mut self) -> Option<Token> {
        std::mem::take(&mut self.pending_end).then(|| self.close())
    }

    /// Judges one event; `None` if there is nothing to tell.
    pub(super) fn token(&mut self, event: Event<'_>, line: u32) -> Result<Option<Token>, XmlError> {
        let token = match event {
            Event::Start(tag) => Token::Start(self.open(&tag, line)?),
            Event::Empty(tag) => {
                let tag = self.open(&tag, line)?;
                self.pending_end = true;
                Token::Start(tag)
            }
            Event::End(_) => self.close(),
            Event::Text(text) => {
                let text = text.xml10_content().map_err(encoding)?;
                if self.depth == 0 {
                    if !text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
                        return malformed(line, "text outside the root element");
                    }
                    return Ok(None);
                }
                if text.contains("]]>") {
                    return malformed(line, "\"]]>\" in text");
                }
                self.characters(text, line)?
            }
            Event::CData(text) => self.characters(text.xml10_content().map_err(encoding)?, line)?,
            Event::GeneralRef(name) => {
                let c = reference(&name.decode().map_err(encoding)?, line)?;
                self.characters(Cow::Owned(c.to_string()), line)?
            }
            Event::Comment(_) if self.limits.comments == Comments::RefuseInText && self.depth > 0 => Token::Comment,
            Event::Comment(_) => {
                self.beginning = false;
                return Ok(None);
            }
            Event::Decl(declaration) => {
                self.declaration(&declaration, line)?;
                return Ok(None);
            }
            Event::PI(_) => return Err(XmlError::ProcessingInstruction { line }),
            Event::DocType(_) => return Err(XmlError::Doctype { line }),
            Event::Eof if self.depth > 0 => return malformed(line, "the document ends before all elements are closed"),
            Event::Eof => Token::Eof,
        };
        Ok(Some(token))
    }

    fn characters(&self, text: Cow<'_, str>, line: u32) -> Result<Token, XmlError> {
        if self.depth == 0 {
            return malformed(line, "character data outside the root element");
        }
        check_chars(&text, line)?;
        Ok(Token::Text(text.into_owned()))
    }

    fn declaration(&mut self, declaration: &BytesDecl<'_>, line: u32) -> Result<(), XmlError> {
        if !std::mem::take(&mut self.beginning) {
            return malformed(line, "an XML declaration after the beginning");
        }
        match declaration.version() {
            Ok(version) if version.starts_with(b"1.") => Ok(()),
            _ => malformed(line, "an XML declaration without a version that can be read"),
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>, line: u32) -> Result<StartTag, XmlError> {
        if self.depth == 0 && self.seen_root {
            return malformed(line, "a second root element");
        }
        self.seen_root = true;
        self.beginning = false;
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.limits.depth {
            return Err(XmlError::TooMuch { line, what: "levels of nesting", most: u64::from(self.limits.depth) });
        }
        let outside = self.scope.len();
        self.frames.push(outside);
        let name = tag.name();
        let (prefix, local) = split_name(name.as_ref(), line)?;
        let mut attributes: Vec<Attribute> = Vec::new();
        let mut count = 0u32;
        for attribute in tag.attributes().with_checks(true) {
            let attribute = attribute.or_else(|error| malformed(line, error.to_string()))?;
            count = count.saturating_add(1);
            if count > self.limits.attributes {
                return Err(XmlError::TooMuch { line, what: "attributes on one element", most: u64::from(self.limits.attributes) });
            }
            let value = attribute_value(&attribute.value, line)?;
            match split_name(attribute.key.as_ref(), line)? {
                ("", "xmlns") => self.declare("", &value, line)?,
                ("xmlns", prefix) => self.declare(prefix, &value, line)?,
                (prefix, local) => {
                    attributes.push(Attribute { namespace: None, prefix: prefix.to_owned(), local: local.to_owned(), value });
                }
            }
        }
        // Each lookup passes over what is in force, so that must not grow with the document.
        let most = u64::from(self.limits.attributes).saturating_mul(4);
        if self.scope.len() as u64 > most {
            return Err(XmlError::TooMuch { line, what: "namespace declarations in force", most });
        }

        for at in 0..attributes.len() {
            let (before, rest) = attributes.split_at_mut(at);
            let Some(attribute) = rest.first_mut().filter(|attribute| !attribute.prefix.is_empty()) else { continue };
            attribute.namespace = self.resolve(&attribute.prefix, line)?;
            if before.iter().any(|other| other.local == attribute.local && other.namespace == attribute.namespace) {
                return malformed(line, format!("the attribute {} twice on one element", attribute.local));
            }
        }
        Ok(Element {
            namespace: self.resolve(prefix, line)?,
            prefix: prefix.to_owned(),
            local: local.to_owned(),
            attributes,
            declarations: self.scope.get(outside..).unwrap_or_default().to_vec(),
            children: Vec::new(),
            line,
        })
    }

    fn close(&mut self) -> Token {
        self.depth = self.depth.saturating_sub(1);
        self.scope.truncate(self.frames.pop().unwrap_or_default());
        Token::End
    }

    /// Namespaces in XML 3: `xml` and `xmlns` are bound for good, and only the default namespace can be taken back.
    fn declare(&mut self, prefix: &str, uri: &str, line: u32) -> Result<(), XmlError> {
        let reserved = prefix == "xmlns" || uri == XMLNS || (prefix == "xml") != (uri == ns::XML);
        if reserved || (uri.is_empty() && !prefix.is_empty()) {
            return malformed(line, format!("a namespace declaration that is not allowed: xmlns:{prefix}"));
        }
        let uri = match self.uris.iter().find(|known| &***known == uri) {
            Some(known) => Arc::clone(known),
            None => {
                let uri: Arc<str> = Arc::from(uri);
                // Real documents use a dozen; a hostile one must not make the search slow.
                if self.uris.len() < 64 {
                    self.uris.push(Arc::clone(&uri));
                }
                uri
            }
        };
        self.scope.push((prefix.to_owned(), uri));
        Ok(())
    }

    fn resolve(&self, prefix: &str, line: u32) -> Result<Option<Arc<str>>, XmlError> {
        match self.scope.iter().rev().find(|(known, _)| known == prefix) {
            Some((_, uri)) => Ok(if uri.is_empty() { None } else { Some(Arc::clone(uri)) }),
            None if prefix.is_empty() => Ok(None),
            None => malformed(line, format!("the prefix {prefix} is not declared")),
        }
    }
}

fn malformed<T>(line: u32, what: impl Into<String>) -> Result<T, XmlError> {
    Err(XmlError::NotWellFormed { line, what: what.into() })
}

fn encoding(error: quick_xml::encoding::EncodingError) -> XmlError {
    XmlError::Encoding(error.to_string())
}

/// Splits a qualified name and checks both halves.
fn split_name(raw: &[u8], line: u32) -> Result<(&str, &str), XmlError> {
    let Ok(name) = std::str::from_utf8(raw) else { return malformed(line, "a name that is not UTF-8") };
    match name.split_once(':') {
        None if is_ncname(name) => Ok(("", name)),
        Some((prefix, local)) if is_ncname(prefix) && is_ncname(local) => Ok((prefix, local)),
        _ => malformed(line, format!("\"{}\" is not a name", name.chars().take(64).collect::<String>())),
    }
}

/// Character references and the five predefined entities (XML 1.0 4.1, 4.6).
fn reference(name: &str, line: u32) -> Result<char, XmlError> {
    match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => {}
    }
    let Some(number) = name.strip_prefix('#') else {
        return Err(XmlError::Entity { line, name: name.chars().take(64).collect() });
    };
    let code = match number.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
        None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok(),
        _ => None,
    };
    match code.and_then(char::from_u32).filter(|c| is_xml_char(*c)) {
        Some(c) => Ok(c),
        None => malformed(line, "a character reference that names no character"),
    }
}

/// XML 1.0 3.3.3: references resolved, white space to blanks.
fn attribute_value(raw: &[u8], line: u32) -> Result<String, XmlError> {
    let Ok(raw) = std::str::from_utf8(raw) else { return malformed(line, "an attribute value that is not UTF-8") };
    check_chars(raw, line)?;
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\r', '\n']) {
        let (before, from) = rest.split_at(at);
        value.push_str(before);
        if let Some(after) = from.strip_prefix('&') {
            let Some((name, after)) = after.split_once(';') else {
                return malformed(line, "a reference without an end in an attribute");
            };
            value.push(reference(name, line)?);
            rest = after;
        } else if from.starts_with('<') {
            return malformed(line, "\"<\" in an attribute value");
        } else {
            // The three are one byte each, and a CR LF is one line end.
            value.push(' ');
            rest = from.strip_prefix("\r\n").or_else(|| from.get(1..)).unwrap_or_default();
        }
    }
    value.push_str(rest);
    Ok(value)
}

fn check_chars(text: &str, line: u32) -> Result<(), XmlError> {
    // Only these bytes can begin a character that is not allowed; most text has none of them.
    let suspect = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0xef;
    if !text.bytes().any(suspect) {
        return Ok(());
    }
    match text.chars().find(|c| !is_xml_char(*c)) {
        None => Ok(()),
        Some(c) => malformed(line, format!("the character U+{:04X} is not allowed", u32::from(c))),
    }
}

/// XML 1.0 production 2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
