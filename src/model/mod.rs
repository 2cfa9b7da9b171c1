//! What all rooms talk about: data and its legal transitions. No I/O, no clock, no randomness.

pub mod app;
pub mod check;
pub mod event;
pub mod id;
pub mod network;
pub mod pending;
pub mod release;
pub mod secret;
pub mod session;
pub mod sp;
pub mod time;
pub mod user;
