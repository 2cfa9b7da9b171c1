//! `config show`: each value in force and where it came from, credentials masked.

use serde::Serialize;

use crate::config::key::SECTIONS;

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The dotted key.
    pub key: String,
    /// The value as TOML writes it.
    pub value: String,
    /// `linkspan.toml:14`, `LINKSPAN_SESSION__IDLE (environment)`, `default`, …
    pub origin: String,
}

/// Puts the values in the order of the table of keys.
pub(super) fn in_order(mut effective: Vec<Effective>) -> Vec<Effective> {
    let order: Vec<String> = SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| section.path(key.name))).collect();
    let place = |key: &str| order.iter().position(|known| known == key || key.strip_suffix("_file") == Some(known)).unwrap_or(order.len());
    effective.sort_by_key(|entry| place(&entry.key));
    effective.dedup_by(|later, first| later.key == first.key);
    effective
}

/// Prints one line per value, with its origin if asked for.
pub fn to_text(effective: &[Effective], origin: bool) -> String {
    let lines: Vec<String> = effective.iter().map(|entry| format!("{} = {}", entry.key, entry.value)).collect();
    let width = lines.iter().map(|line| line.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let mut out = String::new();
    for (line, entry) in lines.iter().zip(effective) {
        out.push_str(line);
        if origin {
            let gap = width.saturating_sub(line.chars().count());
            out.push_str(&format!("{}   ← {}", " ".repeat(gap), entry.origin));
        }
        out.push('\n');
    }
    out
}
