//! What the journal's frames say.
//!
//! A frame puts a whole entry, or a change that comes to the same when it is applied twice. That is what lets a snapshot be
//! written while changes go on.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::id::SessionId;
use crate::model::pending::PendingRequest;
use crate::model::secret::Digest;
use crate::model::session::{SamlParticipant, Session};
use crate::model::time::Timestamp;
use crate::store::audit_queue::Waiting;
use crate::store::embedded::throttle::Failures;
use crate::store::{Result, StoreError};

/// One change.
#[derive(Debug)]
pub(super) enum Frame {
    Session(Session),
    Join(Join),
    Seen(SessionId, Timestamp),
    End(SessionId),
    Pending(Digest, PendingRequest),
    Replay { message: Digest, fingerprint: Digest, expires: Timestamp },
    Failures(String, Failures),
    Cleared(String),
    Audit(Waiting),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Join {
    pub(super) id: SessionId,
    pub(super) participant: SamlParticipant,
}

#[derive(Serialize)]
struct JoinRef<'a> {
    id: &'a SessionId,
    participant: &'a SamlParticipant,
}

pub(super) fn session(session: &Session) -> Result<Vec<u8>> {
    json(b'S', session)
}

pub(super) fn join(id: &SessionId, participant: &SamlParticipant) -> Result<Vec<u8>> {
    json(b'J', &JoinRef { id, participant })
}

pub(super) fn seen(id: &SessionId, at: Timestamp) -> Vec<u8> {
    let mut out = vec![b'T'];
    out.extend_from_slice(&at.as_millis().to_le_bytes());
    out.extend_from_slice(id.as_str().as_bytes());
    out
}

pub(super) fn end(id: &SessionId) -> Vec<u8> {
    text(b'E', id.as_str())
}

pub(super) fn pending(key: &Digest, request: &PendingRequest) -> Result<Vec<u8>> {
    json(b'P', &(key, request))
}

pub(super) fn replay(message: &Digest, fingerprint: &Digest, expires: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(73);
    out.push(b'R');
    out.extend_from_slice(message.as_bytes());
    out.extend_from_slice(fingerprint.as_bytes());
    out.extend_from_slice(&expires.as_millis().to_le_bytes());
    out
}

pub(super) fn failures(key: &str, failures: &Failures) -> Result<Vec<u8>> {
    json(b'F', &(key, failures))
}

pub(super) fn cleared(key: &str) -> Vec<u8> {
    text(b'C', key)
}

pub(super) fn audit(record: &Waiting) -> Vec<u8> {
    let mut out = Vec::with_capacity(17 + record.doc.len());
    out.push(b'A');
    out.extend_from_slice(&record.place.to_le_bytes());
    out.extend_from_slice(&record.at.to_le_bytes());
    out.extend_from_slice(record.doc.as_bytes());
    out
}

/// Reads a frame.
///
/// Fails with `Corrupt`: its checksum was right, so another version wrote it.
pub(super) fn decode(bytes: &[u8]) -> Result<Frame> {
    let (kind, body) = bytes.split_first().ok_or_else(|| corrupt("it is empty"))?;
    match kind {
        b'S' => Ok(Frame::Session(parse(body)?)),
        b'J' => Ok(Frame::Join(parse(body)?)),
        b'T' => {
            let (at, id) = number(body)?;
            Ok(Frame::Seen(session_id(id)?, Timestamp::from_millis(at)))
        }
        b'E' => Ok(Frame::End(session_id(body)?)),
        b'P' => parse::<(Digest, PendingRequest)>(body).map(|(key, request)| Frame::Pending(key, request)),
        b'R' => {
            let (message, rest) = digest(body)?;
            let (fingerprint, rest) = digest(rest)?;
            let (expires, _) = number(rest)?;
            Ok(Frame::Replay { message, fingerprint, expires: Timestamp::from_millis(expires) })
        }
        b'F' => parse::<(String, Failures)>(body).map(|(key, failures)| Frame::Failures(key, failures)),
        b'C' => Ok(Frame::Cleared(utf8(body)?.to_owned())),
        b'A' => {
            let (place, rest) = number(body)?;
            let (at, doc) = number(rest)?;
            Ok(Frame::Audit(Waiting { place: place.cast_unsigned(), at, doc: utf8(doc)?.to_owned() }))
        }
        other => Err(corrupt(format!("its kind {other} is unknown to this version"))),
    }
}

fn json<T: Serialize>(kind: u8, value: &T) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(768);
    out.push(kind);
    serde_json::to_writer(&mut out, value).map_err(corrupt)?;
    Ok(out)
}

fn text(kind: u8, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + text.len());
    out.push(kind);
    out.extend_from_slice(text.as_bytes());
    out
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(corrupt)
}

fn utf8(body: &[u8]) -> Result<&str> {
    std::str::from_utf8(body).map_err(corrupt)
}

fn session_id(body: &[u8]) -> Result<SessionId> {
    SessionId::parse(utf8(body)?).map_err(corrupt)
}

fn number(body: &[u8]) -> Result<(i64, &[u8])> {
    let (bytes, rest) = body.split_first_chunk::<8>().ok_or_else(|| corrupt("it is too short"))?;
    Ok((i64::from_le_bytes(*bytes), rest))
}

fn digest(body: &[u8]) -> Result<(Digest, &[u8])> {
    let (bytes, rest) = body.split_first_chunk::<32>().ok_or_else(|| corrupt("it is too short"))?;
    Ok((Digest::from_bytes(*bytes), rest))
}

fn corrupt(reason: impl ToString) -> StoreError {
    StoreError::Corrupt { store: "embedded", what: "a record", reason: reason.to_string() }
}
