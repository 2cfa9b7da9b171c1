//! The only place that knows every concrete type: builds `Services` from `Config`, starts and stops the server.

mod banner;
mod listen;

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use serde_json::Value;

use crate::app::banner::Banner;
use crate::audit::AuditLog;
use crate::audit::traces::TraceLog;
use crate::authn::password::Passwords;
use crate::config::Config;
use crate::config::log::LogFormat;
use crate::crypto::random::Random;
use crate::directory::Directory;
use crate::flows::command::{Command, Reply};
use crate::flows::metadata::Published;
use crate::flows::upkeep::{changes, metadata_dir, prune, refresh};
use crate::flows::{Facts, Fault, Services, Signers, dispatch, setup};
use crate::keys::seal::Purpose;
use crate::keys::{KeyRing, KeyRingOptions};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::time::Timestamp;
use crate::outbound::{Outbound, Timeouts};
use crate::registry::name_id::NameIdIssuer;
use crate::registry::registered::Registry;
use crate::registry::subject_ids::SubjectIds;
use crate::saml::profiles::authn_context::ContextTable;
use crate::session::SessionService;
use crate::store::{self, StoreConfig, StoreError};
use crate::telemetry;
use crate::web::Web;
use crate::web::extract::cookies::CookieJar;
use crate::web::extract::csrf::Csrf;
use crate::web::metrics::Metrics;
use crate::web::pages::Renderer;

/// Holds the set-up link where standard output is no terminal.
const SETUP_FILE: &str = "setup-url";

/// How `serve` was called.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// With demo people and the two demo apps.
    pub demo: bool,
}

/// Why the server did not start (or ended): one line of cause, one of remedy, the exit code.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cause}")]
pub struct StartError {
    pub cause: String,
    pub remedy: String,
    pub exit: u8,
}

impl StartError {
    fn new(exit: u8, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: remedy.into(), exit }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable { .. } => {
                Self::new(75, error.to_string(), "start the store, or correct storage.data and storage.session in linkspan.toml")
            }
            StoreError::Unusable(text) => match text.split_once('\n') {
                Some((cause, remedy)) => Self::new(1, cause, remedy.trim()),
                None => Self::new(1, text.clone(), "stop the other process, or give this one its own storage.directory"),
            },
            StoreError::Corrupt { .. } => Self::new(1, error.to_string(), "restore the data from a backup"),
        }
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error.into(),
            other => Self::new(1, other.to_string(), "see the log"),
        }
    }
}

/// The system's clock; nobody else asks it.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Builds everything that flows work with.
async fn build(config: &Config) -> Result<Arc<Services>, StartError> {
    prepare_directory(&config.storage.directory)?;
    let stores = store::open(&StoreConfig {
        directory: config.storage.directory.clone(),
        data: config.storage.data.expose().clone(),
        session: config.storage.session.expose().clone(),
        lifetime: config.session,
        sync_full: config.storage.sync_full,
    })
    .await?;
    let options = KeyRingOptions {
        directory: config.keys.directory.clone(),
        seal_file: config.storage.directory.join("seal.key"),
        passphrase: config.keys.passphrase.clone(),
        common_name: config.public_url.host().to_owned(),
    };
    let keys = KeyRing::open(options, Arc::clone(&stores.keys), clock(), &mut Random::system())
        .await
        .map_err(|error| StartError::new(if error.is_configuration() { 78 } else { 75 }, error.to_string(), error.remedy()))?;
    let outbound = Outbound::new(config.outbound.allow.clone(), Timeouts::default())
        .map_err(|error| StartError::new(1, error.to_string(), error.remedy()))?;
    let pairwise = keys.derive(Purpose::SubjectIds).map_err(|error| StartError::new(1, error.to_string(), "see the log"))?;
    let parallel = std::thread::available_parallelism().map_or(2, usize::from);
    let contexts = config.saml.authn_contexts.clone().map_or_else(ContextTable::default, ContextTable::new);
    let services = Services {
        facts: Facts {
            public_url: config.public_url.as_str().to_owned(),
            host: config.public_url.host().to_owned(),
            entity_id: config.saml.entity_id.to_string(),
            protected_transport: config.public_url.is_https() || config.public_url.is_loopback(),
            contexts,
            brand: config.brand.name.clone(),
        },
        sessions: SessionService::new(Arc::clone(&stores.sessions), config.session),
        passwords: Passwords::new(Arc::clone(&stores.throttle), parallel),
        directory: Directory::new(Arc::clone(&stores.users)),
        registry: Registry::new(clock),
        name_ids: NameIdIssuer::new(config.saml.entity_id.as_str(), Arc::clone(&stores.name_ids)),
        subject_ids: SubjectIds::new(pairwise),
        keys: Arc::new(keys),
        audit: AuditLog::new(Arc::clone(&stores.audit)),
        traces: TraceLog::new(Arc::clone(&stores.traces)),
        outbound,
        published: Published::default(),
        signers: Signers::default(),
        clock,
        stores,
    };
    services.registry.reload(&*services.stores.apps, &services.facts.host).await?;
    Ok(Arc::new(services))
}

