//! Randomness, the only source of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::id::Reference;

/// A source of random bytes that pure code gets as an argument: OpenSSL's in the service, a counted one in tests.
///
/// Buffers, because one call into OpenSSL's generator costs more than the bytes.
pub struct Random {
    buffer: [u8; 256],
    used: usize,
    seeded: Option<u64>,
}

impl Random {
    /// The system's cryptographic generator.
    pub fn system() -> Self {
        Self { buffer: [0; 256], used: 256, seeded: None }
    }

    /// A predictable source for tests and previews; never for anything that leaves.
    pub fn seeded(seed: u64) -> Self {
        Self { buffer: [0; 256], used: 256, seeded: Some(seed) }
    }

    /// `N` fresh bytes, `N` up to 256.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 256, "at most the buffer") };
        if self.used + N > self.buffer.len() {
            self.refill();
        }
        let mut out = [0; N];
        let end = self.used + N;
        out.copy_from_slice(&self.buffer[self.used..end]);
        // What was handed out must not stay readable.
        self.buffer[self.used..end].fill(0);
        self.used = end;
        out
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place where randomness comes from")]
    fn refill(&mut self) {
        match &mut self.seeded {
            None => openssl::rand::rand_bytes(&mut self.buffer).expect("the system's random generator answers"),
            Some(state) => {
                for byte in &mut self.buffer {
                    // SplitMix64: plain, and good enough where nothing depends on secrecy.
                    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut z = *state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    *byte = (z ^ (z >> 27)).to_le_bytes()[3];
                }
            }
        }
        self.used = 0;
    }

    /// A bearer secret of 256 bits, base64url.
    pub fn bearer(&mut self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// An XML ID (an NCName): `_` and 128 random bits in hexadecimal (Core 1.3.4 asks for at least 128).
    pub fn xml_id(&mut self) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut id = String::with_capacity(33);
        id.push('_');
        for byte in self.bytes::<16>() {
            id.push(char::from(HEX[usize::from(byte >> 4)]));
            id.push(char::from(HEX[usize::from(byte & 15)]));
        }
        id
    }

    /// `prefix` and `letters` random lower-case base-32 letters, for identifiers.
    pub fn letters(&mut self, prefix: &str, letters: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut id = String::with_capacity(prefix.len() + letters);
        id.push_str(prefix);
        for _ in 0..letters {
            let [byte] = self.bytes::<1>();
            id.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        id
    }

    /// A fresh reference for an exchange.
    pub fn reference(&mut self) -> Reference {
        Reference::from_bits(self.bytes::<5>())
    }
}

thread_local! {
    static SYSTEM: std::cell::RefCell<Random> = std::cell::RefCell::new(Random::system());
}

/// Lends this thread's system generator; for flows, which hand it on to pure code.
pub fn with_system<T>(work: impl FnOnce(&mut Random) -> T) -> T {
    SYSTEM.with_borrow_mut(work)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_system_never_repeats_itself() {
        let mut random = Random::system();
        let bearers: HashSet<String> = (0..1_000).map(|_| random.bearer()).collect();
        assert_eq!(bearers.len(), 1_000);
        assert!(bearers.iter().all(|bearer| bearer.len() == 43));
        assert_ne!(Random::system().bytes::<32>(), Random::system().bytes::<32>());
    }

    #[test]
    fn a_seed_repeats_itself() {
        assert_eq!(Random::seeded(7).bytes::<256>(), Random::seeded(7).bytes::<256>());
        assert_ne!(Random::seeded(7).bytes::<32>(), Random::seeded(8).bytes::<32>());
    }

    #[test]
    fn identifiers_have_their_form() {
        let mut random = Random::system();
        let id = random.xml_id();
        assert!(id.len() == 33 && id.starts_with('_') && id.bytes().skip(1).all(|b| b.is_ascii_hexdigit()));
        let letters = random.letters("key_", 10);
        assert!(letters.len() == 14 && letters.starts_with("key_"));
        assert!(letters.bytes().skip(4).all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)));
    }

    #[test]
    fn nothing_handed_out_stays_in_the_buffer() {
        let mut random = Random::system();
        let secret = random.bytes::<32>();
        assert!(!random.buffer.windows(32).any(|window| window == secret));
    }
}
