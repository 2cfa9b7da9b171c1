//! The registered apps, in memory: found by entity ID without asking a store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::app::{App, AppSource};
use crate::model::id::{AppId, EntityId};
use crate::model::sp::{Finding, SpMetadata, Unusable};
use crate::model::time::Timestamp;
use crate::registry::release::plan::ReleasePlan;
use crate::saml::metadata::endpoints::{is_usable, usable_acs};
use crate::saml::metadata::import::read_stored;
use crate::saml::profiles::service_provider::SpView;
use crate::store::apps::Apps;
use crate::store::{self};

/// One app with everything prepared that a sign-in needs.
#[derive(Debug)]
pub struct RegisteredSp {
    pub app: App,
    pub metadata: Arc<SpMetadata>,
    pub findings: Vec<Finding>,
    pub view: SpView,
    pub release: ReleasePlan,
}

impl RegisteredSp {
    /// Prepares a stored app; says why its record cannot be used.
    pub fn load(app: App, host: &str, now: Timestamp) -> Result<Self, String> {
        let (metadata, findings) = read_stored(&app.metadata, now, app.saml.allow_http).map_err(|refusal| refusal.sentence().to_owned())?;
        let metadata = Arc::new(metadata);
        let release = ReleasePlan::compile(&app, &metadata, host).map_err(|error| error.to_string())?;
        let view = SpView::new(Arc::clone(&metadata), app.saml.clone());
        Ok(Self { app, metadata, findings, view, release })
    }

    /// Whether an endpoint counts for this app.
    pub fn can_use(&self, unusable: Option<Unusable>) -> bool {
        is_usable(unusable, self.app.saml.allow_http)
    }

    /// The host that people know the app by.
    pub fn host(&self) -> Option<String> {
        let acs = usable_acs(&self.metadata, self.app.saml.allow_http).next()?;
        url::Url::parse(&acs.location).ok()?.host_str().map(str::to_owned)
    }

    /// Whether any of its addresses is plain http.
    pub fn speaks_http(&self) -> bool {
        usable_acs(&self.metadata, self.app.saml.allow_http).any(|acs| acs.location.starts_with("http:"))
    }

    /// When the app stops because its metadata runs out: where it can be fetched again, or was pinned. Uploads only warn,
    /// since some toolkits write two days.
    pub fn stops_at(&self) -> Option<Timestamp> {
        match &self.app.source {
            AppSource::Url { .. } | AppSource::Upload { signer: Some(_) } => self.metadata.valid_until,
            AppSource::Upload { signer: None } | AppSource::File { .. } => None,
        }
    }
}

#[derive(Default)]
struct Snapshot {
    /// Counts reloads.
    generation: u64,
    by_entity_id: HashMap<EntityId, Arc<RegisteredSp>>,
    by_id: HashMap<AppId, Arc<RegisteredSp>>,
}

/// All registered apps. Requests read a snapshot; `reload` swaps it.
#[derive(Clone)]
pub struct Registry {
    current: Arc<RwLock<Arc<Snapshot>>>,
    clock: fn() -> Timestamp,
}

impl Registry {
    /// An empty registry; `reload` fills it.
    pub fn new(clock: fn() -> Timestamp) -> Self {
        Self { current: Arc::default(), clock }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn by_entity_id(&self, entity_id: &EntityId) -> Option<Arc<RegisteredSp>> {
        self.snapshot().by_entity_id.get(entity_id).cloned()
    }

    pub fn by_id(&self, id: &AppId) -> Option<Arc<RegisteredSp>> {
        self.snapshot().by_id.get(id).cloned()
    }

    /// Changes whenever an app does.
    pub fn generation(&self) -> u64 {
        self.snapshot().generation
    }

    /// All apps, in no order.
    pub fn all(&self) -> Vec<Arc<RegisteredSp>> {
        self.snapshot().by_id.values().cloned().collect()
    }

    /// Reads the store; apps that did not change are kept as they are. `host` is the scope where an app sets none.
    ///
    /// A record that cannot be used is left out and logged: one broken app must not stop the others.
    pub async fn reload(&self, store: &dyn Apps, host: &str) -> store::Result<()> {
        let before = self.snapshot();
        let now = (self.clock)();
        let mut next = Snapshot { generation: before.generation + 1, ..Snapshot::default() };
        for app in store.all().await? {
            let kept = before.by_id.get(&app.id).filter(|sp| sp.app.revision == app.revision && sp.app.created == app.created);
            let sp = match kept {
                Some(sp) => Arc::clone(sp),
                None => {
                    let id = app.id.clone();
                    match RegisteredSp::load(app, host, now) {
                        Ok(sp) => Arc::new(sp),
                        Err(reason) => {
                            tracing::error!(app = %id, reason = %reason, "a registered app cannot be used");
                            continue;
                        }
                    }
                }
            };
            next.by_entity_id.insert(sp.app.entity_id.clone(), Arc::clone(&sp));
            next.by_id.insert(sp.app.id.clone(), sp);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }
}
