//! The session cookie's value: the session's ID and a secret of 256 bits, of which the store holds the digest.
//!
//! Attacks it stops: guessing (256 bits), reading the store (digest only), fixation (a value that we did not make names no
//! session, and every privilege change makes a new one).

use crate::crypto::digest;
use crate::model::id::SessionId;
use crate::model::secret::{Digest, Secret};

/// A parsed or fresh cookie value.
#[derive(Debug, Clone)]
pub struct SessionCookie {
    id: SessionId,
    secret: Secret<String>,
}

impl SessionCookie {
    pub(super) fn new(id: SessionId, secret: Secret<String>) -> Self {
        Self { id, secret }
    }

    /// Reads a cookie's value; `None` for anything of another form.
    pub fn parse(value: &str) -> Option<Self> {
        let (id, secret) = value.split_once('.')?;
        let id = SessionId::parse(id).ok().filter(|id| id.as_str().starts_with("s_"))?;
        let fine = secret.len() == 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fine.then(|| Self { id, secret: Secret::new(secret.to_owned()) })
    }

    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// What the store compares with.
    pub fn digest(&self) -> Digest {
        digest::sha256(self.secret.expose().as_bytes())
    }

    /// The value to send.
    pub fn value(&self) -> Secret<String> {
        Secret::new(format!("{}.{}", self.id, self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::Random;

    #[test]
    fn a_cookie_reads_what_it_writes_and_nothing_else() {
        let mut random = Random::system();
        let id = SessionId::parse(random.letters("s_", 26)).unwrap();
        let cookie = SessionCookie::new(id.clone(), Secret::new(random.bearer()));
        let read = SessionCookie::parse(cookie.value().expose()).unwrap();
        assert_eq!((read.id(), read.digest()), (&id, cookie.digest()));
        for bad in [
            "",
            ".",
            "s_abc",
            "s_abc.short",
            "x.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "s_ABC.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(SessionCookie::parse(bad).is_none(), "{bad}");
        }
    }
}
