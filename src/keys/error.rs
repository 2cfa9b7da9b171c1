//! What keeps the key ring from working, and what to do about it.

use std::path::PathBuf;

use crate::crypto::CryptoError;
use crate::keys::transition::TransitionError;
use crate::store::StoreError;

/// Why the key ring cannot be opened or changed. `remedy` says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The database knows the key, but this node has no file for it.
    #[error("the private key {id} is missing: there is no file {}", file.display())]
    FileMissing { id: String, file: PathBuf },
    #[error("{} can be read by others (mode {mode:04o})", file.display())]
    OpenToOthers { file: PathBuf, mode: u32 },
    /// Whoever may write to the directory can replace the keys.
    #[error("others can write to {} (mode {mode:04o})", directory.display())]
    DirectoryOpenToOthers { directory: PathBuf, mode: u32 },
    #[error("{} belongs to user {owner}, not to user {own} who runs Linkspan", file.display())]
    ForeignOwner { file: PathBuf, owner: u32, own: u32 },
    #[error("{} cannot be read: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    #[error("{} cannot be written: {reason}", file.display())]
    Unwritable { file: PathBuf, reason: String },
    #[error("{} is encrypted and no passphrase is configured", file.display())]
    PassphraseNeeded { file: PathBuf },
    #[error("{} does not open with the configured passphrase", file.display())]
    PassphraseWrong { file: PathBuf },
    #[error("{} is not a private key in PEM form: {reason}", file.display())]
    NotAKey { file: PathBuf, reason: String },
    /// The file holds another key than the one that the database knows under this name.
    #[error("{} holds another key than the {id} of this database", file.display())]
    OtherKey { id: String, file: PathBuf },
    #[error("the database was sealed with a seal.key that is missing: there is no file {}", file.display())]
    SealMissing { file: PathBuf },
    #[error("{} is not the seal.key of this database", file.display())]
    OtherSeal { file: PathBuf },
    #[error("{} is not a seal.key: it must hold 32 bytes", file.display())]
    NotASeal { file: PathBuf },
    #[error("the private key {id} has no file on this node, which therefore cannot sign with it")]
    NotOnThisNode { id: String },
    #[error("what was given is not a private key that opens: {0}")]
    ImportUnreadable(String),
    #[error("a key of type {0} cannot sign here")]
    ImportUnsuitable(String),
    #[error("the certificate {0}")]
    ImportCertificate(&'static str),
    #[error("this key is in the ring already, as {0}")]
    ImportKnown(String),
    #[error("there is a next {algorithm} key already: {id}")]
    NextExists { id: String, algorithm: String },
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// Another node changed the same keys in the meantime; nothing was changed here.
    #[error("the keys were changed by someone else in the meantime")]
    Raced,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl KeyRingError {
    /// One line of what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::FileMissing { file, .. } => {
                format!("Copy {} from the node that made it or from a backup, mode 0600.", file.display())
            }
            Self::OpenToOthers { file, .. } => format!("chmod 600 {}", file.display()),
            Self::DirectoryOpenToOthers { directory, .. } => format!("chmod 700 {}", directory.display()),
            Self::ForeignOwner { file, own, .. } => format!("chown {own} {}", file.display()),
            Self::Unreadable { file, .. } => format!("Make {} a file that the user who runs Linkspan can read.", file.display()),
            Self::Unwritable { file, .. } => {
                let directory = file.parent().unwrap_or(file);
                format!("Give the user who runs Linkspan the right to write to {}.", directory.display())
            }
            Self::PassphraseNeeded { .. } => "Set keys.passphrase_file to the file that holds the passphrase.".to_owned(),
            Self::PassphraseWrong { .. } => "Check keys.passphrase_file; every key file must open with the one passphrase.".to_owned(),
            Self::NotAKey { file, .. } => format!("Restore {} from another node or from a backup.", file.display()),
            Self::OtherKey { file, .. } => format!("Copy {} from the node that made it; only the first node makes keys.", file.display()),
            Self::SealMissing { file } | Self::NotASeal { file } => {
                format!("Copy {} from another node or from a backup, mode 0600.", file.display())
            }
            Self::OtherSeal { file } => {
                format!(
                    "Replace {} by the file of another node of this database; if this is the wrong database, check storage.data.",
                    file.display()
                )
            }
            Self::NotOnThisNode { id } => format!("Copy {id}.pem to the keys directory of every node first."),
            Self::ImportUnreadable(_) => "Give a private key in PEM form, and its passphrase if it has one.".to_owned(),
            Self::ImportUnsuitable(_) => "Give an RSA key of 2048 to 8192 bits or an EC key on the curve P-256.".to_owned(),
            Self::ImportCertificate(_) => {
                "Give the certificate of this key in PEM form, or none: a self-signed one is then made.".to_owned()
            }
            Self::ImportKnown(_) => "Nothing has to be done; \"linkspan key list\" shows its state.".to_owned(),
            Self::NextExists { id, .. } => {
                format!("Promote it with \"linkspan key promote {id}\", or retire it with \"linkspan key retire {id}\".")
            }
            Self::Transition(error) => error.remedy(),
            Self::Raced => "Look at \"linkspan key list\" and decide again.".to_owned(),
            Self::Store(_) => "Check that the store runs and can be reached, then try again.".to_owned(),
            Self::Crypto(_) => "Check the installation of OpenSSL.".to_owned(),
        }
    }

    /// Whether it is about how this node is set up (exit code 78) rather than about one operation or an outage.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::FileMissing { .. }
                | Self::OpenToOthers { .. }
                | Self::DirectoryOpenToOthers { .. }
                | Self::ForeignOwner { .. }
                | Self::Unreadable { .. }
                | Self::Unwritable { .. }
                | Self::PassphraseNeeded { .. }
                | Self::PassphraseWrong { .. }
                | Self::NotAKey { .. }
                | Self::OtherKey { .. }
                | Self::SealMissing { .. }
                | Self::OtherSeal { .. }
                | Self::NotASeal { .. }
        )
    }
}
