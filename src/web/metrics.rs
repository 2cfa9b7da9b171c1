//! Counters for Prometheus (`ux.md` 6.2): bounded labels, never a person or an app.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    method: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SamlLabels {
    profile: &'static str,
    result: &'static str,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    logins: Family<LoginLabels, Counter>,
    saml: Family<SamlLabels, Counter>,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("linkspan");
        let logins = Family::default();
        let saml = Family::default();
        registry.register("build", "The version that runs", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("login_attempts", "Sign-in attempts", logins.clone());
        registry.register("saml_exchanges", "SAML exchanges by how they ended", saml.clone());
        Self { registry, logins, saml }
    }

    /// Counts a sign-in attempt.
    pub fn login(&self, method: &'static str, result: &'static str) {
        self.logins.get_or_create(&LoginLabels { method, result }).inc();
    }

    /// Counts a SAML exchange.
    pub fn saml(&self, profile: &'static str, result: &'static str) {
        self.saml.get_or_create(&SamlLabels { profile, result }).inc();
    }

    /// OpenMetrics text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
