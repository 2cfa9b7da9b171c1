//! The black-box tests: one binary, one module per subject.

mod architecture;
mod store;
mod support;
