//! One call: identity, region, endpoint, request, answer.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::os_shim_internal::Env;
use http::Uri;

use super::answer::{self, Answer, Asked, Fault};
use super::caller::{Found, features_of};
use super::connector::GuardedClient;
use super::endpoint::{self, Endpoint};
use super::failure::Failure;
use super::metadata;
use super::processes;
use super::progress::Progress;
use super::retries;
use super::roots::Bundle;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::identity::configured::words_of_token;
use crate::identity::selection::{IdentitySource, Selection, first_asked_for};
use crate::registry::{Partitions, Registry};
use crate::token::{Attempt, Token, TokenError};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the head of an answer may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The name by which AWS knows ecru in its logs.
const APPLICATION: &str = "ecru";

/// The variable with the whole address of a container's credentials endpoint.
const CONTAINER_ADDRESS: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// For which registry a token is wanted.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// This one.
    Registry(Registry),
    /// The private one of the principal itself, in this region, else in the one that is configured for it.
    Own { region: Option<String> },
}

/// A call to AWS, ready to be made.
#[derive(Debug)]
pub(super) struct Call {
    /// The environment that the selection leaves.
    pub(super) environment: Environment,
    pub(super) selection: Selection,
    pub(super) partitions: Partitions,
    pub(super) target: Target,
    pub(super) limit: Duration,
    pub(super) clock: Clock,
    pub(super) progress: Progress,
}

