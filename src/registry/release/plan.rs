//! What one app is told, worked out when the app is loaded: presets and rows become one list of compiled rows.

use std::sync::Arc;

use crate::model::app::{App, ReleaseRow};
use crate::model::sp::SpMetadata;
use crate::registry::release::expression::{AppFacts, Expression};
use crate::registry::release::person::{self, Scope};
use crate::registry::release::presets::{self, Preset};
use crate::registry::release::vocabulary::{PAIRWISE_ID, SUBJECT_ID};
use crate::saml::names::attrname;

/// Rows of its own that an app may have.
const MOST_ROWS: usize = 200;
/// The entity attribute by which an SP says which subject identifier it needs (Subject Identifier Attributes 3.5).
const SUBJECT_ID_REQ: &str = "urn:oasis:names:tc:SAML:profiles:subject-id:req";

/// Why the rules of release of an app cannot be used. Rows are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    #[error("there is no preset \"{name}\"")]
    UnknownPreset { name: String },
    #[error("row {row} ({name}), line {line}, column {column}: {message}")]
    Expression { row: usize, name: String, line: usize, column: usize, message: String },
    #[error("row {row} ({name}): {message}")]
    Row { row: usize, name: String, message: String },
    #[error("saml.nameid.value, line {line}, column {column}: {message}")]
    NameIdValue { line: usize, column: usize, message: String },
    #[error("saml.scope \"{0}\" is not a domain")]
    Scope(String),
    #[error("there are more than {MOST_ROWS} rows")]
    TooManyRows,
}

impl ReleaseError {
    /// One line of what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::UnknownPreset { .. } => {
                let names: Vec<&str> = presets::all().iter().map(|preset| preset.name).collect();
                format!("Choose from {}.", names.join(", "))
            }
            Self::Expression { .. } | Self::NameIdValue { .. } => {
                "Write an expression such as user.email | lower, or a text in quotes such as 'staff'.".to_owned()
            }
            Self::Row { .. } => "Correct the row; each needs a name of its own and an expression.".to_owned(),
            Self::Scope(_) => "Give a domain of letters, digits, dots and hyphens, as example.com.".to_owned(),
            Self::TooManyRows => "Leave out what the app does not read.".to_owned(),
        }
    }
}

/// Who decided that a row is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Preset(&'static str),
    /// A row of the app's own; counted from 1.
    Own(usize),
}

/// One compiled row.
#[derive(Debug)]
pub struct Row {
    pub name: Arc<str>,
    /// `None` is unspecified.
    pub format: Option<Arc<str>>,
    pub friendly_name: Option<Arc<str>>,
    pub value: Expression,
    pub origin: Origin,
}

/// Which subject identifier an SP wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectIdNeed {
    /// It says nothing.
    Unsaid,
    Subject,
    Pairwise,
    /// Either will do: it gets the one that tells less.
    Any,
    /// It wants neither.
    Neither,
}

impl SubjectIdNeed {
    fn of(metadata: &SpMetadata) -> Self {
        let says = |value| metadata.has_entity_attribute(SUBJECT_ID_REQ, value);
        match () {
            () if says("subject-id") => Self::Subject,
            () if says("pairwise-id") => Self::Pairwise,
            () if says("any") => Self::Any,
            () if says("none") => Self::Neither,
            () => Self::Unsaid,
        }
    }

    /// The identifier that it cannot do without.
    pub fn needed(self) -> Option<&'static str> {
        match self {
            Self::Subject => Some(SUBJECT_ID),
            Self::Pairwise | Self::Any => Some(PAIRWISE_ID),
            Self::Unsaid | Self::Neither => None,
        }
    }

    /// Whether a preset's row of this name is left out for such an SP.
    fn leaves_out(self, name: &str) -> bool {
        let identifier = name == PAIRWISE_ID || name == SUBJECT_ID;
        identifier && self != Self::Unsaid && self.needed() != Some(name)
    }
}

/// The rules of release of one app, ready to be evaluated.
#[derive(Debug)]
pub struct ReleasePlan {
    pub(super) app: Arc<AppFacts>,
    pub(super) rows: Vec<Row>,
    pub(super) subject_id: SubjectIdNeed,
    pub(super) name_id_value: Option<Expression>,
}

