//! `public_url`: the only source of every URL we publish.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;

pub(super) const SECTION: Section = Section {
    name: "",
    doc: "",
    keys: &[Key {
        name: "public_url",
        kind: Kind::Text,
        written: "\"https://id.example.com\"",
        default_note: "http://localhost and the port of listen.web",
        secret: false,
        doc: "The address under which browsers and apps reach this server: the only source of every URL that it publishes. \
              https, or http on a loopback host; without a path.",
    }],
};

/// The address under which browsers and apps reach us: scheme, host and port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    host: String,
    is_https: bool,
    is_loopback: bool,
}

impl PublicUrl {
    /// Reads an origin; gives cause and remedy where it is none.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let url = Url::parse(text).map_err(|error| {
            (format!("public_url is no address: {error}"), "write scheme and host, as \"https://id.example.com\"".to_owned())
        })?;
        let scheme_remedy = "write \"https://…\"; behind a proxy that ends TLS too, since browsers see https there";
        if !matches!(url.scheme(), "https" | "http") {
            return Err((format!("public_url must start with https://, not {}:", url.scheme()), scheme_remedy.to_owned()));
        }
        let Some(host) = url.host() else {
            return Err(("public_url has no host".to_owned(), "write scheme and host, as \"https://id.example.com\"".to_owned()));
        };
        let is_loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let is_https = url.scheme() == "https";
        if !is_https && !is_loopback {
            let message = "public_url must start with https:// unless the host is localhost, 127.0.0.0/8 or [::1]";
            return Err((message.to_owned(), scheme_remedy.to_owned()));
        }
        let origin = url.origin().ascii_serialization();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(("public_url must not hold a user name or password".to_owned(), format!("write \"{origin}\"")));
        }
        let rest = text.get(text.find("://").map_or(0, |at| at + 3)..).unwrap_or_default();
        if rest.contains(['/', '?', '#']) {
            return Err(("public_url has no path, not even \"/\" at the end".to_owned(), format!("write \"{origin}\"")));
        }
        Ok(Self { origin, host: host.to_string(), is_https, is_loopback })
    }

    /// What `listen.web` makes it by default.
    pub(super) fn of_listener(web: SocketAddr, is_https: bool) -> Self {
        let (scheme, default_port) = if is_https { ("https", 443) } else { ("http", 80) };
        let port = if web.port() == default_port { String::new() } else { format!(":{}", web.port()) };
        Self { origin: format!("{scheme}://localhost{port}"), host: "localhost".to_owned(), is_https, is_loopback: true }
    }

    pub(super) fn read(values: &mut Values, web: SocketAddr, is_https: bool) -> Self {
        let default = Self::of_listener(web, is_https);
        let Some(text) = values.text("public_url") else {
            values.derived("public_url", default.as_str(), "default, from listen.web");
            return default;
        };
        match Self::parse(&text) {
            Ok(url) if is_https && !url.is_https => {
                values.problem("public_url", "public_url begins with http:// although [tls] is on".to_owned(), "write \"https://…\"");
                url
            }
            Ok(url) => url,
            Err((message, remedy)) => {
                values.problem("public_url", message, remedy);
                default
            }
        }
    }

    /// `https://id.example.com`, without anything after the port.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// An address below it; `path` begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The host without the port: the default scope of pairwise-id, the common name of certificates.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether browsers reach us by TLS: cookies are then `__Host-` and Secure.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether the host is a loopback host.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin)
    }
}

/// Whether only this machine can reach the address.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_loopback_http_are_taken() {
        for (text, host, https, loopback) in [
            ("https://id.example.com", "id.example.com", true, false),
            ("https://ID.example.com:443", "id.example.com", true, false),
            ("http://localhost:8080", "localhost", false, true),
            ("http://127.3.2.1", "127.3.2.1", false, true),
            ("http://[::1]:8080", "[::1]", false, true),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.is_https(), url.is_loopback()), (host, https, loopback), "{text}");
        }
        assert_eq!(PublicUrl::parse("https://ID.example.com:443").unwrap().as_str(), "https://id.example.com");
    }

    #[test]
    fn everything_else_is_refused_with_a_remedy() {
        for text in [
            "http://id.example.com",
            "http://localhost.example.com",
            "http://10.0.0.5",
            "https://id.example.com/",
            "https://id.example.com/sso",
            "https://id.example.com?x",
            "https://id.example.com#x",
            "https://u:p@id.example.com",
            "ftp://id.example.com",
            "id.example.com",
            "mailto:x",
        ] {
            let (message, remedy) = PublicUrl::parse(text).unwrap_err();
            assert!(message.contains("public_url") && !remedy.is_empty(), "{text}");
        }
        assert_eq!(PublicUrl::parse("https://id.example.com/").unwrap_err().1, "write \"https://id.example.com\"");
    }
}
