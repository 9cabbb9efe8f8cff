//! Image references, as Docker reads them.
//!
//! The grammar is that of `github.com/distribution/reference` (`regexp.go`, `reference.go`, `normalize.go`), which
//! Docker, its command line and GitLab Runner use. It is parsed here by hand: total, linear and without a regular
//! expression.

mod grammar;

use std::fmt;
use std::str::FromStr;

pub use grammar::{Parts, split};

/// The longest reference that is read, in bytes: more than a host name, a repository, a tag and a digest can fill.
pub const MAX_REFERENCE_BYTES: usize = 1024;

/// The longest repository path, in bytes (`NameTotalLengthMax` in `reference.go`).
pub const MAX_REPOSITORY_BYTES: usize = 255;

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_OLD_NAME: &str = "index.docker.io";

/// An image reference with Docker's defaults filled in: `alpine` is `docker.io/library/alpine`.
///
/// A missing tag stays missing, because `name@digest` and `name` are different requests; an engine reads the
/// latter as `name:latest`. `Display` writes the complete form, which parses to an equal value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// There is no text.
    #[error("the image reference is empty")]
    Empty,
    /// The text is longer than [`MAX_REFERENCE_BYTES`].
    #[error("the image reference has {length} bytes, more than {MAX_REFERENCE_BYTES}")]
    TooLong {
        /// The length of the text in bytes.
        length: usize,
    },
    /// The repository path is longer than [`MAX_REPOSITORY_BYTES`].
    #[error("the repository of image `{reference}` has more than {MAX_REPOSITORY_BYTES} bytes")]
    RepositoryTooLong {
        /// The whole reference.
        reference: String,
    },
    /// The repository has upper-case letters.
    #[error("the repository of image `{reference}` must be lower case")]
    UpperCase {
        /// The whole reference.
        reference: String,
    },
    /// The part before tag and digest is no registry and repository.
    #[error("`{name}` is not a valid image name in `{reference}`")]
    Name {
        /// The whole reference.
        reference: String,
        /// The part that was refused.
        name: String,
    },
    /// The tag has characters that no tag has, is empty, or is longer than 128 bytes.
    #[error("`{tag}` is not a valid tag in image `{reference}`")]
    Tag {
        /// The whole reference.
        reference: String,
        /// The part that was refused.
        tag: String,
    },
    /// The digest's algorithm is unknown, or its value has not the algorithm's form.
    #[error("`{digest}` is not a valid digest in image `{reference}`")]
    Digest {
        /// The whole reference.
        reference: String,
        /// The part that was refused.
        digest: String,
    },
    /// Sixty-four hexadecimal digits name an image in an engine, not in a registry.
    #[error("`{reference}` is an image id and names no repository")]
    ImageId {
        /// The whole reference.
        reference: String,
    },
}

impl ReferenceError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let form = || {
            Some("write it as `registry/repository:tag`, for instance `docker.io/library/alpine:3`".into())
        };
        match self {
            Self::Name { name, .. } if name.contains("://") => {
                Some("leave out the scheme: an image reference starts with the registry's host name".into())
            }
            Self::Name { reference, .. } if reference.contains('$') => {
                Some("a variable in it was not replaced: check its name, and that it is defined".into())
            }
            Self::Empty | Self::Name { .. } | Self::ImageId { .. } => form(),
            Self::Digest { .. } => Some("a digest is `sha256:` and 64 lower-case hexadecimal digits".into()),
            _ => None,
        }
    }
}

impl ImageReference {
    /// Reads a reference as people write it in `docker pull` or in `image:`.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let reference = || text.to_owned();
        check_length(text)?;
        if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::ImageId { reference: reference() });
        }
        let (registry, remainder) = split_registry(text);
        let written = grammar::split_name(remainder);
        if written.name.chars().any(char::is_uppercase) {
            return Err(ReferenceError::UpperCase { reference: reference() });
        }
        let repository = match (registry, written.name.contains('/')) {
            (DOCKER_HUB, false) => format!("library/{}", written.name),
            _ => written.name.to_owned(),
        };
        if repository.len() > MAX_REPOSITORY_BYTES {
            return Err(ReferenceError::RepositoryTooLong { reference: reference() });
        }
        if !grammar::is_domain(registry) || !grammar::is_path(&repository) {
            let name = text.get(..text.len() - remainder.len() + written.name.len()).unwrap_or(text);
            return Err(ReferenceError::Name { reference: reference(), name: name.to_owned() });
        }
        grammar::check_tag_and_digest(&written, text)?;
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: written.tag.map(str::to_owned),
            digest: written.digest.map(str::to_owned),
        })
    }

    /// The registry's host name with its port if one is written, `docker.io` by default. Case is kept.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository's path, with `library/` for Docker Hub's official images.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest with its algorithm, if one is written.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

