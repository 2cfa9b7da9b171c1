//! XML as SAML needs it; nobody else sees XML. Guarded: the reader, the signature and the encryption.

pub mod encryption;
pub mod reader;
pub mod signature;
pub mod tree;
pub mod writer;
