//! Why something could not be fetched, and what to do about it.

use reqwest::Url;

use crate::model::time::Span;
use crate::outbound::address::NotPublic;
use crate::outbound::resolver::{BlockedAddress, Unresolvable};

/// Why nothing was fetched. `remedy` says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    #[error("\"{url}\" is not a URL: {reason}")]
    InvalidUrl { url: String, reason: String },
    /// Neither https nor allowed http; `file:` and the like too.
    #[error("{url} is {scheme}, not https")]
    Scheme { url: String, scheme: String },
    #[error("the URL carries a user name or password")]
    Credentials,
    /// The guard said no: the address is neither public nor in `outbound.allow`.
    #[error("{}", blocked(host, address, *why))]
    Blocked { host: String, address: String, why: NotPublic },
    #[error("the name {host} cannot be resolved: {reason}")]
    Unresolvable { host: String, reason: String },
    #[error("{url} does not answer: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} was not read within {after}")]
    TimedOut { url: String, after: Span },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} redirects, but {reason}")]
    Redirect { url: String, reason: String },
    #[error("{url} redirects more than {most} times")]
    TooManyRedirects { url: String, most: u32 },
    #[error("{url} is larger than {most} bytes")]
    TooLarge { url: String, most: usize },
}

impl OutboundError {
    /// One line of what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Client(_) => "Check the installation of OpenSSL and of the system's CA certificates.".to_owned(),
            Self::InvalidUrl { .. } => "Give an absolute address, as https://sp.example.com/saml/metadata.".to_owned(),
            Self::Scheme { scheme, .. } if scheme == "http" => {
                "Use https; anyone on the path could change what http delivers. Where that is acceptable, use --allow-http.".to_owned()
            }
            Self::Scheme { .. } => "Use an https address, or give the document as a file.".to_owned(),
            Self::Credentials => "Leave the part before \"@\" out, or download the document and give it as a file.".to_owned(),
            Self::Blocked { address, .. } => match address.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
                Ok(address) => format!("If this address may be reached, add \"{address}\" or its network to outbound.allow."),
                Err(_) => "If this address may be reached, add \"127.0.0.0/8\" to outbound.allow.".to_owned(),
            },
            Self::Unresolvable { .. } => "Check the spelling of the host name and the DNS of this machine.".to_owned(),
            Self::Unreachable { .. } => "Check that the address opens from this machine and that its certificate is valid.".to_owned(),
            Self::TimedOut { .. } => "Try again, or download the document and give it as a file.".to_owned(),
            Self::Status { status: 401 | 403, .. } => {
                "The address wants a sign-in; download the document and give it as a file.".to_owned()
            }
            Self::Status { .. } | Self::Redirect { .. } | Self::TooManyRedirects { .. } => {
                "Open the address in a browser and give the address where the document really is.".to_owned()
            }
            Self::TooLarge { .. } => "Give the address of the one entity rather than of a whole federation.".to_owned(),
        }
    }

    /// Finds what lies at the bottom of the client's error.
    pub(super) fn from_reqwest(url: &Url, error: &reqwest::Error) -> Self {
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(inner) = source {
            if let Some(blocked) = inner.downcast_ref::<BlockedAddress>() {
                return Self::Blocked { host, address: blocked.address.to_string(), why: blocked.why };
            }
            if let Some(Unresolvable(reason)) = inner.downcast_ref::<Unresolvable>() {
                return Self::Unresolvable { host, reason: reason.clone() };
            }
            source = inner.source();
        }
        Self::Unreachable { url: url.to_string(), reason: chain(error) }
    }
}

fn blocked(host: &str, address: &str, why: NotPublic) -> String {
    let article = if why == NotPublic::CloudMetadata { "an" } else { "a" };
    let kind = why.words();
    if host == address { format!("{host} is {article} {kind}") } else { format!("{host} resolves to {address}, {article} {kind}") }
}

/// The last cause that has something to say.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut deepest = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        deepest = inner.to_string();
        source = inner.source();
    }
    deepest
}
