//! Reads the TOML file: syntax, then names and types of values, each with its place.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use crate::config::key::{Kind, SECTIONS, Section, suggestion};
use crate::config::problem::{Problem, SourceFile};
use crate::config::values::{Found, Place, Raw};

/// Parses the text; a syntax error is the only problem then.
pub(super) fn parse(source: &SourceFile) -> Result<Document<String>, Problem> {
    Document::parse(source.text.clone()).map_err(|error| {
        let message = error.message().trim().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        Problem {
            at: source.at(error.span().unwrap_or(0..0)),
            message: format!("this is not TOML: {message}"),
            remedy: "correct it, and check again with: linkspan config check".to_owned(),
        }
    })
}

/// Collects what stands in the document; names and types that do not fit become problems.
pub(super) fn read(document: &Document<String>, source: &SourceFile, problems: &mut Vec<Problem>) -> Vec<(String, Found)> {
    let mut reader = Reader { source, problems, found: Vec::new() };
    reader.top(document.as_table());
    reader.found
}

struct Reader<'a> {
    source: &'a SourceFile,
    problems: &'a mut Vec<Problem>,
    found: Vec<(String, Found)>,
}

impl Reader<'_> {
    fn top(&mut self, table: &dyn TableLike) {
        let top = SECTIONS.iter().copied().find(|section| section.name.is_empty());
        for (name, item) in table.iter() {
            let span = key_span(table, name);
            if let Some(section) = SECTIONS.iter().copied().find(|section| !section.name.is_empty() && section.name == name) {
                match item.as_table_like() {
                    Some(inner) => self.section(section, inner),
                    None => self.problem(
                        item.span().unwrap_or(span),
                        format!("\"{name}\" is a section, not a single value"),
                        format!("write its keys below a line [{name}]; known there: {}", section.names().join(", ")),
                    ),
                }
            } else if let Some(section) = top.filter(|section| section.named(name).is_some()) {
                self.key(section, name, item, span);
            } else {
                self.problem(span, format!("unknown key \"{name}\" at the top level"), suggestion(top, name));
            }
        }
    }

    fn section(&mut self, section: &'static Section, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let span = key_span(table, name);
            if section.named(name).is_some() {
                self.key(section, name, item, span);
            } else {
                self.problem(span, format!("unknown key \"{name}\" in [{}]", section.name), suggestion(Some(section), name));
            }
        }
    }

    fn key(&mut self, section: &'static Section, name: &str, item: &Item, key_span: Range<usize>) {
        let Some(named) = section.named(name) else { return };
        let span = item.span().unwrap_or(key_span);
        let place = Place::File { span: span.clone() };
        let raw = match (named.kind(), item.as_value()) {
            (kind, Some(Value::Array(array))) if kind.is_list() => {
                let mut list = Vec::new();
                for entry in array {
                    let span = entry.span().unwrap_or(span.clone());
                    match entry.as_str() {
                        Some(text) => list.push((text.to_owned(), Place::File { span })),
                        None => self.problem(
                            span,
                            format!("an entry of {} is {}", section.path(name), kind_of(entry)),
                            format!("give {}", kind.example()),
                        ),
                    }
                }
                Raw::List(list)
            }
            (Kind::Count | Kind::Size, Some(Value::Integer(number))) => Raw::Integer(*number.value()),
            (kind, Some(Value::String(text))) if kind != Kind::Count && !kind.is_list() => Raw::Text(text.value().clone()),
            (kind, value) => {
                let what = value.map_or("a table", kind_of);
                self.problem(span, format!("{} cannot be {what}", section.path(name)), format!("give {}", kind.example()));
                return;
            }
        };
        self.found.push((section.path(name), Found { raw, place }));
    }

    fn problem(&mut self, span: Range<usize>, message: String, remedy: String) {
        self.problems.push(Problem { at: self.source.at(span), message, remedy });
    }
}

fn key_span(table: &dyn TableLike, name: &str) -> Range<usize> {
    table.key(name).and_then(|key| key.span()).unwrap_or(0..0)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}
