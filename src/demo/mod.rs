//! The two test apps of `serve --demo`: service providers on listeners of their own, strangers to the rest.
//!
//! They know what any outsider knows, the address of the identity provider's metadata, and validate what they receive
//! with samael's `ServiceProvider`, which we did not write. So what they show is what a foreign app makes of an answer.

mod checks;
mod document;
mod exchange;
mod idp;
mod memory;
mod metadata;
mod pages;
mod people;
mod request;
mod routes;
mod sp;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::crypto::CryptoError;
use crate::demo::pages::Pages;
use crate::demo::sp::{Kind, Sp};
use crate::model::time::Timestamp;

pub use crate::demo::people::{PASSWORD, people};

/// What the test apps are told: what an outsider could know, and where to listen.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// The public address of the identity provider, for the link to its `/logout`.
    pub idp_public_url: String,
    /// Where its metadata is fetched, at the first sign-in and again when a minute has passed.
    pub idp_metadata_url: String,
    /// The addresses of the two apps, loopback only. Entity IDs and cookies follow from them.
    pub listen: [SocketAddr; 2],
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// Why the test apps cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the test apps listen on loopback addresses only, and {0} is none")]
    NotLoopback(SocketAddr),
    #[error("the test app cannot listen on {address}: {source}; stop what listens there, or start without --demo")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the identity provider's metadata at {url} cannot be fetched: {why}")]
    MetadataUnreachable { url: String, why: String },
    #[error("the identity provider's metadata is of no use: {0}")]
    MetadataUseless(String),
    #[error("the request could not be made: {0}")]
    Request(String),
    #[error("a page could not be made: {0}")]
    Page(#[from] minijinja::Error),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What there is to know about one test app from outside.
#[derive(Debug, Clone)]
pub struct DemoApp {
    pub name: String,
    pub entity_id: String,
    /// Its start page.
    pub url: String,
    pub metadata_xml: String,
}

/// The two test apps, bound to their addresses, with fresh keys.
pub struct Demo {
    apps: Vec<(TcpListener, Arc<Sp>)>,
    pages: Arc<Pages>,
}

impl Demo {
    /// Takes the two addresses and makes the apps' keys.
    ///
    /// Fails where an address is not loopback or already taken.
    pub fn bind(config: &DemoConfig) -> Result<Self, DemoError> {
        let mut bound = Vec::with_capacity(2);
        for (address, kind) in config.listen.into_iter().zip([Kind::One, Kind::Two]) {
            if !address.ip().is_loopback() {
                return Err(DemoError::NotLoopback(address));
            }
            let listen = |source| DemoError::Listen { address, source };
            let listener = TcpListener::bind(address).map_err(listen)?;
            // Port 0 lets the system choose; the entity ID needs the choice.
            let address = listener.local_addr().map_err(listen)?;
            bound.push((listener, kind, address));
        }
        let addresses: Vec<SocketAddr> = bound.iter().map(|(_, _, address)| *address).collect();
        let pages = Arc::new(Pages::load()?);
        let mut apps = Vec::with_capacity(2);
        for (listener, kind, address) in bound {
            let other = addresses.iter().copied().find(|other| *other != address).unwrap_or(address);
            apps.push((listener, Arc::new(Sp::new(kind, address, other, config)?)));
        }
        Ok(Self { apps, pages })
    }

    /// What the operator registers: each app with its metadata.
    pub fn apps(&self) -> Result<Vec<DemoApp>, DemoError> {
        self.apps
            .iter()
            .map(|(_, sp)| {
                Ok(DemoApp {
                    name: sp.name().to_owned(),
                    entity_id: sp.entity_id.clone(),
                    url: format!("{}/", sp.base),
                    metadata_xml: metadata::write(sp, &self.pages)?,
                })
            })
            .collect()
    }

    /// Serves both apps until `shutdown` completes.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut running = Vec::with_capacity(self.apps.len());
        let mut handles = Vec::with_capacity(self.apps.len());
        for (listener, sp) in self.apps {
            let server = routes::server(listener, sp, Arc::clone(&self.pages))?;
            handles.push(server.handle());
            running.push(tokio::spawn(server));
        }
        shutdown.await;
        for handle in handles {
            handle.stop(true).await;
        }
        for server in running {
            server.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}
