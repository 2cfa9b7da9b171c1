//! authn.
