//! `config schema`: the table of keys as JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::config::key::{Key, Kind, SECTIONS};

/// The schema of the configuration file (JSON Schema 2020-12).
pub fn schema() -> Value {
    let mut properties = Map::new();
    for section in SECTIONS {
        let mut keys = Map::new();
        for key in section.keys {
            keys.insert(key.name.to_owned(), property(key));
            if key.secret {
                let description = format!("A file that holds the value of {}.", section.path(key.name));
                keys.insert(format!("{}_file", key.name), json!({ "type": "string", "minLength": 1, "description": description }));
            }
        }
        if section.name.is_empty() {
            properties.extend(keys);
        } else {
            let object = json!({ "type": "object", "description": section.doc, "additionalProperties": false, "properties": keys });
            properties.insert(section.name.to_owned(), object);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "linkspan.toml",
        "description": "Configuration of Linkspan. Every key is optional.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn property(key: &Key) -> Value {
    let mut value = match key.kind {
        Kind::Text | Kind::Store | Kind::Path | Kind::Address => json!({ "type": "string", "minLength": 1 }),
        Kind::Duration => json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w) *)+$" }),
        Kind::Size => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)?$" }] })
        }
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        Kind::Texts | Kind::Networks | Kind::Addresses => json!({ "type": "array", "items": { "type": "string", "minLength": 1 } }),
    };
    let default: Option<Value> = key.default_note.is_empty().then(|| key.written.parse::<toml_edit::Value>().ok().map(to_json)).flatten();
    if let Some(object) = value.as_object_mut() {
        let note = if key.default_note.is_empty() { String::new() } else { format!(" Default: {}.", key.default_note) };
        object.insert("description".to_owned(), Value::String(format!("{}{note}", key.doc)));
        if let Some(default) = default {
            object.insert("default".to_owned(), default);
        }
    }
    value
}

fn to_json(value: toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::Integer(number) => json!(number.value()),
        toml_edit::Value::Boolean(flag) => json!(flag.value()),
        toml_edit::Value::Array(array) => array.into_iter().map(to_json).collect(),
        toml_edit::Value::String(text) => json!(text.value()),
        other => json!(other.to_string()),
    }
}
