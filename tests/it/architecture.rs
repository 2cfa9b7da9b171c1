//! Holds `src/` to the arrows of `docs/architecture.md`: which room may use which, which crate is whose, what stays pure, and
//! that the README's map is the truth. Each failure says file, line and rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and what its `crate::` paths may begin with. A room may always use itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("crypto", &["model"]),
    ("saml", &["crypto", "model"]),
    ("config", &["model"]),
    ("telemetry", &["model"]),
    ("store", &["crypto", "model"]),
    ("outbound", &["crypto", "model"]),
    ("session", &["store", "outbound", "crypto", "model"]),
    ("authn", &["store", "outbound", "crypto", "model"]),
    ("directory", &["store", "outbound", "crypto", "model"]),
    (
        "registry",
        &["store", "outbound", "crypto", "model", "saml::metadata", "saml::names", "saml::profiles::service_provider", "saml::spec"],
    ),
    ("keys", &["store", "outbound", "crypto", "model"]),
    ("audit", &["store", "outbound", "crypto", "model"]),
    ("flows", &["session", "authn", "directory", "registry", "keys", "audit", "store", "outbound", "saml", "crypto", "model", "telemetry"]),
    ("web", &["flows", "saml::bindings", "crypto", "model", "telemetry"]),
    ("cli", &["flows", "saml::bindings", "saml::xml", "config", "model", "app", "telemetry"]),
    // The demo's service providers are strangers: they get a door to the crypto library and say who their people are.
    ("demo", &["flows::command", "crypto", "model"]),
];

/// Rooms that build or start the others, and so may use everything.
const BUILDERS: &[&str] = &["app", "main", "lib"];

/// A crate and the only folders or files of `src` that may name it.
const CRATE_BELONGS_TO: &[(&str, &[&str])] = &[
    ("openssl", &["crypto", "saml/xml"]),
    ("samael", &["saml/xml", "demo"]),
    ("quick_xml", &["saml/xml", "demo"]),
    ("sqlx", &["store"]),
    ("rusqlite", &["store"]),
    ("redis", &["store"]),
    ("actix_web", &["web", "app", "demo"]),
    ("clap", &["cli"]),
    // The presets of attribute release are files like the configuration, so that anyone can add one.
    ("toml_edit", &["config", "registry/release", "web/pages"]),
];

/// Rooms without I/O, and the words that would bring it in.
const PURE: &[&str] = &["model", "saml"];
const IMPURE_WORDS: &[&str] = &["async", "await", "tokio", "SystemTime", "Instant", "rand_bytes"];
const IMPURE_PATHS: &[&str] = &["std::fs", "std::env", "std::process", "std::thread", "Random::system"];

#[test]
fn rooms_use_only_what_their_arrows_allow() {
    let mut broken = Vec::new();
    for file in sources() {
        let room = file.room();
        if BUILDERS.contains(&room.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room) else {
            broken.push(format!("src/{}:1: the room `{room}` has no line in MAY_USE of tests/it/architecture.rs", file.path));
            continue;
        };
        for (line, path) in file.crate_paths() {
            let allowed = std::iter::once(room.as_str()).chain(allowed.iter().copied());
            if !allowed.clone().any(|prefix| path == prefix || path.starts_with(&format!("{prefix}::"))) {
                let allowed = allowed.collect::<Vec<_>>().join(", ");
                broken.push(format!("src/{}:{line}: `{room}` may not use `crate::{path}`; it may use: {allowed}", file.path));
            }
        }
    }
    report(&broken);
}

#[test]
fn no_path_climbs_out_of_its_room() {
    let mut broken = Vec::new();
    for file in sources() {
        for (line, steps) in file.climbs() {
            broken.push(format!("src/{}:{line}: {steps} times `super` leaves the room; write `crate::…`, which is checked", file.path));
        }
    }
    report(&broken);
}

#[test]
fn crates_are_named_only_in_their_rooms() {
    let mut broken = Vec::new();
    for file in sources() {
        for (name, rooms) in CRATE_BELONGS_TO {
            if rooms.iter().any(|room| file.path.starts_with(&format!("{room}/")) || file.path == format!("{room}.rs")) {
                continue;
            }
            for line in file.lines_naming_crate(name) {
                broken.push(format!("src/{}:{line}: the crate `{name}` belongs to {}", file.path, rooms.join(", ")));
            }
        }
    }
    report(&broken);
}

