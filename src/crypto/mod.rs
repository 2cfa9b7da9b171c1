//! The one door to the cryptography library. Nobody else names `openssl` (but `saml/xml`, next to libxmlsec1).

pub mod cipher;
pub mod digest;
pub mod keys;
pub mod password;
pub mod random;
pub mod tls;
pub mod x509;

/// Something of the library's failed, or a key does not fit what is asked of it.
#[derive(Debug, thiserror::Error)]
#[error("cryptography: {0}")]
pub struct CryptoError(pub String);

impl From<openssl::error::ErrorStack> for CryptoError {
    fn from(stack: openssl::error::ErrorStack) -> Self {
        Self(stack.to_string())
    }
}
