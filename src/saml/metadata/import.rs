//! From the bytes of a document to the apps in it.
//!
//! Attacks it stops: metadata of an app that somebody else changed on the way (a pinned signer must have signed the whole
//! document, and only what was verified is read), aggregates that do not fit into memory.

use std::collections::HashSet;
use std::io::{self, Read};

use crate::crypto::keys::PublicKey;
use crate::model::id::EntityId;
use crate::model::sp::{Finding, SpMetadata};
use crate::model::time::Timestamp;
use crate::saml::metadata::aggregate::{Entities, Entity, Tee};
use crate::saml::metadata::refusal::MetadataRefusal;
use crate::saml::metadata::sp::{ReadOptions, entity_id, read_sp};
use crate::saml::metadata::validity::Validity;
use crate::saml::metadata::{rules, signed};
use crate::saml::spec;
use crate::saml::xml::reader::{Limits, parse};
use crate::saml::xml::tree::Attribute;
use crate::saml::xml::writer::serialize;

/// How a document is to be imported.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    pub now: Timestamp,
    /// The one entity that is wanted; without it all of them.
    pub entity: Option<EntityId>,
    pub accept_expired: bool,
    pub allow_http: bool,
    /// Who must have signed the document.
    pub signer: Option<PublicKey>,
    /// `Limits::METADATA` for one app, `Limits::AGGREGATE` for a federation.
    pub limits: Limits,
}

impl ImportOptions {
    /// Imports everything that a single document may hold, trusting whoever hands it in.
    pub fn new(now: Timestamp) -> Self {
        Self { now, entity: None, accept_expired: false, allow_http: false, signer: None, limits: Limits::METADATA }
    }

    fn read(&self) -> ReadOptions {
        ReadOptions { now: self.now, accept_expired: self.accept_expired, allow_http: self.allow_http }
    }
}

/// One app that can be registered.
#[derive(Debug, Clone)]
pub struct ImportedEntity {
    pub metadata: SpMetadata,
    /// Its EntityDescriptor as a document of its own: the very text where that was the whole document; else with the
    /// namespaces that were declared around it, and with the validUntil and cacheDuration that it inherited.
    pub xml: String,
    pub findings: Vec<Finding>,
}

/// An entity that cannot be registered.
#[derive(Debug, Clone)]
pub struct RefusedEntity {
    /// As it calls itself; fit to be shown.
    pub entity_id: Option<EntityId>,
    pub refusal: MetadataRefusal,
}

/// What a document held.
#[derive(Debug, Default)]
pub struct Import {
    /// Never empty.
    pub entities: Vec<ImportedEntity>,
    /// The other entities of an aggregate: identity providers and broken ones.
    pub refused: Vec<RefusedEntity>,
    /// What is to be said of the document as a whole; `several-entities` is among it where somebody has to choose.
    pub findings: Vec<Finding>,
}

impl Import {
    /// Findings of the document and of all its entities.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.entities.iter().flat_map(|entity| &entity.findings))
    }
}

/// One entity of a document, as it is met.
#[derive(Debug)]
pub enum Met {
    App(Box<ImportedEntity>),
    Refused(Box<RefusedEntity>),
}

/// Reads a document that is held in memory.
///
/// Errors: what `import_from` says.
pub fn import(document: &[u8], options: &ImportOptions) -> Result<Import, MetadataRefusal> {
    import_from(io::Cursor::new(document.to_vec()), options)
}

/// Reads a document as a stream and collects what is in it.
///
/// Errors: the document's own (`not-well-formed`, `doctype`, `not-metadata`, `too-large`, `unreadable`,
/// `signature-invalid`, `signature-sha1`); `entity-not-found`; and where no entity can be registered, why the first could not
/// (see `read_sp`).
pub fn import_from(source: impl Read + 'static, options: &ImportOptions) -> Result<Import, MetadataRefusal> {
    let mut import = Import::default();
    let findings = import_each(source, options, &mut |met| match met {
        Met::App(app) => import.entities.push(*app),
        Met::Refused(refused) => import.refused.push(*refused),
    })?;
    import.findings = findings;
    if import.entities.is_empty() {
        return Err(nothing_usable(&import, options));
    }
    Ok(import)
}

