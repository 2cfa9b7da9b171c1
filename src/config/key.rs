//! The table of keys: one list drives what is known, what is shown, the JSON Schema and the annotated file of `init`.

use crate::config::nearest::nearest;
use crate::config::{brand, demo, keys, listen, log, oidc, outbound, public_url, saml, session, storage, tls};

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// The address of a store, which may hold a password.
    Store,
    /// A file or folder; relative ones count from the configuration file.
    Path,
    /// `ADDRESS:PORT`.
    Address,
    /// `15m`, `8h`, `1h30m`.
    Duration,
    /// Bytes, as a number or as `64KiB`, `1MiB`.
    Size,
    Count,
    Choice(&'static [&'static str]),
    Texts,
    /// Networks and addresses: `10.0.0.0/8`, `192.0.2.7`.
    Networks,
    Addresses,
}

impl Kind {
    /// Whether the value is a list of strings.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::Networks | Self::Addresses)
    }

    /// How to write such a value, for messages.
    pub fn example(self) -> &'static str {
        match self {
            Self::Text => "a string, as \"text\"",
            Self::Store => "the address of a store, as a string",
            Self::Path => "a path, as \"folder/file\"",
            Self::Address => "an address and a port, as \"127.0.0.1:8080\"",
            Self::Duration => "a duration, as \"15m\", \"8h\" or \"30d\"",
            Self::Size => "a size, as \"64KiB\" or \"1MiB\"",
            Self::Count => "a whole number, as 1000",
            Self::Choice(_) => "one of the named words, as a string",
            Self::Texts => "a list of strings, as [\"one\", \"two\"]",
            Self::Networks => "a list of networks, as [\"10.0.0.0/8\"]",
            Self::Addresses => "a list of addresses, as [\"127.0.0.1:8081\", \"127.0.0.1:8082\"]",
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name within the section.
    pub name: &'static str,
    pub kind: Kind,
    /// The default as it would be written in TOML, or a value to imitate where `default_note` says what the default is.
    pub written: &'static str,
    /// What the default is where it is no fixed value; empty for a fixed one.
    pub default_note: &'static str,
    /// Whether the value is a credential or may hold one; it then has a twin `…_file`, and is never shown.
    pub secret: bool,
    pub doc: &'static str,
}

/// One section, in the order of the annotated file; the name is empty for the top level.
#[derive(Debug)]
pub struct Section {
    pub name: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
}

/// Every section.
pub const SECTIONS: &[&Section] = &[
    &public_url::SECTION,
    &listen::SECTION,
    &tls::SECTION,
    &storage::SECTION,
    &session::SECTION,
    &saml::SECTION,
    &oidc::SECTION,
    &keys::SECTION,
    &outbound::SECTION,
    &brand::SECTION,
    &log::SECTION,
    &demo::SECTION,
];

/// A key that was found by its name, and whether the name was that of its `…_file` twin.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    pub key: &'static Key,
    pub from_file: bool,
}

impl Named {
    /// What kind of value stands under this very name.
    pub fn kind(self) -> Kind {
        if self.from_file { Kind::Path } else { self.key.kind }
    }
}

impl Section {
    /// The key of a name in this section.
    pub fn named(&self, name: &str) -> Option<Named> {
        self.keys.iter().find_map(|key| {
            let twin = key.secret && name.strip_suffix("_file") == Some(key.name);
            (twin || key.name == name).then_some(Named { key, from_file: twin })
        })
    }

    /// Every name that may stand in this section.
    pub fn names(&self) -> Vec<String> {
        let twins = self.keys.iter().filter(|key| key.secret).map(|key| format!("{}_file", key.name));
        self.keys.iter().map(|key| key.name.to_owned()).chain(twins).collect()
    }

    /// The dotted path of a name in this section.
    pub fn path(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) }
    }
}

/// The section of a name.
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().copied().find(|section| section.name == name)
}

/// The key of a dotted path, with its section.
pub fn find(path: &str) -> Option<(&'static Section, Named)> {
    let (first, rest) = path.split_once('.').unwrap_or(("", path));
    let section = section(first)?;
    Some((section, section.named(rest)?))
}

/// What to say about a name that is not known where it stands: the nearest one there, or the place where it belongs.
pub fn suggestion(section: Option<&Section>, name: &str) -> String {
    let mut here: Vec<String> = section.map_or_else(Vec::new, Section::names);
    if section.is_none_or(|section| section.name.is_empty()) {
        here.extend(SECTIONS.iter().filter(|section| !section.name.is_empty()).map(|section| section.name.to_owned()));
    }
    let close = nearest(name, here.iter().map(String::as_str));
    if let Some(near) = close.as_ref().filter(|near| near.is_close) {
        return format!("did you mean \"{}\"?", near.name);
    }
    if let Some(section) = SECTIONS.iter().find(|section| section.named(name).is_some()) {
        let place =
            if section.name.is_empty() { "at the top, before the first section".to_owned() } else { format!("in [{}]", section.name) };
        return format!("\"{name}\" belongs {place}");
    }
    match close {
        Some(near) => format!("the nearest known key is \"{}\"; known here: {}", near.name, here.join(", ")),
        None => "take it out".to_owned(),
    }
}
