//! What is known of a person, by the names that expressions and apps use.

use crate::crypto::CryptoError;
use crate::model::user::User;
use crate::registry::release::vocabulary::{self, PAIRWISE_KEY, SUBJECT_KEY};
use crate::registry::subject_ids::SubjectIds;

/// The person, as seen by one app.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub user: &'a User,
    pub ids: &'a SubjectIds,
}

/// The domain that scoped attributes are in; `None` where the host of `public_url` cannot be one.
pub type Scope = Option<String>;

/// Reads a scope (Subject Identifier Attributes 3.3.2: letters, digits, dots and hyphens, 127 at most; compared without
/// regard to case, so written in lower case).
pub fn parse_scope(text: &str) -> Scope {
    let fine = (1..=127).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    fine.then(|| text.to_ascii_lowercase())
}

/// Values of `user.KEY`; none where the directory has none. Never the password hash, nor anything else that is not listed.
pub fn user_values(user: &User, scope: &Scope, key: &str) -> Vec<String> {
    match key {
        "id" => vec![user.id.to_string()],
        "name" | "uid" => filled([user.name.as_str()]),
        "email" | "mail" => match &user.email {
            Some(email) => filled([email.as_str()]),
            None => attribute(user, "mail"),
        },
        "display_name" | "displayName" => display_name(user),
        "groups" | "isMemberOf" => user.groups.clone(),
        "cn" => attribute_or(user, "cn", || display_name(user)),
        "eduPersonPrincipalName" => attribute_or(user, key, || principal_name(user, scope)),
        "eduPersonScopedAffiliation" => attribute_or(user, key, || {
            let affiliations = attribute(user, "eduPersonAffiliation");
            scope.iter().flat_map(|scope| affiliations.iter().map(move |affiliation| format!("{affiliation}@{scope}"))).collect()
        }),
        _ => attribute(user, key),
    }
}

/// Values of an attribute that an app asks for by `name`: known ones by any of their names, the person's own by theirs.
pub fn requested_values(person: &Person<'_>, entity_id: &str, scope: &Scope, name: &str) -> Result<Vec<String>, CryptoError> {
    match vocabulary::known(name).map(|known| known.key) {
        Some(PAIRWISE_KEY) => pairwise_id(person, entity_id, scope),
        Some(SUBJECT_KEY) => subject_id(person, scope),
        Some(key) => Ok(user_values(person.user, scope, key)),
        None => Ok(attribute(person.user, name)),
    }
}

/// `…@scope`, other at every app.
pub fn pairwise_id(person: &Person<'_>, entity_id: &str, scope: &Scope) -> Result<Vec<String>, CryptoError> {
    let Some(scope) = scope else { return Ok(Vec::new()) };
    Ok(vec![format!("{}@{scope}", person.ids.pairwise(&person.user.id, entity_id)?)])
}

/// `…@scope`, the same at every app.
pub fn subject_id(person: &Person<'_>, scope: &Scope) -> Result<Vec<String>, CryptoError> {
    let Some(scope) = scope else { return Ok(Vec::new()) };
    Ok(vec![format!("{}@{scope}", person.ids.subject(&person.user.id)?)])
}

/// Whether the key is a list even where it has one value.
pub fn is_list(key: &str) -> bool {
    key == "groups" || vocabulary::known(key).is_some_and(|known| known.many && known.key == key)
}

/// An attribute by its name, else under another common spelling of it (`first_name` for `givenName`).
fn attribute(user: &User, key: &str) -> Vec<String> {
    let exact = user.attributes.get(key);
    let found = exact.or_else(|| {
        let wanted = vocabulary::known(key)?;
        user.attributes.iter().find(|(name, _)| vocabulary::known(name) == Some(wanted)).map(|(_, values)| values)
    });
    found.map(|values| filled(values.iter().map(String::as_str))).unwrap_or_default()
}

fn attribute_or(user: &User, key: &str, otherwise: impl FnOnce() -> Vec<String>) -> Vec<String> {
    let values = attribute(user, key);
    if values.is_empty() { otherwise() } else { values }
}

/// The display name, else first and last name, else the sign-in name: an app greets the person with something.
fn display_name(user: &User) -> Vec<String> {
    if let Some(name) = user.display_name.as_deref().filter(|name| !name.is_empty()) {
        return vec![name.to_owned()];
    }
    attribute_or(user, "displayName", || {
        let names = [attribute(user, "givenName"), attribute(user, "sn")].concat();
        if names.len() == 2 { vec![names.join(" ")] } else { filled([user.name.as_str()]) }
    })
}

/// `name@scope`. A name that is an address already is one only in our own scope: we may not vouch for another.
fn principal_name(user: &User, scope: &Scope) -> Vec<String> {
    let Some(scope) = scope else { return Vec::new() };
    match user.name.split_once('@') {
        None => vec![format!("{}@{scope}", user.name)],
        Some((_, domain)) if domain.eq_ignore_ascii_case(scope) => vec![user.name.clone()],
        Some(_) => Vec::new(),
    }
}

fn filled<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    values.into_iter().filter(|value| !value.is_empty()).map(str::to_owned).collect()
}
