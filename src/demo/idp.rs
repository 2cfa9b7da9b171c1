//! What an app knows of the identity provider: its published metadata, fetched like any outsider would.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samael::crypto::CertificateDer;
use samael::metadata::{EntityDescriptor, HTTP_POST_BINDING, HTTP_REDIRECT_BINDING, IdpSsoDescriptor};
use tokio::sync::Mutex;

use crate::crypto::x509;
use crate::demo::DemoError;
use crate::model::sp::KeyAlgorithm;
use crate::model::time::{Span, Timestamp};

/// How long fetched metadata serves before it is asked for again, so that a key change is seen soon.
const FRESH: Span = Span::minutes(1);
const MOST_BYTES: usize = 1 << 20;
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(400);

/// The identity provider as its metadata describes it.
pub struct Idp {
    pub entity: EntityDescriptor,
    pub entity_id: String,
    pub sso_redirect: Option<String>,
    pub sso_post: Option<String>,
    /// At least one: samael would take unsigned answers from an identity provider without keys.
    pub keys: Vec<IdpKey>,
}

/// One signing key, and the metadata reduced to it: samael stops at the first key that does not fit a signature.
pub struct IdpKey {
    pub fingerprint: String,
    pub elliptic: bool,
    pub certificate: CertificateDer,
    pub entity: EntityDescriptor,
}

/// Fetches and keeps the metadata.
pub struct IdpSource {
    url: String,
    client: reqwest::Client,
    kept: Mutex<Option<(Timestamp, Arc<Idp>)>>,
}

impl IdpSource {
    /// Prepares to fetch from `url`.
    pub fn new(url: String) -> Result<Self, DemoError> {
        // An outsider has no part in the server's guard, which would refuse loopback; the address comes from the operator.
        #[expect(clippy::disallowed_methods, reason = "the test apps are strangers to the rest and fetch for themselves")]
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            // The apps' runtimes come and go in tests; a connection must not outlive its own.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| DemoError::MetadataUnreachable { url: url.clone(), why: error.to_string() })?;
        Ok(Self { url, client, kept: Mutex::new(None) })
    }

    /// The identity provider, asked again where what is kept has aged; the aged serves while it does not answer.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<Idp>, DemoError> {
        let mut kept = self.kept.lock().await;
        if let Some((at, idp)) = &*kept
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(idp));
        }
        match self.fetch(if kept.is_some() { 1 } else { ATTEMPTS }).await {
            Ok(idp) => {
                let idp = Arc::new(idp);
                *kept = Some((now, Arc::clone(&idp)));
                Ok(idp)
            }
            Err(error) => match &*kept {
                Some((_, idp)) => {
                    tracing::warn!(error = %error, "the test app keeps the metadata it has");
                    Ok(Arc::clone(idp))
                }
                None => Err(error),
            },
        }
    }

    async fn fetch(&self, attempts: u32) -> Result<Idp, DemoError> {
        let mut attempt = 1;
        loop {
            match self.download().await {
                Ok(text) => return Idp::read(&text),
                Err(error) if attempt >= attempts => return Err(error),
                Err(_) => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn download(&self) -> Result<String, DemoError> {
        let unreachable = |why: String| DemoError::MetadataUnreachable { url: self.url.clone(), why };
        let mut response = self.client.get(&self.url).send().await.map_err(|error| unreachable(error.to_string()))?;
        if !response.status().is_success() {
            return Err(unreachable(format!("it answers {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(error.to_string()))? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(unreachable(format!("it is larger than {MOST_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| unreachable("it is not UTF-8".to_owned()))
    }
}

impl Idp {
    /// Reads metadata with samael.
    pub fn read(text: &str) -> Result<Self, DemoError> {
        let useless = |why: &str| DemoError::MetadataUseless(why.to_owned());
        let entity: EntityDescriptor = text.parse().map_err(|error| DemoError::MetadataUseless(format!("{error}")))?;
        let entity_id = entity.entity_id.clone().ok_or_else(|| useless("it has no entityID"))?;
        let roles = entity.idp_sso_descriptors.clone().unwrap_or_default();
        if roles.is_empty() {
            return Err(useless("it has no IDPSSODescriptor"));
        }
        let location = |binding: &str| {
            roles.iter().flat_map(|role| &role.single_sign_on_services).find(|s| s.binding == binding).map(|s| s.location.clone())
        };
        let keys = keys_of(&entity, &roles);
        if keys.is_empty() {
            return Err(useless("it has no signing certificate that can be read"));
        }
        Ok(Self { sso_redirect: location(HTTP_REDIRECT_BINDING), sso_post: location(HTTP_POST_BINDING), entity_id, keys, entity })
    }
}

fn keys_of(entity: &EntityDescriptor, roles: &[IdpSsoDescriptor]) -> Vec<IdpKey> {
    let mut keys = Vec::new();
    for role in roles {
        for descriptor in &role.key_descriptors {
            if descriptor.key_use.as_deref().is_some_and(|key_use| key_use != "signing") {
                continue;
            }
            for text in descriptor.key_info.x509_data.iter().flat_map(|data| &data.certificates) {
                let text: String = text.split_ascii_whitespace().collect();
                let Some((der, certificate)) = STANDARD.decode(&text).ok().and_then(|der| x509::read_der(&der).ok().map(|c| (der, c)))
                else {
                    continue;
                };
                let mut only = descriptor.clone();
                only.key_use = Some("signing".to_owned());
                if let Some(data) = &mut only.key_info.x509_data {
                    data.certificates = vec![text];
                }
                let role = IdpSsoDescriptor { key_descriptors: vec![only], ..role.clone() };
                keys.push(IdpKey {
                    fingerprint: certificate.facts.fingerprint,
                    elliptic: matches!(certificate.key.algorithm(), KeyAlgorithm::Ec(_)),
                    certificate: CertificateDer::from(der),
                    entity: EntityDescriptor { idp_sso_descriptors: Some(vec![role]), ..entity.clone() },
                });
            }
        }
    }
    keys
}
