//! Base64, DEFLATE and percent-encoding, as the bindings use them. Guarded: everything here works on a stranger's bytes.

use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::DeflateDecoder;

use crate::saml::xml::reader::Limits;

/// Bindings 3.5.4, 3.4.4.1: base64, in which line breaks are no error.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    // Some senders leave the padding out.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
    );
    if text.bytes().any(|b| b.is_ascii_whitespace()) {
        LENIENT.decode(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<u8>>())
    } else {
        LENIENT.decode(text)
    }
}

/// How unpacking ended.
pub enum Inflated {
    Whole(Vec<u8>),
    /// More than a message may have.
    TooLarge,
    NotDeflate,
}

/// Unpacks DEFLATE up to the bound of a message.
pub fn inflate(packed: &[u8]) -> Inflated {
    let most = Limits::MESSAGE.bytes;
    let mut out = Vec::with_capacity(packed.len().saturating_mul(3).min(16 << 10));
    match DeflateDecoder::new(packed).take(most + 1).read_to_end(&mut out) {
        Err(_) => Inflated::NotDeflate,
        Ok(_) if out.len() as u64 > most => Inflated::TooLarge,
        Ok(_) => Inflated::Whole(out),
    }
}

/// Resolves `%XX`; `+` stays, since it means itself in base64.
pub fn percent_decode(raw: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}