/// The storage directory is ours alone.
fn prepare_directory(directory: &Path) -> Result<(), StartError> {
    let refused = |error: io::Error| {
        StartError::new(
            1,
            format!("{} cannot be used: {error}", directory.display()),
            "choose another storage.directory, or its owner's account",
        )
    };
    if !directory.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(refused)?;
    }
    let mode = std::fs::metadata(directory).map_err(refused)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StartError::new(
            78,
            format!("{} can be read by others (mode {mode:04o})", directory.display()),
            format!("chmod 700 {}", directory.display()),
        ));
    }
    Ok(())
}

/// Runs one command on the stores themselves, where no server answers.
pub async fn run_local(config: Config, command: Command) -> Result<Reply, StartError> {
    let services = build(&config).await?;
    let context = AuditContext { actor: Some("cli".to_owned()), ..AuditContext::default() };
    let reply = dispatch::run(&services, command, context).await.unwrap_or_else(|fault| dispatch::broken(&fault));
    services.stores.health.commit().await?;
    Ok(reply)
}

/// `init`: makes the directories and the first keys; returns them as `key list` does.
pub async fn init(config: Config) -> Result<Value, StartError> {
    Ok(run_local(config, Command::KeyList).await?.value)
}

/// Serves until SIGTERM or SIGINT.
pub fn serve(config: Config, options: ServeOptions) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::new(1, format!("the runtime cannot start: {error}"), "free memory and threads"))?;
    runtime.block_on(run(config, options))
}

async fn run(config: Config, options: ServeOptions) -> Result<(), StartError> {
    let json = match config.log.format {
        LogFormat::Auto => None,
        LogFormat::Text => Some(false),
        LogFormat::Json => Some(true),
    };
    telemetry::start(config.log.level.as_str(), json);
    let services = build(&config).await?;
    let seen = services.stores.changes.head().await?;
    let mut rejected = metadata_dir::Rejected::new();
    metadata_dir::scan(&services, &config.saml.metadata_dir, &mut rejected).await?;

    let csrf_key = services.keys.derive(Purpose::Csrf).map_err(|error| StartError::new(1, error.to_string(), "see the log"))?;
    let renderer = Renderer::new(&services.facts.brand, &services.facts.host)
        .map_err(|error| StartError::new(1, format!("a page of ours is broken: {error:#}"), "report this"))?;
    let secure = config.public_url.is_https();
    let web = actix_web::web::Data::new(Web {
        services: Arc::clone(&services),
        renderer,
        cookies: CookieJar::new(secure),
        csrf: Csrf::new(*csrf_key.expose(), config.public_url.as_str().to_owned()),
        trusted_proxies: config.listen.trusted_proxies.clone(),
        secure,
        metrics: Metrics::new(),
        setup_file: config.storage.directory.join(SETUP_FILE),
        request_timeout: Duration::from_millis(u64::try_from(config.listen.request_timeout.as_millis()).unwrap_or(10_000)),
        draining: AtomicBool::new(false),
    });

    let mut servers = listen::start(&config, &web)?;
    #[cfg(feature = "demo")]
    let demo = if options.demo { Some(start_demo(&config, &services).await?) } else { None };
    #[cfg(not(feature = "demo"))]
    if options.demo {
        return Err(StartError::new(2, "this build has no demo", "build with the feature demo"));
    }

    services.audit.record(clock(), Event::SystemStarted { version: env!("CARGO_PKG_VERSION").to_owned() }, AuditContext::default()).await?;
    services.stores.health.commit().await?;
    let link = setup::offer(&services).await?;
    let mut banner = Banner::new(&config, &services);
    #[cfg(feature = "demo")]
    if let Some(demo) = &demo {
        banner.demo(&demo.urls, demo.password, &config.storage.directory);
    }
    banner.show(link.as_deref(), &config.storage.directory)?;

    let upkeep = [
        tokio::spawn(changes::run(Arc::clone(&services), seen)),
        tokio::spawn(metadata_dir::run(Arc::clone(&services), config.saml.metadata_dir.clone(), rejected)),
        tokio::spawn(refresh::run(Arc::clone(&services))),
        tokio::spawn(prune::run(Arc::clone(&services))),
    ];
    wait_for_signal(&mut servers).await?;

    web.draining.store(true, Ordering::Relaxed);
    for task in upkeep {
        task.abort();
    }
    #[cfg(feature = "demo")]
    if let Some(demo) = demo {
        demo.stop().await;
    }
    stop(servers).await;
    services.audit.record(clock(), Event::SystemStopped, AuditContext::default()).await?;
    services.stores.health.commit().await?;
    let _ = std::fs::remove_file(config.storage.control_socket());
    Ok(())
}

