//! Why a document or an entity in it is not imported, in words that a person can act on.

use crate::model::check::{Check, Refusal, RefusalClass, SpecRef};
use crate::model::time::Timestamp;
use crate::saml::spec;
use crate::saml::xml::reader::XmlError;

/// A rule said no to metadata. `code` is one of a fixed list (`not-well-formed`, `doctype`, …), never renamed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.check.detail)]
pub struct MetadataRefusal {
    pub code: &'static str,
    /// The sentence, the rule, the value and the remedy.
    pub check: Box<Check>,
}

impl MetadataRefusal {
    pub(super) fn new(code: &'static str, rule: &'static SpecRef, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, check: Box::new(Check::failed(rule, detail.into(), remedy.into())) }
    }

    pub(super) fn seen(mut self, value: &str) -> Self {
        self.check.seen = Some(shorten(value));
        self
    }

    pub(super) fn allowed(mut self, values: &[&str]) -> Self {
        self.check.allowed = values.iter().map(|value| (*value).to_owned()).collect();
        self
    }

    pub(super) fn not_metadata(detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new("not-metadata", &spec::METADATA_ROOT, detail, remedy)
    }

    /// The rule's sentence, without the value.
    pub fn sentence(&self) -> &str {
        &self.check.detail
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        self.check.remedy.as_deref().unwrap_or_default()
    }
}

impl From<MetadataRefusal> for Refusal {
    fn from(refusal: MetadataRefusal) -> Self {
        let class = if refusal.code == "valid-until-expired" { RefusalClass::Expired } else { RefusalClass::AppSetup };
        Refusal::new(class, *refusal.check)
    }
}

impl From<XmlError> for MetadataRefusal {
    fn from(error: XmlError) -> Self {
        let code = match &error {
            XmlError::Doctype { .. } => "doctype",
            XmlError::TooMuch { .. } => "too-large",
            XmlError::Io(_) => "unreadable",
            _ => "not-well-formed",
        };
        let rule = if code == "doctype" { &spec::METADATA_DOCTYPE } else { &spec::METADATA_WELL_FORMED };
        let (detail, remedy) = match &error {
            XmlError::Doctype { line } => (
                format!("Line {line} has a document type declaration (DOCTYPE), which can make a reader fetch files or swell without end."),
                "Remove the <!DOCTYPE …> declaration; SAML metadata never needs one.",
            ),
            XmlError::NotWellFormed { line, what } => (
                format!("XML stops at line {line}: {}.", shorten(what.strip_prefix("ill-formed document: ").unwrap_or(what))),
                "Export the metadata again and send the file as it is; copying it through a mail or an editor may have cut it.",
            ),
            XmlError::ProcessingInstruction { line } => (
                format!("Line {line} has a processing instruction (<?…?>)."),
                "Remove it; only the XML declaration in the first line may look like that.",
            ),
            XmlError::Entity { line, name } => (
                format!("Line {line} uses &{};, which XML does not define.", shorten(name)),
                "Write the character itself, or its number as in &#160;.",
            ),
            XmlError::CommentInText { line } => (format!("Line {line} has a comment inside a value."), "Remove the comment."),
            XmlError::TooMuch { line, what, most } => (
                format!("Line {line}: the document has more than {most} {what}."),
                "Import the one app that you need instead, or split the document.",
            ),
            XmlError::Encoding(what) => (
                format!("The characters cannot be read: {}.", shorten(what)),
                "Save the document as UTF-8, with the XML declaration to match.",
            ),
            XmlError::Io(what) => (format!("The document could not be read to its end: {}.", shorten(what)), "Try again."),
        };
        Self::new(code, rule, detail, remedy)
    }
}

/// A date as people write it: `3 May 2015`.
pub(super) fn day_in_words(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    let text = at.to_rfc3339();
    let mut parts = text.split(['-', 'T']);
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else { return text };
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    match (month, day.parse::<u8>()) {
        (Some(month), Ok(day)) => format!("{day} {month} {year}"),
        _ => text,
    }
}

/// A value for a message: without control characters, at most 200 characters.
pub(super) fn shorten(value: &str) -> String {
    super::text::display(value, 200)
}
