//! The values in force: the highest layer that has a key wins. Sections read theirs here, typed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::config::key::{self, Key};
use crate::config::mask::mask_passwords;
use crate::config::problem::{At, Problem, SourceFile};
use crate::config::show::Effective;
use crate::model::network::Network;
use crate::model::secret::Secret;
use crate::model::time::Span;

/// A value as it was written, not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    Text(String),
    Integer(i64),
    List(Vec<(String, Place)>),
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    CommandLine(&'static str),
    Environment(String),
    File { span: Range<usize> },
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub raw: Raw,
    pub place: Place,
}

/// All values that were written, one per key, with the problems of the value layer.
pub(super) struct Values {
    found: BTreeMap<String, Found>,
    source: Option<SourceFile>,
    /// What relative paths of file and environment count from.
    base: PathBuf,
    working_directory: PathBuf,
    pub problems: Vec<Problem>,
    pub effective: Vec<Effective>,
}

impl Values {
    /// Joins the layers, the lowest first.
    pub fn new(layers: Vec<Vec<(String, Found)>>, source: Option<SourceFile>, base: PathBuf, working_directory: PathBuf) -> Self {
        let mut values = Self { found: BTreeMap::new(), source, base, working_directory, problems: Vec::new(), effective: Vec::new() };
        for layer in layers {
            values.add_layer(layer);
        }
        values
    }

    /// A key and its `…_file` twin are one: both in one layer is a problem, and a layer above replaces either.
    fn add_layer(&mut self, layer: Vec<(String, Found)>) {
        for (path, found) in &layer {
            if let Some(plain) = path.strip_suffix("_file").filter(|plain| layer.iter().any(|(other, _)| other == plain)) {
                let at = self.at(&found.place);
                let message = format!("both {plain} and {path} are given");
                self.problems.push(Problem { at, message, remedy: "keep one of them".to_owned() });
            }
        }
        for (path, found) in layer {
            let twin = path.strip_suffix("_file").map_or_else(|| format!("{path}_file"), str::to_owned);
            self.found.remove(&twin);
            self.found.insert(path, found);
        }
    }

    /// Whether somebody wrote the key.
    pub fn is_set(&self, path: &str) -> bool {
        self.found.contains_key(path)
    }

    /// Where the key was written.
    pub fn place(&self, path: &str) -> Option<&Place> {
        self.found.get(path).map(|found| &found.place)
    }

    /// Notes a problem with the value of a key.
    pub fn problem(&mut self, path: &str, message: String, remedy: impl Into<String>) {
        let at = self.found.get(path).map(|found| found.place.clone()).map_or(At::Together, |place| self.at(&place));
        self.problems.push(Problem { at, message, remedy: remedy.into() });
    }

    /// Notes the value that a key has by default because of others; `show` prints it.
    pub fn derived(&mut self, path: &str, value: &str, because: &str) {
        self.effective.push(Effective { key: path.to_owned(), value: quote(value), origin: because.to_owned() });
    }

    /// The text of a key, trimmed; an empty one is a problem.
    pub fn text(&mut self, path: &str) -> Option<String> {
        let text = match self.found.get(path)?.raw.clone() {
            Raw::Text(text) => text.trim().to_owned(),
            Raw::Integer(number) => number.to_string(),
            Raw::List(_) => return None,
        };
        self.note(path, &quote(&mask_passwords(&text)));
        if text.is_empty() {
            self.problem(path, format!("{path} is empty"), "give a value, or take the key out to have the default");
            return None;
        }
        Some(text)
    }

    /// A credential: by its own name, or in the file that its `…_file` twin names.
    pub fn secret(&mut self, path: &str) -> Option<Secret<String>> {
        let twin = format!("{path}_file");
        if let Some(found) = self.found.get(path) {
            let Raw::Text(text) = found.raw.clone() else { return None };
            self.note(path, "\"***\"");
            if text.is_empty() {
                self.problem(path, format!("{path} is empty"), format!("give the value, better in a file named by {twin}"));
                return None;
            }
            return Some(Secret::new(text));
        }
        let file = self.path(&twin)?;
        match std::fs::read_to_string(&file) {
            Ok(text) if text.trim_end_matches(['\r', '\n']).is_empty() => {
                self.problem(&twin, format!("{} is empty", file.display()), "write the value into it");
                None
            }
            Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => {
                self.problem(&twin, format!("{} cannot be read: {error}", file.display()), "correct the path or the file's permissions");
                None
            }
        }
    }

    /// The address of a store, which may hold a password: by its own name, or in the file that its twin names.
    pub fn store(&mut self, path: &str) -> Option<Secret<String>> {
        if self.is_set(path) { self.text(path).map(Secret::new) } else { self.secret(path) }
    }

    /// A path, made absolute.
    pub fn path(&mut self, path: &str) -> Option<PathBuf> {
        let text = self.text(path)?;
        Some(self.absolute(path, &text))
    }

    /// Makes a relative path of this key absolute: from the working directory if it stands on the command line, else from the
    /// folder of the configuration file.
    pub fn absolute(&self, path: &str, relative: &str) -> PathBuf {
        let base = match self.place(path) {
            Some(Place::CommandLine(_)) => &self.working_directory,
            _ => &self.base,
        };
        base.join(relative.strip_prefix("./").unwrap_or(relative))
    }

