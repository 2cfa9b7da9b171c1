//! One process at a time: the embedded store's state is in memory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::store::{Result, StoreError};

/// Held as long as the store is open. The system lets go of it when the process dies, however it dies.
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock and leaves our process ID in the file.
    ///
    /// Fails with `Unusable`, naming the other process, if it is taken.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lively.lock");
        let failed = |error: std::io::Error| {
            StoreError::Unusable(format!("cannot lock {}: {error}; check who owns the storage directory", path.display()))
        };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only for the message; a file that cannot be read names nobody.
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let who = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
                return Err(StoreError::Unusable(format!(
                    "another linkspan{who} has {} open; embedded storage serves one process: stop it, or for several nodes use Redis and \
                     PostgreSQL (linkspan help cluster)",
                    directory.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let note = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
