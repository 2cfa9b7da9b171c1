//! A map in many pieces, each under a lock of its own, that forgets what has expired.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::time::{Span, Timestamp};

const PIECES: usize = 64;

/// How often a piece is searched for what has expired.
const SWEEP: Span = Span::seconds(60);

pub(super) struct Shards<K, V> {
    pieces: Box<[Mutex<Piece<K, V>>]>,
    hasher: RandomState,
}

pub(super) struct Piece<K, V> {
    pub(super) map: HashMap<K, V>,
    swept: Timestamp,
}

impl<K: Hash + Eq, V> Shards<K, V> {
    pub(super) fn new() -> Self {
        let piece = |_| Mutex::new(Piece { map: HashMap::new(), swept: Timestamp::from_millis(i64::MIN) });
        Self { pieces: (0..PIECES).map(piece).collect(), hasher: RandomState::new() }
    }

    /// The piece that holds `key`, locked.
    pub(super) fn piece<Q: Hash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, Piece<K, V>> {
        let at = self.hasher.hash_one(key) as usize % PIECES;
        self.pieces[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All pieces, one after the other.
    pub(super) fn pieces(&self) -> impl Iterator<Item = MutexGuard<'_, Piece<K, V>>> {
        self.pieces.iter().map(|piece| piece.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Hash + Eq, V> Piece<K, V> {
    /// Once a minute keeps only what `live` says.
    pub(super) fn sweep(&mut self, now: Timestamp, mut live: impl FnMut(&V) -> bool) {
        if now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        self.map.retain(|_, value| live(value));
        if self.map.capacity() > 4 * self.map.len() + 64 {
            self.map.shrink_to(2 * self.map.len());
        }
    }

    /// Makes room in a piece that strangers can fill: beyond `most` in all pieces together, the eighth that ends first goes.
    pub(super) fn make_room(&mut self, most: usize, ends: impl Fn(&V) -> Timestamp) {
        if self.map.len() < most / PIECES {
            return;
        }
        let mut all: Vec<Timestamp> = self.map.values().map(&ends).collect();
        let at = all.len() / 8;
        let (_, border, _) = all.select_nth_unstable(at);
        let border = *border;
        self.map.retain(|_, value| ends(value) > border);
    }

    /// Whether the piece holds its share of `most` entries.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.map.len() >= most / PIECES
    }
}
