//! Hides the credentials of addresses before they are shown.

const MASK: &str = "***";

/// Replaces the password in every `scheme://user:password@host` and `password=…` of a text.
pub fn mask_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        // Passwords with a raw "/" or "@" are ill-formed but must not be shown either: so up to the last "@" of the word.
        let word_end = after.find(['"', '\'', ' ', ',']).unwrap_or(after.len());
        let (word, tail) = after.split_at(word_end);
        match word.rsplit_once('@') {
            Some((userinfo, host)) => {
                let user = userinfo.split_once(':').map_or(userinfo, |(user, _)| user);
                out.push_str(user);
                if userinfo.len() > user.len() {
                    out.push(':');
                    out.push_str(MASK);
                }
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(word),
        }
        rest = tail;
    }
    out.push_str(rest);
    mask_parameter(&out)
}

fn mask_parameter(text: &str) -> String {
    let Some((before, after)) = text.split_once("password=") else { return text.to_owned() };
    let end = after.find(['&', '"', '\'', ' ', '#']).unwrap_or(after.len());
    format!("{before}password={MASK}{}", mask_parameter(after.get(end..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_addresses_are_hidden() {
        for (given, shown) in [
            ("postgres://ada:s3cret@db/linkspan", "postgres://ada:***@db/linkspan"),
            ("postgres://ada@db/linkspan", "postgres://ada@db/linkspan"),
            ("redis://:p@ss/word@host:6379/0", "redis://:***@host:6379/0"),
            ("redis+sentinel://u:p@h1,h2,h3/service", "redis+sentinel://u:***@h1,h2,h3/service"),
            ("postgres:///db?host=/run&password=abc&x=1", "postgres:///db?host=/run&password=***&x=1"),
            ("data = \"postgres://a:b@c/d\" # redis://x:y@z", "data = \"postgres://a:***@c/d\" # redis://x:***@z"),
            ("embedded", "embedded"),
        ] {
            assert_eq!(mask_passwords(given), shown);
        }
    }
}