/// Waits for the wish to end, or for a listener that ends by itself.
async fn wait_for_signal(servers: &mut listen::Servers) -> Result<(), StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let refused = |error: io::Error| StartError::new(1, format!("signals cannot be received: {error}"), "report this");
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = servers.ended() => Err(StartError::new(1, format!("a listener ended: {ended}"), "see the log")),
    }
}

/// Requests in flight end, then the listeners.
async fn stop(servers: listen::Servers) {
    let handles: Vec<ServerHandle> = servers.handles();
    for handle in handles {
        if tokio::time::timeout(Duration::from_secs(20), handle.stop(true)).await.is_err() {
            handle.stop(false).await;
        }
    }
}

/// The running demo.
#[cfg(feature = "demo")]
struct RunningDemo {
    urls: Vec<(String, String)>,
    password: &'static str,
    shutdown: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

#[cfg(feature = "demo")]
impl RunningDemo {
    async fn stop(self) {
        let _ = self.shutdown.send(());
        let _ = tokio::time::timeout(Duration::from_secs(5), self.task).await;
    }
}

/// Registers the demo's people and apps by the normal commands, then starts its listeners.
#[cfg(feature = "demo")]
async fn start_demo(config: &Config, services: &Arc<Services>) -> Result<RunningDemo, StartError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use crate::demo::{self, Demo, DemoConfig};
    use crate::flows::command::{AppAdd, AppInput};

    let refused = |error: demo::DemoError| StartError::new(1, error.to_string(), "free the port, or set demo.apps in the configuration");
    let demo = Demo::bind(&DemoConfig {
        idp_public_url: config.public_url.as_str().to_owned(),
        idp_metadata_url: config.public_url.join("/saml/metadata"),
        listen: config.demo.apps,
        now: clock,
    })
    .map_err(refused)?;
    let by = || AuditContext { actor: Some("demo".to_owned()), ..AuditContext::default() };
    let mut commands: Vec<Command> = Vec::new();
    for person in demo::people() {
        if services.directory.by_name(&person.name).await?.is_none() {
            commands.push(Command::UserAdd(person));
        }
    }
    let apps = demo.apps().map_err(refused)?;
    let urls = apps.iter().map(|app| (app.name.clone(), app.url.clone())).collect();
    for app in apps {
        commands.push(Command::AppAdd(AppAdd {
            input: AppInput::Document { base64: STANDARD.encode(&app.metadata_xml), origin: app.name.clone() },
            name: Some(app.name),
            replace: true,
            presets: vec!["basic".to_owned(), "groups".to_owned()],
            ..AppAdd::default()
        }));
    }
    for command in commands {
        if let Some(error) = dispatch::run(services, command, by()).await?.error {
            return Err(StartError::new(1, error.cause, error.remedy));
        }
    }
    let (shutdown, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(demo.serve(async move {
        let _ = stopped.await;
    }));
    Ok(RunningDemo { urls, password: demo::PASSWORD, shutdown, task })
}
