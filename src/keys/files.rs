//! Files that hold secrets: read only where nobody else can read them, written so that they appear whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::keys::error::KeyRingError;
use crate::model::secret::Secret;

/// No key file is longer.
const LONGEST: u64 = 64 * 1024;

/// Makes the directory, for its owner only, if there is none. An existing one may be readable by others (its files are not),
/// but not writable: who can write to it can put other keys in place.
pub fn prepare_directory(directory: &Path) -> Result<(), KeyRingError> {
    let unwritable = |error: io::Error| KeyRingError::Unwritable { file: directory.to_owned(), reason: error.to_string() };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unwritable)?;
    let mode = fs::metadata(directory).map_err(unwritable)?.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(KeyRingError::DirectoryOpenToOthers { directory: directory.to_owned(), mode });
    }
    Ok(())
}

/// Reads a secret file; `None` if there is none.
///
/// # Errors
/// Refuses a file that others can read or write, or that belongs to somebody else: then it is no secret of ours.
pub fn read(path: &Path) -> Result<Option<Secret<Vec<u8>>>, KeyRingError> {
    let unreadable = |reason: String| KeyRingError::Unreadable { file: path.to_owned(), reason };
    // Looked at before opening too, because opening a pipe would wait for ever.
    let file = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(metadata) => {
            check(path, &metadata)?;
            File::open(path).map_err(|error| unreadable(error.to_string()))?
        }
    };
    // What counts is the file that was opened, not the one that had the name a moment ago.
    check(path, &file.metadata().map_err(|error| unreadable(error.to_string()))?)?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    let bytes = Secret::new(bytes);
    if bytes.expose().len() as u64 > LONGEST {
        return Err(unreadable("it is too long for a key".to_owned()));
    }
    Ok(Some(bytes))
}

fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyRingError> {
    if !metadata.is_file() {
        return Err(KeyRingError::Unreadable { file: path.to_owned(), reason: "it is not a file".to_owned() });
    }
    let owner = metadata.uid();
    if let Some(own) = own_uid().filter(|own| owner != *own && owner != 0) {
        return Err(KeyRingError::ForeignOwner { file: path.to_owned(), owner, own });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyRingError::OpenToOthers { file: path.to_owned(), mode });
    }
    Ok(())
}

/// The user who runs this process, as the kernel shows it; `None` where there is no /proc, which only loses a hint.
fn own_uid() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// Writes a new file of mode 0600 and makes it durable; `false`, and nothing changed, if there is one of that name.
/// `unique` tells the temporary file from those of other writers.
pub fn write_new(path: &Path, bytes: &Secret<Vec<u8>>, unique: &str) -> Result<bool, KeyRingError> {
    let unwritable = |error: io::Error| KeyRingError::Unwritable { file: path.to_owned(), reason: error.to_string() };
    let directory = path.parent().unwrap_or(Path::new("."));
    let temporary = directory.join(format!(".{unique}.tmp"));
    // A leftover of a crash: same name, same content, but perhaps not all of it.
    let _ = fs::remove_file(&temporary);
    let written = write_whole(&temporary, bytes).and_then(|()| {
        // A link fails where the name is taken; a rename would replace the file of another node.
        match fs::hard_link(&temporary, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    });
    let _ = fs::remove_file(&temporary);
    let written = written.map_err(unwritable)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(unwritable)?;
    Ok(written)
}

fn write_whole(path: &Path, bytes: &Secret<Vec<u8>>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes.expose())?;
    file.sync_all()
}

/// Removes a file that this process wrote a moment ago and that turned out to be of no use.
pub fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(file = %path.display(), %error, "a key file that is not used could not be removed");
    }
}