#[test]
fn pure_rooms_read_no_clock_no_randomness_and_wait_for_nothing() {
    let mut broken = Vec::new();
    for file in sources().into_iter().filter(|file| PURE.contains(&file.room().as_str())) {
        let (code, tests_from) = (file.code.as_str(), file.tests_begin());
        let words = IMPURE_WORDS.iter().flat_map(|word| words(code, word).map(move |at| (at, *word)));
        let paths = IMPURE_PATHS.iter().flat_map(|path| code.match_indices(path).map(|(at, _)| (at, *path)));
        for (at, found) in words.chain(paths).filter(|(at, _)| *at < tests_from) {
            let line = file.line(at);
            broken.push(format!("src/{}:{line}: `{found}` in a pure room; take `now` and `random` as arguments", file.path));
        }
    }
    report(&broken);
}

#[test]
fn nothing_that_deny_toml_bans_is_in_the_lock_file() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("deny.toml and Cargo.lock are there");
    let (deny, lock) = (read("deny.toml"), read("Cargo.lock"));
    let banned: Vec<_> = deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next()).collect();
    let banned: Vec<_> = banned.into_iter().filter(|name| !deny.contains(&format!("{{ crate = \"{name}\", allow"))).collect();
    assert!(!banned.is_empty(), "deny.toml names what is banned");

    let there: Vec<_> = banned.iter().filter(|name| lock.contains(&format!("\nname = \"{name}\"\n"))).collect();
    let elsewhere: Vec<_> =
        lock.lines().filter(|line| line.starts_with("source = ") && !line.contains("github.com/rust-lang/crates.io-index")).collect();

    assert!(there.is_empty(), "deny.toml bans {there:?}; `cargo tree -i NAME` says who brings it");
    assert!(elsewhere.is_empty(), "these sources are not crates.io: {elsewhere:?}");
}

#[test]
fn the_readme_maps_every_room_of_src() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let map = readme.split("## The map of `src`").nth(1).expect("README.md has a section \"The map of `src`\"");
    let map = map.split("\n## ").next().unwrap_or(map);
    let told: BTreeSet<String> =
        map.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|rest| rest.split('`').next()).map(str::to_owned).collect();

    let there: BTreeSet<String> = fs::read_dir(root().join("src"))
        .expect("src is readable")
        .map(|entry| entry.expect("src is readable"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() { format!("{name}/") } else { name }
        })
        .collect();

    let unmapped: Vec<_> = there.difference(&told).collect();
    let gone: Vec<_> = told.difference(&there).collect();
    assert!(unmapped.is_empty() && gone.is_empty(), "README.md, \"The map of `src`\": not mapped {unmapped:?}, no longer there {gone:?}");
}

#[test]
fn the_reader_of_this_test_sees_through_groups_comments_and_strings() {
    let file = Source::new(
        "web/saml.rs",
        "// crate::hidden::one\nuse crate::{model::id, saml::{bindings::{self, post}, xml as x}};\nlet a = \"crate::hidden::two\";\ncrate::flows::run::<T>();\n",
    );

    let paths = file.crate_paths();

    let expected = [(2, "model::id"), (2, "saml::bindings"), (2, "saml::bindings::post"), (2, "saml::xml"), (4, "flows::run")];
    assert_eq!(paths, expected.map(|(line, path)| (line, path.to_owned())));
}

#[test]
fn the_reader_of_this_test_counts_how_far_super_climbs() {
    let file = Source::new("web/mod.rs", "use super::app;\nmod tests {\n    use super::pages;\n    use super::super::flows;\n}\n");

    assert_eq!(file.climbs(), [(1, 1), (4, 2)]);
}

