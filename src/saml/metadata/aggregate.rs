//! Entities out of a metadata document, one at a time: a single EntityDescriptor, or EntitiesDescriptors at any depth.
//!
//! Attacks it stops: aggregates that do not fit into memory (only one entity is held), and namespace declarations on a
//! group that would be repeated on each of millions of entities (bounded).

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;

use crate::saml::metadata::refusal::MetadataRefusal;
use crate::saml::metadata::sniff;
use crate::saml::metadata::validity::Validity;
use crate::saml::names::ns;
use crate::saml::xml::reader::{Event, Limits, Puller, XmlError};
use crate::saml::xml::tree::{Element, Node};

/// Bytes of prefixes and URIs that groups may have in scope: each entity cut out gets a copy.
const MOST_SCOPE: usize = 8 << 10;

/// One EntityDescriptor that stands alone: the namespace declarations around it were pulled down onto it.
#[derive(Debug, Clone)]
pub struct Entity {
    pub element: Element,
    /// What the groups around it say about time.
    pub inherited: Validity,
}

/// The entities of one document, in document order; holds one at a time.
pub struct Entities {
    source: Source,
    groups: Vec<Group>,
    single: bool,
    done: bool,
    signature: Option<Element>,
}

enum Source {
    Stream {
        puller: Box<Puller<Box<dyn Read>>>,
        pending: Option<Element>,
    },
    /// A tree that was verified: for each open group what is still to come.
    Tree {
        pending: Option<Element>,
        open: Vec<std::vec::IntoIter<Node>>,
    },
}

#[derive(Default, Clone)]
struct Group {
    scope: Vec<(String, Arc<str>)>,
    validity: Validity,
}

enum Step {
    Entity(Element),
    Group(Element),
    Signature(Element),
    Other,
    EndOfGroup,
    EndOfDocument,
}

impl Entities {
    /// Starts on a stream and looks at its root.
    ///
    /// Errors: `not-metadata` (a web page, another root, no namespace), `doctype`, `not-well-formed`, `too-large`.
    pub fn new(source: impl Read + 'static, limits: Limits) -> Result<Self, MetadataRefusal> {
        let (head, source) = sniff::head(source)?;
        if let Some(refusal) = sniff::not_xml(&head) {
            return Err(refusal);
        }
        let source: Box<dyn Read> = Box::new(io::Cursor::new(head).chain(source));
        let mut puller = Puller::new(source, limits)?;
        loop {
            match puller.next()? {
                Event::Start(root) => {
                    let single = sniff::check_root(&root)?;
                    let source = Source::Stream { puller: Box::new(puller), pending: Some(root) };
                    return Ok(Self { source, groups: Vec::new(), single, done: false, signature: None });
                }
                Event::Text(_) | Event::End => {}
                Event::Eof => return Err(MetadataRefusal::not_metadata("The document is empty.", sniff::EXPORT)),
            }
        }
    }

    /// Starts on the root of a document that is held in memory, as after its signature was verified.
    pub fn from_root(root: Element) -> Result<Self, MetadataRefusal> {
        let single = sniff::check_root(&root)?;
        Ok(Self {
            source: Source::Tree { pending: Some(root), open: Vec::new() },
            groups: Vec::new(),
            single,
            done: false,
            signature: None,
        })
    }

    /// Whether the root is an EntityDescriptor.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// The signature of the root, once an entity was asked for; the schema puts it first.
    pub fn signature(&self) -> Option<&Element> {
        self.signature.as_ref()
    }

