//! The configuration: command line over environment over file over default, typed, every problem of a layer told at once.
//!
//! One file per section; the sections' tables of keys (`key`) also drive `config show`, `config schema` and the annotated file
//! of `init`. Nothing else reads the environment.

use std::path::PathBuf;

use crate::config::brand::Brand;
use crate::config::demo::Demo;
use crate::config::environment::Environment;
use crate::config::keys::Keys;
use crate::config::listen::Listen;
use crate::config::log::Log;
use crate::config::oidc::Oidc;
use crate::config::outbound::Outbound;
use crate::config::problem::{At, ConfigProblems, Problem, SourceFile};
use crate::config::public_url::PublicUrl;
use crate::config::saml::Saml;
use crate::config::show::Effective;
use crate::config::storage::Storage;
use crate::config::tls::Tls;
use crate::config::values::{Found, Place, Raw, Values};
use crate::model::session::SessionLifetime;

pub mod brand;
pub mod demo;
pub mod environment;
mod file;
mod key;
pub mod keys;
pub mod listen;
pub mod log;
mod mask;
pub mod nearest;
pub mod oidc;
pub mod outbound;
pub mod problem;
pub mod public_url;
pub mod saml;
pub mod schema;
mod session;
pub mod show;
pub mod storage;
pub mod template;
pub mod tls;
mod values;

