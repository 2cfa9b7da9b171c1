//! The bounded XML reader: well-formed, namespace-aware, and deaf to everything that attacks need.
//!
//! Attacks it stops: entity expansion and external entities (any DOCTYPE), processing instructions, comments that split
//! text (CVE-2018-0489 and relatives), depth and size bombs, duplicate attributes, undeclared prefixes, a second root.
//! Nothing is ever fetched.

mod interpret;
mod source;

use std::io::Read;

use quick_xml::Reader;

use crate::saml::xml::reader::interpret::{Interpreter, Token};
use crate::saml::xml::reader::source::{Bounded, Encoding, Utf8, newlines};
use crate::saml::xml::tree::{Element, Node};

/// What a document may use up at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the document (of UTF-8 after decoding).
    pub bytes: u64,
    pub depth: u32,
    /// Elements in the tree that `read_element` builds, or in the whole document for `parse`.
    pub elements: u32,
    /// Attributes and namespace declarations on one element; four times as many declarations may be in force at once.
    pub attributes: u32,
    /// Bytes of one tag or one run of text.
    pub token: u64,
    /// Refused in text (messages), or dropped (metadata).
    pub comments: Comments,
}

/// What happens to comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// An element that holds both text and a comment is refused; between elements comments are dropped.
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
    reader: Reader<Bounded<Utf8<R>>>,
    buffer: Vec<u8>,
    interpreter: Interpreter,
}

/// Reads a whole document into a tree.
pub fn parse(document: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    let (encoding, marked) = source::encoding(document)?;
    if encoding != Encoding::Utf8 {
        return whole_document(&mut Puller::new(std::io::Cursor::new(document.to_vec()), *limits)?, limits);
    }
    if document.len() as u64 > limits.bytes {
        return Err(XmlError::TooMuch { line: 1, what: "bytes in the document", most: limits.bytes });
    }
    let document = document.get(marked..).unwrap_or_default();
    let mut reader = Reader::from_reader(document);
    configure(&mut reader);
    whole_document(&mut Slice { document, reader, counted: 0, line: 1, interpreter: Interpreter::new(*limits) }, limits)
}

impl<R: Read> Puller<R> {
    /// Starts on a stream in UTF-8, UTF-16, ISO-8859-1 or US-ASCII.
    pub fn new(source: R, limits: Limits) -> Result<Self, XmlError> {
        let mut reader = Reader::from_reader(Bounded::new(Utf8::new(source)?, limits.bytes, limits.token));
        configure(&mut reader);
        Ok(Self { reader, buffer: Vec::new(), interpreter: Interpreter::new(limits) })
    }

    /// The line that was reached, from 1.
    pub fn line(&mut self) -> u32 {
        self.reader.get_mut().line
    }

    /// The next start tag, end tag or run of text. Neighbouring runs of text may come apart.
    ///
    /// Only a whole tree shows whether a comment splits text, so where that is refused any comment in the root element is.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would have to say what comes after an error")]
    pub fn next(&mut self) -> Result<Event, XmlError> {
        match self.token()? {
            Token::Start(tag) => Ok(Event::Start(tag)),
            Token::End => Ok(Event::End),
            Token::Text(text) => Ok(Event::Text(text)),
            Token::Comment => Err(XmlError::CommentInText { line: self.line() }),
            Token::Eof => Ok(Event::Eof),
        }
    }

    /// Builds the tree of an element whose start tag was just read.
    pub fn read_element(&mut self, start: StartTag) -> Result<Element, XmlError> {
        let most = self.interpreter.limits.elements;
        build(self, start, most)
    }

    /// Passes over an element whose start tag was just read, without building anything.
    pub fn skip_element(&mut self) -> Result<(), XmlError> {
        let outside = self.interpreter.depth.saturating_sub(1);
        while self.interpreter.depth > outside {
            if matches!(self.token()?, Token::Eof) {
                break;
            }
        }
        Ok(())
    }
}

/// Where tokens come from: a stream, or a document in memory, out of which nothing needs to be copied.
trait Tokens {
    fn token(&mut self) -> Result<Token, XmlError>;
    /// The line that was reached, from 1.
    fn at_line(&mut self) -> u32;
}

