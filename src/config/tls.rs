//! `[tls]`: certificate and key where no proxy ends TLS in front of us.

use std::path::{Path, PathBuf};

use crate::config::key::{Key, Kind, Section};
use crate::config::values::Values;

pub(super) const SECTION: Section = Section {
    name: "tls",
    doc: "TLS of listen.web; leave it out behind a proxy that ends TLS.",
    keys: &[
        Key {
            name: "certificate",
            kind: Kind::Path,
            written: "\"certs/tls.crt\"",
            default_note: "none, plain http",
            secret: false,
            doc: "PEM file: the server's certificate, then the intermediate ones.",
        },
        Key {
            name: "key",
            kind: Kind::Path,
            written: "\"certs/tls.key\"",
            default_note: "none",
            secret: false,
            doc: "PEM file: the private key, readable by its owner only.",
        },
        Key {
            name: "mtls",
            kind: Kind::Address,
            written: "\"0.0.0.0:8443\"",
            default_note: "none",
            secret: false,
            doc: "A listener that asks for client certificates. Without effect in this version.",
        },
    ],
};

/// `[tls]`, where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    pub(super) fn read(values: &mut Values, notices: &mut Vec<String>) -> Option<Self> {
        if values.is_set("tls.mtls") {
            values.address("tls.mtls");
            notices.push("tls.mtls has no effect in this version: no listener asks for client certificates yet".to_owned());
        }
        let certificate = file(values, "tls.certificate");
        let key = file(values, "tls.key");
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Self { certificate, key }),
            (Some(_), None) if !values.is_set("tls.key") => {
                values.problem(
                    "tls.certificate",
                    "tls.certificate is given without tls.key".to_owned(),
                    "give both, or neither behind a proxy",
                );
                None
            }
            (None, Some(_)) if !values.is_set("tls.certificate") => {
                values.problem("tls.key", "tls.key is given without tls.certificate".to_owned(), "give both, or neither behind a proxy");
                None
            }
            _ => None,
        }
    }
}

fn file(values: &mut Values, key: &str) -> Option<PathBuf> {
    let path = values.path(key)?;
    if Path::is_file(&path) {
        return Some(path);
    }
    values.problem(key, format!("{} is not there", path.display()), "relative paths count from the folder of the configuration file");
    None
}
