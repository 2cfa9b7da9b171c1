//! NameIDs: under which name an app gets to know a person.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::crypto::CryptoError;
use crate::crypto::random::Random;
use crate::model::check::Check;
use crate::model::id::UserId;
use crate::model::session::{NameId, NameIdPlan};
use crate::model::time::Timestamp;
use crate::registry::release::expression::Failure;
use crate::registry::release::person::Person;
use crate::registry::release::plan::ReleasePlan;
use crate::saml::names::name_id;
use crate::saml::spec;
use crate::store::StoreError;
use crate::store::name_ids::NameIds;

/// Persistent NameIDs that are kept in memory; beyond, memory starts anew and the store is asked again.
const MOST_CACHED: usize = 100_000;

/// Why the wanted NameID cannot be given. `check` is what a trace says of it, `None` where something of ours failed.
#[derive(Debug, thiserror::Error)]
pub enum NameIdError {
    #[error("no persistent NameID is established for {user}, and the request does not allow to make one")]
    NotEstablished { user: String },
    #[error("{user} has no e-mail address, which this format is")]
    NoEmail { user: String },
    #[error("{user} has no value for saml.nameid.value")]
    NoValue { user: String },
    #[error("saml.nameid.value: {0}")]
    Expression(String),
    #[error("NameIDs of format {0} are not made here")]
    UnsupportedFormat(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl NameIdError {
    /// The failed check, where a rule said no (SAML status InvalidNameIDPolicy).
    pub fn check(&self) -> Option<Check> {
        let remedy = match self {
            Self::NotEstablished { .. } => {
                "The app must send AllowCreate=\"true\" at a person's first sign-in, or link its accounts first.".to_owned()
            }
            Self::NoEmail { user } => format!("linkspan user set {user} email=…, or choose another saml.nameid.format for the app."),
            Self::NoValue { .. } | Self::Expression(_) => {
                "Give the person what the expression needs, or change it with linkspan app set ID saml.nameid.value=….".to_owned()
            }
            Self::UnsupportedFormat(_) => {
                "Choose persistent, transient, emailAddress or unspecified, or give the value by saml.nameid.value.".to_owned()
            }
            Self::Store(_) | Self::Crypto(_) => return None,
        };
        let check = Check::failed(&spec::NAMEID_POLICY, format!("The NameID cannot be given: {self}."), remedy);
        Some(match self {
            Self::UnsupportedFormat(format) => check.seen(format.clone()),
            _ => check,
        })
    }
}

/// Whether a persistent name that is made is also established, so that it is there for requests without AllowCreate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Establish {
    At(Timestamp),
    /// Previews leave nothing behind.
    Never,
}

/// Gives people their NameIDs.
pub struct NameIdIssuer {
    idp: String,
    store: Arc<dyn NameIds>,
    /// What the store has established never changes there, so it may be remembered on every node.
    established: RwLock<HashMap<(UserId, String), String>>,
}

impl NameIdIssuer {
    /// `idp` is our entity ID, the NameQualifier.
    pub fn new(idp: impl Into<String>, store: Arc<dyn NameIds>) -> Self {
        Self { idp: idp.into(), store, established: RwLock::new(HashMap::new()) }
    }

    /// Makes the NameID of a person for an app, as planned; without an SPNameQualifier it is for the SP itself. A transient one is fresh each time: it tells nothing, not even that it is
    /// the same person again.
    ///
    /// # Errors
    /// Says which rule or which missing value stands in the way.
    pub async fn issue(
        &self,
        wanted: &NameIdPlan,
        release: &ReleasePlan,
        person: Person<'_>,
        establish: Establish,
        random: &mut Random,
    ) -> Result<NameId, NameIdError> {
        let user = person.user;
        let qualifier = wanted.sp_name_qualifier.as_deref().unwrap_or(release.entity_id());
        let qualified = |value: String| NameId {
            value,
            format: wanted.format.clone(),
            name_qualifier: Some(self.idp.clone()),
            sp_name_qualifier: Some(qualifier.to_owned()),
        };
        let bare = |value: String| NameId { value, format: wanted.format.clone(), name_qualifier: None, sp_name_qualifier: None };
        match wanted.format.as_str() {
            name_id::PERSISTENT => Ok(qualified(self.persistent(person, qualifier, wanted.allow_create, establish).await?)),
            name_id::TRANSIENT => Ok(qualified(random.xml_id())),
            name_id::EMAIL => match user.email.as_deref().filter(|email| email.contains('@')) {
                Some(email) => Ok(bare(email.to_owned())),
                None => Err(NameIdError::NoEmail { user: user.name.clone() }),
            },
            _ if release.has_name_id_value() && wanted.format != name_id::ENTITY && wanted.format != name_id::ENCRYPTED => {
                let value = release.name_id_value(person).map_err(|failure| match failure {
                    Failure::Demanded(message) => NameIdError::Expression(message),
                    Failure::Error(error) => NameIdError::Expression(error.to_string()),
                    Failure::Crypto(error) => NameIdError::Crypto(error),
                })?;
                value.map(bare).ok_or_else(|| NameIdError::NoValue { user: user.name.clone() })
            }
            name_id::UNSPECIFIED => Ok(bare(user.name.clone())),
            other => Err(NameIdError::UnsupportedFormat(other.to_owned())),
        }
    }

