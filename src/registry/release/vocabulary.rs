//! Attributes that the world has agreed names for, and the names under which apps ask for them.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The attribute of the Subject Identifier Attributes profile that differs at every app.
pub const PAIRWISE_ID: &str = "urn:oasis:names:tc:SAML:attribute:pairwise-id";
/// Its sibling that is the same everywhere.
pub const SUBJECT_ID: &str = "urn:oasis:names:tc:SAML:attribute:subject-id";

/// Key of pairwise-id and subject-id in expressions.
pub const PAIRWISE_KEY: &str = "pairwise_id";
pub const SUBJECT_KEY: &str = "subject_id";

/// One known attribute.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// The name in LDAP: how directories, expressions (`user.KEY`) and FriendlyNames call it.
    pub key: &'static str,
    /// The OID behind `urn:oid:`; empty where there is none.
    oid: &'static str,
    /// Whether it is a list even with one value.
    pub many: bool,
    /// Further names, in lower case.
    aliases: &'static [&'static str],
}

const fn one(key: &'static str, oid: &'static str, aliases: &'static [&'static str]) -> Known {
    Known { key, oid, many: false, aliases }
}

const fn many(key: &'static str, oid: &'static str, aliases: &'static [&'static str]) -> Known {
    Known { key, oid, many: true, aliases }
}

static TABLE: &[Known] = &[
    one(
        "uid",
        "0.9.2342.19200300.100.1.1",
        &["username", "user_name", "user.name", "login", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"],
    ),
    one(
        "mail",
        "0.9.2342.19200300.100.1.3",
        &[
            "email",
            "e-mail",
            "emailaddress",
            "email_address",
            "user.email",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        ],
    ),
    one(
        "displayName",
        "2.16.840.1.113730.3.1.241",
        &["display_name", "name", "fullname", "full_name", "http://schemas.microsoft.com/identity/claims/displayname"],
    ),
    one(
        "givenName",
        "2.5.4.42",
        &[
            "given_name",
            "firstname",
            "first_name",
            "user.firstname",
            "user.first_name",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
        ],
    ),
    one(
        "sn",
        "2.5.4.4",
        &[
            "surname",
            "lastname",
            "last_name",
            "familyname",
            "family_name",
            "user.lastname",
            "user.last_name",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
        ],
    ),
    one("cn", "2.5.4.3", &["commonname", "common_name"]),
    many(
        "isMemberOf",
        "1.3.6.1.4.1.5923.1.5.1.1",
        &[
            "groups",
            "group",
            "memberof",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            "http://schemas.xmlsoap.org/claims/group",
        ],
    ),
    many("eduPersonAffiliation", "1.3.6.1.4.1.5923.1.1.1.1", &[]),
    one("eduPersonNickname", "1.3.6.1.4.1.5923.1.1.1.2", &["nickname"]),
    one("eduPersonOrgDN", "1.3.6.1.4.1.5923.1.1.1.3", &[]),
    many("eduPersonOrgUnitDN", "1.3.6.1.4.1.5923.1.1.1.4", &[]),
    one("eduPersonPrimaryAffiliation", "1.3.6.1.4.1.5923.1.1.1.5", &[]),
    one("eduPersonPrincipalName", "1.3.6.1.4.1.5923.1.1.1.6", &["eppn"]),
    many("eduPersonEntitlement", "1.3.6.1.4.1.5923.1.1.1.7", &["entitlement", "entitlements"]),
    one("eduPersonPrimaryOrgUnitDN", "1.3.6.1.4.1.5923.1.1.1.8", &[]),
    many("eduPersonScopedAffiliation", "1.3.6.1.4.1.5923.1.1.1.9", &[]),
    many("eduPersonAssurance", "1.3.6.1.4.1.5923.1.1.1.11", &[]),
    many("eduPersonPrincipalNamePrior", "1.3.6.1.4.1.5923.1.1.1.12", &[]),
    one("eduPersonUniqueId", "1.3.6.1.4.1.5923.1.1.1.13", &[]),
    many("eduPersonOrcid", "1.3.6.1.4.1.5923.1.1.1.16", &["orcid"]),
    one("schacHomeOrganization", "1.3.6.1.4.1.25178.1.2.9", &[]),
    many("schacHomeOrganizationType", "1.3.6.1.4.1.25178.1.2.10", &[]),
    many("schacPersonalUniqueCode", "1.3.6.1.4.1.25178.1.2.14", &[]),
    one("preferredLanguage", "2.16.840.1.113730.3.1.39", &["language", "locale"]),
    one("employeeNumber", "2.16.840.1.113730.3.1.3", &["employee_number"]),
    one("employeeType", "2.16.840.1.113730.3.1.4", &[]),
    one("departmentNumber", "2.16.840.1.113730.3.1.2", &[]),
    one("telephoneNumber", "2.5.4.20", &["telephone_number", "phone", "phone_number"]),
    one("mobile", "0.9.2342.19200300.100.1.41", &["mobilephone", "mobile_phone"]),
    one("title", "2.5.4.12", &["jobtitle", "job_title"]),
    one("o", "2.5.4.10", &["organization", "organizationname"]),
    one("ou", "2.5.4.11", &["organizationalunit", "department"]),
    one("l", "2.5.4.7", &["locality", "city"]),
    one("st", "2.5.4.8", &["state"]),
    one("c", "2.5.4.6", &["country", "countryname"]),
    one("street", "2.5.4.9", &["streetaddress"]),
    one("postalCode", "2.5.4.17", &["postal_code"]),
    one("postalAddress", "2.5.4.16", &[]),
    one("manager", "0.9.2342.19200300.100.1.10", &[]),
    one(PAIRWISE_KEY, "", &[PAIRWISE_ID, "pairwise-id"]),
    one(SUBJECT_KEY, "", &[SUBJECT_ID, "subject-id"]),
];

static INDEX: LazyLock<HashMap<String, &'static Known>> = LazyLock::new(|| {
    let names = TABLE.iter().flat_map(|known| {
        let own = [known.key.to_ascii_lowercase(), format!("urn:oid:{}", known.oid), format!("urn:mace:dir:attribute-def:{}", known.key)];
        own.into_iter().chain(known.aliases.iter().map(|alias| (*alias).to_owned())).map(move |name| (name.to_ascii_lowercase(), known))
    });
    names.filter(|(name, _)| name != "urn:oid:").collect()
});

