//! Identifiers: one newtype each, one parser each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Says why a string is not an identifier of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct IdError {
    what: &'static str,
    why: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the string if it is a well-formed identifier of this kind.
            pub fn parse(value: impl Into<String>) -> Result<Self, IdError> {
                let value = value.into();
                if value.is_empty() {
                    return Err(IdError { what: $what, why: "is empty" });
                }
                if value.len() > $max {
                    return Err(IdError { what: $what, why: concat!("is longer than ", $max, " bytes") });
                }
                let check: fn(&str) -> Option<&'static str> = $check;
                match check(&value) {
                    Some(why) => Err(IdError { what: $what, why }),
                    None => Ok(Self(value)),
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(value: String) -> Result<Self, IdError> {
                Self::parse(value)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

fn control(value: &str) -> Option<&'static str> {
    value.chars().any(char::is_control).then_some("contains a control character")
}

fn slug(value: &str) -> Option<&'static str> {
    let fine = value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    (!fine).then_some("may contain only a-z, 0-9, '-' and '_'")
}

id! {
    /// A SAML entity ID. By Metadata 2.2.1 a URI of at most 1,024 characters; real SPs also use bare names, so any
    /// text without control characters counts (4,096 bytes leave room for 1,024 characters of any script).
    EntityId, "entity ID", 4096, control
}
id! {
    /// The short name of an app, in commands and addresses: `grafana`.
    AppId, "app ID", 128, slug
}
id! {
    /// The unchanging identifier of a person, never a name: `u_` and random letters.
    UserId, "user ID", 64, slug
}
id! {
    /// The public identifier of a session, fit for logs and commands. Not a credential: the cookie adds a secret.
    SessionId, "session ID", 64, slug
}
id! {
    /// What joins an error page, its trace, log lines and audit events: `7F3K-9QXD`.
    Reference, "reference", 9, |value| {
        let fine = value.len() == 9
            && value.bytes().enumerate().all(|(at, b)| {
                if at == 4 { b == b'-' } else { Reference::ALPHABET.contains(&b) }
            });
        (!fine).then_some("is not of the form 7F3K-9QXD")
    }
}

impl Reference {
    /// Letters and digits that are not mistaken for one another when read aloud (Crockford's base 32).
    pub const ALPHABET: &'static [u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// Makes the reference that 40 random bits name.
    pub fn from_bits(bits: [u8; 5]) -> Self {
        let number = bits.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let mut text = String::with_capacity(9);
        for at in 0..8 {
            if at == 4 {
                text.push('-');
            }
            let digit = (number >> (35 - 5 * at)) & 31;
            text.push(char::from(Self::ALPHABET[digit as usize]));
        }
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_two_groups_of_four() {
        assert_eq!(Reference::from_bits([0; 5]).as_str(), "0000-0000");
        assert_eq!(Reference::from_bits([255; 5]).as_str(), "ZZZZ-ZZZZ");
        assert!(Reference::parse("7F3K-9QXD").is_ok());
        assert!(Reference::parse("7F3K9QXD").is_err());
        assert!(Reference::parse("7f3k-9qxd").is_err());
    }

    #[test]
    fn an_entity_id_may_be_a_bare_name_but_not_hold_control_characters() {
        assert!(EntityId::parse("metadata-sp").is_ok());
        assert!(EntityId::parse("a\nb").is_err());
        assert!(EntityId::parse("").is_err());
    }
}
