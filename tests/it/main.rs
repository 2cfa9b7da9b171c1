//! The black-box tests: one binary, one module per subject.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests may look at clocks and the environment, and fail loudly"
)]

mod architecture;
mod store;
mod support;
