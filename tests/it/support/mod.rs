//! What several subjects need.

pub mod dir;
pub mod servers;
