//! The only HTTP client. Everything that we fetch goes through its guard: addresses are judged before the resolver is
//! asked and again on what it answers, every redirect anew, and size and time are bounded.

pub mod address;
pub mod error;
mod resolver;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{StatusCode, Url, header};

use crate::model::network::Network;
use crate::model::time::Span;
use crate::outbound::address::AddressPolicy;
use crate::outbound::error::OutboundError;
use crate::outbound::resolver::{GuardedResolver, Lookup, SystemLookup};

/// Redirects that one fetch follows.
const MOST_REDIRECTS: u32 = 3;

/// How long a fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Span,
    /// For everything, redirects and the body included.
    pub total: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Span::seconds(5), total: Span::seconds(30) }
    }
}

/// What to fetch, and within which bounds.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub url: &'a str,
    /// Longer bodies are refused, at the latest where they pass the bound.
    pub max_bytes: usize,
    /// The `Accept` header.
    pub accept: &'static str,
    /// Whether plain http is good enough; without it only https is, and http to an allowed loopback address.
    pub allow_http: bool,
}

/// What came back with status 200.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub bytes: Vec<u8>,
    pub content_type: Option<String>,
    /// Where it came from in the end, redirects followed.
    pub final_url: Url,
}

/// The guarded client.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    policy: Arc<AddressPolicy>,
    timeouts: Timeouts,
}

impl Outbound {
    /// Makes a client that reaches public addresses and those in `allow`.
    ///
    /// # Errors
    /// Fails if the TLS library cannot be set up.
    pub fn new(allow: Vec<Network>, timeouts: Timeouts) -> Result<Self, OutboundError> {
        Self::with_lookup(allow, timeouts, Arc::new(SystemLookup))
    }

    fn with_lookup(allow: Vec<Network>, timeouts: Timeouts, lookup: Arc<dyn Lookup>) -> Result<Self, OutboundError> {
        let policy = Arc::new(AddressPolicy::new(allow));
        #[expect(clippy::disallowed_methods, reason = "this room is the only HTTP client")]
        let client = reqwest::Client::builder()
            // A proxy would resolve and connect for us, past the guard.
            .no_proxy()
            // Each hop is judged, see `fetch`.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(GuardedResolver::new(policy.clone(), lookup))
            .connect_timeout(duration(timeouts.connect))
            // Fetches are rare; a kept connection would only be one more thing whose address was judged long ago.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("Linkspan/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutboundError::Client(error::chain(&error)))?;
        Ok(Self { client, policy, timeouts })
    }

    /// Fetches a document by GET, following up to three redirects.
    ///
    /// # Errors
    /// Refuses what is not https (or allowed http), carries credentials, or leads to an address that is neither public nor
    /// allowed; fails where the other side does not answer with 200 within the bounds.
    pub async fn fetch(&self, request: Request<'_>) -> Result<Fetched, OutboundError> {
        let total = duration(self.timeouts.total);
        match tokio::time::timeout(total, self.follow(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::TimedOut { url: request.url.to_owned(), after: self.timeouts.total }),
        }
    }

    async fn follow(&self, request: Request<'_>) -> Result<Fetched, OutboundError> {
        let mut url = Url::parse(request.url)
            .map_err(|error| OutboundError::InvalidUrl { url: request.url.to_owned(), reason: error.to_string() })?;
        for _ in 0..=MOST_REDIRECTS {
            self.judge(&url, request.allow_http)?;
            let response = self.client.get(url.clone()).header(header::ACCEPT, request.accept).send().await;
            let response = response.map_err(|error| OutboundError::from_reqwest(&url, &error))?;
            match response.status() {
                StatusCode::OK => return read(response, url, request.max_bytes).await,
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => url = target(&response, &url)?,
                status => return Err(OutboundError::Status { url: url.into(), status: status.as_u16() }),
            }
        }
        Err(OutboundError::TooManyRedirects { url: request.url.to_owned(), most: MOST_REDIRECTS })
    }

    /// Judges one hop by what its URL says. What the resolver says is judged by `GuardedResolver`, whose answer is the very
    /// one that is connected to, so a name cannot change its address between check and use.
    fn judge(&self, url: &Url, allow_http: bool) -> Result<(), OutboundError> {
        // First, so that no other sentence repeats them.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::Credentials);
        }
        match url.scheme() {
            "https" => {}
            "http" if allow_http || address::is_loopback(url) => {}
            scheme => return Err(OutboundError::Scheme { url: url.to_string(), scheme: scheme.to_owned() }),
        }
        self.policy.judge_host(url).map_err(|why| {
            let host = url.host_str().unwrap_or_default().to_owned();
            OutboundError::Blocked { address: host.clone(), host, why }
        })
    }
}

/// Where a redirect leads.
fn target(response: &reqwest::Response, from: &Url) -> Result<Url, OutboundError> {
    let invalid = |reason: &str| OutboundError::Redirect { url: from.to_string(), reason: reason.to_owned() };
    let location = response.headers().get(header::LOCATION).ok_or_else(|| invalid("it has no Location"))?;
    let location = location.to_str().map_err(|_| invalid("its Location is not text"))?;
    from.join(location).map_err(|error| invalid(&format!("its Location cannot be read: {error}")))
}

/// Reads the body up to the bound.
async fn read(mut response: reqwest::Response, url: Url, max_bytes: usize) -> Result<Fetched, OutboundError> {
    let too_large = || OutboundError::TooLarge { url: url.to_string(), most: max_bytes };
    // A declared length saves the download; without one, or with a wrong one, the count below decides.
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| OutboundError::from_reqwest(&url, &error))? {
        if bytes.len().saturating_add(chunk.len()) > max_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Fetched { bytes, content_type, final_url: url })
}

fn duration(span: Span) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(0))
}