impl ReleasePlan {
    /// Compiles an app's presets and rows. Presets add up, the first of equal name and format counts; a row of the app's own
    /// replaces what presets say of that name. `default_scope` is the host of `public_url`, for apps without `saml.scope`.
    ///
    /// # Errors
    /// Names the row, line and column of an expression that cannot be compiled, a preset that does not exist, a row that
    /// stands twice.
    pub fn compile(app: &App, metadata: &SpMetadata, default_scope: &str) -> Result<Self, ReleaseError> {
        let scope: Scope = match &app.saml.scope {
            Some(own) => Some(person::parse_scope(own).ok_or_else(|| ReleaseError::Scope(own.clone()))?),
            None => person::parse_scope(default_scope),
        };
        let own = own_rows(&app.release.rows)?;
        let subject_id = SubjectIdNeed::of(metadata);
        let mut rows: Vec<Row> = Vec::new();
        for name in &app.release.presets {
            let preset = presets::find(name).ok_or_else(|| ReleaseError::UnknownPreset { name: name.clone() })?;
            for row in preset_rows(preset)? {
                let replaced = own.iter().any(|own| own.name == row.name);
                let repeated = rows.iter().any(|known| known.name == row.name && known.format == row.format);
                if !replaced && !repeated && !subject_id.leaves_out(&row.name) {
                    rows.push(row);
                }
            }
        }
        rows.extend(own);
        let name_id_value = app.saml.nameid.value.as_deref().map(Expression::compile).transpose();
        let name_id_value =
            name_id_value.map_err(|error| ReleaseError::NameIdValue { line: error.line, column: error.column, message: error.message })?;
        let app = AppFacts { id: app.id.as_str().into(), name: app.name.as_str().into(), entity_id: app.entity_id.as_str().into(), scope };
        Ok(Self { app: Arc::new(app), rows, subject_id, name_id_value })
    }

    /// The rows, for lists: what an app is told.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

fn own_rows(rows: &[ReleaseRow]) -> Result<Vec<Row>, ReleaseError> {
    if rows.len() > MOST_ROWS {
        return Err(ReleaseError::TooManyRows);
    }
    let mut compiled: Vec<Row> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let number = at + 1;
        let row = compile_row(row, number, Origin::Own(number))?;
        if let Some(Origin::Own(first)) =
            compiled.iter().find(|known| known.name == row.name && known.format == row.format).map(|known| &known.origin)
        {
            let message = format!("row {first} has the same name and format");
            return Err(ReleaseError::Row { row: number, name: row.name.to_string(), message });
        }
        compiled.push(row);
    }
    Ok(compiled)
}

fn preset_rows(preset: &'static Preset) -> Result<Vec<Row>, ReleaseError> {
    preset.rows.iter().enumerate().map(|(at, row)| compile_row(row, at + 1, Origin::Preset(preset.name))).collect()
}

fn compile_row(row: &ReleaseRow, number: usize, origin: Origin) -> Result<Row, ReleaseError> {
    let wrong = |message: &str| ReleaseError::Row { row: number, name: row.name.clone(), message: message.to_owned() };
    if row.name.trim().is_empty() {
        return Err(wrong("the name is empty"));
    }
    if [Some(&row.name), row.format.as_ref(), row.friendly_name.as_ref()]
        .into_iter()
        .flatten()
        .any(|text| text.chars().any(char::is_control))
    {
        return Err(wrong("a control character cannot be sent"));
    }
    let format = match row.format.as_deref() {
        None | Some("" | "unspecified" | attrname::UNSPECIFIED) => None,
        Some("uri") => Some(attrname::URI),
        Some("basic") => Some(attrname::BASIC),
        Some(uri) if uri.contains(':') => Some(uri),
        Some(_) => return Err(wrong("the format is none of uri, basic, unspecified, nor a URI")),
    };
    let value = Expression::compile(&row.value).map_err(|error| ReleaseError::Expression {
        row: number,
        name: row.name.clone(),
        line: error.line,
        column: error.column,
        message: error.message,
    })?;
    Ok(Row {
        name: row.name.as_str().into(),
        format: format.map(Arc::from),
        friendly_name: row.friendly_name.as_deref().filter(|name| !name.is_empty()).map(Arc::from),
        value,
        origin,
    })
}
