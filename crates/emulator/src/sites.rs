//! Which service or registry a request's host name means.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};

use crate::accounts::{Region, RegistryId};
use crate::registry::public;

/// The domains under which real AWS services live.
const AWS_DOMAINS: [&str; 9] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "aws",
    "aws.com",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// What a host name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    /// `localhost`, an address, or any name outside AWS: everything that the listener has.
    Any,
    Registry(RegistryId),
    /// ECR Public's registries.
    Public,
    EcrApi(Region),
    EcrPublicApi(Region),
    /// The region is unknown for the global host name.
    StsApi(Option<Region>),
}

impl Site {
    /// The site that a request names, or nothing for an AWS host that is not emulated.
    pub(crate) fn of_request(parts: &Parts) -> Option<Self> {
        Self::of_host(host_of(&parts.uri, &parts.headers))
    }

    /// The site of a host name with or without a port, or nothing for an AWS host that is not emulated.
    fn of_host(host: &str) -> Option<Self> {
        let host = without_port(host).to_ascii_lowercase();
        let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        if !AWS_DOMAINS.into_iter().any(is_below) {
            return Some(Self::Any);
        }
        if let Some(registry) = RegistryId::of_host(&host) {
            return Some(Self::Registry(registry));
        }
        if [public::HOST, public::DUAL_STACK_HOST].contains(&host.as_str()) {
            return Some(Self::Public);
        }
        if host == "sts.amazonaws.com" {
            return Some(Self::StsApi(None));
        }
        let region_after = |prefix| host.strip_prefix(prefix)?.strip_suffix(".amazonaws.com")?.parse().ok();
        region_after("api.ecr.")
            .map(Self::EcrApi)
            .or_else(|| region_after("api.ecr-public.").map(Self::EcrPublicApi))
            .or_else(|| region_after("sts.").map(|region| Self::StsApi(Some(region))))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The host that a request names: in its target, as a proxy's client writes it, or in the header.
pub(crate) fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    uri.authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(HOST)?.to_str().ok())
        .unwrap_or_default()
}

impl<S: Sync> FromRequestParts<S> for Site {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::of_request(parts).ok_or((StatusCode::MISDIRECTED_REQUEST, "this AWS host is not emulated\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[test]
    fn emulated_names_are_told_apart_and_real_ones_refused() {
        let site = |host: &str| Site::of_host(host);
        assert_eq!(site("localhost:5000"), Some(Site::Any));
        assert_eq!(site("[::1]:5000"), Some(Site::Any));
        assert_eq!(site("registry.example"), Some(Site::Any));
        assert_eq!(site("API.ecr.eu-west-1.amazonaws.com:443"), Some(Site::EcrApi(region("eu-west-1"))));
        assert_eq!(
            site("api.ecr-public.us-east-1.amazonaws.com"),
            Some(Site::EcrPublicApi(region("us-east-1")))
        );
        assert_eq!(site("sts.amazonaws.com"), Some(Site::StsApi(None)));
        assert_eq!(site("sts.eu-west-1.amazonaws.com"), Some(Site::StsApi(Some(region("eu-west-1")))));
        assert_eq!(site("public.ecr.aws:443"), Some(Site::Public));
        assert_eq!(site("ecr-public.aws.com"), Some(Site::Public));
        let registry = RegistryId { account: "000000000007".parse().unwrap(), region: region("eu-west-1") };
        assert_eq!(site(&registry.host()), Some(Site::Registry(registry)));
        for foreign in [
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "000000000000.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "s3.us-east-1.amazonaws.com",
            "public.ecr.aws.com",
            "gallery.ecr.aws",
            "000000000000.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "ecr.us-east-1.api.aws",
        ] {
            assert_eq!(site(foreign), None, "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn any_host_is_a_site_or_none(host in any::<String>()) {
            let _ = Site::of_host(&host);
        }
    }
}