/// One file of `src`, its comments and literals blanked so that only code is left, at the same places.
struct Source {
    /// Below `src`, with slashes.
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: blank_comments_and_literals(text) }
    }

    fn room(&self) -> String {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first).to_owned()
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// Where `mod tests` begins; test code may read clocks.
    fn tests_begin(&self) -> usize {
        let own_file = self.path.ends_with("tests.rs");
        if own_file { 0 } else { self.code.find("mod tests {").unwrap_or(self.code.len()) }
    }

    /// Every path that begins with `crate::`, groups spread out, with its line.
    fn crate_paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, start) in self.code.match_indices("crate::") {
            if self.code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let mut paths = Vec::new();
            spread("", &mut &self.code[at + start.len()..], &mut paths);
            found.extend(paths.into_iter().map(|path| (self.line(at), path)));
        }
        found
    }

    /// Chains of `super::` that reach the crate's root, with their length.
    fn climbs(&self) -> Vec<(usize, usize)> {
        let depth = self.path.split('/').count() - usize::from(self.path.ends_with("/mod.rs"));
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = self.code[from..].find("super::").map(|at| from + at) {
            let mut steps = 0;
            from = at;
            while self.code[from..].starts_with("super::") {
                steps += 1;
                from += "super::".len();
            }
            let depth = depth + usize::from(!self.path.ends_with("tests.rs") && at > self.tests_begin());
            if steps >= depth {
                found.push((self.line(at), steps));
            }
        }
        found
    }

    /// Lines on which the crate is named: as the head of a path, or in `use NAME;`.
    fn lines_naming_crate(&self, name: &str) -> Vec<usize> {
        words(&self.code, name)
            .filter(|at| {
                let (before, after) = (self.code[..*at].trim_end(), &self.code[at + name.len()..]);
                // `crate::store::redis::…` and `mod redis` are ours, not the crate.
                let is_head = !before.ends_with("::") && after.starts_with("::");
                let is_use = before.ends_with("use") && after.trim_start().starts_with([';', 'a']);
                is_head || is_use
            })
            .map(|at| self.line(at))
            .collect()
    }
}

/// Spreads a use tree (`a::{b, c::d}`) into paths and moves `rest`, which begins right after `crate::`, behind it.
fn spread(prefix: &str, rest: &mut &str, paths: &mut Vec<String>) {
    let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    *rest = rest.trim_start();
    if let Some(group) = rest.strip_prefix('{') {
        *rest = group.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            spread(prefix, rest, paths);
            // What is left of this branch: ` as name` and the comma.
            *rest = rest.trim_start_matches(|c| c != ',' && c != '}');
            *rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        *rest = rest.strip_prefix('}').unwrap_or(rest);
        return;
    }
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    *rest = &rest[name.len()..];
    match rest.strip_prefix("::") {
        Some(deeper) if !deeper.starts_with('<') => {
            *rest = deeper;
            spread(&join(name), rest, paths);
        }
        _ => paths.push(if name == "self" || name.is_empty() { prefix.to_owned() } else { join(name) }),
    }
}

/// Where `word` stands as a whole word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !code[..*at].ends_with(part_of_word) && !code[at + word.len()..].starts_with(part_of_word))
}

/// Replaces comments and the insides of string and character literals by blanks, newlines kept.
fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            rest.find('\n').map_or(text.len(), |end| at + end)
        } else if rest.starts_with("/*") {
            at + block_comment_length(rest)
        } else if let Some(hashes) = raw_string_hashes(rest) {
            let closing = format!("\"{}", "#".repeat(hashes));
            let opening = rest.find('"').unwrap_or(0) + 1;
            rest[opening..].find(&closing).map_or(text.len(), |end| at + opening + end + closing.len())
        } else if rest.starts_with('"') {
            at + quoted_length(rest, b'"')
        } else if is_char_literal(rest) {
            at + quoted_length(rest, b'\'')
        } else {
            // One whole character, so that `at` stays on a boundary; identifiers as one, so that `r` in `for"` is no raw string.
            let word = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum::<usize>();
            at += word.max(rest.chars().next().map_or(1, char::len_utf8));
            continue;
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("whole characters were blanked")
}

fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    let bytes = text.as_bytes();
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// The number of `#` where a raw string (`r"…"`, `br#"…"#`) begins.
fn raw_string_hashes(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('b').or(text.strip_prefix('c')).unwrap_or(text).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

fn quoted_length(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Tells `'x'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next() == Some('\'') && (characters.next() == Some('\\') || characters.next() == Some('\''))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    assert!(found.len() > 10, "src is read");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("src is readable").map(|entry| entry.expect("src is readable").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root().join("src")).expect("below src").to_string_lossy().replace('\\', "/");
            found.push(Source::new(&below, &fs::read_to_string(&path).expect("a source is UTF-8")));
        }
    }
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "the architecture is broken in {} places:\n{}", broken.len(), broken.join("\n"));
}