/// The attribute that goes by this name: LDAP name, OID, claim URI or a common other spelling, in any case.
pub fn known(name: &str) -> Option<&'static Known> {
    match INDEX.get(name) {
        Some(known) => Some(known),
        None => INDEX.get(&name.to_ascii_lowercase()).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_attributes() {
        let names: Vec<String> = TABLE
            .iter()
            .flat_map(|known| {
                [known.key.to_ascii_lowercase(), known.oid.to_owned()].into_iter().chain(known.aliases.iter().map(|a| (*a).into()))
            })
            .filter(|name| !name.is_empty())
            .collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();

        assert_eq!(unique.len(), names.len());
        assert!(TABLE.iter().flat_map(|known| known.aliases).all(|alias| alias.starts_with("urn:") || *alias == alias.to_lowercase()));
    }

    #[test]
    fn an_attribute_is_known_by_its_oid_its_name_and_its_claim() {
        for name in [
            "urn:oid:0.9.2342.19200300.100.1.3",
            "mail",
            "Email",
            "urn:mace:dir:attribute-def:mail",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        ] {
            assert_eq!(known(name).map(|known| known.key), Some("mail"), "{name}");
        }
        assert_eq!(known(PAIRWISE_ID).map(|known| known.key), Some(PAIRWISE_KEY));
        assert_eq!(known("urn:oid:"), None);
        assert_eq!(known("quota"), None);
    }
}
