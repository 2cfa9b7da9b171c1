//! The nearest known word to a mistyped one.

/// The best candidate.
#[derive(Debug, PartialEq, Eq)]
pub struct Nearest {
    pub name: String,
    /// Whether it is near enough to be what was meant.
    pub is_close: bool,
}

/// Finds the candidate with the fewest edits; the first of equals.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<Nearest> {
    let word = word.to_lowercase();
    let (distance, name) = candidates.into_iter().map(|name| (distance(&word, &name.to_lowercase()), name)).min_by_key(|(n, _)| *n)?;
    let allowed = (word.chars().count().max(name.chars().count()) / 3).max(1);
    Some(Nearest { name: name.to_owned(), is_close: distance <= allowed })
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_has_the_fewest_edits() {
        assert_eq!(nearest("sesion", ["listen", "session"]), Some(Nearest { name: "session".into(), is_close: true }));
        assert_eq!(nearest("ildle", ["absolute", "idle"]), Some(Nearest { name: "idle".into(), is_close: true }));
        assert_eq!(nearest("idel", ["absolute", "idle"]), Some(Nearest { name: "idle".into(), is_close: true }));
        assert!(!nearest("colour", ["web", "ops"]).unwrap().is_close);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn distances_count_swaps_as_one() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
