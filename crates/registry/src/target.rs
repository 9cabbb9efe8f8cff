//! Where a registry is reached.

use ecru_docker::reference::ImageReference;

/// Docker Hub's registry; `docker.io` itself serves web pages (`RegistryHost`, github.com/distribution/reference).
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
const DOCKER_HUB: &str = "docker.io";

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// `host` or `host:port`.
    pub(crate) authority: String,
    pub(crate) repository: String,
    /// The digest if there is one, else the tag.
    pub(crate) reference: String,
    pub(crate) is_docker_hub: bool,
}

impl Target {
    pub(crate) fn of(image: &ImageReference) -> Self {
        let is_docker_hub = image.registry() == DOCKER_HUB;
        let authority = if is_docker_hub { DOCKER_HUB_REGISTRY } else { image.registry() };
        let reference = image.digest().or(image.tag()).unwrap_or("latest");
        Self {
            authority: authority.to_owned(),
            repository: image.repository().to_owned(),
            reference: reference.to_owned(),
            is_docker_hub,
        }
    }

    /// The host without its port.
    pub(crate) fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// This machine, which alone is spoken to without TLS, as engines do (moby, `registry/config.go`).
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    pub(crate) fn manifest_url(&self, reference: &str) -> String {
        format!("{}/v2/{}/manifests/{reference}", self.root(), self.repository)
    }

    pub(crate) fn blob_url(&self, digest: &str) -> String {
        format!("{}/v2/{}/blobs/{digest}", self.root(), self.repository)
    }

    fn root(&self) -> String {
        let scheme = if self.is_loopback() { "http" } else { "https" };
        format!("{scheme}://{}", self.authority)
    }
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Names and addresses that cannot lead off this machine. The client resolves `localhost` to 127.0.0.1 by itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(image: &str) -> String {
        let target = Target::of(&ImageReference::parse(image).unwrap());
        target.manifest_url(&target.reference)
    }

    #[test]
    fn images_become_addresses() {
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(url("alpine"), "https://registry-1.docker.io/v2/library/alpine/manifests/latest");
        assert_eq!(url("r.example:5000/a/b:1"), "https://r.example:5000/v2/a/b/manifests/1");
        assert_eq!(
            url(&format!("r.example/a:1@{digest}")),
            format!("https://r.example/v2/a/manifests/{digest}")
        );
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        assert!(url("localhost:5000/a").starts_with("http://localhost:5000/"));
        assert!(url("127.0.0.1:5000/a").starts_with("http://127.0.0.1:5000/"));
        for elsewhere in ["localhost.example:5000/a", "127.0.0.1.example/a", "10.0.0.1:5000/a", "r.example/a"]
        {
            assert!(url(elsewhere).starts_with("https://"), "{elsewhere}");
        }
    }
}