/// Reads a document as a stream and hands over each entity as it is met, so that only one is held; returns the findings about
/// the document.
///
/// What was handed over counts only when this returns `Ok`: the end of the document may still be broken. Where a signer is
/// pinned nothing is handed over before the signature was verified; for that the document is held in memory.
pub fn import_each(
    source: impl Read + 'static,
    options: &ImportOptions,
    meet: &mut dyn FnMut(Met),
) -> Result<Vec<Finding>, MetadataRefusal> {
    let (tee, copy) = Tee::new(source);
    let mut entities = match &options.signer {
        None => Entities::new(tee, options.limits)?,
        Some(signer) => signed::verified(tee, signer, &options.limits)?,
    };
    if !entities.is_single() {
        copy.take();
    }
    let mut document = Document { options, findings: Vec::new(), seen: HashSet::new(), apps: 0, single: None };
    while let Some(entity) = entities.next_entity()? {
        document.entity(entity, entities.is_single(), meet);
    }
    if let Some(mut app) = document.single.take() {
        // The text as received, unless it is in an encoding that text columns do not take.
        if let Some(text) = copy.take().and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.contains('\0')) {
            app.xml = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        }
        meet(Met::App(app));
    }
    let mut findings = document.findings;
    if let (Some(signature), None) = (entities.signature(), &options.signer) {
        findings.push(signed::unchecked(signature));
    }
    if document.apps > 1 {
        let value = format!("{} apps", document.apps);
        findings.push(rules::SEVERAL_ENTITIES.about(&value, "Choose one with --entity ENTITY_ID."));
    }
    Ok(findings)
}

/// Reads metadata that was imported before: one EntityDescriptor, expired or not.
///
/// Errors: as `import`, but never `valid-until-expired`.
pub fn read_stored(xml: &str, now: Timestamp, allow_http: bool) -> Result<(SpMetadata, Vec<Finding>), MetadataRefusal> {
    let root = parse(xml.as_bytes(), &Limits::METADATA)?;
    read_sp(&root, &Validity::default(), &ReadOptions { now, accept_expired: true, allow_http })
}

struct Document<'o> {
    options: &'o ImportOptions,
    findings: Vec<Finding>,
    seen: HashSet<EntityId>,
    apps: usize,
    /// The app that is the whole document, until its text is known.
    single: Option<Box<ImportedEntity>>,
}

impl Document<'_> {
    fn entity(&mut self, mut entity: Entity, single: bool, meet: &mut dyn FnMut(Met)) {
        let id = match entity_id(&entity.element) {
            Ok(id) => id,
            Err(refusal) => return meet(Met::Refused(Box::new(RefusedEntity { entity_id: None, refusal }))),
        };
        if self.options.entity.as_ref().is_some_and(|wanted| *wanted != id) {
            return;
        }
        if !self.seen.insert(id.clone()) {
            if self.findings.len() < 20 {
                self.findings.push(rules::DUPLICATE_ENTITY.about(id.as_str(), "The first one counts. Ask the publisher which is meant."));
            }
            return;
        }
        match read_sp(&entity.element, &entity.inherited, &self.options.read()) {
            Err(refusal) => meet(Met::Refused(Box::new(RefusedEntity { entity_id: Some(id), refusal }))),
            Ok((metadata, findings)) => {
                self.apps += 1;
                if !single {
                    keep_validity(&mut entity, &metadata);
                }
                let app = Box::new(ImportedEntity { metadata, xml: serialize(&entity.element), findings });
                if single {
                    self.single = Some(app);
                } else {
                    meet(Met::App(app));
                }
            }
        }
    }
}

/// Writes what an entity inherited from its groups onto it, since it will stand alone.
fn keep_validity(entity: &mut Entity, metadata: &SpMetadata) {
    let mut set = |local: &str, value: String| {
        entity.element.attributes.retain(|attribute| attribute.namespace.is_some() || attribute.local != local);
        entity.element.attributes.push(Attribute { namespace: None, prefix: String::new(), local: local.to_owned(), value });
    };
    if let (Some(until), true) = (metadata.valid_until, entity.inherited.valid_until.is_some()) {
        set("validUntil", until.to_rfc3339());
    }
    if let (Some(duration), true) = (metadata.cache_duration, entity.inherited.cache_duration.is_some()) {
        set("cacheDuration", duration.to_xs_duration());
    }
}

/// Why there is nothing to register.
fn nothing_usable(import: &Import, options: &ImportOptions) -> MetadataRefusal {
    // An app that is broken says more than an identity provider beside it.
    let told = import.refused.iter().find(|refused| refused.refusal.code != "no-sp-role").or_else(|| import.refused.first());
    if let (Some(wanted), None) = (&options.entity, told) {
        let detail = "The entity that was asked for is not in the document.";
        let remedy = "Leave --entity out to see which entities it holds; entity IDs are compared letter by letter.";
        return MetadataRefusal::new("entity-not-found", &spec::METADATA_ENTITY_CHOSEN, detail, remedy).seen(wanted.as_str());
    }
    match told {
        Some(told) => told.refusal.clone(),
        None => {
            let detail = "The document holds no entity at all.";
            MetadataRefusal::not_metadata(detail, "Export the metadata again; an EntitiesDescriptor holds EntityDescriptors.")
        }
    }
}
