//! The start block: where to click.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::app::{SETUP_FILE, StartError};
use crate::config::Config;
use crate::flows::{Services, setup};

/// The addresses that are shown when the server accepts requests.
pub struct Banner {
    lines: Vec<(&'static str, String)>,
    notices: Vec<String>,
    title: String,
}

impl Banner {
    pub fn new(config: &Config, services: &Services) -> Self {
        let url = |path: &str| config.public_url.join(path);
        let ops = |path: &str| format!("http://{}{path}", config.listen.ops);
        let lines = vec![
            ("Sign in", url("/")),
            ("SAML", format!("metadata and entity ID  {}", services.facts.entity_id)),
            ("", format!("single sign-on          {}", url("/saml/sso"))),
            ("Operations", format!("{}  /livez  /readyz", ops("/metrics"))),
            ("Data", format!("{}  ({})", config.storage.directory.display(), services.stores.health.describe())),
        ];
        Self { lines, notices: config.notices.clone(), title: format!("Linkspan {}", env!("CARGO_PKG_VERSION")) }
    }

    /// Adds the demo's apps and people, and how commands reach it: its data lies in a directory of its own.
    #[cfg(feature = "demo")]
    pub fn demo(&mut self, apps: &[(String, String)], password: &str, directory: &Path) {
        self.lines.push(("Commands", format!("linkspan --directory {} session list", directory.display())));
        for (at, (name, url)) in apps.iter().enumerate() {
            self.lines.insert(at, (if at == 0 { "Demo apps" } else { "" }, format!("{name}  {url}")));
        }
        self.lines.insert(apps.len(), ("People", format!("ada, bo, cy   password: {password}")));
    }

    /// Shows the block. On a terminal the set-up link is part of it; elsewhere, since logs are shipped, it goes to the file
    /// `setup-url`, which only the owner may read.
    pub fn show(self, setup_link: Option<&str>, directory: &Path) -> Result<(), StartError> {
        let minutes = setup::LINK_FOR.as_seconds() / 60;
        let file = directory.join(SETUP_FILE);
        if io::stdout().is_terminal() {
            let mut block = format!("\n  {}\n\n", self.title);
            if let Some(link) = setup_link {
                // Writing to a String cannot fail.
                let _ = writeln!(block, "  {:<11} {link}   (works once, for {minutes} minutes)", "Set up");
            }
            for (name, value) in &self.lines {
                let _ = writeln!(block, "  {name:<11} {value}");
            }
            for notice in &self.notices {
                let _ = writeln!(block, "  {:<11} {notice}", "Note");
            }
            let _ = writeln!(io::stdout(), "{block}");
            let _ = std::fs::remove_file(&file);
            return Ok(());
        }
        for (name, value) in &self.lines {
            tracing::info!(item = %name.to_lowercase(), "{value}");
        }
        for notice in &self.notices {
            tracing::warn!("{notice}");
        }
        match setup_link {
            None => {
                let _ = std::fs::remove_file(&file);
            }
            Some(link) => {
                let refused = |error: io::Error| StartError {
                    cause: format!("{} cannot be written: {error}", file.display()),
                    remedy: "see who owns it".to_owned(),
                    exit: 1,
                };
                let mut out =
                    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file).map_err(refused)?;
                writeln!(out, "{link}").map_err(refused)?;
                tracing::info!(file = %file.display(), "the set-up link, which works once for {minutes} minutes, is in this file");
            }
        }
        // What waits for the server reads standard output.
        let _ = writeln!(io::stdout(), "{} is ready", self.title);
        Ok(())
    }
}
