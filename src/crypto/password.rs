//! Argon2id at OWASP's recommended cost (19 MiB, 2 passes, 1 lane).

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::crypto::CryptoError;
use crate::crypto::random::Random;

fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("OWASP's parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password into PHC form. Takes tens of milliseconds and 19 MiB: call it where that is bounded.
pub fn hash(password: &str, random: &mut Random) -> Result<String, CryptoError> {
    let salt = random.bytes::<16>();
    let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt).map_err(|error| CryptoError(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether a hash from elsewhere may be taken: argon2id at our cost or above, and not so dear that checking it would exhaust
/// the machine.
pub fn is_acceptable(hash: &str) -> bool {
    let Ok(parsed) = argon2::password_hash::phc::PasswordHash::new(hash) else { return false };
    let Ok(params) = Params::try_from(&parsed) else { return false };
    let known = parsed.algorithm.as_str() == "argon2id" && parsed.version == Some(Version::V0x13.into()) && parsed.hash.is_some();
    known && (19_456..=65_536).contains(&params.m_cost()) && (2..=10).contains(&params.t_cost()) && (1..=4).contains(&params.p_cost())
}

/// Whether the password fits the hash. A hash that cannot be read fits nothing, at the same cost.
pub fn verify(password: &str, hash: &str) -> bool {
    match argon2::password_hash::phc::PasswordHash::new(hash) {
        Ok(parsed) => argon2().verify_password(password.as_bytes(), &parsed).is_ok(),
        Err(_) => verify_nothing(password),
    }
}

/// Does the work of `verify` for an account that does not exist, so that time tells nothing; always `false`.
pub fn verify_nothing(password: &str) -> bool {
    let mut out = [0; 32];
    let _ = argon2().hash_password_into(password.as_bytes(), b"no such account.", &mut out);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let mut random = Random::system();
        let stored = hash("correct horse", &mut random).unwrap();

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse", &stored));
        assert!(!verify("correct Horse", &stored));
        assert!(!verify("", &stored));
        assert_ne!(hash("correct horse", &mut random).unwrap(), stored);
    }

    #[test]
    fn nothing_fits_a_hash_that_cannot_be_read() {
        assert!(!verify("x", ""));
        assert!(!verify("x", "plain"));
        assert!(!verify_nothing("x"));
    }
}