fn check_length(text: &str) -> Result<(), ReferenceError> {
    match text.len() {
        0 => Err(ReferenceError::Empty),
        length if length > MAX_REFERENCE_BYTES => Err(ReferenceError::TooLong { length }),
        _ => Ok(()),
    }
}

/// The first component is a registry if it looks like a host: a dot, a colon, `localhost`, or an upper-case letter,
/// which no repository may have (`splitDockerDomain` in `normalize.go`).
fn split_registry(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some((DOCKER_HUB_OLD_NAME, remainder)) => (DOCKER_HUB, remainder),
        Some((first, remainder))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
        {
            (first, remainder)
        }
        _ => (DOCKER_HUB, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parts(text: &str) -> (String, String, Option<String>, Option<String>) {
        let reference = ImageReference::parse(text).unwrap();
        let owned = |part: Option<&str>| part.map(str::to_owned);
        (
            reference.registry().to_owned(),
            reference.repository().to_owned(),
            owned(reference.tag()),
            owned(reference.digest()),
        )
    }

    #[test]
    fn defaults_are_those_of_docker() {
        let cases = [
            ("alpine", "docker.io", "library/alpine", None),
            ("alpine:3", "docker.io", "library/alpine", Some("3")),
            ("docker.io/alpine", "docker.io", "library/alpine", None),
            ("index.docker.io/alpine", "docker.io", "library/alpine", None),
            ("team/app", "docker.io", "team/app", None),
            ("localhost/app", "localhost", "app", None),
            ("localhost:5000/app:1", "localhost:5000", "app", Some("1")),
            ("registry.example/a/b/c:x", "registry.example", "a/b/c", Some("x")),
            ("HOST/app", "HOST", "app", None),
            ("[::1]:5000/app", "[::1]:5000", "app", None),
        ];
        for (text, registry, repository, tag) in cases {
            let expected = (registry.to_owned(), repository.to_owned(), tag.map(str::to_owned), None);
            assert_eq!(parts(text), expected, "for {text}");
        }
    }

    #[test]
    fn digests_stand_beside_tags() {
        let text = format!("000000000001.dkr.ecr.eu-west-1.amazonaws.com/team/app:1@{DIGEST}");
        let (_, repository, tag, digest) = parts(&text);
        assert_eq!((repository.as_str(), tag.as_deref()), ("team/app", Some("1")));
        assert_eq!(digest.as_deref(), Some(DIGEST));
        assert_eq!(ImageReference::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn bad_references_name_what_is_wrong() {
        let cases = [
            ("", "is empty"),
            ("team/App", "must be lower case"),
            ("https://host.example/app", "`https://host.example/app` is not a valid image name"),
            ("host.example/", "is not a valid image name"),
            ("host.example//app", "is not a valid image name"),
            ("-host.example/app", "is not a valid image name"),
            ("host.example/a..b", "is not a valid image name"),
            ("Bad Name", "must be lower case"),
            ("bad name", "`bad name` is not a valid image name"),
            ("app:", "`` is not a valid tag"),
            ("app:a b", "`a b` is not a valid tag"),
            ("app@sha256:12", "`sha256:12` is not a valid digest"),
            ("app@md5:0123456789abcdef0123456789abcdef", "is not a valid digest"),
            ("host.example:port/app", "is not a valid image name"),
        ];
        for (text, expected) in cases {
            let message = ImageReference::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "for {text:?}: {message}");
        }
        assert!(matches!(ImageReference::parse(&"0".repeat(64)), Err(ReferenceError::ImageId { .. })));
        assert!(matches!(
            ImageReference::parse(&"a".repeat(MAX_REFERENCE_BYTES + 1)),
            Err(ReferenceError::TooLong { .. })
        ));
        assert!(matches!(
            ImageReference::parse(&format!("host.example/{}", "a".repeat(MAX_REPOSITORY_BYTES + 1))),
            Err(ReferenceError::RepositoryTooLong { .. })
        ));
    }

    #[test]
    fn hints_name_common_mistakes() {
        let hint = |text| ImageReference::parse(text).unwrap_err().hint().unwrap();
        assert!(hint("https://host.example/app").contains("scheme"));
        assert!(hint("$registry/app").contains("variable"));
    }
}
