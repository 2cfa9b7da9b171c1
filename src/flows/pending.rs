//! Requests that wait: parked under an unguessable key that the address carries, bound to the browser.

use crate::crypto::{digest, random};
use crate::flows::{Fault, PENDING_FOR, Services, Visitor};
use crate::model::check::{Check, Refusal, RefusalClass};
use crate::model::pending::{PendingRequest, WaitingRequest};
use crate::model::secret::{Digest, Secret};
use crate::model::time::Timestamp;
use crate::saml::spec;

/// What an address names a waiting request by.
pub type ResumeKey = Secret<String>;

/// The browser of a request that any browser may go on with: a cross-site post, which brings no cookies. The key alone names
/// it then, and whoever has the key could as well have sent the request.
pub const ANYONE: [u8; 32] = [0; 32];

/// Parks a posted request, before any cookie is known. It goes on at `/login/resume?r=KEY`.
pub async fn park_post(services: &Services, request: WaitingRequest, now: Timestamp) -> Result<ResumeKey, Fault> {
    park(services, Digest::from_bytes(ANYONE), request, (now, now)).await
}

/// Parks a request for the visitor's browser, which took it up at `claimed`; it arrived at `arrived`.
pub async fn park_for(
    services: &Services,
    visitor: &Visitor,
    request: WaitingRequest,
    arrived: Timestamp,
    claimed: Timestamp,
) -> Result<ResumeKey, Fault> {
    park(services, visitor.browser, request, (arrived, claimed)).await
}

async fn park(
    services: &Services,
    browser: Digest,
    request: WaitingRequest,
    (created, claimed): (Timestamp, Timestamp),
) -> Result<ResumeKey, Fault> {
    let key = random::with_system(random::Random::bearer);
    let pending = PendingRequest { browser, created, claimed, expires: created + PENDING_FOR, request };
    services.stores.pending.put(&key_digest(&key), &pending).await?;
    Ok(Secret::new(key))
}

/// The waiting request that a key names, if it is still there and belongs to this browser.
pub async fn find(services: &Services, visitor: &Visitor, key: &str, now: Timestamp) -> Result<Option<PendingRequest>, Fault> {
    if key.is_empty() || key.len() > 64 {
        return Ok(None);
    }
    let found = services.stores.pending.find(&key_digest(key), now).await?;
    Ok(found
        .filter(|pending| *pending.browser.as_bytes() == ANYONE || digest::same(pending.browser.as_bytes(), visitor.browser.as_bytes())))
}

fn key_digest(key: &str) -> Digest {
    digest::sha256_parts(&[b"pending", key.as_bytes()])
}

/// The refusal for a request that is not there any more.
pub fn gone() -> Refusal {
    let check = Check::failed(
        &spec::REQUEST_KEPT,
        "the interrupted request is not there any more, or belongs to another browser",
        "start again from the app; an interrupted request waits 30 minutes",
    );
    Refusal::new(RefusalClass::Expired, check)
}
