//! Assuming roles by STS: those that a selection names, one from the other, and that of a web identity.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_sdk_sts::types::Credentials as Session;
use secrecy::{ExposeSecret, SecretString};

use super::answer::Fault;
use super::call::Call;
use super::endpoint::Endpoint;
use crate::identity::MAX_FILE_BYTES;
use crate::identity::selection::{Role, SESSION_NAME};
use crate::token::{NO_TOKEN, TokenError};

/// The name under which the SDK knows credentials of these sessions.
const PROVIDER: &str = "ecru";

/// The variable that names the file with the token of a web identity.
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

impl Call {
    /// The session of the first role, for the token in the variable that the selection names.
    pub(super) async fn web_identity_of_variable(
        &self,
        sdk: &SdkConfig,
        variable: &str,
        role: &Role,
    ) -> Result<Credentials, TokenError> {
        let Some(token) = self.environment.named_secret(variable) else {
            let cause = format!("{variable}, {NO_TOKEN}");
            return Err(TokenError::BrokenIdentity { cause });
        };
        self.web_identity(sdk, token, role).await
    }

    /// The session of the role in the variables, for the token in the file that they name.
    pub(super) async fn web_identity_of_file(&self, sdk: &SdkConfig) -> Result<Credentials, TokenError> {
        let text = |name| self.environment.get(name).map(str::to_owned);
        let path = self.environment.path(TOKEN_FILE).unwrap_or_default();
        let token = token_in(&path).map_err(|error| TokenError::BrokenIdentity {
            cause: format!("`{}`, which {TOKEN_FILE} names, cannot be read: {error}", path.display()),
        })?;
        let role = Role {
            arn: text("AWS_ROLE_ARN").unwrap_or_default(),
            external_id: None,
            session_name: text("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION_NAME.to_owned()),
        };
        let mut credentials = self.web_identity(sdk, token, &role).await?;
        let features = credentials.get_property_mut_or_default::<Vec<Feature>>();
        features.push(Feature::CredentialsEnvVarsStsWebIdToken);
        Ok(credentials)
    }

    async fn web_identity(
        &self,
        sdk: &SdkConfig,
        token: SecretString,
        role: &Role,
    ) -> Result<Credentials, TokenError> {
        let failure = self.failure(None).with_secret(token.clone()).of("AssumeRoleWithWebIdentity");
        let client = self.sts(sdk, None)?;
        let request = client
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(&role.session_name)
            .web_identity_token(token.expose_secret());
        let answer = request.send().await.map_err(|error| failure.of_call(&error))?;
        session(answer.credentials())
            .ok_or_else(|| failure.of_answer(&Fault::Malformed("it holds no credentials")))
    }

    /// The session of a role, with `credentials`.
    pub(super) async fn assume(
        &self,
        sdk: &SdkConfig,
        credentials: Credentials,
        role: &Role,
    ) -> Result<Credentials, TokenError> {
        let failure = self.failure(Some(&credentials)).of("AssumeRole");
        let client = self.sts(sdk, Some(credentials))?;
        let request = client
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone());
        let answer = request.send().await.map_err(|error| failure.of_call(&error))?;
        session(answer.credentials())
            .ok_or_else(|| failure.of_answer(&Fault::Malformed("it holds no credentials")))
    }

    /// STS, asked with `credentials` if there are any.
    pub(super) fn sts(
        &self,
        sdk: &SdkConfig,
        credentials: Option<Credentials>,
    ) -> Result<aws_sdk_sts::Client, TokenError> {
        let endpoint = Endpoint::of("STS", sdk, None)?;
        let mut config = aws_sdk_sts::config::Builder::from(sdk)
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack);
        if let Some(credentials) = credentials {
            config = config.credentials_provider(credentials);
        }
        config.set_endpoint_url(endpoint.url);
        Ok(aws_sdk_sts::Client::from_conf(config.build()))
    }
}

/// The token in a file, which may be a pipe.
fn token_in(path: &Path) -> io::Result<SecretString> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES as u64).read_to_string(&mut text)?;
    Ok(text.trim().into())
}

fn session(session: Option<&Session>) -> Option<Credentials> {
    let session = session?;
    let expires_at = (*session.expiration()).try_into().ok();
    Some(Credentials::new(
        session.access_key_id(),
        session.secret_access_key(),
        Some(session.session_token().to_owned()),
        expires_at,
        PROVIDER,
    ))
}