    /// The folder from which relative paths count.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// An address with its port.
    pub fn address(&mut self, path: &str) -> SocketAddr {
        match self.text(path) {
            Some(text) => self.parse_address(path, &text),
            None => default_of(path).and_then(|key| key.written.trim_matches('"').parse().ok()).inspect(|_| self.note_default(path)),
        }
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn parse_address(&mut self, path: &str, text: &str) -> Option<SocketAddr> {
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let parsed = named.as_deref().unwrap_or(text).parse().ok();
        if parsed.is_none() {
            let remedy = match text.strip_prefix(':') {
                Some(port) => format!("to listen on every address write \"0.0.0.0:{port}\" or \"[::]:{port}\""),
                None => "write an IP address and a port, as \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned(),
            };
            self.problem(path, format!("{path} is no address with a port: \"{text}\""), remedy);
        }
        parsed
    }

    /// A list of addresses.
    pub fn addresses(&mut self, path: &str) -> Vec<SocketAddr> {
        let texts = self.texts(path).unwrap_or_default();
        texts.iter().filter_map(|text| self.parse_address(path, text)).collect()
    }

    /// A duration between two bounds.
    pub fn duration(&mut self, path: &str, least: Span, most: Span) -> Span {
        let default = default_of(path).and_then(|key| Span::parse(key.written.trim_matches('"'))).unwrap_or(least);
        let Some(text) = self.text(path) else {
            self.note_default(path);
            return default;
        };
        match Span::parse(&text) {
            Some(span) if span < least || span > most => {
                self.problem(
                    path,
                    format!("{path} is {span}; it must lie between {least} and {most}"),
                    format!("the default is {default}"),
                );
                default
            }
            Some(span) => span,
            None => {
                self.problem(
                    path,
                    format!("{path} is no duration: \"{text}\""),
                    "write a number with its unit: \"90s\", \"15m\", \"8h\", \"30d\"",
                );
                default
            }
        }
    }

    /// A number of bytes between two bounds.
    pub fn size(&mut self, path: &str, least: u64, most: u64) -> u64 {
        let default = default_of(path).and_then(|key| parse_size(key.written.trim_matches('"'))).unwrap_or(least);
        let Some(text) = self.text(path) else {
            self.note_default(path);
            return default;
        };
        match parse_size(&text) {
            Some(size) if (least..=most).contains(&size) => size,
            Some(_) => {
                self.problem(path, format!("{path} must lie between {least} and {most} bytes"), format!("the default is {default}"));
                default
            }
            None => {
                self.problem(path, format!("{path} is no size: \"{text}\""), "write bytes as a number, or \"64KiB\", \"1MiB\"");
                default
            }
        }
    }

    /// A whole number between two bounds.
    pub fn count(&mut self, path: &str, least: i64, most: i64) -> i64 {
        let default = default_of(path).and_then(|key| key.written.parse().ok()).unwrap_or(least);
        let Some(Raw::Integer(number)) = self.found.get(path).map(|found| found.raw.clone()) else {
            self.note_default(path);
            return default;
        };
        self.note(path, &number.to_string());
        if (least..=most).contains(&number) {
            return number;
        }
        self.problem(path, format!("{path} is {number}; it must lie between {least} and {most}"), format!("the default is {default}"));
        default
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, path: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(path) else {
            self.note_default(path);
            return default;
        };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.problem(path, format!("{path} cannot be \"{text}\""), format!("choose {}", words.join(" or ")));
        default
    }

    /// A list of texts; `None` if the key is not written.
    pub fn texts(&mut self, path: &str) -> Option<Vec<String>> {
        let Some(Raw::List(list)) = self.found.get(path).map(|found| found.raw.clone()) else {
            self.note_default(path);
            return None;
        };
        let texts: Vec<String> = list.into_iter().map(|(text, _)| text.trim().to_owned()).collect();
        let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
        self.note(path, &format!("[{}]", quoted.join(", ")));
        Some(texts)
    }

    /// A list of networks.
    pub fn networks(&mut self, path: &str) -> Vec<Network> {
        let entries = match self.found.get(path).map(|found| found.raw.clone()) {
            Some(Raw::List(entries)) => entries,
            _ => Vec::new(),
        };
        self.texts(path);
        let mut networks = Vec::new();
        for (text, place) in entries {
            match Network::parse(text.trim()) {
                Ok(network) => networks.push(network),
                Err(error) => {
                    let at = self.at(&place);
                    let remedy = "each entry is a network, as \"10.1.0.0/16\", or one address".to_owned();
                    self.problems.push(Problem { at, message: format!("{path}: {error}"), remedy });
                }
            }
        }
        networks
    }

    /// Notes what a key has in force by default.
    pub fn note_default(&mut self, path: &str) {
        if let Some(key) = default_of(path).filter(|key| key.default_note.is_empty()) {
            self.effective.push(Effective { key: path.to_owned(), value: key.written.to_owned(), origin: "default".to_owned() });
        }
    }

    fn note(&mut self, path: &str, value: &str) {
        let origin = match self.place(path) {
            Some(Place::CommandLine(option)) => format!("{option} (command line)"),
            Some(Place::Environment(variable)) => format!("{variable} (environment)"),
            Some(Place::File { span }) => {
                self.source.as_ref().map_or_else(String::new, |source| format!("{}:{}", source.shown, source.line(span.start)))
            }
            None => "default".to_owned(),
        };
        self.effective.push(Effective { key: path.to_owned(), value: value.to_owned(), origin });
    }

    fn at(&self, place: &Place) -> At {
        match (place, &self.source) {
            (Place::CommandLine(option), _) => At::CommandLine { option: (*option).to_owned() },
            (Place::Environment(variable), _) => At::Environment { variable: variable.clone() },
            (Place::File { span }, Some(source)) => source.at(span.clone()),
            (Place::File { .. }, None) => At::Together,
        }
    }
}

/// A string as TOML writes it.
pub(super) fn quote(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn default_of(path: &str) -> Option<&'static Key> {
    key::find(path).map(|(_, named)| named.key)
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match text.get(digits..)?.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
