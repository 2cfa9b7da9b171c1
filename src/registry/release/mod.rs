//! Attribute release: what an app is told about a person. Nothing is sent but what presets, rows or the app's own
//! metadata (RequestedAttribute) name, and `app preview` uses this very function.

pub mod expression;
pub mod person;
pub mod plan;
pub mod presets;
pub mod vocabulary;

#[cfg(test)]
pub(in crate::registry) mod tests;

use std::sync::Arc;

use crate::crypto::CryptoError;
use crate::model::check::Check;
use crate::model::release::ReleasedAttribute;
use crate::model::sp::{AttributeConsumingService, RequestedAttribute};
use crate::registry::release::expression::{Facts, Failure};
use crate::registry::release::person::Person;
use crate::registry::release::plan::{Origin, ReleasePlan, Row};
use crate::saml::names::attrname;
use crate::saml::spec;

/// What goes out about a person, and what there is to say about it.
#[derive(Debug, Default)]
pub struct Released {
    pub attributes: Vec<ReleasedAttribute>,
    /// Names of rows that have no value for this person, for the preview.
    pub absent: Vec<Arc<str>>,
    /// `release.required_present` and `release.value_type`. A failed one means that the sign-in has to be refused
    /// (`missing_info`); only a row that calls `fail("…")` makes one.
    pub checks: Vec<Check>,
}

/// An attribute that will be sent, and whether a preset put it there.
struct Sent {
    attribute: ReleasedAttribute,
    by_preset: bool,
}

impl ReleasePlan {
    /// Evaluates the plan for one person. `requested` is the AttributeConsumingService that the request names, else the
    /// SP's default one.
    ///
    /// # Errors
    /// Fails only where the cryptography library does.
    pub fn evaluate(&self, person: Person<'_>, requested: Option<&AttributeConsumingService>) -> Result<Released, CryptoError> {
        let facts = Facts::new(person, &self.app);
        let mut released = Released::default();
        let mut sent: Vec<Sent> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let values = match row.value.values(&facts) {
                Ok(values) => fit_for_xml(values, &row.name, &mut released.checks),
                Err(Failure::Crypto(error)) => return Err(error),
                Err(Failure::Demanded(message)) => {
                    released.checks.push(demanded(person, row, &message));
                    continue;
                }
                Err(Failure::Error(error)) => {
                    released.checks.push(broken(row, error.line, error.column, &error.message));
                    continue;
                }
            };
            if values.is_empty() {
                released.absent.push(row.name.clone());
                continue;
            }
            let attribute = ReleasedAttribute {
                name: row.name.clone(),
                name_format: row.format.clone(),
                friendly_name: row.friendly_name.clone(),
                values,
            };
            sent.push(Sent { attribute, by_preset: matches!(row.origin, Origin::Preset(_)) });
        }
        if let Some(service) = requested {
            self.honour(service, person, &mut sent, &mut released.checks)?;
        }
        if let Some(needed) = self.subject_id.needed().filter(|needed| !sent.iter().any(|sent| sent.attribute.name.as_ref() == *needed)) {
            let detail = format!("The app's metadata asks for {needed}, which is not released to it.");
            let remedy = format!("Add the preset eduperson to app \"{}\", or a row of this name.", self.app.id);
            released.checks.push(Check::warned(&spec::RELEASE_REQUIRED, detail, remedy).seen(needed));
        }
        released.attributes = sent.into_iter().map(|sent| sent.attribute).collect();
        Ok(released)
    }

    /// The value of `saml.nameid.value` for a person: the first, where there are several; `None` where the app has no such
    /// expression or the person has no value.
    pub fn name_id_value(&self, person: Person<'_>) -> Result<Option<String>, Failure> {
        match &self.name_id_value {
            Some(expression) => Ok(expression.values(&Facts::new(person, &self.app))?.into_iter().next()),
            None => Ok(None),
        }
    }

    /// Whether the app has an expression for its NameIDs.
    pub fn has_name_id_value(&self) -> bool {
        self.name_id_value.is_some()
    }

    /// The app's entity ID.
    pub fn entity_id(&self) -> &str {
        &self.app.entity_id
    }

    /// Adds what the SP asks for in its metadata, where the directory has it, under exactly the name and format it is asked
    /// for (Metadata 2.4.4.2). Names stay unique: widespread SP toolkits refuse an assertion with the same Name twice.
    fn honour(
        &self,
        service: &AttributeConsumingService,
        person: Person<'_>,
        sent: &mut Vec<Sent>,
        checks: &mut Vec<Check>,
    ) -> Result<(), CryptoError> {
        let mut required = 0usize;
        let mut missing = 0usize;
        for wish in &service.requested {
            required += usize::from(wish.is_required);
            let present = match sent.iter_mut().find(|sent| *sent.attribute.name == *wish.name) {
                Some(sent) => {
                    if sent.by_preset {
                        adapt(&mut sent.attribute, wish);
                    }
                    !sent.attribute.values.is_empty()
                }
                None => {
                    let values = person::requested_values(&person, &self.app.entity_id, &self.app.scope, &wish.name)?;
                    let mut values = fit_for_xml(values, &wish.name, checks);
                    keep_wanted(&mut values, wish);
                    let found = !values.is_empty();
                    if found {
                        let attribute = ReleasedAttribute {
                            name: wish.name.as_str().into(),
                            name_format: format_of(wish),
                            friendly_name: wish.friendly_name.as_deref().map(Arc::from),
                            values,
                        };
                        sent.push(Sent { attribute, by_preset: false });
                    }
                    found
                }
            };
            if wish.is_required && !present {
                missing += 1;
                checks.push(required_missing(person, wish));
            }
        }
        sent.retain(|sent| !sent.attribute.values.is_empty());
        if required > 0 && missing == 0 {
            checks.push(Check::passed(
                &spec::RELEASE_REQUIRED,
                format!("All {required} attributes that the app marks as required have a value."),
            ));
        }
        Ok(())
    }
}

