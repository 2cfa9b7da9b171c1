//! Our own metadata, as SPs read it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::crypto::digest;
use crate::flows::{Fault, Services};
use crate::keys::ring::{KeyFamily, Ring};
use crate::model::id::EntityId;
use crate::model::sp::Binding;
use crate::model::time::{Span, Timestamp};
use crate::saml::metadata::idp::{DIGEST_METHODS, IdpEndpoint, IdpMetadata, IdpService, SIGNING_METHODS};
use crate::saml::names::name_id;
use crate::saml::xml::signature::SignatureAlgorithm;
use crate::saml::xml::signature::sign::SigningKey;

/// How long the published document is valid; a fresh one is made every few hours.
const VALID_FOR: Span = Span::days(30);
const REMADE_AFTER: Span = Span::hours(6);

/// A finished document.
pub struct Document {
    pub xml: Vec<u8>,
    pub etag: String,
    made: Timestamp,
    ring: Arc<Ring>,
    /// Of the registry: apps may have scopes of their own, which are published.
    generation: u64,
    scopes: Vec<String>,
}

/// Documents are made seldom and served often.
#[derive(Default)]
pub struct Published {
    current: Mutex<Option<Arc<Document>>>,
    download: Mutex<Option<Arc<Document>>>,
}

/// The document in force; `download` is the copy that people keep, which has no validUntil.
pub fn current(services: &Services, download: bool) -> Result<Arc<Document>, Fault> {
    let now = (services.clock)();
    let ring = services.keys.current();
    let generation = services.registry.generation();
    let slot = if download { &services.published.download } else { &services.published.current };
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(document) = slot.as_ref()
        && Arc::ptr_eq(&document.ring, &ring)
        && (document.generation == generation || document.scopes == scopes(services))
        && now.since(document.made) < REMADE_AFTER
    {
        return Ok(Arc::clone(document));
    }
    let xml = publish(services, &ring, (!download).then_some(now + VALID_FOR))?;
    let etag = digest::sha256(&xml).to_hex().split_off(32);
    let document = Arc::new(Document { xml, etag, made: now, ring, generation, scopes: scopes(services) });
    *slot = Some(Arc::clone(&document));
    Ok(document)
}

/// The host of the public URL, and the scopes that enabled apps set for themselves.
fn scopes(services: &Services) -> Vec<String> {
    let own = services.registry.all().into_iter().filter(|sp| sp.app.enabled).filter_map(|sp| sp.app.saml.scope.clone());
    let mut further: Vec<String> = own.filter(|scope| *scope != services.facts.host).collect();
    further.sort();
    further.dedup();
    let mut scopes = vec![services.facts.host.clone()];
    scopes.append(&mut further);
    scopes
}

fn publish(services: &Services, ring: &Ring, valid_until: Option<Timestamp>) -> Result<Vec<u8>, Fault> {
    let facts = &services.facts;
    let endpoint = |binding| IdpEndpoint { service: IdpService::SingleSignOn, binding, location: facts.sso_url() };
    let metadata = IdpMetadata {
        entity_id: EntityId::parse(facts.entity_id.as_str()).map_err(|error| Fault::Other(error.to_string()))?,
        endpoints: vec![endpoint(Binding::HttpRedirect), endpoint(Binding::HttpPost)],
        certificates: ring.published().map(|key| key.certificate.der.clone()).collect(),
        name_id_formats: [name_id::PERSISTENT, name_id::TRANSIENT, name_id::EMAIL, name_id::UNSPECIFIED].map(str::to_owned).to_vec(),
        scopes: scopes(services),
        display_names: vec![("en".to_owned(), facts.brand.clone())],
        error_url: None,
        valid_until,
        cache_duration: Some(Span::hours(12)),
        digest_methods: DIGEST_METHODS.iter().map(|uri| (*uri).to_owned()).collect(),
        signing_methods: SIGNING_METHODS.iter().map(|uri| (*uri).to_owned()).collect(),
    };
    let key = match ring.active(KeyFamily::Rsa).or(ring.active(KeyFamily::Ec)) {
        Some(key) => key.private.clone().map(|private| {
            let algorithm = if key.family == KeyFamily::Rsa { SignatureAlgorithm::RsaSha256 } else { SignatureAlgorithm::EcdsaSha256 };
            SigningKey::new(private, algorithm, key.certificate.der.clone())
        }),
        None => None,
    };
    Ok(metadata.publish(key.transpose()?.as_ref())?)
}
