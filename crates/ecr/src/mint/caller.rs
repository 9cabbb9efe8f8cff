//! Who AWS takes this process for.

use std::time::SystemTime;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;

use super::answer::Fault;
use super::call::Call;
use crate::identity::selection::IdentitySource;
use crate::token::TokenError;

/// Where STS is asked if no region is known: it answers there whatever the principal's own regions are.
const REGION: &str = "us-east-1";

/// A principal of AWS, as AWS names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The principal.
    pub arn: String,
    /// Its account.
    pub account: String,
    /// Where its credentials come from, in words.
    pub source: String,
    /// The source of the SDK's chain that they come from; `None` for an OIDC token in a variable.
    pub from: Option<IdentitySource>,
    /// The roles that were assumed with them, one from the other.
    pub roles: Vec<String>,
    /// When the credentials expire, if they do.
    pub expires_at: Option<SystemTime>,
}

/// Credentials, and where the first ones came from.
pub(super) struct Found {
    pub(super) credentials: Credentials,
    pub(super) source: String,
    pub(super) from: Option<IdentitySource>,
}

impl Call {
    /// Asks STS who this is. Every principal may ask that
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
    pub(super) async fn caller(&self) -> Result<Caller, TokenError> {
        let sdk = with_region(self.sdk_config().await);
        let Found { credentials, source, from } = self.credentials(&sdk).await?;
        let expires_at = credentials.expiry();
        let failure = self.failure(Some(&credentials)).of("GetCallerIdentity");
        let client = self.sts(&sdk, Some(credentials))?;
        let answer = client.get_caller_identity().send().await.map_err(|error| failure.of_call(&error))?;
        let (Some(arn), Some(account)) = (answer.arn(), answer.account()) else {
            return Err(failure.of_answer(&Fault::Malformed("it names no principal")));
        };
        let roles = self.selection.roles().iter().map(|role| role.arn.clone()).collect();
        let (arn, account) = (failure.clean(arn), failure.clean(account));
        Ok(Caller { arn, account, source, from, roles, expires_at })
    }

    /// Where `credentials` that the SDK's chain has found come from.
    pub(super) fn source_of(&self, credentials: &Credentials) -> String {
        let features = features_of(credentials);
        let profile = self.environment.get("AWS_PROFILE").unwrap_or("default");
        match features.iter().find_map(place) {
            Some(Place::Profile(part)) => format!("{part} {} `{profile}`", IdentitySource::Profile.words()),
            Some(Place::Elsewhere(source)) => source.words().to_owned(),
            None => "the AWS SDK".to_owned(),
        }
    }
}

/// What the SDK has noted of the way to `credentials`.
pub(super) fn features_of(credentials: &Credentials) -> &[Feature] {
    credentials.get_property::<Vec<Feature>>().map_or(&[][..], Vec::as_slice)
}

/// A place that credentials come from.
enum Place {
    /// Something of a profile.
    Profile(&'static str),
    /// Something else.
    Elsewhere(IdentitySource),
}

/// The place that a feature stands for, as the SDK calls it.
fn place(feature: &Feature) -> Option<Place> {
    Some(match feature {
        Feature::CredentialsProfileSso => Place::Profile("the login of"),
        Feature::CredentialsProfileProcess => Place::Profile("the process of"),
        Feature::CredentialsProfileStsWebIdToken => Place::Profile("the web identity token of"),
        Feature::CredentialsProfileNamedProvider => Place::Profile("the source that is named by"),
        Feature::CredentialsProfileSourceProfile => Place::Profile("the source profile of"),
        Feature::CredentialsProfile => Place::Profile("the access key of"),
        Feature::CredentialsEnvVars => Place::Elsewhere(IdentitySource::Environment),
        Feature::CredentialsEnvVarsStsWebIdToken => Place::Elsewhere(IdentitySource::WebIdentity),
        Feature::CredentialsHttp => Place::Elsewhere(IdentitySource::Container),
        Feature::CredentialsImds => Place::Elsewhere(IdentitySource::Instance),
        _ => return None,
    })
}

fn with_region(sdk: SdkConfig) -> SdkConfig {
    match sdk.region() {
        Some(_) => sdk,
        None => sdk.to_builder().region(Region::new(REGION)).build(),
    }
}
