//! What happens by the clock, started by `app`.

pub mod changes;
pub mod metadata_dir;
pub mod prune;
pub mod refresh;