impl Call {
    /// Does some of the work of this call. Blocks for at most the limit, unless the system holds it up.
    pub(super) fn run<T>(&self, work: impl Future<Output = Result<T, TokenError>>) -> Result<T, TokenError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
                TokenError::Configuration { problem: format!("no runtime can be started: {error}") }
            })?;
        let outcome = runtime.block_on(self.within_limit(work));
        let outcome = match outcome {
            // The SDK leaves a process that hangs behind; nothing else is started here.
            Err(error) if error.ends_with_the_time() && processes::kill_those_of_this_thread() => {
                let profile = self.environment.get("AWS_PROFILE").unwrap_or("default").to_owned();
                Err(TokenError::ProcessTimedOut { profile, after: self.progress.elapsed() })
            }
            outcome => outcome,
        };
        // A name look-up that hangs would hold up the end of the runtime.
        runtime.shutdown_background();
        outcome
    }

    /// What `work` comes to within the limit.
    pub(super) async fn within_limit<T>(
        &self,
        work: impl Future<Output = Result<T, TokenError>>,
    ) -> Result<T, TokenError> {
        let outcome = tokio::time::timeout(self.limit, work).await;
        outcome.unwrap_or_else(|_| Err(self.progress.timed_out()))
    }

    /// Gets a token.
    pub(super) async fn token(&self) -> Result<Token, TokenError> {
        self.token_with(&self.sdk_config().await).await
    }

    /// Gets a token with this configuration.
    pub(super) async fn token_with(&self, sdk: &SdkConfig) -> Result<Token, TokenError> {
        let credentials = self.patiently(async || self.credentials(sdk).await).await?.credentials;
        self.patiently(async || self.token_for(sdk, credentials.clone()).await).await
    }

    /// The region that is configured for the principal. Metadata may be asked for it, and AWS is not.
    pub(super) async fn region(&self) -> Result<Option<String>, TokenError> {
        Ok(self.sdk_config().await.region().map(ToString::to_string))
    }

    async fn token_for(&self, sdk: &SdkConfig, credentials: Credentials) -> Result<Token, TokenError> {
        match &self.target {
            Target::Registry(registry) if registry.is_public() => {
                self.public_token(sdk, credentials, registry).await
            }
            Target::Registry(registry) => self.private_token(sdk, credentials, Some(registry)).await,
            Target::Own { .. } => self.private_token(sdk, credentials, None).await,
        }
    }

    /// The address at which the token is asked for. Nobody is asked for it.
    pub(super) async fn endpoint(&self) -> Result<String, TokenError> {
        let sdk = self.sdk_config().await;
        match &self.target {
            Target::Registry(registry) => endpoint::address(&sdk, registry).await,
            Target::Own { .. } => {
                Err(TokenError::Configuration { problem: "no registry is named".to_owned() })
            }
        }
    }

    /// The SDK's configuration. The region is that of the registry, so that none is looked for, and so that sessions
    /// come from the STS endpoint of the region in which they are used: those of another one are not accepted in
    /// regions that an account must enable first.
    pub(super) async fn sdk_config(&self) -> SdkConfig {
        let bundle = Bundle::of(&self.environment, &self.sdk_environment()).await;
        let client = GuardedClient::new(&self.environment, bundle, self.progress.clone());
        self.sdk_config_with(client).await
    }

    /// The environment as the SDK is given it.
    pub(super) fn sdk_environment(&self) -> Env {
        let mut variables: HashMap<String, String> =
            self.environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(address) = variables.get_mut(CONTAINER_ADDRESS)
            && lacks_scheme(address)
        {
            address.insert_str(0, "//");
        }
        // The SDK would look for the endpoints of a partition that it does not know in the commercial one.
        if let Target::Registry(registry) = &self.target
            && let Some(partition) = registry.partition().added()
            && !variables.contains_key("AWS_ENDPOINT_URL")
        {
            let sts = format!("https://sts.{}.{}", registry.region(), partition.api_suffix);
            variables.entry("AWS_ENDPOINT_URL_STS".to_owned()).or_insert(sts);
        }
        Env::from(variables)
    }

    /// The SDK's configuration with this HTTP client.
    pub(super) async fn sdk_config_with(&self, client: GuardedClient) -> SdkConfig {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let environment = self.sdk_environment();
        let retries = retries::of(&environment).await;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .env(environment)
            .http_client(client)
            .timeout_config(timeouts)
            .retry_config(retries)
            .identity_cache(IdentityCache::no_cache());
        if let Target::Registry(registry) = &self.target {
            loader = loader.region(Region::new(registry.region().to_owned()));
        }
        if let Target::Own { region: Some(region) } = &self.target {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Ok(name) = AppName::new(APPLICATION) {
            loader = loader.app_name(name);
        }
        loader.load().await
    }

    /// The credentials that the selection means.
    pub(super) async fn credentials(&self, sdk: &SdkConfig) -> Result<Found, TokenError> {
        let (mut credentials, source, from, roles) =
            match (self.selection.token_variable(), self.selection.roles()) {
                (Some(variable), [first, others @ ..]) => {
                    let credentials = self.web_identity_of_variable(sdk, variable, first).await?;
                    (credentials, words_of_token(variable), None, others)
                }
                (_, roles) => {
                    let credentials = self.first_credentials(sdk).await?;
                    let (source, from) =
                        (self.source_of(&credentials), IdentitySource::of(features_of(&credentials)));
                    (credentials, source, from, roles)
                }
            };
        tracing::info!(%source, "credentials were found");
        check_sendable(&credentials)?;
        for role in roles {
            tracing::info!(role = %role.arn, "the role is assumed");
            credentials = self.assume(sdk, credentials, role).await?;
            check_sendable(&credentials)?;
        }
        Ok(Found { credentials, source, from })
    }

    /// The credentials that the SDK's chain finds, unless a web identity comes first, which it would ask after profiles.
    async fn first_credentials(&self, sdk: &SdkConfig) -> Result<Credentials, TokenError> {
        if first_asked_for(&self.environment) == Some(IdentitySource::WebIdentity) {
            return self.web_identity_of_file(sdk).await;
        }
        let Some(provider) = sdk.credentials_provider() else {
            return Err(TokenError::NoIdentity { only: None, attempts: Vec::new() });
        };
        self.progress.wait_for("the source of the AWS identity");
        let failure = || self.failure(None).after(self.before_metadata());
        let found = metadata::within_total(&self.progress, provider.provide_credentials()).await;
        let found = found.ok_or_else(|| self.within(failure().of_late_metadata()))?;
        let credentials = found.map_err(|error| self.within(failure().of_identity(&error)))?;
        match self.selection.source() {
            Some(source) if !source.has_given(features_of(&credentials)) => {
                let profile = self.environment.get("AWS_PROFILE").unwrap_or("default");
                let cause =
                    format!("the profile `{profile}` has no credentials, and no other source may be used");
                Err(TokenError::BrokenIdentity { cause })
            }
            _ => Ok(credentials),
        }
    }

    /// The sources of the SDK's chain that were asked before the instance's metadata service, by the SDK's names.
    fn before_metadata(&self) -> Vec<Attempt> {
        let tried = self.selection.tried_before(IdentitySource::Instance, &self.environment).into_iter();
        let attempt =
            |(source, reason)| Attempt { source: sdk_name(source).to_owned(), reason, timed_out: false };
        tried.map(attempt).collect()
    }

    /// The failure without the sources that the selection does not let be used.
    fn within(&self, error: TokenError) -> TokenError {
        match (error, self.selection.sole_source(&self.environment)) {
            (TokenError::NoIdentity { mut attempts, .. }, Some(only)) => {
                attempts.retain(|attempt| only.is(&attempt.source));
                TokenError::NoIdentity { only: Some(only), attempts }
            }
            (error, _) => error,
        }
    }

    pub(super) fn failure(&self, credentials: Option<&Credentials>) -> Failure {
        Failure::new(&self.environment, credentials, self.progress.clone())
    }

    async fn private_token(
        &self,
        sdk: &SdkConfig,
        credentials: Credentials,
        registry: Option<&Registry>,
    ) -> Result<Token, TokenError> {
        let region = region(sdk)?;
        let failure = self.failure(Some(&credentials));
        let endpoint = Endpoint::of("ECR", sdk, registry)?;
        let mut config = aws_sdk_ecr::config::Builder::from(sdk)
            .credentials_provider(credentials)
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack);
        config.set_endpoint_url(endpoint.url);
        let client = aws_sdk_ecr::Client::from_conf(config.build());
        let answer =
            client.get_authorization_token().send().await.map_err(|error| failure.of_call(&error))?;
        let [data] = answer.authorization_data() else {
            return Err(failure.of_answer(&Fault::Malformed("it does not hold exactly one token")));
        };
        let answer = Answer {
            authorization_token: data.authorization_token(),
            expires_at: data.expires_at(),
            proxy_endpoint: data.proxy_endpoint(),
        };
        let asked = Asked {
            region: Some(region.as_ref()),
            partition: registry.map(|registry| registry.partition().clone()),
        };
        let checked = answer::check(&answer, &asked, &self.partitions, (self.clock)());
        checked.map_err(|fault| failure.of_answer(&fault))
    }

    async fn public_token(
        &self,
        sdk: &SdkConfig,
        credentials: Credentials,
        registry: &Registry,
    ) -> Result<Token, TokenError> {
        let failure = self.failure(Some(&credentials));
        let endpoint = Endpoint::of("ECR PUBLIC", sdk, Some(registry))?;
        let mut config = aws_sdk_ecrpublic::config::Builder::from(sdk)
            .credentials_provider(credentials)
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack);
        config.set_endpoint_url(endpoint.url);
        let client = aws_sdk_ecrpublic::Client::from_conf(config.build());
        let answer =
            client.get_authorization_token().send().await.map_err(|error| failure.of_call(&error))?;
        let Some(data) = answer.authorization_data() else {
            return Err(failure.of_answer(&Fault::Malformed("it holds no token")));
        };
        let answer = Answer {
            authorization_token: data.authorization_token(),
            expires_at: data.expires_at(),
            proxy_endpoint: None,
        };
        let asked = Asked { region: None, partition: None };
        answer::check(&answer, &asked, &self.partitions, (self.clock)())
            .map_err(|fault| failure.of_answer(&fault))
    }
}

