//! Names that arrive in paths and queries. Each type holds only what its rule allows, so none can leave a folder.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name is not what its kind of name may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid {0}")]
pub(crate) struct InvalidName(pub(crate) &'static str);

/// A repository name such as `team/app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct RepositoryName(String);

impl RepositoryName {
    /// The rule as ECR states it in errors (Amazon ECR API reference, CreateRepository).
    pub(crate) const PATTERN: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";
    const LENGTH: std::ops::RangeInclusive<usize> = 2..=256;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_letter);
        let is_component = |component: &str| component.split(['.', '_', '-']).all(is_word);
        let valid = Self::LENGTH.contains(&text.len()) && text.split('/').all(is_component);
        if valid { Ok(Self(text.into())) } else { Err(InvalidName("repository name")) }
    }
}

/// A tag: a letter, digit or `_`, then up to 127 of those, `.` and `-` (OCI distribution specification 1.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Tag(String);

impl Tag {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
            && text.bytes().next().is_some_and(is_word);
        if valid { Ok(Self(text.into())) } else { Err(InvalidName("tag")) }
    }
}

/// A SHA-256 digest, `sha256:` and 64 lower-case hexadecimal digits: the only algorithm that ECR takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) const fn from_sha256(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    pub(crate) fn of(content: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(content).into())
    }

    /// The 64 digits alone, which name the content's file.
    pub(crate) fn hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const INVALID: InvalidName = InvalidName("digest");
        let digits = text.strip_prefix("sha256:").ok_or(INVALID)?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(INVALID);
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|_| INVALID)?;
        Ok(Self(hash))
    }
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No tag contains a colon, and every digest does.
        if text.contains(':') { text.parse().map(Self::Digest) } else { text.parse().map(Self::Tag) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// The conversions that `serde` and messages need, for a name that is a string inside.
macro_rules! text_conversions {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
    )*};
}
text_conversions!(RepositoryName, Tag);

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repository_names_follow_the_pattern() {
        for name in ["ab", "team/app", "a.b-c_d/e0", &"a".repeat(256)] {
            assert_eq!(name.parse::<RepositoryName>().unwrap().as_str(), name);
        }
        for name in [
            "",
            "a",
            "A/b",
            "a//b",
            "/ab",
            "ab/",
            "..",
            "a/../b",
            "a..b",
            "-ab",
            "a b",
            &"a".repeat(257),
            "a\0b",
        ] {
            assert!(name.parse::<RepositoryName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn tags_and_digests_are_told_apart() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(digest.parse::<Reference>().unwrap(), Reference::Digest(digest.parse().unwrap()));
        assert_eq!("v1.0".parse::<Reference>().unwrap(), Reference::Tag("v1.0".parse().unwrap()));
        for text in
            ["", "-v", ".v", "v/1", "..", "sha256:0a", "sha512:00", &digest.to_uppercase(), &"t".repeat(129)]
        {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_safe_name_or_an_error(text in any::<String>(), pathlike in "[a-z0-9/._%-]{0,12}") {
            for text in [text, pathlike] {
                if let Ok(name) = text.parse::<RepositoryName>() {
                    prop_assert!(name.as_str().split('/').all(|part| !part.is_empty() && part != ".."));
                }
                let _ = text.parse::<Reference>();
            }
        }

        #[test]
        fn a_digest_reads_back_as_itself(hash: [u8; 32]) {
            let digest = Digest::from_sha256(hash);
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        }
    }
}
