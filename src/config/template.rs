//! The annotated file that `init` writes: every key with its meaning and default, commented out.

use crate::config::key::SECTIONS;
use crate::config::values::quote;

/// Writes the file; `public_url` is set where one is given.
pub fn annotated(public_url: Option<&str>) -> String {
    let mut out = String::from(
        "# Configuration of Linkspan. Every key is optional; what is commented out shows the default.\n\
         # Check it with: linkspan config check      What is in force: linkspan config show --origin\n\
         # Each key can also be set by a variable: session.idle is LINKSPAN_SESSION__IDLE.\n",
    );
    for section in SECTIONS {
        out.push('\n');
        if !section.name.is_empty() {
            out.push_str(&format!("# {}\n[{}]\n", section.doc, section.name));
        }
        for key in section.keys {
            for line in wrap(key.doc) {
                out.push_str(&format!("# {line}\n"));
            }
            if !key.default_note.is_empty() {
                out.push_str(&format!("# Default: {}.\n", key.default_note));
            }
            match public_url.filter(|_| section.name.is_empty() && key.name == "public_url") {
                Some(url) => out.push_str(&format!("public_url = {}\n", quote(url))),
                None => out.push_str(&format!("#{} = {}\n", key.name, key.written)),
            }
            if key.secret {
                out.push_str(&format!("#{}_file = \"a file that holds it\"\n", key.name));
            }
        }
    }
    out
}

/// Breaks a sentence into lines of at most 100 characters.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