    async fn persistent(
        &self,
        person: Person<'_>,
        qualifier: &str,
        allow_create: bool,
        establish: Establish,
    ) -> Result<String, NameIdError> {
        let user = person.user;
        let key = (user.id.clone(), qualifier.to_owned());
        if let Some(value) = self.established.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(value.clone());
        }
        let value = match self.store.find(&user.id, qualifier).await? {
            Some(value) => value,
            None if allow_create => match establish {
                Establish::At(now) => self.store.establish(&user.id, qualifier, &person.ids.persistent(&user.id, qualifier)?, now).await?,
                Establish::Never => return Ok(person.ids.persistent(&user.id, qualifier)?),
            },
            // Core 3.4.1.1: without AllowCreate only a name that is there already may be given.
            None => return Err(NameIdError::NotEstablished { user: user.name.clone() }),
        };
        let mut established = self.established.write().unwrap_or_else(PoisonError::into_inner);
        if established.len() >= MOST_CACHED {
            established.clear();
        }
        established.insert(key, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::model::user::User;
    use crate::registry::release::tests::{ada, app, ids, metadata};
    use crate::store;

    #[derive(Default)]
    struct Memory {
        rows: Mutex<HashMap<(String, String), String>>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl NameIds for Memory {
        async fn find(&self, user: &UserId, qualifier: &str) -> store::Result<Option<String>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Ok(self.rows.lock().unwrap().get(&(user.to_string(), qualifier.to_owned())).cloned())
        }
        async fn establish(&self, user: &UserId, qualifier: &str, value: &str, _: Timestamp) -> store::Result<String> {
            let mut rows = self.rows.lock().unwrap();
            Ok(rows.entry((user.to_string(), qualifier.to_owned())).or_insert_with(|| value.to_owned()).clone())
        }
        async fn owner(&self, qualifier: &str, value: &str) -> store::Result<Option<UserId>> {
            let rows = self.rows.lock().unwrap();
            Ok(rows.iter().find(|((_, q), v)| q == qualifier && *v == value).map(|((user, _), _)| UserId::parse(user.clone()).unwrap()))
        }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
    const SP: &str = "https://sp.example.com";

    fn wanted(format: &str) -> NameIdPlan {
        NameIdPlan { format: format.to_owned(), sp_name_qualifier: None, allow_create: true, encrypt: false }
    }

    fn plan(value: Option<&str>) -> ReleasePlan {
        let mut app = app(&[], &[]);
        app.saml.nameid.value = value.map(str::to_owned);
        ReleasePlan::compile(&app, &metadata(), "id.example.com").unwrap()
    }

    async fn issue(issuer: &NameIdIssuer, wanted: NameIdPlan, value: Option<&str>, user: &User) -> Result<NameId, NameIdError> {
        issuer.issue(&wanted, &plan(value), Person { user, ids: &ids() }, Establish::At(NOW), &mut Random::system()).await
    }

    fn issuer() -> (NameIdIssuer, Arc<Memory>) {
        let store = Arc::new(Memory::default());
        (NameIdIssuer::new("https://id.example.com/saml/metadata", store.clone()), store)
    }

    #[tokio::test]
    async fn a_persistent_name_is_stable_pairwise_and_qualified() {
        let (issuer, store) = issuer();

        let first = issue(&issuer, wanted(name_id::PERSISTENT), None, &ada()).await.unwrap();
        let again = issue(&issuer, wanted(name_id::PERSISTENT), None, &ada()).await.unwrap();
        let affiliation = NameIdPlan { sp_name_qualifier: Some("https://affiliation".to_owned()), ..wanted(name_id::PERSISTENT) };
        let other = issue(&issuer, affiliation, None, &ada()).await.unwrap();

        assert_eq!(first, again);
        assert_eq!(first.name_qualifier.as_deref(), Some("https://id.example.com/saml/metadata"));
        assert_eq!(first.sp_name_qualifier.as_deref(), Some(SP));
        assert_ne!(first.value, other.value);
        assert_eq!(other.sp_name_qualifier.as_deref(), Some("https://affiliation"));
        assert_eq!(store.asked.load(Ordering::SeqCst), 2, "what was established is remembered");
    }

    #[tokio::test]
    async fn what_was_established_before_stays_in_force() {
        let (issuer, store) = issuer();
        store.establish(&ada().id, SP, "from-another-house", NOW).await.unwrap();

        let name = issue(&issuer, wanted(name_id::PERSISTENT), None, &ada()).await.unwrap();

        assert_eq!(name.value, "from-another-house");
    }

    #[tokio::test]
    async fn without_allow_create_only_an_established_name_is_given() {
        let (issuer, _) = issuer();
        let reluctant = || NameIdPlan { allow_create: false, ..wanted(name_id::PERSISTENT) };

        let refused = issue(&issuer, reluctant(), None, &ada()).await.unwrap_err();
        let made = issue(&issuer, wanted(name_id::PERSISTENT), None, &ada()).await.unwrap();
        let given = issue(&issuer, reluctant(), None, &ada()).await.unwrap();

        assert!(matches!(refused, NameIdError::NotEstablished { .. }), "{refused}");
        assert_eq!(refused.check().unwrap().id, "nameid.policy");
        assert_eq!(made, given);
    }

    #[tokio::test]
    async fn a_transient_name_is_fresh_each_time() {
        let (issuer, _) = issuer();

        let first = issue(&issuer, wanted(name_id::TRANSIENT), None, &ada()).await.unwrap();
        let second = issue(&issuer, wanted(name_id::TRANSIENT), None, &ada()).await.unwrap();

        assert_ne!(first.value, second.value);
        assert!(first.value.len() >= 33 && first.value.len() <= 256, "{}", first.value);
    }

    #[tokio::test]
    async fn an_address_is_given_where_there_is_one() {
        let (issuer, _) = issuer();
        let stranger = User { email: None, ..ada() };

        let name = issue(&issuer, wanted(name_id::EMAIL), None, &ada()).await.unwrap();
        let missing = issue(&issuer, wanted(name_id::EMAIL), None, &stranger).await.unwrap_err();

        assert_eq!((name.value.as_str(), name.name_qualifier, name.sp_name_qualifier), ("ada@example.com", None, None));
        assert!(matches!(missing, NameIdError::NoEmail { .. }), "{missing}");
    }

    #[tokio::test]
    async fn an_unspecified_name_is_the_sign_in_name_or_what_the_app_says() {
        let (issuer, _) = issuer();
        let windows = "urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName";

        let name = issue(&issuer, wanted(name_id::UNSPECIFIED), None, &ada()).await.unwrap();
        let own = issue(&issuer, wanted(name_id::UNSPECIFIED), Some("user.email | upper"), &ada()).await.unwrap();
        let custom = issue(&issuer, wanted(windows), Some("'HOUSE\\\\' ~ user.name"), &ada()).await.unwrap();
        let absent = issue(&issuer, wanted(name_id::UNSPECIFIED), Some("user.staff_id"), &ada()).await.unwrap_err();
        let unsupported = issue(&issuer, wanted(windows), None, &ada()).await.unwrap_err();
        let entity = issue(&issuer, wanted(name_id::ENTITY), Some("user.name"), &ada()).await.unwrap_err();

        assert_eq!(name.value, "ada");
        assert_eq!(own.value, "ADA@EXAMPLE.COM");
        assert_eq!(custom.value, "HOUSE\\ada");
        assert!(matches!(absent, NameIdError::NoValue { .. }), "{absent}");
        assert!(matches!(unsupported, NameIdError::UnsupportedFormat(_)), "{unsupported}");
        assert!(matches!(entity, NameIdError::UnsupportedFormat(_)), "{entity}");
    }
}
