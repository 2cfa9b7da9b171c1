//! Metadata: reading that of apps (`import`, `sp`, `aggregate`, `lint`) and publishing our own (`idp`).

mod about;
pub mod aggregate;
pub mod diff;
pub mod endpoints;
pub mod idp;
pub mod import;
mod keys;
pub mod lint;
pub mod refusal;
pub mod rules;
mod shape;
mod signed;
mod sniff;
pub mod sp;
mod text;
pub mod validity;

#[cfg(test)]
#[path = "corpus/tests.rs"]
mod corpus_tests;
#[cfg(test)]
mod tests;
