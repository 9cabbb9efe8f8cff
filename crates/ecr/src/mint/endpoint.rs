//! Which endpoint of the API is called.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use http::Uri;
use http::uri::Scheme;

use super::connector::may_be_plain;
use crate::registry::Registry;
use crate::token::TokenError;

/// The endpoint of a service for a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The one that the user names instead of AWS's own.
    pub(super) url: Option<String>,
    /// Whether it is a FIPS endpoint: if the registry's host is one, or the user wants them everywhere.
    pub(super) fips: bool,
    /// Whether it answers by IPv4 and IPv6, likewise.
    pub(super) dual_stack: bool,
}

impl Endpoint {
    /// The endpoint of the service that the SDK knows by `service_id`.
    ///
    /// # Errors
    /// If the user names one that is no address, or not one to which credentials may be sent.
    pub(super) fn of(
        service_id: &str,
        sdk: &SdkConfig,
        registry: Option<&Registry>,
    ) -> Result<Self, TokenError> {
        let url = overriding_url(service_id, sdk);
        if let Some(url) = url {
            check(&url)?;
            // The SDK refuses either flag together with an endpoint of the user's (aws/amazon-ecs-agent issue 4850).
            return Ok(Self { url: Some(url), fips: false, dual_stack: false });
        }
        if let Some(registry) = registry
            && let Some(url) = url_in_added_partition(registry)
        {
            return Ok(Self { url: Some(url), fips: false, dual_stack: false });
        }
        Ok(Self {
            url: None,
            fips: registry.is_some_and(Registry::fips) || sdk.use_fips().unwrap_or_default(),
            dual_stack: registry.is_some_and(Registry::dual_stack)
                || sdk.use_dual_stack().unwrap_or_default(),
        })
    }
}

/// The address of the API that hands out tokens for `registry`: the one that is configured, else AWS's own, by the
/// rules that the SDK itself follows.
///
/// # Errors
/// As [`Endpoint::of`], or if the SDK knows none.
pub(super) async fn address(sdk: &SdkConfig, registry: &Registry) -> Result<String, TokenError> {
    let service_id = if registry.is_public() { "ECR PUBLIC" } else { "ECR" };
    let Endpoint { url, fips, dual_stack } = Endpoint::of(service_id, sdk, Some(registry))?;
    if let Some(url) = url {
        return Ok(url);
    }
    let region = registry.region();
    if registry.is_public() {
        use aws_sdk_ecrpublic::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build();
        let params = params.map_err(|error| no_address(&error))?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
        return endpoint.map(|endpoint| endpoint.url().to_owned()).map_err(|error| no_address(&*error));
    }
    use aws_sdk_ecr::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
    let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build();
    let params = params.map_err(|error| no_address(&error))?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
    endpoint.map(|endpoint| endpoint.url().to_owned()).map_err(|error| no_address(&*error))
}

fn no_address(error: &(dyn std::error::Error + 'static)) -> TokenError {
    TokenError::Configuration { problem: format!("the API of the registry has no address: {error}") }
}

/// The API's endpoint in a partition that the SDK does not know, built as in all others
/// (<https://docs.aws.amazon.com/general/latest/gr/ecr.html>).
fn url_in_added_partition(registry: &Registry) -> Option<String> {
    let partition = registry.partition().added()?;
    let fips = if registry.fips() { "-fips" } else { "" };
    let region = registry.region();
    Some(match &partition.dual_stack_api_suffix {
        Some(suffix) if registry.dual_stack() => format!("https://ecr{fips}.{region}.{suffix}"),
        _ => format!("https://api.ecr{fips}.{region}.{}", partition.api_suffix),
    })
}

/// The endpoint that environment or profile name, for this service or for all
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
fn overriding_url(service_id: &str, sdk: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service_id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let for_service = sdk.service_config().and_then(|config| config.load_config(key));
    for_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

fn check(url: &str) -> Result<(), TokenError> {
    let refuse = |problem: &str| {
        Err(TokenError::Configuration { problem: format!("the configured AWS endpoint {problem}") })
    };
    let Ok(uri) = Uri::try_from(url) else { return refuse("is not a URL") };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else { return refuse("names no host") };
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => Ok(()),
        Some(scheme) if *scheme == Scheme::HTTP => {
            let address = host.trim_start_matches('[').trim_end_matches(']').parse();
            match address {
                Ok(address) if !may_be_plain(address) => refuse("uses plain HTTP outside this machine"),
                // Names are checked when they are resolved.
                _ => Ok(()),
            }
        }
        _ => refuse("is neither an https:// nor an http:// URL"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Mint;
    use super::*;
    use crate::clock::system_time;
    use crate::environment::Environment;

    /// The address for `host` in an environment without any file of the SDK's.
    fn address(host: &str, variables: &[(&str, &str)]) -> String {
        let none = [("AWS_CONFIG_FILE", "/dev/null"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")];
        let environment = Environment::from_map(none.into_iter().chain(variables.iter().copied()));
        let mint = Mint::new(environment, Duration::from_secs(10), system_time);
        mint.endpoint(&Registry::parse(host).unwrap()).unwrap()
    }

    #[test]
    fn addresses_are_aws_s_own_unless_others_are_configured() {
        for (host, expected) in [
            ("000000000001.dkr.ecr.eu-west-1.amazonaws.com", "https://api.ecr.eu-west-1.amazonaws.com"),
            (
                "000000000001.dkr.ecr-fips.us-east-1.amazonaws.com",
                "https://api.ecr-fips.us-east-1.amazonaws.com",
            ),
            ("000000000001.dkr-ecr.eu-west-1.on.aws", "https://ecr.eu-west-1.api.aws"),
            (
                "000000000001.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "https://api.ecr.cn-north-1.amazonaws.com.cn",
            ),
            ("public.ecr.aws", "https://api.ecr-public.us-east-1.amazonaws.com"),
        ] {
            assert_eq!(address(host, &[]), expected);
        }
        let configured = "https://vpce-1.api.ecr.us-east-1.vpce.amazonaws.com";
        let variables = [("AWS_ENDPOINT_URL_ECR", configured)];
        assert_eq!(address("000000000001.dkr.ecr.us-east-1.amazonaws.com", &variables), configured);
    }

    #[test]
    fn endpoints_are_secure_or_on_this_machine() {
        for url in [
            "https://vpce-1.api.ecr.us-east-1.vpce.amazonaws.com",
            "http://127.0.0.1:4566",
            "http://[::1]:1/",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "nonsense",
            "127.0.0.1:4566",
            "ftp://127.0.0.1",
            "http://10.0.0.1",
            "http://[fe80::1]/",
            "https://",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
