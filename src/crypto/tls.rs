//! The server side of TLS.

use std::path::Path;

use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod};

use crate::crypto::CryptoError;

/// An acceptor by Mozilla's intermediate profile, from PEM files: the certificate with its chain, and the key.
///
/// # Errors
/// Names the file that cannot be used.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<SslAcceptorBuilder, CryptoError> {
    let refused = |file: &Path| {
        let file = file.display().to_string();
        move |error: openssl::error::ErrorStack| CryptoError(format!("{file} cannot be used for TLS: {error}"))
    };
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_certificate_chain_file(certificate).map_err(refused(certificate))?;
    builder.set_private_key_file(key, SslFiletype::PEM).map_err(refused(key))?;
    builder.check_private_key().map_err(refused(key))?;
    Ok(builder)
}