#[cfg(test)]
mod tests;

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "linkspan.toml";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--directory DIR`: `storage.directory`.
    pub directory: Option<String>,
    /// `--listen ADDRESS`: `listen.web`.
    pub listen: Option<String>,
    /// `serve --demo`: loopback only, and a directory of its own whatever the file says about storage and keys.
    pub demo: bool,
    pub environment: Environment,
    /// Where relative paths of the command line count from, and those of the environment where there is no file.
    pub working_directory: PathBuf,
}

/// The configuration in force; every path is absolute.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    pub public_url: PublicUrl,
    pub listen: Listen,
    pub tls: Option<Tls>,
    pub storage: Storage,
    pub session: SessionLifetime,
    pub saml: Saml,
    pub oidc: Oidc,
    pub keys: Keys,
    pub outbound: Outbound,
    pub brand: Brand,
    pub log: Log,
    pub demo: Demo,
    /// What is allowed but should be known: shown at start and by `config check`.
    pub notices: Vec<String>,
    /// Each value in force with its origin, credentials masked.
    pub effective: Vec<Effective>,
}

impl Config {
    /// Reads and judges the configuration.
    ///
    /// # Errors
    /// All problems of the first layer that has any: the file itself and its syntax; names and types; values.
    pub fn load(options: &LoadOptions) -> Result<Self, ConfigProblems> {
        let file = choose_file(options);
        let source = match &file {
            Some(file) => Some(read_source(file)?),
            None => None,
        };
        let mut problems = Vec::new();
        let mut in_file = match &source {
            Some(source) => {
                let document = file::parse(source).map_err(|problem| ConfigProblems { problems: vec![problem] })?;
                file::read(&document, source, &mut problems)
            }
            None => Vec::new(),
        };
        let in_environment = options.environment.read(&mut problems);
        if !problems.is_empty() {
            return Err(ConfigProblems { problems });
        }
        if options.demo {
            // The demo must not touch what the file's server keeps.
            in_file.retain(|(key, _)| !key.starts_with("storage.") && !key.starts_with("keys."));
        }
        let base = match file.as_ref().and_then(|file| file.path.parent()) {
            Some(folder) => options.working_directory.join(folder),
            None => options.working_directory.clone(),
        };
        let layers = vec![in_file, in_environment, of_command_line(options)];
        let values = Values::new(layers, source, base, options.working_directory.clone());
        Self::judge(values, file.map(|file| file.path), options.demo)
    }

    fn judge(mut values: Values, file: Option<PathBuf>, demo: bool) -> Result<Self, ConfigProblems> {
        let mut notices = Vec::new();
        let listen = Listen::read(&mut values);
        let tls = Tls::read(&mut values, &mut notices);
        let public_url = PublicUrl::read(&mut values, listen.web, tls.is_some());
        let storage = Storage::read(&mut values, if demo { storage::DEMO_DIRECTORY } else { storage::DIRECTORY });
        let session = session::read(&mut values);
        let saml = Saml::read(&mut values, &public_url, &mut notices);
        let oidc = Oidc::read(&mut values, &public_url);
        let keys = Keys::read(&mut values, &storage.directory);
        let outbound = Outbound::read(&mut values);
        let brand = Brand::read(&mut values);
        let log = Log::read(&mut values);
        let demo_apps = Demo::read(&mut values);
        if demo {
            check_demo(&mut values, &listen, &public_url);
        } else {
            notices.extend(listener_notices(&listen, &public_url, values.is_set("public_url")));
        }
        let problems = std::mem::take(&mut values.problems);
        match saml {
            Some(saml) if problems.is_empty() => Ok(Self {
                file,
                public_url,
                listen,
                tls,
                storage,
                session,
                saml,
                oidc,
                keys,
                outbound,
                brand,
                log,
                demo: demo_apps,
                notices,
                effective: show::in_order(values.effective),
            }),
            _ => Err(ConfigProblems { problems }),
        }
    }
}

/// A configuration file and who named it.
struct Chosen {
    path: PathBuf,
    named_by: Option<At>,
}

fn choose_file(options: &LoadOptions) -> Option<Chosen> {
    if let Some(path) = &options.config {
        return Some(Chosen { path: path.clone(), named_by: Some(At::CommandLine { option: "--config".to_owned() }) });
    }
    if let Some(path) = options.environment.config_file() {
        let variable = environment::CONFIG_VARIABLE.to_owned();
        return Some(Chosen { path: PathBuf::from(path), named_by: Some(At::Environment { variable }) });
    }
    let path = PathBuf::from(DEFAULT_FILE);
    options.working_directory.join(&path).exists().then_some(Chosen { path, named_by: None })
}

fn read_source(file: &Chosen) -> Result<SourceFile, ConfigProblems> {
    let shown = file.path.display().to_string();
    let text = std::fs::read_to_string(&file.path).map_err(|error| {
        let at = file.named_by.clone().unwrap_or(At::WholeFile { file: shown.clone() });
        let message = format!("the configuration file {shown} cannot be read: {error}");
        let remedy = "correct the path; linkspan init writes an annotated file".to_owned();
        ConfigProblems { problems: vec![Problem { at, message, remedy }] }
    })?;
    Ok(SourceFile { shown, text })
}

fn of_command_line(options: &LoadOptions) -> Vec<(String, Found)> {
    let given = [("storage.directory", "--directory", &options.directory), ("listen.web", "--listen", &options.listen)];
    let found = |(key, option, value): (&str, &'static str, &Option<String>)| {
        let raw = Raw::Text(value.clone()?);
        Some((key.to_owned(), Found { raw, place: Place::CommandLine(option) }))
    };
    given.into_iter().filter_map(found).collect()
}

fn check_demo(values: &mut Values, listen: &Listen, public_url: &PublicUrl) {
    if !public_url::is_loopback(listen.web) {
        let message = format!("the demo listens on loopback only, not on {}", listen.web);
        values.problem("listen.web", message, "give a loopback address: linkspan serve --demo --listen 127.0.0.1:8080");
    }
    if !public_url.is_loopback() {
        let message = format!("the demo serves a loopback host only, not {public_url}");
        values.problem("public_url", message, "start it in a folder without linkspan.toml, or unset LINKSPAN_PUBLIC_URL");
    }
}

fn listener_notices(listen: &Listen, public_url: &PublicUrl, public_url_is_set: bool) -> Vec<String> {
    let mut notices = Vec::new();
    let is_open = !public_url::is_loopback(listen.web);
    if is_open && !public_url_is_set {
        notices.push(format!("listen.web is reachable from other machines, but public_url is still {public_url}: set public_url"));
    }
    if !public_url.is_https() {
        notices.push(format!("public_url is {public_url}: cookies go without Secure; fit for trying out on this machine only"));
    }
    if !public_url::is_loopback(listen.ops) {
        notices.push(format!("listen.ops ({}) is reachable from other machines: keep it from the public", listen.ops));
    }
    notices
}