/// Makes sure that credentials can stand in the headers of a request. aws-runtime panics where they cannot (`auth.rs`).
fn check_sendable(credentials: &Credentials) -> Result<(), TokenError> {
    let is_sendable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let what = match credentials.session_token() {
        _ if !is_sendable(credentials.access_key_id()) => "access key ID",
        Some(token) if !is_sendable(token) => "session token",
        _ => return Ok(()),
    };
    Err(TokenError::BrokenIdentity { cause: format!("its {what} cannot be one") })
}

/// What aws-config's `default_provider::credentials` calls a source.
fn sdk_name(source: IdentitySource) -> &'static str {
    match source {
        IdentitySource::Environment => "Environment",
        IdentitySource::Profile => "Profile",
        IdentitySource::WebIdentity => "WebIdentityToken",
        IdentitySource::Container => "EcsContainer",
        IdentitySource::Instance => "Ec2InstanceMetadata",
    }
}

fn region(sdk: &SdkConfig) -> Result<&Region, TokenError> {
    sdk.region().ok_or_else(no_region)
}

/// The error where there is none.
pub(super) fn no_region() -> TokenError {
    let problem = "no AWS region is configured, by AWS_REGION, by the profile or by the instance";
    TokenError::Configuration { problem: problem.to_owned() }
}

/// Whether an address is a host without a scheme before it. aws-config panics there (`ecs.rs`), and says of one that
/// starts with slashes that it names no host.
fn lacks_scheme(address: &str) -> bool {
    address.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_none() && uri.authority().is_some())
}
