//! The resolver of the guarded client: it answers only with addresses that we may connect to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::outbound::address::{AddressPolicy, NotPublic};

/// Asks for the addresses of a name; the seam at which tests answer themselves.
#[async_trait]
pub trait Lookup: Send + Sync {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// All addresses of the name are ones that we may not connect to; travels through the client as an error's source.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it resolves to {address}, a {}", why.words())]
pub struct BlockedAddress {
    pub address: IpAddr,
    pub why: NotPublic,
}

/// The name could not be resolved; travels likewise.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved: {0}")]
pub struct Unresolvable(pub String);

/// Filters what the lookup answers. The client connects to exactly the addresses that it returns, hence there is no
/// second look-up that could answer otherwise (DNS rebinding).
pub struct GuardedResolver {
    policy: Arc<AddressPolicy>,
    lookup: Arc<dyn Lookup>,
}

impl GuardedResolver {
    pub fn new(policy: Arc<AddressPolicy>, lookup: Arc<dyn Lookup>) -> Self {
        Self { policy, lookup }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (self.policy.clone(), self.lookup.clone());
        Box::pin(async move {
            let answers = lookup.addresses(name.as_str()).await.map_err(|error| Unresolvable(error.to_string()))?;
            let mut blocked = None;
            let mut allowed = Vec::new();
            for address in answers {
                match policy.judge(address) {
                    Ok(()) => allowed.push(SocketAddr::new(address, 0)),
                    Err(why) => blocked = Some(BlockedAddress { address, why }),
                }
            }
            match blocked {
                _ if !allowed.is_empty() => Ok(Box::new(allowed.into_iter()) as Addrs),
                Some(blocked) => Err(blocked.into()),
                None => Err(Unresolvable("it has no address".to_owned()).into()),
            }
        })
    }
}
