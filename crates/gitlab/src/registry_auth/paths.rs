//! The two normal forms by which the runner compares an image with a configured key.

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_OLD_NAME: &str = "index.docker.io";

/// The path under which credentials for `image` are looked up: registry and repository, without the tag.
///
/// GitLab Runner v19.3.0 `helpers/docker/auth/auth.go` (`normalizeImageRef`). It differs from Docker's own reading:
/// official images get no `library/`, and of a reference by digest alone `@sha256` remains, so that a key for
/// exactly that repository does not match it.
pub fn image_path(image: &str) -> String {
    let (directory, last) = match image.rfind('/') {
        Some(slash) => image.split_at(slash + 1),
        None => ("", image),
    };
    let name = last.split_once(':').map_or(last, |(name, _)| name);
    let path = go_path_join(&format!("{directory}{name}"));

    let path = match path.split_once('/') {
        Some((host, rest)) if host.eq_ignore_ascii_case(DOCKER_HUB_OLD_NAME) => {
            format!("{DOCKER_HUB}/{rest}")
        }
        Some((host, _)) if host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost") => path,
        _ => format!("{DOCKER_HUB}/{}", path.trim_start_matches('/')),
    };
    with_lower_case_host(&path)
}

/// The path for which a configured key holds credentials.
///
/// GitLab Runner v19.3.0 `helpers/docker/auth/auth.go` (`convertToRegistryPath`): of a key with a scheme only the
/// host remains; without one the path is kept and a tag is cut off.
pub fn registry_path(key: &str) -> String {
    if let Some(rest) = without_scheme(key) {
        let host = rest.split_once('/').map_or(rest, |(host, _)| host).to_lowercase();
        return if host == DOCKER_HUB_OLD_NAME { DOCKER_HUB.to_owned() } else { host };
    }
    path_of_key_without_scheme(key)
}

fn path_of_key_without_scheme(key: &str) -> String {
    let path = key.strip_suffix('/').unwrap_or(key);
    let without_tag = match (path.rfind('/'), path.rfind(':')) {
        (Some(slash), Some(colon)) if colon > slash => path.get(..colon).unwrap_or(path),
        _ => path,
    };
    with_lower_case_host(without_tag)
}

/// The same in v17.5.0 to v18.2 (`dockerImageNamePath`): nothing is cleaned, and only a host in lower case is known
/// as `localhost` or as Docker Hub's old name.
pub(super) fn image_path_as_written(image: &str) -> String {
    let (directory, last) = match image.rfind('/') {
        Some(slash) => image.split_at(slash + 1),
        None => ("", image),
    };
    let name = last.split_once(':').map_or(last, |(name, _)| name);
    let path = format!("{directory}{name}");
    let path = match image.split_once('/') {
        Some((DOCKER_HUB_OLD_NAME, _)) => path.strip_prefix("index.").unwrap_or(&path).to_owned(),
        Some((host, _)) if is_host(host) => path,
        _ => format!("{DOCKER_HUB}/{path}"),
    };
    with_lower_case_host(&path)
}

/// The host under which v12.0.0 to v17.4 look up credentials for `image` (`splitDockerImageName`).
pub(super) fn image_host(image: &str) -> &str {
    match image.split_once('/') {
        Some((DOCKER_HUB_OLD_NAME, _)) => DOCKER_HUB,
        Some((host, _)) if is_host(host) => host,
        _ => DOCKER_HUB,
    }
}

fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost"
}

/// The host for which a key holds credentials in v12.0.0 to v17.4 (`convertToHostname`).
pub(super) fn key_host(key: &str) -> &str {
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| key.strip_prefix(scheme)).unwrap_or(key);
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    if host == DOCKER_HUB_OLD_NAME { DOCKER_HUB } else { host }
}

/// The path for which v17.5.0 to v18.0 take a key: one with `http://` is read as if that were a host, and so matches
/// no image.
pub(super) fn registry_path_without_http(key: &str) -> String {
    let has_http =
        key.split_at_checked("http://".len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case("http://"));
    if has_http { path_of_key_without_scheme(key) } else { registry_path(key) }
}

/// `path` and its parents, the longest first.
pub(super) fn self_and_parents(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rfind('/').and_then(|slash| path.get(..slash)))
        .take_while(|path| !path.is_empty())
}

fn without_scheme(key: &str) -> Option<&str> {
    ["https://", "http://"].into_iter().find_map(|scheme| {
        let (start, rest) = key.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

fn with_lower_case_host(path: &str) -> String {
    match path.split_once('/') {
        Some((host, rest)) => format!("{}/{rest}", host.to_lowercase()),
        None => path.to_lowercase(),
    }
}

/// Go's `path.Clean` without its `.` for the empty path: no empty and no `.` components, `..` resolved.
fn go_path_join(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." if components.last().is_some_and(|last| *last != "..") => {
                components.pop();
            }
            ".." if is_absolute => {}
            other => components.push(other),
        }
    }
    let joined = components.join("/");
    if is_absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_paths_are_cleaned() {
        assert_eq!(image_path("r.example//a/./b/../c:1"), "r.example/a/c");
        assert_eq!(image_path("/alpine"), "docker.io/alpine");
        assert_eq!(image_path("r.example/a:1:2"), "r.example/a");
    }

    #[test]
    fn parents_end_at_the_host() {
        let parents: Vec<&str> = self_and_parents("h/a/b").collect();
        assert_eq!(parents, ["h/a/b", "h/a", "h"]);
        assert_eq!(self_and_parents("").count(), 0);
    }

    #[test]
    fn schemes_are_recognised_in_any_case_only_at_the_start() {
        assert_eq!(registry_path("HTTP://Host/a"), "host");
        assert_eq!(registry_path("\u{e9}https://host"), "\u{e9}https://host");
        assert_eq!(registry_path("h"), "h");
    }
}
