//! The names under which services are reached.

use std::collections::HashSet;

use ecru_docker::reference::{self, Parts, ReferenceError};

/// What the runner makes of a service's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// The image without tag and without the registry's port.
    pub service: String,
    /// The tag, or `@` and the digest if there is no tag, or `latest`.
    pub version: String,
    /// The image that is pulled.
    pub pulled_image: String,
    /// The names that the image gives: slashes as `__`, and as `-` where that differs.
    pub implicit_aliases: Vec<String>,
}

/// GitLab Runner v19.3.0 `helpers/container/services/services.go` (`SplitNameAndVersion`).
///
/// The runner keeps an image that it cannot read and fails later; here that is the error.
pub fn split_name_and_version(image: &str) -> Result<ServiceName, ReferenceError> {
    let Parts { name, tag, digest } = reference::split(image)?;
    let service = without_port(name);
    let sha256 = digest.filter(|digest| digest.starts_with("sha256:"));
    let (version, pulled_image) = match (tag, sha256) {
        (Some(tag), _) => (tag.to_owned(), image.to_owned()),
        (None, Some(digest)) => (format!("@{digest}"), image.to_owned()),
        // A digest by another algorithm is lost, as it is in the runner.
        (None, None) => ("latest".to_owned(), format!("{name}:latest")),
    };
    let mut implicit_aliases = vec![service.replace('/', "__"), service.replace('/', "-")];
    implicit_aliases.dedup();
    Ok(ServiceName { service, version, pulled_image, implicit_aliases })
}

/// The names in `alias:`, which may be separated by spaces or commas (`common/spec/spec.go`, `Image.Aliases`).
pub fn explicit_aliases(alias: &str) -> impl Iterator<Item = &str> {
    alias
        .split(|character: char| character.is_whitespace() || character == ',')
        .filter(|name| !name.is_empty())
}

/// The names that one service gets among others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssignedNames {
    /// Its names. A service without any is never started.
    pub names: Vec<String>,
    /// Names that an earlier service has already.
    pub taken: Vec<String>,
}

/// Gives each service the names that no earlier one has (`executors/docker/services.go`,
/// `createFromServiceDefinition`).
pub fn assign_names(wanted: impl IntoIterator<Item = Vec<String>>) -> Vec<AssignedNames> {
    let mut used = HashSet::new();
    let assigned = wanted.into_iter().map(|wanted| {
        let mut assigned = AssignedNames::default();
        for name in wanted {
            if used.insert(name.clone()) {
                assigned.names.push(name);
            } else if !assigned.names.contains(&name) {
                assigned.taken.push(name);
            }
        }
        assigned
    });
    assigned.collect()
}

/// The names that a service gets in a pod: those that are names of DNS, whatever other services are called
/// (`executors/kubernetes/host_aliases.go`, `createServicesHostAlias`). All services share the pod's one address.
pub fn names_in_pod(wanted: Vec<String>) -> AssignedNames {
    let mut names: Vec<String> = Vec::new();
    for name in wanted.into_iter().filter(|name| is_dns_name(name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    AssignedNames { names, taken: Vec::new() }
}

/// A subdomain by RFC 1123, as Kubernetes wants it.
fn is_dns_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let ends = [label.bytes().next(), label.bytes().next_back()];
        label.bytes().all(|byte| is_word(byte) || byte == b'-')
            && ends.into_iter().all(|end| end.is_some_and(is_word))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn without_port(name: &str) -> String {
    let (registry, path) = match name.find('/') {
        Some(slash) => name.split_at(slash),
        None => (name, ""),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match registry.rsplit_once(':') {
        Some((host, port)) if is_port(port) => format!("{host}{path}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn digests_stand_in_for_tags() {
        let by_digest = format!("redis@sha256:{DIGEST}");
        let name = split_name_and_version(&by_digest).unwrap();
        assert_eq!((name.service.as_str(), &name.pulled_image), ("redis", &by_digest));
        assert_eq!(name.version, format!("@sha256:{DIGEST}"));
        let both = split_name_and_version(&format!("redis:7@sha256:{DIGEST}")).unwrap();
        assert_eq!(both.version, "7");
    }

    #[test]
    fn aliases_are_separated_by_spaces_and_commas() {
        let aliases: Vec<&str> = explicit_aliases(" db,cache  main,\tx ").collect();
        assert_eq!(aliases, ["db", "cache", "main", "x"]);
    }

    #[test]
    fn a_pod_takes_names_of_dns_only() {
        for (name, is_name) in [
            ("db", true),
            ("1.ecr.example-team-db", true),
            ("a__b", false),
            ("A", false),
            ("-a", false),
            ("a.", false),
        ] {
            assert_eq!(names_in_pod(vec![name.to_owned()]).names.len(), usize::from(is_name), "{name}");
        }
    }

    #[test]
    fn a_name_belongs_to_the_first_service() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let assigned =
            assign_names([names(&["redis"]), names(&["redis", "cache", "cache"]), names(&["cache"])]);
        assert_eq!(assigned[1], AssignedNames { names: names(&["cache"]), taken: names(&["redis"]) });
        assert_eq!(assigned[2], AssignedNames { names: names(&[]), taken: names(&["cache"]) });
    }
}
