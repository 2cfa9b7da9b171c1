//! The apps: which there are, what they are told about a person, and under which name.

pub mod name_id;
pub mod registered;
pub mod release;
pub mod subject_ids;
