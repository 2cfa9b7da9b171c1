//! The bounded XML reader: well-formed, namespace-aware, and deaf to everything that attacks need.
//!
//! Attacks it stops: entity expansion and external entities (any DOCTYPE), processing instructions, comments that split
//! text (CVE-2018-0489 and relatives), depth and size bombs, duplicate attributes, undeclared prefixes, a second root.
//! Nothing is ever fetched.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as QEvent};

use crate::saml::xml::tree::{Attribute, Element, Node};

const XML_NS: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";

/// What a document may use up at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the document (of UTF-8 after decoding).
    pub bytes: u64,
    pub depth: u32,
    /// Elements in the tree that `read_element` builds, or in the whole document for `parse`.
    pub elements: u32,
    /// Attributes and namespace declarations on one element.
    pub attributes: u32,
    /// Bytes of one tag or one run of text.
    pub token: u64,
    /// Whether comments are an error where they touch text (messages), or dropped (metadata).
    pub comments: Comments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    RefuseInText,
    Drop,
}

impl Limits {
    /// Protocol messages.
    pub const MESSAGE: Limits =
        Limits { bytes: 256 << 10, depth: 64, elements: 4_000, attributes: 64, token: 128 << 10, comments: Comments::RefuseInText };
    /// One metadata file, uploaded or fetched.
    pub const METADATA: Limits =
        Limits { bytes: 10 << 20, depth: 64, elements: 50_000, attributes: 128, token: 1 << 20, comments: Comments::Drop };
    /// A federation aggregate, read as a stream; `elements` bounds each entity.
    pub const AGGREGATE: Limits = Limits { bytes: 128 << 20, ..Self::METADATA };
}

/// Why a document was not read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("the XML is not well-formed at line {line}: {what}")]
    NotWellFormed { line: u32, what: String },
    /// DOCTYPE, and with it every entity declaration.
    #[error("line {line} has a document type declaration (DOCTYPE)")]
    Doctype { line: u32 },
    #[error("line {line} has a processing instruction")]
    ProcessingInstruction { line: u32 },
    #[error("line {line} uses the entity &{name};, which only a document type declaration could define")]
    Entity { line: u32, name: String },
    #[error("line {line} has a comment inside text")]
    CommentInText { line: u32 },
    #[error("line {line}: more than {most} {what}")]
    TooMuch { line: u32, what: &'static str, most: u64 },
    #[error("the XML is not in an encoding that can be read: {0}")]
    Encoding(String),
    #[error("the document could not be read: {0}")]
    Io(String),
}

/// A start tag with its names resolved.
pub type StartTag = Element;

/// What comes next in a document.
#[derive(Debug)]
pub enum Event {
    /// A start tag; the element has no children yet.
    Start(StartTag),
    End,
    Text(String),
    /// The root element was closed and nothing but white space and comments came after it.
    Eof,
}

/// Pulls one event after another out of a stream of bytes.
pub struct Puller<R: Read> {
    reader: Reader<Bounded<Box<dyn BufRead>>>,
    limits: Limits,
    buffer: Vec<u8>,
    scopes: Vec<Vec<(String, Arc<str>)>>,
    /// Interned namespace URIs.
    uris: Vec<Arc<str>>,
    depth: u32,
    seen_root: bool,
    /// An empty element's end tag still has to be told.
    pending_end: bool,
    _source: std::marker::PhantomData<R>,
}

/// Reads a whole document into a tree.
pub fn parse(document: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    let mut puller = Puller::new(io::Cursor::new(document.to_vec()), *limits)?;
    let root = loop {
        match puller.next()? {
            Event::Start(tag) => break puller.read_element(tag)?,
            Event::Text(_) | Event::End => {}
            Event::Eof => return Err(puller.malformed("there is no element")),
        }
    };
    match puller.next()? {
        Event::Eof => Ok(root),
        _ => Err(puller.malformed("something follows the root element")),
    }
}