/// Gives a preset's attribute the form that the SP asks for.
fn adapt(attribute: &mut ReleasedAttribute, wish: &RequestedAttribute) {
    // Without a NameFormat the SP does not care; ours stays.
    if let Some(format) = format_of(wish) {
        attribute.name_format = Some(format);
    }
    if let Some(name) = &wish.friendly_name {
        attribute.friendly_name = Some(name.as_str().into());
    }
    keep_wanted(&mut attribute.values, wish);
}

/// Where the SP names the values that it wants, it is told no others (Core 3.3.2.3 says the same of queries).
fn keep_wanted(values: &mut Vec<String>, wish: &RequestedAttribute) {
    if !wish.values.is_empty() {
        values.retain(|value| wish.values.contains(value));
    }
}

fn format_of(wish: &RequestedAttribute) -> Option<Arc<str>> {
    wish.name_format.as_deref().filter(|format| *format != attrname::UNSPECIFIED).map(Arc::from)
}

/// XML 1.0 has no way to write most control characters, not even escaped: such a value would break the whole assertion.
fn fit_for_xml(mut values: Vec<String>, name: &str, checks: &mut Vec<Check>) -> Vec<String> {
    let fits = |value: &String| {
        value.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
    };
    let before = values.len();
    values.retain(fits);
    if values.len() < before {
        let detail = format!("A value of {name} holds a character that XML cannot carry; it was left out.");
        checks.push(Check::warned(&spec::RELEASE_VALUE, detail, "Remove the control character from the person's attribute.").seen(name));
    }
    values
}

fn required_missing(person: Person<'_>, wish: &RequestedAttribute) -> Check {
    let known = vocabulary::known(&wish.name).map(|known| known.key);
    let label = known.or(wish.friendly_name.as_deref()).unwrap_or(&wish.name);
    let detail = format!("The app marks {label} as required, and {} has no value for it.", person.user.name);
    let remedy = match known {
        Some("mail") => format!("linkspan user set {} email=…", person.user.name),
        _ => format!("linkspan user set {} attr.{}=…, or a row of release with this name.", person.user.name, known.unwrap_or(&wish.name)),
    };
    Check::warned(&spec::RELEASE_REQUIRED, detail, remedy).seen(wish.name.clone())
}

fn demanded(person: Person<'_>, row: &Row, message: &str) -> Check {
    let detail = format!("The row {} refuses {}: {message}", row_label(row), person.user.name);
    Check::failed(&spec::RELEASE_VALUE, detail, "Give the person what the row asks for, or change the row.").seen(row.name.to_string())
}

fn broken(row: &Row, line: usize, column: usize, message: &str) -> Check {
    let detail = format!("The row {} has no value: line {line}, column {column}: {message}", row_label(row));
    Check::warned(&spec::RELEASE_VALUE, detail, "Correct the expression of this row; \"linkspan app preview\" shows the outcome.")
        .seen(row.name.to_string())
}

/// `3 (groups)`, or `mail of preset basic`.
fn row_label(row: &Row) -> String {
    match row.origin {
        Origin::Own(number) => format!("{number} ({})", row.name),
        Origin::Preset(preset) => format!("{} of preset {preset}", row.friendly_name.as_ref().unwrap_or(&row.name)),
    }
}
