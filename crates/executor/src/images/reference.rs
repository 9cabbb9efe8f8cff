//! Image references, split as far as the engine's API needs.

use super::ImageError;

/// The longest reference that is taken. Docker allows 255 bytes of name, 128 of tag; a digest has 135 at most.
const REFERENCE_LIMIT: usize = 1024;

/// A reference whose characters are safe to put into a request path, split into its parts.
///
/// Names are not judged beyond that: the engine knows the whole grammar, and says what it does not like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageReference<'a> {
    text: &'a str,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> ImageReference<'a> {
    /// Parses `host[:port]/name[:tag][@digest]`, or an image id.
    ///
    /// A job chooses its image names, and the engine's API takes them in paths: anything that could change the
    /// meaning of a path (`?`, `#`, `%`, empty, `.` and `..` components) is refused here.
    pub(crate) fn parse(text: &'a str) -> Result<Self, ImageError> {
        let invalid = || ImageError::InvalidReference { image: text.chars().take(REFERENCE_LIMIT).collect() };
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@+[]".contains(&byte);
        if text.is_empty() || text.len() > REFERENCE_LIMIT || !text.bytes().all(is_allowed) {
            return Err(invalid());
        }
        if text.split('/').any(|component| matches!(component, "" | "." | "..")) {
            return Err(invalid());
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) if digest.contains(':') => (name, Some(digest)),
            Some(_) => return Err(invalid()),
            None => (text, None),
        };
        let last_component = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last_component..].find(':') {
            Some(colon) => (&name[..last_component + colon], Some(&name[last_component + colon + 1..])),
            None => (name, None),
        };
        if repository.is_empty() || repository.ends_with('/') || tag == Some("") {
            return Err(invalid());
        }
        Ok(Self { text, repository, tag, digest })
    }

    /// Returns the reference as given.
    pub(crate) fn as_str(&self) -> &'a str {
        self.text
    }

    /// Returns the name without tag and digest.
    pub(crate) fn repository(&self) -> &'a str {
        self.repository
    }

    /// Returns the registry's host and port: the first component if it has a dot or a port or is `localhost`, else
    /// Docker Hub (distribution/reference, "splitDockerDomain").
    pub(crate) fn registry(&self) -> &'a str {
        match self.repository.split_once('/') {
            Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => host,
            _ => "docker.io",
        }
    }

    /// Returns what to pull: the digest if there is one, else the tag, else `latest`. Without any, the engine would
    /// pull all tags of the repository.
    pub(crate) fn tag_or_digest(&self) -> &'a str {
        self.digest.or(self.tag).unwrap_or("latest")
    }

    /// Returns the tag to give or push, `latest` by default.
    ///
    /// # Errors
    ///
    /// [`ImageError::InvalidReference`] if the reference has a digest, which nobody can choose.
    pub(crate) fn tag(&self) -> Result<&'a str, ImageError> {
        match self.digest {
            Some(_) => Err(ImageError::InvalidReference { image: self.text.to_owned() }),
            None => Ok(self.tag.unwrap_or("latest")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_are_split_as_the_engine_takes_them() {
        for (text, repository, pulled, registry) in [
            ("alpine", "alpine", "latest", "docker.io"),
            ("team/app:1.2", "team/app", "1.2", "docker.io"),
            ("localhost/app", "localhost/app", "latest", "localhost"),
            ("127.0.0.1:5000/team/app", "127.0.0.1:5000/team/app", "latest", "127.0.0.1:5000"),
            ("127.0.0.1:5000/app:v1", "127.0.0.1:5000/app", "v1", "127.0.0.1:5000"),
            ("r.example/app:v1@sha256:ab", "r.example/app", "sha256:ab", "r.example"),
            ("r.example/app@sha256:ab", "r.example/app", "sha256:ab", "r.example"),
        ] {
            let reference = ImageReference::parse(text).unwrap();
            assert_eq!(reference.repository(), repository, "{text}");
            assert_eq!(reference.tag_or_digest(), pulled, "{text}");
            assert_eq!(reference.registry(), registry, "{text}");
        }
    }

    #[test]
    fn what_could_change_a_request_path_is_refused() {
        for text in [
            "",
            "../containers/json",
            "a/../b",
            "a/./b",
            "a//b",
            "/a",
            "a/",
            "a?all=1",
            "a#b",
            "a%2fb",
            "a b",
            "a\nb",
            "é",
            "a:",
            ":tag",
            "a@digest",
        ] {
            assert!(
                matches!(ImageReference::parse(text), Err(ImageError::InvalidReference { .. })),
                "{text:?} was taken"
            );
        }
        assert!(ImageReference::parse(&"a".repeat(REFERENCE_LIMIT + 1)).is_err());
    }

    #[test]
    fn a_digest_is_no_name_to_give() {
        assert!(ImageReference::parse("a@sha256:ab").unwrap().tag().is_err());
        assert_eq!(ImageReference::parse("a:1").unwrap().tag().unwrap(), "1");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in any::<String>()) {
            let _ = ImageReference::parse(&text);
        }

        #[test]
        fn parts_lie_within_the_text(text in "[a-z0-9./:@]{1,40}") {
            if let Ok(reference) = ImageReference::parse(&text) {
                prop_assert!(text.starts_with(reference.repository()));
                prop_assert!(!reference.repository().is_empty());
                prop_assert!(!reference.tag_or_digest().is_empty());
            }
        }
    }
}
