//! The black-box tests: one binary, one module per subject.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]
#![allow(clippy::disallowed_methods, reason = "tests touch the outside: the environment, programs, servers that take time to start")]

mod architecture;
mod store;
mod support;
