//! What a command prints: data on standard output, as text or JSON; errors on standard error, a line of cause and one of
//! remedy.

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;

use clap::ValueEnum;
use serde_json::Value;

use crate::app::StartError;
use crate::cli::checks;
use crate::config::environment::allows_colour;
use crate::flows::command::{Reply, ReplyError};
use crate::model::time::Timestamp;

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Tables for people.
    #[default]
    Text,
    /// Data for scripts.
    Json,
}

/// Whether signs are coloured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    is_coloured: bool,
}

impl Style {
    /// For standard output: coloured on a terminal that is not told otherwise.
    pub fn of_stdout() -> Self {
        Self { is_coloured: std::io::stdout().is_terminal() && allows_colour() }
    }

    /// For standard error.
    pub fn of_stderr() -> Self {
        Self { is_coloured: std::io::stderr().is_terminal() && allows_colour() }
    }

    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.paint("31;1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Makes the text of a reply's value.
pub type Render = fn(&Value, Style) -> String;

/// Prints how a command came out and returns its exit code.
pub fn print_reply(format: Format, reply: &Reply, render: Render) -> u8 {
    if !reply.value.is_null() {
        match format {
            Format::Json => print_json(&reply.value),
            Format::Text => print(&render(&reply.value, Style::of_stdout())),
        }
    }
    if let Some(error) = &reply.error {
        print_reply_error(error);
    }
    reply.exit
}

/// Prints data as JSON.
pub fn print_json(value: &Value) {
    print(&format!("{value:#}\n"));
}

/// Prints on standard output. Whoever reads it may have gone (`| head`); that is no error of ours.
pub fn print(text: &str) {
    let _ = print_on(text);
}

/// Prints one more line of many, and says whether somebody still reads.
pub fn print_on(text: &str) -> ControlFlow<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Prints a line of cause and one of remedy on standard error.
pub fn print_error(cause: &str, remedy: &str) {
    let style = Style::of_stderr();
    let remedy = if remedy.is_empty() { String::new() } else { format!("  try: {}\n", clean(remedy)) };
    note(&format!("{} {}\n{remedy}", style.bad("error:"), clean(cause)));
}

/// Prints on standard error.
pub fn note(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn print_reply_error(error: &ReplyError) {
    print_error(&error.cause, &error.remedy);
    let failed = checks::of_error(error, Style::of_stderr());
    if !failed.is_empty() {
        note(&failed);
    }
}

/// Why a command ended before it ran: an exit code, a line of cause, a line of remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: u8,
    pub cause: String,
    pub remedy: String,
}

/// A failure of the CLI's own.
pub fn failed(exit: u8, cause: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure { exit, cause: cause.into(), remedy: remedy.into() }
}

impl Failure {
    /// Prints it and gives the exit code.
    pub fn print(&self) -> u8 {
        print_error(&self.cause, &self.remedy);
        self.exit
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self { exit: error.exit, cause: error.cause, remedy: error.remedy }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self { exit: failure.exit, ..Self::failed(503, failure.cause, failure.remedy) }
    }
}

/// Text from outside, fit for a terminal: names in metadata could hold escape sequences.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A member of an object as text; empty where it is missing.
pub fn text(value: &Value, key: &str) -> String {
    value.get(key).map_or_else(String::new, plain)
}

/// A value as text on one line.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text).replace('\n', " "),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A list: the value itself, or the list in an object that holds a page of it.
pub fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        Value::Object(object) => object.values().find_map(Value::as_array).map_or(&[], Vec::as_slice),
        _ => &[],
    }
}

/// The members of a list that an object holds.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A time for people, `2026-11-24 20:46:59`, in UTC; from RFC 3339 or milliseconds.
pub fn time(value: &Value, key: &str) -> String {
    let at = match value.get(key) {
        Some(Value::Number(millis)) => millis.as_i64().map(Timestamp::from_millis),
        Some(Value::String(text)) => Timestamp::parse_xs_date_time(text),
        _ => None,
    };
    match at {
        Some(at) => at.to_rfc3339().get(..19).unwrap_or_default().replace('T', " "),
        None => text(value, key),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn escape_sequences_of_others_do_not_reach_the_terminal() {
        assert_eq!(plain(&json!("a\u{1b}[2Jb\u{7}\nc")), "a\u{fffd}[2Jb\u{fffd} c");
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let value = json!({ "a": "2026-11-24T20:46:59.123Z", "b": 0, "c": "never" });
        assert_eq!(time(&value, "a"), "2026-11-24 20:46:59");
        assert_eq!(time(&value, "b"), "1970-01-01 00:00:00");
        assert_eq!(time(&value, "c"), "never");
        assert_eq!(time(&value, "d"), "");
    }

    #[test]
    fn a_page_and_a_list_are_both_lists() {
        assert_eq!(items(&json!([1, 2])).len(), 2);
        assert_eq!(items(&json!({ "next": null, "items": [1] })).len(), 1);
        assert!(items(&json!(null)).is_empty());
    }
}
