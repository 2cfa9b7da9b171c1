//! `app set ID KEY=VALUE…`: keys of an app's file in dotted form.

use serde_json::Value;

use crate::model::app::{App, ReleaseRow, SamlSettings};
use crate::model::event::Change;
use crate::saml::xml::signature::SignatureAlgorithm;

/// A setting that cannot be taken.
#[derive(Debug)]
pub struct SettingProblem {
    pub cause: String,
    pub remedy: String,
}

/// Keys below `saml.`, with what they may hold.
const SAML_KEYS: &[(&str, &str)] = &[
    ("sign", "assertion, response or both"),
    ("encrypt", "never, when_possible or always"),
    ("encrypt_name_id", "true or false"),
    ("nameid.format", "persistent, transient, emailAddress, unspecified, or a format URI"),
    ("nameid.value", "an expression, as user.email"),
    ("require_signed_requests", "true or false"),
    ("signature_algorithm", "an XML Signature algorithm URI"),
    ("scope", "a domain"),
    ("allow_sha1", "true or false"),
    ("allow_weak_keys", "true or false"),
    ("allow_http", "true or false"),
    ("allow_cbc", "true or false"),
];

fn problem(cause: impl Into<String>, remedy: impl Into<String>) -> SettingProblem {
    SettingProblem { cause: cause.into(), remedy: remedy.into() }
}

/// Applies all of them, or none. An empty value returns a key to its default. Returns what changed.
pub fn apply(app: &mut App, given: &[(String, String)]) -> Result<Vec<Change>, SettingProblem> {
    let before = app.clone();
    let mut saml = serde_json::to_value(&app.saml).unwrap_or_default();
    let mut first_preset = true;
    let mut first_row = true;
    for (key, value) in given {
        match key.as_str() {
            "name" if value.trim().is_empty() => return Err(problem("an app needs a name", "write name=Grafana")),
            "name" => app.name = value.trim().chars().take(100).collect(),
            "enabled" => {
                app.enabled = match value.as_str() {
                    "true" => true,
                    "false" => false,
                    _ => {
                        return Err(problem(format!("enabled is not \"{}\"", value.escape_debug()), "write enabled=true or enabled=false"));
                    }
                }
            }
            "release.preset" => {
                if std::mem::take(&mut first_preset) {
                    app.release.presets.clear();
                }
                app.release.presets.extend(Some(value.clone()).filter(|value| !value.is_empty()));
            }
            "release.row" => {
                if std::mem::take(&mut first_row) {
                    app.release.rows.clear();
                }
                if !value.is_empty() {
                    app.release.rows.push(row(value)?);
                }
            }
            _ => set_saml(&mut saml, key, value)?,
        }
    }
    app.saml = serde_json::from_value::<SamlSettings>(saml).map_err(|error| problem(error.to_string(), "see the keys in docs/apps.md"))?;
    Ok(changes(&before, app))
}

/// A row is JSON: `{"name": "…", "value": "user.email | lower", "format": "…", "friendly_name": "…"}`.
fn row(text: &str) -> Result<ReleaseRow, SettingProblem> {
    serde_json::from_str(text).map_err(|error| {
        problem(
            format!("release.row is not a row: {error}"),
            "write release.row='{\"name\": \"email\", \"value\": \"user.email | lower\"}'",
        )
    })
}

fn set_saml(saml: &mut Value, key: &str, value: &str) -> Result<(), SettingProblem> {
    let known = key.strip_prefix("saml.").and_then(|short| SAML_KEYS.iter().find(|(name, _)| *name == short));
    let Some((short, holds)) = known else {
        let keys: Vec<String> = SAML_KEYS.iter().map(|(name, _)| format!("saml.{name}")).collect();
        return Err(problem(
            format!("there is no setting {key}"),
            format!("settings are name, enabled, release.preset, release.row, {}", keys.join(", ")),
        ));
    };
    let default = serde_json::to_value(SamlSettings::default()).unwrap_or_default();
    let pointer = format!("/{}", short.replace('.', "/"));
    let new = match value {
        "" => default.pointer(&pointer).cloned().unwrap_or(Value::Null),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => Value::String(text.to_owned()),
    };
    let mut changed = saml.clone();
    let (parent, leaf) = short.split_once('.').map_or((None, *short), |(parent, leaf)| (Some(parent), leaf));
    let table = match parent {
        None => changed.as_object_mut(),
        Some(parent) => changed.get_mut(parent).and_then(Value::as_object_mut),
    };
    if let Some(table) = table {
        if new.is_null() {
            table.remove(leaf);
        } else {
            table.insert(leaf.to_owned(), new);
        }
    }
    if serde_json::from_value::<SamlSettings>(changed.clone()).is_err() {
        return Err(problem(format!("{key} is not \"{}\"", value.escape_debug()), format!("it holds {holds}")));
    }
    check_value(short, value)?;
    *saml = changed;
    Ok(())
}

