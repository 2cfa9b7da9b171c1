//! SAML 2.0, pure: bytes, registered facts, `now` and randomness in; bytes and judgements out.

pub mod bindings;
#[cfg(test)]
pub mod fixtures;
pub mod messages;
pub mod metadata;
pub mod names;
pub mod profiles;
pub mod spec;
pub mod xml;
