//! What is wrong with a configuration: every problem of one layer, each with place, rule and remedy.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::config::key::{Kind, SECTIONS};
use crate::config::mask::mask_passwords;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is: a place in the file, a variable, an option.
    #[serde(flatten)]
    pub at: At,
    /// What is wrong, and by which rule.
    pub message: String,
    pub remedy: String,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "in")]
pub enum At {
    /// A place in the configuration file, with the line for the caret (credentials in it masked).
    File {
        file: String,
        line: usize,
        column: usize,
        source: String,
        width: usize,
    },
    /// The configuration file as a whole.
    WholeFile {
        file: String,
    },
    Environment {
        variable: String,
    },
    CommandLine {
        option: String,
    },
    /// What several settings add up to.
    Together,
}

/// The problems of the first layer that had any: syntax, then keys and types, then values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigProblems {
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigProblems {}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "error: {problem}")?;
        }
        match self.problems.len() {
            1 => f.write_str("1 problem in the configuration."),
            n => write!(f, "{n} problems in the configuration."),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::File { file, line, column, source, width } => {
                writeln!(f, "{file}:{line}:{column}  {}", self.message)?;
                writeln!(f, "{line:>5} | {source}")?;
                write!(f, "      | {}{} {}", " ".repeat(column.saturating_sub(1)), "^".repeat((*width).max(1)), self.remedy)
            }
            At::WholeFile { file } => write!(f, "{file}  {}\n  try: {}", self.message, self.remedy),
            At::Environment { variable } => write!(f, "{variable} (environment)  {}\n  try: {}", self.message, self.remedy),
            At::CommandLine { option } => write!(f, "{option} (command line)  {}\n  try: {}", self.message, self.remedy),
            At::Together => write!(f, "{}\n  try: {}", self.message, self.remedy),
        }
    }
}

/// The configuration file as it was read, for the places of problems and origins.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path as people know it.
    pub shown: String,
    pub text: String,
}

impl SourceFile {
    /// The line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.before(offset).matches('\n').count() + 1
    }

    /// The place of a span.
    pub fn at(&self, span: Range<usize>) -> At {
        let before = self.before(span.start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let source = rest.lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let in_line = source.chars().count().saturating_sub(column - 1);
        let width = self.text.get(span.clone()).map_or(1, |text| text.chars().take_while(|c| *c != '\n').count());
        At::File {
            file: self.shown.clone(),
            line: self.line(span.start),
            column,
            source: hide_credentials(&source.replace('\t', " ")),
            width: width.min(in_line).max(1),
        }
    }

    fn before(&self, offset: usize) -> &str {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.get(..end).unwrap_or_default()
    }
}

/// A line of the file without the credentials that may stand in it: the line is printed, and prints are logged.
fn hide_credentials(line: &str) -> String {
    for key in SECTIONS.iter().flat_map(|section| section.keys).filter(|key| key.secret) {
        for (at, _) in line.match_indices(key.name) {
            let after = line.get(at + key.name.len()..).unwrap_or_default();
            let value = after.trim_start().trim_start_matches(['"', '\'']).trim_start();
            // An address keeps what mask_passwords understands; anything else that may be a credential goes.
            let is_hidden = key.kind != Kind::Store || value.contains('@') && !value.contains("://");
            if value.starts_with('=') && is_hidden {
                return format!("{} = …", line.get(..at + key.name.len()).unwrap_or_default());
            }
        }
    }
    mask_passwords(line)
}
