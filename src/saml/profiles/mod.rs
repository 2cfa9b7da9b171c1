//! profiles.
