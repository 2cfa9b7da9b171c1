//! Posted forms: bounded, each field once.

use std::collections::HashMap;

/// The fields of an `application/x-www-form-urlencoded` body.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: HashMap<String, String>,
}

/// A form that is not acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the form has the field {0} twice")]
    Twice(String),
    #[error("the form has more than 64 fields")]
    TooMany,
}

impl Form {
    /// Reads a body. Bytes that are not UTF-8 become U+FFFD.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let mut fields = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            if fields.len() >= 64 {
                return Err(FormError::TooMany);
            }
            if fields.contains_key(name.as_ref()) {
                return Err(FormError::Twice(name.chars().take(64).collect()));
            }
            fields.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self { fields })
    }

    /// A field's value; empty where it is missing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// A field's value where it was sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}