impl<R: Read + 'static> Puller<R> {
    /// Starts on a stream in UTF-8, UTF-16, ISO-8859-1 or US-ASCII.
    pub fn new(source: R, limits: Limits) -> Result<Self, XmlError> {
        let source = decode(source)?;
        let mut reader = Reader::from_reader(Bounded {
            inner: source,
            left: limits.bytes,
            most: limits.bytes,
            token: 0,
            most_token: limits.token,
            line: 1,
            over: None,
        });
        let config = reader.config_mut();
        config.check_end_names = true;
        config.check_comments = true;
        config.allow_dangling_amp = false;
        config.allow_unmatched_ends = false;
        Ok(Self {
            reader,
            limits,
            buffer: Vec::new(),
            scopes: vec![vec![("xml".to_owned(), Arc::from(XML_NS))]],
            uris: Vec::new(),
            depth: 0,
            seen_root: false,
            pending_end: false,
            _source: std::marker::PhantomData,
        })
    }

    /// The line that was reached, from 1.
    pub fn line(&mut self) -> u32 {
        self.reader.get_mut().line
    }

    fn malformed(&mut self, what: impl Into<String>) -> XmlError {
        XmlError::NotWellFormed { line: self.line(), what: what.into() }
    }

    /// The next start tag, end tag or run of text. Neighbouring runs of text may come apart.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not say that it failed for good")]
    pub fn next(&mut self) -> Result<Event, XmlError> {
        if self.pending_end {
            self.pending_end = false;
            return self.close();
        }
        loop {
            self.buffer.clear();
            self.reader.get_mut().token = 0;
            let mut buffer = std::mem::take(&mut self.buffer);
            let event = self.reader.read_event_into(&mut buffer).map(QEvent::into_owned);
            self.buffer = buffer;
            let event = match event {
                Ok(event) => event,
                Err(error) => return Err(self.wrap(error)),
            };
            match event {
                QEvent::Start(tag) => return self.open(&tag).map(Event::Start),
                QEvent::Empty(tag) => {
                    let tag = self.open(&tag)?;
                    self.pending_end = true;
                    return Ok(Event::Start(tag));
                }
                QEvent::End(_) => return self.close(),
                QEvent::Text(text) => {
                    let text = text.xml10_content().map_err(|e| XmlError::Encoding(e.to_string()))?.into_owned();
                    if let Some(text) = self.text(text)? {
                        return Ok(Event::Text(text));
                    }
                }
                QEvent::CData(text) => {
                    let text = text.xml10_content().map_err(|e| XmlError::Encoding(e.to_string()))?.into_owned();
                    if self.depth == 0 {
                        return Err(self.malformed("character data outside the root element"));
                    }
                    self.check_chars(&text)?;
                    return Ok(Event::Text(text));
                }
                QEvent::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|e| XmlError::Encoding(e.to_string()))?.into_owned();
                    let text = self.reference(&name)?;
                    if self.depth == 0 {
                        return Err(self.malformed("character data outside the root element"));
                    }
                    return Ok(Event::Text(text));
                }
                QEvent::Comment(_) => {
                    if self.limits.comments == Comments::RefuseInText {
                        return Ok(Event::Text(COMMENT.to_owned()));
                    }
                }
                QEvent::Decl(_) => {
                    if self.seen_root {
                        return Err(self.malformed("an XML declaration after the beginning"));
                    }
                }
                QEvent::PI(_) => return Err(XmlError::ProcessingInstruction { line: self.line() }),
                QEvent::DocType(_) => return Err(XmlError::Doctype { line: self.line() }),
                QEvent::Eof => {
                    if self.depth > 0 {
                        return Err(self.malformed("the document ends before all elements are closed"));
                    }
                    return Ok(Event::Eof);
                }
            }
        }
    }

    /// Builds the tree of an element whose start tag was just read.
    pub fn read_element(&mut self, start: StartTag) -> Result<Element, XmlError> {
        let mut stack = vec![start];
        let mut elements = 1u32;
        loop {
            match self.next()? {
                Event::Start(tag) => {
                    elements += 1;
                    if elements > self.limits.elements {
                        return Err(XmlError::TooMuch { line: self.line(), what: "elements", most: u64::from(self.limits.elements) });
                    }
                    stack.push(tag);
                }
                Event::Text(text) => {
                    let line = self.line();
                    let Some(top) = stack.last_mut() else { continue };
                    append_text(top, text, line)?;
                }
                Event::End => {
                    let Some(mut done) = stack.pop() else { return Err(self.malformed("an end tag too many")) };
                    finish_text(&mut done)?;
                    match stack.last_mut() {
                        Some(parent) => parent.children.push(Node::Element(done)),
                        None => return Ok(done),
                    }
                }
                Event::Eof => return Err(self.malformed("the document ends before all elements are closed")),
            }
        }
    }

    /// Passes over an element whose start tag was just read, without building anything.
    pub fn skip_element(&mut self) -> Result<(), XmlError> {
        let until = self.depth - 1;
        while self.depth > until || self.pending_end {
            if matches!(self.next()?, Event::Eof) {
                return Err(self.malformed("the document ends before all elements are closed"));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<Event, XmlError> {
        self.depth = self.depth.saturating_sub(1);
        self.scopes.pop();
        Ok(Event::End)
    }

    /// Text outside the root must be white space; inside it must hold allowed characters only.
    fn text(&mut self, text: String) -> Result<Option<String>, XmlError> {
        if self.depth == 0 {
            // A byte-order mark may be left in front.
            if text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() {
                return Ok(None);
            }
            return Err(self.malformed("text outside the root element"));
        }
        self.check_chars(&text)?;
        if text.contains("]]>") {
            return Err(self.malformed("\"]]>\" in text"));
        }
        Ok(Some(text))
    }

    fn check_chars(&mut self, text: &str) -> Result<(), XmlError> {
        match text.chars().find(|c| !is_xml_char(*c)) {
            None => Ok(()),
            Some(c) => Err(self.malformed(format!("the character U+{:04X} is not allowed", u32::from(c)))),
        }
    }

    /// Character references and the five predefined entities.
    fn reference(&mut self, name: &str) -> Result<String, XmlError> {
        let c = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            _ => match name.strip_prefix('#') {
                None => return Err(XmlError::Entity { line: self.line(), name: name.chars().take(64).collect() }),
                Some(number) => {
                    let code = match number.strip_prefix('x') {
                        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
                        None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok(),
                        _ => None,
                    };
                    match code.and_then(char::from_u32).filter(|c| is_xml_char(*c)) {
                        Some(c) => c,
                        None => return Err(self.malformed("a character reference that names no character")),
                    }
                }
            },
        };
        Ok(c.to_string())
    }

    /// XML 1.0 3.3.3: references resolved, white space to blanks.
    fn attribute_value(&mut self, raw: &str) -> Result<String, XmlError> {
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.find(['&', '<', '\t', '\r', '\n']) {
            let (before, from) = rest.split_at(at);
            value.push_str(before);
            if let Some(after) = from.strip_prefix('&') {
                let Some(end) = after.find(';') else { return Err(self.malformed("a reference without an end in an attribute")) };
                let name = &after[..end];
                let resolved = self.reference(name)?;
                value.push_str(&resolved);
                rest = &after[end + 1..];
            } else if from.starts_with('<') {
                return Err(self.malformed("\"<\" in an attribute value"));
            } else {
                value.push(' ');
                rest = from.strip_prefix("\r\n").unwrap_or(&from[1..]);
            }
        }
        value.push_str(rest);
        self.check_chars(&value)?;
        Ok(value)
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<StartTag, XmlError> {
        if self.depth == 0 && self.seen_root {
            return Err(self.malformed("a second root element"));
        }
        self.seen_root = true;
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(XmlError::TooMuch { line: self.line(), what: "levels of nesting", most: u64::from(self.limits.depth) });
        }
        let name = self.name(tag.name().as_ref())?;
        let mut declarations: Vec<(String, Arc<str>)> = Vec::new();
        let mut raw: Vec<(String, String, String)> = Vec::new();
        let mut count = 0u32;
        for attribute in tag.attributes().with_checks(true) {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => return Err(self.malformed(error.to_string())),
            };
            count += 1;
            if count > self.limits.attributes {
                return Err(XmlError::TooMuch {
                    line: self.line(),
                    what: "attributes on one element",
                    most: u64::from(self.limits.attributes),
                });
            }
            let Ok(value) = std::str::from_utf8(&attribute.value) else { return Err(self.malformed("bytes that are not UTF-8")) };
            let value = self.attribute_value(value)?;
            let (prefix, local) = self.name(attribute.key.as_ref())?;
            match (prefix.as_str(), local.as_str()) {
                ("", "xmlns") => self.declare(&mut declarations, String::new(), &value)?,
                ("xmlns", _) => self.declare(&mut declarations, local, &value)?,
                _ => raw.push((prefix, local, value)),
            }
        }
        self.scopes.push(declarations.clone());
        let namespace = self.resolve(&name.0)?;
        let mut attributes: Vec<Attribute> = Vec::with_capacity(raw.len());
        for (prefix, local, value) in raw {
            let namespace = if prefix.is_empty() { None } else { self.resolve(&prefix)? };
            if attributes.iter().any(|a| a.local == local && a.namespace == namespace) {
                return Err(self.malformed(format!("the attribute {local} twice on one element")));
            }
            attributes.push(Attribute { namespace, prefix, local, value });
        }
        let line = self.line();
        Ok(Element { namespace, prefix: name.0, local: name.1, attributes, declarations, children: Vec::new(), line })
    }

    fn declare(&mut self, declarations: &mut Vec<(String, Arc<str>)>, prefix: String, uri: &str) -> Result<(), XmlError> {
        let reserved = prefix == "xmlns" || uri == XMLNS_NS || (prefix == "xml") != (uri == XML_NS);
        if reserved || (uri.is_empty() && !prefix.is_empty()) {
            return Err(self.malformed(format!("a namespace declaration that is not allowed: xmlns:{prefix}")));
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
        declarations.push((prefix, uri));
        Ok(())
    }

    fn resolve(&mut self, prefix: &str) -> Result<Option<Arc<str>>, XmlError> {
        for scope in self.scopes.iter().rev() {
            if let Some((_, uri)) = scope.iter().find(|(p, _)| p == prefix) {
                return Ok(if uri.is_empty() { None } else { Some(Arc::clone(uri)) });
            }
        }
        if prefix.is_empty() {
            return Ok(None);
        }
        Err(self.malformed(format!("the prefix {prefix} is not declared")))
    }

    /// Splits a qualified name and checks both halves.
    fn name(&mut self, raw: &[u8]) -> Result<(String, String), XmlError> {
        let Ok(name) = std::str::from_utf8(raw) else { return Err(self.malformed("bytes that are not UTF-8")) };
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if !is_ncname(local) || (!prefix.is_empty() && !is_ncname(prefix)) || name.starts_with(':') {
            let shown: String = name.chars().take(64).collect();
            return Err(self.malformed(format!("\"{shown}\" is not a name")));
        }
        Ok((prefix.to_owned(), local.to_owned()))
    }

    fn wrap(&mut self, error: quick_xml::Error) -> XmlError {
        let line = self.line();
        if let Some(over) = self.reader.get_mut().over {
            return XmlError::TooMuch { line, what: over.0, most: over.1 };
        }
        match error {
            quick_xml::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => XmlError::Encoding(error.to_string()),
            quick_xml::Error::Io(error) => XmlError::Io(error.to_string()),
            quick_xml::Error::Encoding(error) => XmlError::Encoding(error.to_string()),
            other => XmlError::NotWellFormed { line, what: other.to_string() },
        }
    }
}

/// Stands for a comment until its element is complete; U+0000 cannot come from a document.
const COMMENT: &str = "\0";

fn append_text(element: &mut Element, text: String, _line: u32) -> Result<(), XmlError> {
    match element.children.last_mut() {
        Some(Node::Text(last)) => last.push_str(&text),
        _ => element.children.push(Node::Text(text)),
    }
    Ok(())
}

/// A comment is harmless between elements and an attack inside a value.
fn finish_text(element: &mut Element) -> Result<(), XmlError> {
    let mut commented = false;
    let mut any_text = false;
    for node in &mut element.children {
        if let Node::Text(text) = node {
            if text.contains('\0') {
                commented = true;
                text.retain(|c| c != '\0');
            }
            any_text |= !text.trim_matches([' ', '\t', '\r', '\n']).is_empty();
        }
    }
    if commented && any_text {
        return Err(XmlError::CommentInText { line: element.line });
    }
    element.children.retain(|node| !matches!(node, Node::Text(text) if text.is_empty()));
    Ok(())
}

/// XML 1.0 production 2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Namespaces in XML, production 4, with the character classes of XML 1.0 (fifth edition).
pub fn is_ncname(name: &str) -> bool {
    let start = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let further = |c: char| start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}');
    let mut chars = name.chars();
    chars.next().is_some_and(start) && chars.all(further)
}

