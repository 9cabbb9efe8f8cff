//! `WWW-Authenticate`: how a registry wants to be asked (RFC 9110, section 11.6.1; distribution's token specification).

/// The longest header that is read, in bytes.
const MAX_CHALLENGE_BYTES: usize = 4096;

/// A challenge that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password go to the registry itself, as with private ECR.
    Basic,
    /// User and password go to another address, which gives a token for the registry.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads the header; none if it is neither of the two.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        if header.len() > MAX_CHALLENGE_BYTES {
            return None;
        }
        let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        let mut rest = parameters;
        while let Some((name, value, remainder)) = take_parameter(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
            rest = remainder;
        }
        Some(Self::Bearer { realm: realm?, service, scope })
    }
}

/// `name="value"` or `name=value` at the start of a text, and what is left behind it.
fn take_parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let (name, rest) = text.split_once('=')?;
    let name = name.trim();
    let Some(quoted) = rest.trim_start().strip_prefix('"') else {
        let end = rest.find(',').unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        return Some((name, value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((name, value, quoted.get(index + 1..).unwrap_or_default())),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn challenges_of_known_registries_are_read() {
        let ecr = r#"Basic realm="https://000000000000.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com""#;
        assert_eq!(Challenge::parse(ecr), Some(Challenge::Basic));
        let public = r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#;
        let expected = Challenge::Bearer {
            realm: "https://public.ecr.aws/token/".into(),
            service: Some("public.ecr.aws".into()),
            scope: Some("aws".into()),
        };
        assert_eq!(Challenge::parse(public), Some(expected));
        let scope = r#"bearer scope="repository:a/b:pull,push", realm=https://r.example/t"#;
        let expected = Challenge::Bearer {
            realm: "https://r.example/t".into(),
            service: None,
            scope: Some("repository:a/b:pull,push".into()),
        };
        assert_eq!(Challenge::parse(scope), Some(expected));
    }

    #[test]
    fn others_are_not() {
        for header in ["", "Negotiate", "Bearer", "Bearer realm", r#"Bearer realm="open"#] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_challenge_or_none(text: String, parameters in r#"[a-z=", \\]*"#) {
            let _ = Challenge::parse(&text);
            let _ = Challenge::parse(&format!("Bearer {parameters}"));
        }
    }
}
