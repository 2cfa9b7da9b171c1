//! How two versions of an app's metadata differ, in words for the audit log and for people.

use crate::model::event::Change;
use crate::model::sp::{AcsEndpoint, AttributeConsumingService, EncryptionMethod, SloEndpoint, SpKey, SpMetadata};

/// The fields that differ, each with what it was and what it is; empty where both mean the same.
pub fn changes(old: &SpMetadata, new: &SpMetadata) -> Vec<Change> {
    let mut diff = Diff { out: Vec::new() };
    diff.one("entity_id", Some(old.entity_id.to_string()), Some(new.entity_id.to_string()));
    diff.list("acs", old.acs.iter().map(acs), new.acs.iter().map(acs));
    diff.list("slo", old.slo.iter().map(slo), new.slo.iter().map(slo));
    diff.list("key", old.keys.iter().map(key), new.keys.iter().map(key));
    diff.whole("name_id_formats", &old.name_id_formats, &new.name_id_formats);
    diff.one("authn_requests_signed", Some(old.authn_requests_signed.to_string()), Some(new.authn_requests_signed.to_string()));
    diff.one("want_assertions_signed", Some(old.want_assertions_signed.to_string()), Some(new.want_assertions_signed.to_string()));
    diff.list("requested_attribute", requested(&old.attribute_services), requested(&new.attribute_services));
    diff.one("display_name", old.display_name().map(str::to_owned), new.display_name().map(str::to_owned));
    diff.list("display_text", texts(old), texts(new));
    diff.list("entity_attribute", pairs(&old.entity_attributes), pairs(&new.entity_attributes));
    diff.whole("digest_methods", &old.digest_methods, &new.digest_methods);
    diff.whole("signing_methods", &old.signing_methods, &new.signing_methods);
    diff.one("error_url", old.error_url.clone(), new.error_url.clone());
    diff.one("valid_until", old.valid_until.map(|at| at.to_string()), new.valid_until.map(|at| at.to_string()));
    diff.one("cache_duration", old.cache_duration.map(|span| span.to_string()), new.cache_duration.map(|span| span.to_string()));
    diff.list("contact", contacts(old), contacts(new));
    diff.one("registration_authority", old.registration_authority.clone(), new.registration_authority.clone());
    diff.out
}

struct Diff {
    out: Vec<Change>,
}

impl Diff {
    fn one(&mut self, field: &str, before: Option<String>, after: Option<String>) {
        if before != after {
            self.out.push(Change { field: field.to_owned(), before, after });
        }
    }

    /// A list whose order counts.
    fn whole(&mut self, field: &str, before: &[String], after: &[String]) {
        let text = |list: &[String]| (!list.is_empty()).then(|| list.join(" "));
        self.one(field, text(before), text(after));
    }

    /// A list of things that come and go: each gone one and each new one is a change; another order alone is one change.
    fn list(&mut self, field: &str, before: impl Iterator<Item = String>, after: impl Iterator<Item = String>) {
        let (before, after): (Vec<_>, Vec<_>) = (before.collect(), after.collect());
        let known = self.out.len();
        for gone in missing(&before, &after) {
            self.one(field, Some(gone), None);
        }
        for new in missing(&after, &before) {
            self.one(field, None, Some(new));
        }
        if self.out.len() == known && before != after {
            self.one(field, Some(format!("{} in another order", before.len())), Some(format!("{} in this order", after.len())));
        }
    }
}

