//! One file per thing that happens to a person, a peer or an administrator. Async, no HTTP types.

pub mod command;
