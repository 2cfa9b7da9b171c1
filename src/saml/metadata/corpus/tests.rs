//! Every real document of the corpus: verdict, findings and counts are those of its manifest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::crypto::x509;
use crate::model::sp::SpMetadata;
use crate::model::time::Timestamp;
use crate::saml::metadata::endpoints::usable_acs;
use crate::saml::metadata::import::{Import, ImportOptions, import, read_stored};
use crate::saml::metadata::refusal::MetadataRefusal;
use crate::saml::xml::reader::Limits;

#[expect(clippy::disallowed_methods, reason = "a test finds its fixtures")]
pub(super) fn corpus() -> Option<PathBuf> {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("LINKSPAN_CORPUS").map(PathBuf::from);
    let found = named
        .into_iter()
        .chain([manifest_dir.join("../shared/corpus"), manifest_dir.join("../../shared/corpus")])
        .find(|folder| folder.join("manifest.tsv").is_file());
    if found.is_none() {
        println!("skipped: the corpus is not here (LINKSPAN_CORPUS, ../shared/corpus)");
    }
    found
}

struct Row {
    file: String,
    expectation: String,
    entity_ids: String,
    counts: [String; 4],
    signer: String,
}

fn rows(corpus: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(corpus.join("manifest.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| row[0].starts_with("metadata/") || row[0].starts_with("aggregate/"))
        .map(|row| Row {
            file: row[0].clone(),
            expectation: row[4].clone(),
            entity_ids: row[5].clone(),
            counts: [row[6].clone(), row[7].clone(), row[8].clone(), row[9].clone()],
            signer: row[11].clone(),
        })
        .collect()
}

fn now() -> Timestamp {
    Timestamp::parse_xs_date_time("2026-11-24T12:00:00Z").unwrap()
}

fn read(corpus: &Path, row: &Row) -> Result<Import, MetadataRefusal> {
    let mut options = ImportOptions { limits: Limits::AGGREGATE, ..ImportOptions::new(now()) };
    if !row.signer.is_empty() {
        let pem = std::fs::read(corpus.join(&row.signer)).unwrap();
        options.signer = Some(x509::read_pem(&pem).unwrap().key);
    }
    import(&std::fs::read(corpus.join(&row.file)).unwrap(), &options)
}

fn counts(sp: &SpMetadata) -> [usize; 4] {
    [sp.acs.len(), usable_acs(sp, false).count(), sp.signing_keys().count(), sp.encryption_keys().count()]
}

/// What is in the parentheses of an expectation, split at commas.
fn codes(expectation: &str) -> Vec<&str> {
    let inner = expectation.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or_default();
    inner.split(',').map(str::trim).filter(|code| !code.is_empty()).collect()
}

fn judge(row: &Row, got: &Result<Import, MetadataRefusal>) -> Vec<String> {
    let mut wrong = Vec::new();
    let import = match (got, row.expectation.starts_with("refuse")) {
        (Err(refusal), true) => {
            if codes(&row.expectation) != [refusal.code] {
                wrong.push(format!("refused for {} ({refusal})", refusal.code));
            }
            if refusal.remedy().is_empty() || refusal.sentence().is_empty() {
                wrong.push("refused without words".to_owned());
            }
            return wrong;
        }
        (Ok(_), true) => return vec!["accepted".to_owned()],
        (Err(refusal), false) => return vec![format!("refused for {}: {refusal}", refusal.code)],
        (Ok(import), false) => import,
    };
    let said: BTreeSet<&str> = import.all_findings().map(|finding| finding.code.as_str()).collect();
    for code in codes(&row.expectation).into_iter().filter(|code| !code.ends_with('?')) {
        if !said.contains(code) {
            wrong.push(format!("{code} was not said, only {said:?}"));
        }
    }
    if row.expectation == "accept" {
        for finding in import.all_findings() {
            if finding.severity > crate::model::sp::Severity::Info {
                println!("{}: also says {} {}", row.file, finding.code, finding.value);
            }
        }
    }
    for finding in import.all_findings() {
        if finding.rule.is_empty() || finding.value.is_empty() || finding.remedy.is_empty() {
            wrong.push(format!("a finding without words: {finding:?}"));
        }
    }
    let each: Vec<[usize; 4]> = import.entities.iter().map(|entity| counts(&entity.metadata)).collect();
    let aggregate = row.entity_ids.ends_with(" SPs");
    for (at, want) in row.counts.iter().enumerate() {
        let of: Vec<String> = each.iter().map(|counts| counts[at].to_string()).collect();
        let sum: usize = each.iter().map(|counts| counts[at]).sum();
        let have = if aggregate { sum.to_string() } else { of.join("/") };
        if !want.is_empty() && *want != have {
            wrong.push(format!("{} is {have}, not {want}", ["acs", "usable_acs", "sign_keys", "enc_keys"][at]));
        }
    }
    let ids: Vec<&str> = import.entities.iter().map(|entity| entity.metadata.entity_id.as_str()).collect();
    let ids = if aggregate { format!("{} SPs", ids.len()) } else { ids.join(" ") };
    if ids != row.entity_ids {
        wrong.push(format!("entities are {ids}, not {}", row.entity_ids));
    }
    wrong
}

/// Clauses: IIP-MD01, IIP-MD03, IIP-MD07, IIP-MD08.
#[test]
fn every_document_of_the_corpus_is_judged_as_its_manifest_says() {
    let Some(corpus) = corpus() else { return };

    let mut wrong = Vec::new();
    let rows = rows(&corpus);
    for row in &rows {
        wrong.extend(judge(row, &read(&corpus, row)).into_iter().map(|what| format!("{}: {what}", row.file)));
    }

    assert!(rows.len() > 40);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_was_imported_reads_the_same_when_it_is_loaded_again() {
    let Some(corpus) = corpus() else { return };

    for row in rows(&corpus) {
        let Ok(import) = read(&corpus, &row) else { continue };
        for entity in import.entities {
            let (again, _) = read_stored(&entity.xml, now(), false).unwrap_or_else(|refusal| panic!("{}: {refusal}", row.file));
            assert_eq!(again, entity.metadata, "{}", row.file);
        }
    }
}

#[test]
fn a_document_cut_short_anywhere_is_refused() {
    let Some(corpus) = corpus() else { return };
    let document = std::fs::read(corpus.join("metadata/mod_auth_mellon.xml")).unwrap();
    let end = document.iter().rposition(|byte| *byte == b'>').unwrap();

    for length in (0..end).step_by(7) {
        assert!(import(&document[..length], &ImportOptions::new(now())).is_err(), "{length}");
    }
}