/// Counts bytes and lines on the way, and stops at the bound.
struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
    token: u64,
    most_token: u64,
    line: u32,
    over: Option<(&'static str, u64)>,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(out.len());
        out[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 && !self.inner.fill_buf()?.is_empty() {
            self.over = Some(("bytes in the document", self.most));
            return Err(io::Error::other("too large"));
        }
        if self.token > self.most_token {
            self.over = Some(("bytes in one tag or text", self.most_token));
            return Err(io::Error::other("too large"));
        }
        let available = self.inner.fill_buf()?;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(available.len());
        Ok(&available[..most])
    }

    fn consume(&mut self, n: usize) {
        if let Ok(available) = self.inner.fill_buf() {
            let lines = available.iter().take(n).filter(|b| **b == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        }
        self.left = self.left.saturating_sub(n as u64);
        self.token += n as u64;
        self.inner.consume(n);
    }
}

/// Finds the encoding (XML 1.0, appendix F) and turns the stream into UTF-8.
fn decode(mut source: impl Read + 'static) -> Result<Box<dyn BufRead>, XmlError> {
    let mut head = Vec::with_capacity(256);
    while head.len() < 256 {
        let mut chunk = [0; 256];
        let want = 256 - head.len();
        match source.read(&mut chunk[..want]) {
            Ok(0) => break,
            Ok(n) => head.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(XmlError::Io(error.to_string())),
        }
    }
    let (skip, utf16) = match head.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => (3, None),
        [0xff, 0xfe, ..] => (2, Some(u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, ..] => (2, Some(u16::from_be_bytes as fn([u8; 2]) -> u16)),
        [b'<', 0, ..] => (0, Some(u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0, b'<', ..] => (0, Some(u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => (0, None),
    };
    let label = if utf16.is_some() { None } else { declared_encoding(&head[skip..]) };
    let rest = io::Cursor::new(head.split_off(skip)).chain(source);
    if let Some(unit) = utf16 {
        return Ok(Box::new(io::BufReader::new(Transcode {
            source: io::BufReader::new(rest),
            kind: Kind::Utf16(unit),
            out: Vec::new(),
            at: 0,
        })));
    }
    match label.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => Ok(Box::new(io::BufReader::new(rest))),
        Some("iso-8859-1" | "latin1" | "iso_8859-1") => {
            Ok(Box::new(io::BufReader::new(Transcode { source: io::BufReader::new(rest), kind: Kind::Latin1, out: Vec::new(), at: 0 })))
        }
        Some(other) => Err(XmlError::Encoding(format!("the XML declaration says {other}; UTF-8, UTF-16 and ISO-8859-1 are read"))),
    }
}

fn declared_encoding(head: &[u8]) -> Option<String> {
    let head = head.strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|w| w == b"?>")?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?;
    let after = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after[1..].split_once(quote).map(|(label, _)| label.to_owned())
}

enum Kind {
    Utf16(fn([u8; 2]) -> u16),
    Latin1,
}

/// Turns other encodings into UTF-8 as they are read.
struct Transcode<R> {
    source: R,
    kind: Kind,
    out: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Read for Transcode<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.out.clear();
            self.at = 0;
            let mut utf8 = [0; 4];
            while self.out.len() < 4_096 {
                let Some(c) = self.character()? else { break };
                self.out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            }
        }
        let n = (self.out.len() - self.at).min(target.len());
        target[..n].copy_from_slice(&self.out[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl<R: BufRead> Transcode<R> {
    fn character(&mut self) -> io::Result<Option<char>> {
        match self.kind {
            Kind::Latin1 => Ok(self.bytes::<1>()?.map(|[b]| char::from(b))),
            Kind::Utf16(unit) => {
                let Some(first) = self.bytes::<2>()?.map(unit) else { return Ok(None) };
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) {
                    let Some(second) = self.bytes::<2>()?.map(unit) else { return Err(broken()) };
                    units.push(second);
                }
                match char::decode_utf16(units).next() {
                    Some(Ok(c)) => Ok(Some(c)),
                    _ => Err(broken()),
                }
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            match self.source.read(&mut bytes[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(broken()),
                n => filled += n,
            }
        }
        Ok(Some(bytes))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "broken UTF-16")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<Element, XmlError> {
        parse(xml.as_bytes(), &Limits::MESSAGE)
    }

    #[test]
    fn names_are_resolved_and_text_is_joined() {
        let root = read("<a:r xmlns:a='urn:a' xmlns='urn:d' x='1 &amp; 2'>one<![CDATA[ & ]]>two<b/></a:r>").unwrap();

        assert!(root.is("urn:a", "r"));
        assert_eq!(root.attribute("x"), Some("1 & 2"));
        assert_eq!(root.text(), "one & two");
        assert!(root.child("urn:d", "b").is_some());
    }

    #[test]
    fn what_attacks_need_is_refused() {
        for (xml, want) in [
            ("<!DOCTYPE a><a/>", "DOCTYPE"),
            ("<a>&x;</a>", "entity"),
            ("<?xml-stylesheet href='x'?><a/>", "processing instruction"),
            ("<a>b<!-- -->c</a>", "comment"),
            ("<a b='&x;'/>", "entity"),
            ("<a><b></a></b>", "well-formed"),
            ("<a/><b/>", "second root"),
            ("<a>", "ends before"),
            ("<a b='1' b='2'/>", "well-formed"),
            ("<p:a/>", "not declared"),
            ("<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>", "twice"),
            ("<a>\u{1}</a>", "not allowed"),
            ("<a>&#0;</a>", "names no character"),
            ("text<a/>", "outside the root"),
            ("<a/>text", "outside the root"),
            ("<a b='<'/>", "well-formed"),
            ("", "no element"),
            ("<a xmlns:b=''/>", "namespace declaration"),
        ] {
            let error = read(xml).expect_err(xml).to_string();
            assert!(error.contains(want), "{xml}: {error}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        assert!(matches!(read(&deep), Err(XmlError::TooMuch { .. })));
        let wide = format!("<a>{}</a>", "<b/>".repeat(4_001));
        assert!(matches!(read(&wide), Err(XmlError::TooMuch { .. })));
        let long = format!("<a>{}</a>", "x".repeat(300_000));
        assert!(matches!(read(&long), Err(XmlError::TooMuch { .. })));
    }

    #[test]
    fn utf16_and_latin1_are_read() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>é</a>";
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(parse(&bytes, &Limits::MESSAGE).unwrap().text(), "é");
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";
        assert_eq!(parse(latin, &Limits::MESSAGE).unwrap().text(), "é");
        assert!(parse(b"<a>\xe9</a>", &Limits::MESSAGE).is_err());
    }

    #[test]
    fn comments_between_elements_are_dropped() {
        let root = read("<!-- hello --><a> <!-- x --> <b/></a>").unwrap();
        assert_eq!(root.elements().count(), 1);
        assert_eq!(root.text(), "");
    }
}
