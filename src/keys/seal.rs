//! `seal.key`: the one secret from which the keys for everything that is ours alone are derived. All nodes of a database
//! share it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::CryptoError;
use crate::crypto::digest;
use crate::crypto::random::Random;
use crate::keys::error::KeyRingError;
use crate::keys::files;
use crate::model::secret::Secret;

/// What a derived key is for. Two purposes never share a key, so that what one of them reveals helps nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Tokens of our forms.
    Csrf,
    /// Persistent NameIDs, pairwise-id and subject-id.
    SubjectIds,
    /// The set-up link.
    Setup,
    /// Messages that rest with a trace.
    Traces,
}

impl Purpose {
    /// Never changed: what was derived under it would be lost.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Csrf => b"csrf",
            Self::SubjectIds => b"subject-ids",
            Self::Setup => b"setup",
            Self::Traces => b"traces",
        }
    }
}

/// The seal key.
#[derive(Debug, Clone)]
pub struct SealKey(Secret<[u8; 32]>);

impl SealKey {
    /// Reads the file; `None` if there is none.
    pub fn read(file: &Path) -> Result<Option<Self>, KeyRingError> {
        let Some(bytes) = files::read(file)? else { return Ok(None) };
        let bytes: [u8; 32] = bytes.expose().as_slice().try_into().map_err(|_| KeyRingError::NotASeal { file: file.to_owned() })?;
        Ok(Some(Self(Secret::new(bytes))))
    }

    /// Makes a key and writes it, or reads the one that another process wrote meanwhile; says whether it is the one made here.
    pub fn create(file: &Path, random: &mut Random) -> Result<(Self, bool), KeyRingError> {
        let key = Self(Secret::new(random.bytes::<32>()));
        if let Some(directory) = file.parent() {
            files::prepare_directory(directory)?;
        }
        if files::write_new(file, &Secret::new(key.0.expose().to_vec()), &format!("seal-{}", key.id()?))? {
            return Ok((key, true));
        }
        let present = Self::read(file)?.ok_or_else(|| KeyRingError::SealMissing { file: file.to_owned() })?;
        Ok((present, false))
    }

    /// What the database knows of it: enough to notice another key, useless for anything else.
    pub fn id(&self) -> Result<String, CryptoError> {
        Ok(URL_SAFE_NO_PAD.encode(digest::hmac(self.0.expose(), &[b"linkspan seal.key id"])?))
    }

    /// The key for one purpose (HKDF-Expand of one block, RFC 5869 2.3; the seal key is uniform, so nothing is to extract).
    pub fn derive(&self, purpose: Purpose) -> Result<Secret<[u8; 32]>, CryptoError> {
        digest::hmac(self.0.expose(), &[b"linkspan derived key", purpose.label()]).map(Secret::new)
    }
}