/// Values that would be stored and then break every sign-in.
fn check_value(key: &str, value: &str) -> Result<(), SettingProblem> {
    match key {
        "nameid.format" => {
            let short = ["persistent", "transient", "emailAddress", "unspecified"];
            if value.is_empty() || short.contains(&value) || value.contains(':') {
                return Ok(());
            }
            Err(problem(
                format!("there is no NameID format \"{}\"", value.escape_debug()),
                format!("formats are {}, or a URI", short.join(", ")),
            ))
        }
        "signature_algorithm" => {
            let known = SignatureAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.rests_on_sha1());
            if value.is_empty() || known.clone().any(|algorithm| algorithm.uri() == value) {
                return Ok(());
            }
            let uris: Vec<&str> = known.map(SignatureAlgorithm::uri).collect();
            Err(problem(
                format!("\"{}\" is not an algorithm that we sign with", value.escape_debug()),
                format!("give one of {}", uris.join(", ")),
            ))
        }
        _ => Ok(()),
    }
}

/// What differs between two states of an app besides its metadata, for the audit log.
pub fn changes(before: &App, after: &App) -> Vec<Change> {
    let flat = |app: &App| {
        let mut out = Vec::new();
        let value = serde_json::json!({ "name": app.name, "enabled": app.enabled, "saml": app.saml, "release": app.release });
        flatten("", &value, &mut out);
        out
    };
    let (old, new) = (flat(before), flat(after));
    let mut changes = Vec::new();
    for (field, value) in &new {
        let was = old.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone());
        if was.as_ref() != Some(value) {
            changes.push(Change { field: field.clone(), before: was, after: Some(value.clone()) });
        }
    }
    for (field, value) in old {
        if !new.iter().any(|(name, _)| *name == field) {
            changes.push(Change { field, before: Some(value), after: None });
        }
    }
    changes
}

fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, out);
            }
        }
        Value::Null => {}
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::app::{AppSource, Encrypt, Release, Sign};
    use crate::model::id::{AppId, EntityId};
    use crate::model::time::Timestamp;

    fn app() -> App {
        App {
            id: AppId::parse("grafana").unwrap(),
            name: "Grafana".to_owned(),
            enabled: true,
            entity_id: EntityId::parse("https://grafana.example.com/saml").unwrap(),
            source: AppSource::Upload { signer: None },
            metadata: String::new(),
            saml: SamlSettings::default(),
            release: Release::default(),
            created: Timestamp::from_seconds(0),
            updated: Timestamp::from_seconds(0),
            revision: 1,
        }
    }

    fn set(app: &mut App, pairs: &[(&str, &str)]) -> Result<Vec<Change>, SettingProblem> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        apply(app, &pairs)
    }

    #[test]
    fn every_kind_of_setting_is_taken_and_an_empty_value_returns_it_to_its_default() {
        let mut app = app();
        let given = [
            ("saml.sign", "both"),
            ("saml.encrypt", "always"),
            ("saml.nameid.format", "transient"),
            ("saml.require_signed_requests", "true"),
            ("saml.allow_sha1", "true"),
            ("enabled", "false"),
            ("release.preset", "basic"),
            ("release.preset", "groups"),
            ("release.row", r#"{"name": "login", "value": "user.email"}"#),
        ];

        let changes = set(&mut app, &given).unwrap();

        assert_eq!((app.saml.sign, app.saml.encrypt, app.saml.require_signed_requests), (Sign::Both, Encrypt::Always, Some(true)));
        assert_eq!(app.saml.nameid.format.as_deref(), Some("transient"));
        assert_eq!(app.release.presets, ["basic", "groups"]);
        assert_eq!(app.release.rows.len(), 1);
        assert!(!app.enabled);
        assert!(changes.iter().any(|change| change.field == "saml.sign" && change.before.as_deref() == Some("assertion")));

        set(&mut app, &[("saml.sign", ""), ("saml.nameid.format", ""), ("saml.require_signed_requests", ""), ("release.row", "")]).unwrap();
        assert_eq!((app.saml.sign, &app.saml.nameid.format, app.saml.require_signed_requests), (Sign::Assertion, &None, None));
        assert!(app.release.rows.is_empty());
    }

    #[test]
    fn what_cannot_be_taken_is_refused_with_what_could() {
        for (key, value, says) in [
            ("saml.sing", "both", "no setting"),
            ("saml.sign", "yes", "it holds"),
            ("saml.nameid.format", "email", "emailAddress"),
            ("saml.signature_algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "rsa-sha256"),
            ("saml.allow_sha1", "perhaps", "it holds"),
            ("enabled", "on", "enabled"),
            ("release.row", "{}", "not a row"),
            ("name", " ", "needs a name"),
        ] {
            let problem = set(&mut app(), &[(key, value)]).unwrap_err();
            assert!(format!("{} {}", problem.cause, problem.remedy).contains(says), "{key}: {problem:?}");
        }
    }
}
