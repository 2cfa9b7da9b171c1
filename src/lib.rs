//! Linkspan: a SAML 2.0 identity provider and SSO bridge.
//!
//! The rooms, in reading order; which may use which is written in `docs/architecture.md` and held by
//! `tests/it/architecture.rs`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests may look at clocks and the environment"))]

// words
pub mod crypto;
pub mod model;
// protocols, pure
pub mod saml;
// services: state and the outside
pub mod audit;
pub mod authn;
pub mod directory;
pub mod keys;
pub mod outbound;
pub mod registry;
pub mod session;
pub mod store;
// what happens
pub mod flows;
// edges
pub mod app;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod telemetry;
pub mod web;