    /// The next entity. After the last one the rest of the document was read too, so that all of it is well-formed.
    pub fn next_entity(&mut self) -> Result<Option<Entity>, MetadataRefusal> {
        while !self.done {
            match self.step() {
                Err(refusal) => {
                    self.done = true;
                    return Err(refusal);
                }
                Ok(Step::Entity(mut element)) => {
                    let group = self.groups.last().cloned().unwrap_or_default();
                    if self.groups.is_empty() {
                        self.signature = element.child(ns::DS, "Signature").cloned();
                    }
                    pull_down(&mut element, &group.scope);
                    return Ok(Some(Entity { element, inherited: group.validity }));
                }
                Ok(Step::Group(start)) => {
                    let group = self.groups.last().cloned().unwrap_or_default().within(&start)?;
                    self.groups.push(group);
                }
                Ok(Step::Signature(signature)) => {
                    if self.groups.len() == 1 {
                        self.signature = Some(signature);
                    }
                }
                Ok(Step::Other) => {}
                Ok(Step::EndOfGroup) => {
                    self.groups.pop();
                }
                Ok(Step::EndOfDocument) => self.done = true,
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Step, MetadataRefusal> {
        Ok(match &mut self.source {
            Source::Stream { puller, pending } => {
                let start = match pending.take() {
                    Some(root) => root,
                    None => match puller.next()? {
                        Event::Start(start) => start,
                        Event::Text(_) => return Ok(Step::Other),
                        Event::End => return Ok(Step::EndOfGroup),
                        Event::Eof => return Ok(Step::EndOfDocument),
                    },
                };
                if start.is(ns::MD, "EntityDescriptor") {
                    Step::Entity(puller.read_element(start)?)
                } else if start.is(ns::MD, "EntitiesDescriptor") {
                    Step::Group(start)
                } else if start.is(ns::DS, "Signature") {
                    Step::Signature(puller.read_element(start)?)
                } else {
                    puller.skip_element()?;
                    Step::Other
                }
            }
            Source::Tree { pending, open } => {
                let element = match pending.take() {
                    Some(root) => root,
                    None => match open.last_mut() {
                        None => return Ok(Step::EndOfDocument),
                        Some(nodes) => match nodes.next() {
                            Some(Node::Element(element)) => element,
                            Some(Node::Text(_)) => return Ok(Step::Other),
                            None => {
                                open.pop();
                                return Ok(Step::EndOfGroup);
                            }
                        },
                    },
                };
                if element.is(ns::MD, "EntityDescriptor") {
                    Step::Entity(element)
                } else if element.is(ns::MD, "EntitiesDescriptor") {
                    let mut element = element;
                    open.push(std::mem::take(&mut element.children).into_iter());
                    Step::Group(element)
                } else if element.is(ns::DS, "Signature") {
                    Step::Signature(element)
                } else {
                    Step::Other
                }
            }
        })
    }
}

impl Group {
    /// The group that stands inside this one.
    fn within(mut self, start: &Element) -> Result<Self, MetadataRefusal> {
        for (prefix, uri) in &start.declarations {
            self.scope.retain(|(known, _)| known != prefix);
            if !uri.is_empty() {
                self.scope.push((prefix.clone(), Arc::clone(uri)));
            }
        }
        let bytes: usize = self.scope.iter().map(|(prefix, uri)| prefix.len() + uri.len()).sum();
        if bytes > MOST_SCOPE {
            let most = MOST_SCOPE as u64;
            return Err(XmlError::TooMuch { line: start.line, what: "bytes of namespace declarations on its groups", most }.into());
        }
        self.validity.narrow(start);
        Ok(self)
    }
}

/// Declares on the element what was declared around it, so that it can be written on its own.
fn pull_down(element: &mut Element, scope: &[(String, Arc<str>)]) {
    for (prefix, uri) in scope {
        if !element.declarations.iter().any(|(own, _)| own == prefix) {
            element.declarations.push((prefix.clone(), Arc::clone(uri)));
        }
    }
}

/// Keeps a copy of what is read through it, for as long as someone wants one.
pub(super) struct Tee<R> {
    inner: R,
    copy: Copy,
}

/// The copy that a `Tee` makes; `None` once nobody wants it.
pub(super) type Copy = Rc<RefCell<Option<Vec<u8>>>>;

impl<R: Read> Tee<R> {
    pub(super) fn new(inner: R) -> (Self, Copy) {
        let copy: Copy = Rc::new(RefCell::new(Some(Vec::new())));
        (Self { inner, copy: Rc::clone(&copy) }, copy)
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        if let (Some(copy), Some(read)) = (self.copy.borrow_mut().as_mut(), out.get(..n)) {
            copy.extend_from_slice(read);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{Span, Timestamp};

    const NESTED: &str = "<md:EntitiesDescriptor xmlns:md='urn:oasis:names:tc:SAML:2.0:metadata' xmlns:x='urn:x' xmlns:y='urn:y' validUntil='2030-01-01T00:00:00Z'>
        <ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'><ds:SignedInfo/></ds:Signature>
        <md:Extensions><md:EntityDescriptor entityID='hidden'/></md:Extensions>
        <md:EntityDescriptor entityID='a' x:note='1'/>
        <md:EntitiesDescriptor xmlns:x='urn:other' validUntil='2029-01-01T00:00:00Z' cacheDuration='PT1H'>
            <md:EntityDescriptor entityID='b' xmlns:y='urn:own'/>
        </md:EntitiesDescriptor>
        <md:EntityDescriptor entityID='c'/>
        </md:EntitiesDescriptor>";

    fn all(mut entities: Entities) -> Vec<Entity> {
        let mut out = Vec::new();
        while let Some(entity) = entities.next_entity().unwrap() {
            out.push(entity);
        }
        out
    }

    fn open(text: &'static str) -> Result<Entities, MetadataRefusal> {
        Entities::new(text.as_bytes(), Limits::AGGREGATE)
    }

    fn declared<'a>(entity: &'a Entity, prefix: &str) -> Option<&'a str> {
        entity.element.declarations.iter().find(|(p, _)| p == prefix).map(|(_, uri)| &**uri)
    }

    #[test]
    fn each_entity_of_nested_groups_stands_alone() {
        let found = all(open(NESTED).unwrap());

        let ids: Vec<_> = found.iter().map(|entity| entity.element.attribute("entityID").unwrap()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(declared(&found[0], "x"), Some("urn:x"));
        assert_eq!(declared(&found[1], "x"), Some("urn:other"));
        assert_eq!(declared(&found[1], "y"), Some("urn:own"));
        assert_eq!(declared(&found[2], "x"), Some("urn:x"));
    }

    #[test]
    fn an_entity_inherits_the_earliest_valid_until_of_its_groups() {
        let found = all(open(NESTED).unwrap());

        assert_eq!(found[0].inherited.valid_until, Timestamp::parse_xs_date_time("2030-01-01T00:00:00Z"));
        assert_eq!(found[1].inherited.valid_until, Timestamp::parse_xs_date_time("2029-01-01T00:00:00Z"));
        assert_eq!(found[1].inherited.cache_duration, Some(Span::hours(1)));
        assert_eq!(found[2].inherited.cache_duration, None);
    }

    #[test]
    fn a_verified_tree_gives_the_same_entities_as_the_stream() {
        let root = crate::saml::xml::reader::parse(NESTED.as_bytes(), &Limits::METADATA).unwrap();

        let streamed = all(open(NESTED).unwrap());
        let walked = all(Entities::from_root(root).unwrap());

        assert_eq!(streamed.len(), walked.len());
        for (a, b) in streamed.iter().zip(&walked) {
            assert_eq!(a.element, b.element);
            assert_eq!(a.inherited, b.inherited);
        }
    }

    #[test]
    fn the_root_signature_is_seen() {
        let mut entities = open(NESTED).unwrap();
        entities.next_entity().unwrap();
        assert!(entities.signature().is_some());
    }

    #[test]
    fn a_second_root_is_refused_after_the_first_was_read() {
        let mut entities = open("<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata'/><EntityDescriptor/>").unwrap();
        assert!(entities.next_entity().unwrap().is_some());
        assert_eq!(entities.next_entity().unwrap_err().code, "not-well-formed");
        assert!(entities.next_entity().unwrap().is_none());
    }

    #[test]
    fn declarations_around_entities_are_bounded() {
        let text = format!(
            "<EntitiesDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' xmlns:a='{}'><EntityDescriptor/></EntitiesDescriptor>",
            "x".repeat(MOST_SCOPE)
        );
        let mut entities = Entities::new(io::Cursor::new(text), Limits::AGGREGATE).unwrap();
        assert_eq!(entities.next_entity().unwrap_err().code, "too-large");
    }

    #[test]
    fn an_endless_aggregate_is_held_one_entity_at_a_time() {
        let head = b"<EntitiesDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata'>".as_slice();
        let entity = b"<EntityDescriptor entityID='x'/>".as_slice();
        let endless = head.chain(Repeat { what: entity, at: 0 });
        let mut entities = Entities::new(endless, Limits { bytes: 1 << 20, ..Limits::AGGREGATE }).unwrap();

        let mut count = 0;
        let end = loop {
            match entities.next_entity() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break None,
                Err(refusal) => break Some(refusal.code),
            }
        };

        assert!(count > 30_000);
        assert_eq!(end, Some("too-large"));
    }

    struct Repeat {
        what: &'static [u8],
        at: usize,
    }

    impl Read for Repeat {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            for byte in out.iter_mut() {
                *byte = self.what[self.at];
                self.at = (self.at + 1) % self.what.len();
            }
            Ok(out.len())
        }
    }
}
