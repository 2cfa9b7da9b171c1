//! The only place that reads the environment: `LINKSPAN_…` variables, and what the terminal's conventions say.

use std::collections::BTreeMap;

use crate::config::key::{self, Kind, SECTIONS, Section};
use crate::config::nearest::nearest;
use crate::config::problem::{At, Problem};
use crate::config::values::{Found, Place, Raw};

const PREFIX: &str = "LINKSPAN_";
/// Names the configuration file; the one variable that is no key.
pub const CONFIG_VARIABLE: &str = "LINKSPAN_CONFIG";

/// The `LINKSPAN_…` variables as they were when the process started. An empty one counts as unset.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Takes those of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())))
    }

    /// Takes the given ones.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        Self { variables: ours.collect() }
    }

    /// The configuration file that it names.
    pub fn config_file(&self) -> Option<&str> {
        self.variables.get(CONFIG_VARIABLE).map(String::as_str)
    }

    /// Reads each variable as the key that it names.
    pub(super) fn read(&self, problems: &mut Vec<Problem>) -> Vec<(String, Found)> {
        let mut found: Vec<(String, Found)> = Vec::new();
        let mut lists: BTreeMap<String, Vec<(usize, String, Place)>> = BTreeMap::new();
        for (variable, value) in &self.variables {
            if variable == CONFIG_VARIABLE || is_kubernetes(variable) {
                continue;
            }
            let mut problem = |message: String, remedy: String| {
                problems.push(Problem { at: At::Environment { variable: variable.clone() }, message, remedy });
            };
            let path = variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".");
            let place = Place::Environment(variable.clone());
            if let Some((list, index)) = indexed(&path) {
                lists.entry(list).or_default().push((index, value.clone(), place));
                continue;
            }
            let Some((_, named)) = key::find(&path) else {
                problem(
                    "unknown variable: no key has this name".to_owned(),
                    format!(
                        "{} (those that Kubernetes injects for services, …_SERVICE_HOST and …_PORT_8080_TCP, are ignored)",
                        suggest(variable)
                    ),
                );
                continue;
            };
            let raw = match named.kind() {
                kind if kind.is_list() => Raw::List(value.split(',').map(|item| (item.trim().to_owned(), place.clone())).collect()),
                Kind::Count => match value.trim().parse() {
                    Ok(number) => Raw::Integer(number),
                    Err(_) => {
                        problem(format!("\"{value}\" is not a whole number"), format!("give {}", Kind::Count.example()));
                        continue;
                    }
                },
                _ => Raw::Text(value.clone()),
            };
            found.push((path, Found { raw, place }));
        }
        for (path, mut items) in lists {
            items.sort_by_key(|(index, _, _)| *index);
            if let Some((_, _, place)) = items.first().cloned() {
                let list = items.into_iter().map(|(_, value, place)| (value, place)).collect();
                found.push((path, Found { raw: Raw::List(list), place }));
            }
        }
        found
    }
}

/// Whether output may be coloured, as far as the environment has a say (no-color.org).
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn allows_colour() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// `outbound.allow.0` is the first entry of the list `outbound.allow`.
fn indexed(path: &str) -> Option<(String, usize)> {
    let (list, index) = path.rsplit_once('.')?;
    let index = index.parse().ok()?;
    let (_, named) = key::find(list)?;
    named.kind().is_list().then(|| (list.to_owned(), index))
}

/// Kubernetes gives every container variables for each service in its namespace; one called `linkspan` (or `linkspan-ops`)
/// brings these.
fn is_kubernetes(variable: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let of_port = |rest: &str| {
        let mut parts = rest.split('_');
        let (port, protocol, last) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        is_number(port)
            && matches!(protocol, Some("TCP" | "UDP" | "SCTP"))
            && matches!(last, None | Some("PROTO" | "PORT" | "ADDR"))
            && parts.next().is_none()
    };
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || variable.ends_with("_PORT")
        || variable.match_indices("_PORT_").any(|(at, word)| of_port(variable.get(at + word.len()..).unwrap_or_default()))
}

fn suggest(variable: &str) -> String {
    let name_of = |section: &Section, name: &str| format!("{PREFIX}{}", section.path(name).to_uppercase().replace('.', "__"));
    let mut known: Vec<String> = vec![CONFIG_VARIABLE.to_owned()];
    for section in SECTIONS {
        known.extend(section.names().iter().map(|name| name_of(section, name)));
    }
    match nearest(variable, known.iter().map(String::as_str)) {
        Some(near) if near.is_close => format!("write {}, or take it out", near.name),
        Some(near) => format!("take it out; the nearest known variable is {}", near.name),
        None => "take it out".to_owned(),
    }
}