impl<R: Read> Tokens for Puller<R> {
    fn token(&mut self) -> Result<Token, XmlError> {
        loop {
            if let Some(end) = self.interpreter.pending() {
                return Ok(end);
            }
            self.buffer.clear();
            self.reader.get_mut().token = 0;
            let event = self.reader.read_event_into(&mut self.buffer);
            let source = self.reader.get_ref();
            let event = event.map_err(|error| match source.over {
                Some((what, most)) => XmlError::TooMuch { line: source.line, what, most },
                None => wrap(error, source.line),
            })?;
            if let Some(token) = self.interpreter.token(event, source.line)? {
                return Ok(token);
            }
        }
    }

    fn at_line(&mut self) -> u32 {
        self.line()
    }
}

/// A document in memory.
struct Slice<'d> {
    document: &'d [u8],
    reader: Reader<&'d [u8]>,
    /// How far lines are counted, and how many there were.
    counted: usize,
    line: u32,
    interpreter: Interpreter,
}

impl Tokens for Slice<'_> {
    fn token(&mut self) -> Result<Token, XmlError> {
        loop {
            if let Some(end) = self.interpreter.pending() {
                return Ok(end);
            }
            let event = self.reader.read_event();
            let reached = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            let read = self.document.get(self.counted..reached).unwrap_or_default();
            self.line = self.line.saturating_add(newlines(read));
            self.counted = reached;
            let event = event.map_err(|error| wrap(error, self.line))?;
            let most = self.interpreter.limits.token;
            if read.len() as u64 > most {
                return Err(XmlError::TooMuch { line: self.line, what: "bytes in one tag or text", most });
            }
            if let Some(token) = self.interpreter.token(event, self.line)? {
                return Ok(token);
            }
        }
    }

    fn at_line(&mut self) -> u32 {
        self.line
    }
}

fn configure<R>(reader: &mut Reader<R>) {
    let config = reader.config_mut();
    config.check_end_names = true;
    config.check_comments = true;
    config.allow_dangling_amp = false;
    config.allow_unmatched_ends = false;
}

fn wrap(error: quick_xml::Error, line: u32) -> XmlError {
    match error {
        quick_xml::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => XmlError::Encoding(error.to_string()),
        quick_xml::Error::Io(error) => XmlError::Io(error.to_string()),
        quick_xml::Error::Encoding(error) => XmlError::Encoding(error.to_string()),
        other => XmlError::NotWellFormed { line, what: other.to_string() },
    }
}

fn whole_document(tokens: &mut impl Tokens, limits: &Limits) -> Result<Element, XmlError> {
    // The interpreter lets nothing but comments through outside of the one root element.
    let mut root = None;
    loop {
        match tokens.token()? {
            Token::Start(tag) => root = Some(build(tokens, tag, limits.elements)?),
            Token::Eof => break,
            Token::Text(_) | Token::Comment | Token::End => {}
        }
    }
    root.ok_or_else(|| XmlError::NotWellFormed { line: tokens.at_line(), what: "there is no element".to_owned() })
}

fn build(tokens: &mut impl Tokens, start: StartTag, most: u32) -> Result<Element, XmlError> {
    // With each element, whether a comment stands directly in it.
    let mut stack = vec![(start, false)];
    let mut elements = 1u32;
    loop {
        match tokens.token()? {
            Token::Start(tag) => {
                elements = elements.saturating_add(1);
                if elements > most {
                    return Err(XmlError::TooMuch { line: tokens.at_line(), what: "elements", most: u64::from(most) });
                }
                stack.push((tag, false));
            }
            Token::Text(text) => {
                if let Some((top, _)) = stack.last_mut() {
                    match top.children.last_mut() {
                        Some(Node::Text(last)) => last.push_str(&text),
                        _ if text.is_empty() => {}
                        _ => top.children.push(Node::Text(text)),
                    }
                }
            }
            Token::Comment => {
                if let Some((_, commented)) = stack.last_mut() {
                    *commented = true;
                }
            }
            Token::End => {
                let Some((done, commented)) = stack.pop() else { break };
                // A comment is harmless between elements and an attack inside a value (CVE-2018-0489).
                if commented && !done.text().is_empty() {
                    return Err(XmlError::CommentInText { line: done.line });
                }
                match stack.last_mut() {
                    Some((parent, _)) => parent.children.push(Node::Element(done)),
                    None => return Ok(done),
                }
            }
            Token::Eof => break,
        }
    }
    Err(XmlError::NotWellFormed { line: tokens.at_line(), what: "the document ends before all elements are closed".to_owned() })
}

/// Whether a name is an XML name without a colon: Namespaces in XML, production 4, with the character classes of XML 1.0 (fifth
/// edition).
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

#[cfg(test)]
mod tests;