/// What is in `from` and not in `other`, each time it occurs more often.
fn missing(from: &[String], other: &[String]) -> Vec<String> {
    let mut left: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for value in other {
        *left.entry(value).or_default() += 1;
    }
    from.iter()
        .filter(|value| match left.get_mut(value.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .cloned()
        .collect()
}

fn acs(acs: &AcsEndpoint) -> String {
    let mut out = format!("{} {}", short(acs.binding.uri()), acs.location);
    if let Some(index) = acs.index {
        out.push_str(&format!(" index {index}"));
    }
    match acs.is_default {
        Some(true) => out.push_str(", default"),
        Some(false) => out.push_str(", not default"),
        None => {}
    }
    if acs.unusable.is_some() {
        out.push_str(", not used");
    }
    out
}

fn slo(slo: &SloEndpoint) -> String {
    let mut out = format!("{} {}", short(slo.binding.uri()), slo.location);
    if let Some(response) = &slo.response_location {
        out.push_str(&format!(", responses to {response}"));
    }
    if slo.unusable.is_some() {
        out.push_str(", not used");
    }
    out
}

/// The last part of a binding's URI, which is what people call it.
fn short(uri: &str) -> &str {
    match uri.strip_prefix("urn:oasis:names:tc:SAML:2.0:bindings:") {
        Some(name) => name,
        None => uri,
    }
}

fn key(key: &SpKey) -> String {
    use crate::model::sp::KeyUse;
    let key_use = match key.key_use {
        KeyUse::Signing => "signing",
        KeyUse::Encryption => "encryption",
        KeyUse::Both => "signing and encryption",
    };
    let what = match &key.certificate {
        Some(certificate) => format!("certificate {}", certificate.fingerprint),
        None => format!("bare key {}", crate::crypto::x509::fingerprint(&key.spki)),
    };
    let methods: Vec<String> = key.encryption_methods.iter().map(method).collect();
    let methods = if methods.is_empty() { String::new() } else { format!(", methods {}", methods.join(" ")) };
    format!("{key_use}, {}, {what}{methods}", key.algorithm)
}

fn method(method: &EncryptionMethod) -> String {
    let inner: Vec<&str> = [&method.digest, &method.mgf].into_iter().flatten().map(String::as_str).collect();
    if inner.is_empty() { method.algorithm.clone() } else { format!("{}({})", method.algorithm, inner.join(",")) }
}

fn requested(services: &[AttributeConsumingService]) -> impl Iterator<Item = String> {
    services.iter().enumerate().flat_map(|(at, service)| {
        let number = service.index.map_or_else(|| format!("service {}", at + 1), |index| format!("service index {index}"));
        let default = if service.is_default == Some(true) { " (default)" } else { "" };
        service.requested.iter().map(move |attribute| {
            let name = match &attribute.friendly_name {
                Some(friendly) => format!("{} ({friendly})", attribute.name),
                None => attribute.name.clone(),
            };
            let format = attribute.name_format.as_deref().unwrap_or("no format");
            let required = if attribute.is_required { ", required" } else { "" };
            let values = if attribute.values.is_empty() { String::new() } else { format!(", only {}", attribute.values.join(" ")) };
            format!("{number}{default}: {name}, {format}{required}{values}")
        })
    })
}

fn texts(sp: &SpMetadata) -> impl Iterator<Item = String> {
    let ui = [
        ("DisplayName", &sp.ui.display_names),
        ("Description", &sp.ui.descriptions),
        ("InformationURL", &sp.ui.information_urls),
        ("PrivacyStatementURL", &sp.ui.privacy_urls),
    ];
    let organization = sp.organization.iter().flat_map(|organization| {
        [
            ("OrganizationName", &organization.names),
            ("OrganizationDisplayName", &organization.display_names),
            ("OrganizationURL", &organization.urls),
        ]
    });
    let localized = ui
        .into_iter()
        .chain(organization)
        .flat_map(|(name, all)| all.iter().map(move |(language, text)| format!("{name} [{language}] {text}")));
    let services = sp.attribute_services.iter().flat_map(|service| &service.names);
    let services = services.map(|(language, text)| format!("ServiceName [{language}] {text}"));
    // A data: logo is long; its beginning and length tell it from another.
    let logos = sp.ui.logos.iter().map(|logo| {
        let url: String = logo.url.chars().take(120).collect();
        format!("Logo {}×{} {url} ({} bytes)", logo.width, logo.height, logo.url.len())
    });
    localized.chain(services).chain(logos)
}

fn pairs(attributes: &[(String, Vec<String>)]) -> impl Iterator<Item = String> {
    attributes.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name} = {value}")))
}

fn contacts(sp: &SpMetadata) -> impl Iterator<Item = String> {
    sp.contacts.iter().map(|contact| {
        let parts = contact.name.iter().chain(&contact.emails).chain(&contact.phones).map(String::as_str);
        format!("{}: {}", contact.kind, parts.collect::<Vec<_>>().join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::EntityId;
    use crate::model::sp::{Binding, KeyAlgorithm, KeyUse, UiInfo};

    fn sp() -> SpMetadata {
        SpMetadata {
            entity_id: EntityId::parse("urn:sp").unwrap(),
            acs: vec![AcsEndpoint {
                binding: Binding::HttpPost,
                location: "https://a.example/acs".to_owned(),
                index: Some(0),
                is_default: Some(true),
                unusable: None,
            }],
            slo: Vec::new(),
            keys: Vec::new(),
            name_id_formats: Vec::new(),
            authn_requests_signed: false,
            want_assertions_signed: false,
            attribute_services: Vec::new(),
            ui: UiInfo::default(),
            entity_attributes: Vec::new(),
            digest_methods: Vec::new(),
            signing_methods: Vec::new(),
            error_url: None,
            valid_until: None,
            cache_duration: None,
            organization: None,
            contacts: Vec::new(),
            registration_authority: None,
        }
    }

    #[test]
    fn the_same_metadata_has_no_changes() {
        assert!(changes(&sp(), &sp()).is_empty());
    }

    #[test]
    fn a_moved_endpoint_is_one_gone_and_one_new() {
        let mut new = sp();
        new.acs[0].location = "https://b.example/acs".to_owned();

        let changes = changes(&sp(), &new);

        assert_eq!(changes.len(), 2);
        assert_eq!(changes[0].before.as_deref(), Some("HTTP-POST https://a.example/acs index 0, default"));
        assert_eq!(changes[1].after.as_deref(), Some("HTTP-POST https://b.example/acs index 0, default"));
    }

    #[test]
    fn a_new_key_is_told_by_its_fingerprint() {
        let mut new = sp();
        new.keys.push(SpKey {
            key_use: KeyUse::Signing,
            spki: vec![1],
            algorithm: KeyAlgorithm::Rsa(2048),
            certificate: None,
            encryption_methods: Vec::new(),
        });

        let changes = changes(&sp(), &new);

        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].field, "key");
        assert!(changes[0].after.as_deref().unwrap().starts_with("signing, RSA 2048, bare key 4B:F5:12:"));
    }

    #[test]
    fn another_order_is_a_change_too() {
        let mut old = sp();
        let mut second = old.acs[0].clone();
        second.location = "https://b.example/acs".to_owned();
        old.acs.push(second);
        let mut new = old.clone();
        new.acs.reverse();

        assert_eq!(changes(&old, &new).len(), 1);
    }
}
