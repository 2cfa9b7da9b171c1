//! SP metadata kept as files (GitOps): read at start, watched, hot-reloaded.
//!
//! A file's apps are named by their entity ID; several entities in a file are all imported. Files never displace an app that
//! is stored otherwise; of one entity ID in two files the first by name counts. A file that goes disables its apps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::flows::{Fault, Services, apps};
use crate::model::app::AppSource;
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::id::EntityId;
use crate::saml::metadata::import::{Import, ImportOptions};

/// Editors and copies write in several steps; this long after the last one the folder is read.
const SETTLE: Duration = Duration::from_millis(200);
/// Folders on network file systems tell nothing: look anyway.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);
const LOOK_FOR_FOLDER_EVERY: Duration = Duration::from_secs(1);

/// Why files were left out when they were last read, by their names.
pub type Rejected = BTreeMap<String, String>;

/// Watches until the task is dropped. A folder that is not there (yet, or any more) is looked for every second.
pub async fn run(services: Arc<Services>, directory: PathBuf, mut rejected: Rejected) {
    let (tell, mut told) = mpsc::channel::<()>(1);
    let mut watcher = None;
    loop {
        if watcher.is_some() && directory.is_dir() {
            // Woken or not, it is time to look.
            let _ = tokio::time::timeout(AT_LEAST_EVERY, told.recv()).await;
            tokio::time::sleep(SETTLE).await;
            while told.try_recv().is_ok() {}
        } else {
            let had_one = watcher.take().is_some();
            watcher = watch(&directory, tell.clone());
            if watcher.is_none() && !had_one {
                tokio::time::sleep(LOOK_FOR_FOLDER_EVERY).await;
                continue;
            }
        }
        if let Err(fault) = scan(&services, &directory, &mut rejected).await {
            tracing::warn!(error = %fault, "the metadata folder cannot be taken over now");
        }
    }
}

fn watch(directory: &Path, tell: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full channel means that a look is due already.
            let _ = tell.try_send(());
        }
    })
    .ok()?;
    watcher.watch(directory, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

/// Brings the registry in line with the folder. A folder that is not there or cannot be listed changes nothing: an app must
/// not go off because a disk or a mount does.
pub async fn scan(services: &Services, directory: &Path, rejected: &mut Rejected) -> Result<(), Fault> {
    let mut counted: BTreeMap<EntityId, String> = BTreeMap::new();
    let files = match xml_files(directory).await {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), error = %error, "the metadata folder cannot be listed");
            return Ok(());
        }
    };
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let found = match read(services, &path).await {
            Ok(found) => {
                rejected.remove(&name);
                found
            }
            Err(reason) => {
                // Said once, not at every look.
                if rejected.insert(name.clone(), reason.clone()).as_ref() != Some(&reason) {
                    tracing::warn!(file = %name, reason = %reason, "a metadata file is left out");
                    let event = Event::AppMetadataRejected { source: name.clone(), reason };
                    services.audit.record((services.clock)(), event, by_files()).await?;
                }
                // What the file held before keeps working: a broken edit must not switch an app off.
                keep_present(services, &name, &mut counted);
                continue;
            }
        };
        for entity in found.entities {
            let entity_id = entity.metadata.entity_id.clone();
            if let Some(first) = counted.get(&entity_id) {
                tracing::warn!(file = %name, first = %first, sp.entity_id = %entity_id, "the entity is in two files; the first by name counts");
                continue;
            }
            counted.insert(entity_id.clone(), name.clone());
            if let Err(reason) = apps::take_from_file(services, entity, &name, by_files()).await? {
                tracing::warn!(file = %name, sp.entity_id = %entity_id, reason = %reason, "an app of a metadata file is left out");
            }
        }
    }
    for sp in services.registry.all() {
        if matches!(&sp.app.source, AppSource::File { .. }) && sp.app.enabled && !counted.contains_key(&sp.app.entity_id) {
            apps::disable_for_file(services, &sp.app.id, by_files()).await?;
        }
    }
    services.stores.health.commit().await?;
    Ok(())
}

fn by_files() -> AuditContext {
    AuditContext { actor: Some("metadata files".to_owned()), ..AuditContext::default() }
}

fn keep_present(services: &Services, file: &str, counted: &mut BTreeMap<EntityId, String>) {
    for sp in services.registry.all() {
        if matches!(&sp.app.source, AppSource::File { path, .. } if path == file) {
            counted.entry(sp.app.entity_id.clone()).or_insert_with(|| file.to_owned());
        }
    }
}

async fn xml_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut entries = tokio::fs::read_dir(directory).await?;
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && path.extension().is_some_and(|end| end == "xml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

async fn read(services: &Services, path: &Path) -> Result<Import, String> {
    let bytes = tokio::fs::read(path).await.map_err(|error| error.to_string())?;
    let options = ImportOptions::new((services.clock)());
    let parsed = apps::read_keeping(services, &bytes, options).await.map_err(|fault| fault.to_string())?;
    parsed.map_err(|refusal| format!("{} {}", refusal.sentence(), refusal.remedy()))
}
