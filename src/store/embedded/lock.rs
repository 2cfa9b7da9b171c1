//! One process at a time: the embedded store's state is in memory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::store::{Result, StoreError};

/// Looks at a lock that is taken, 20 ms apart: a process that just ended, or a child that it was just starting, may still hold it.
const PATIENCE: u32 = 25;

#[expect(clippy::disallowed_methods, reason = "the store is being opened; nothing else waits for this thread")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

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
        let mut taken = file.try_lock();
        for _ in 0..PATIENCE {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            pause();
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only for the message; a file that cannot be read names nobody.
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let who = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
                return Err(StoreError::Unusable(format!(
                    "another linkspan{who} has {} open; embedded storage serves one process\nstop it, or for several nodes use Redis \
                     and PostgreSQL (docs/operating.md)",
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
