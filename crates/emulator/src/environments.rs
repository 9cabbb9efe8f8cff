//! The environment variables by which AWS clients get an identity, for each way in which they can.
//!
//! Each is to be added to [`Emulator::environment`], which says where the APIs are.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;

use crate::accounts::AccountId;
use crate::container_credentials::{ECS_PATH, EKS_PATH};
use crate::emulator::Emulator;
use crate::oidc::{GitLabClaims, GitLabError};

/// Names and values; some of the values are secret.
type Variables = Vec<(String, String)>;

fn variables<const N: usize>(pairs: [(&str, String); N]) -> Variables {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

impl Emulator {
    /// The keys of an account's user, if the account is one of those that the emulator was started with.
    pub fn keys_environment(&self, account: AccountId) -> Option<Vec<(String, String)>> {
        let keys = self.user_keys(account)?;
        Some(variables([
            ("AWS_ACCESS_KEY_ID", keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.expose_secret().to_owned()),
        ]))
    }

    /// What the agent of Amazon ECS gives a container, with the token as a value.
    pub fn ecs_environment(&self) -> Vec<(String, String)> {
        let token = self.cloud.containers.task_token.expose_secret().to_owned();
        self.ecs_variables(("AWS_CONTAINER_AUTHORIZATION_TOKEN", token))
    }

    /// The same with the token in a file, which is written to the state folder.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn ecs_file_environment(&self) -> io::Result<Vec<(String, String)>> {
        let file = self.token_file("ecs-authorization-token", &self.cloud.containers.task_token)?;
        Ok(self.ecs_variables(("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path_text(&file))))
    }

    fn ecs_variables(&self, token: (&str, String)) -> Variables {
        let url = format!("http://{}{ECS_PATH}{}", self.addresses.main, self.cloud.containers.task_id);
        variables([("AWS_CONTAINER_CREDENTIALS_FULL_URI", url), token])
    }

    /// What EKS Pod Identity gives a container. The token's file is written to the state folder.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn eks_environment(&self) -> io::Result<Vec<(String, String)>> {
        let file = self.token_file("eks-pod-identity-token", &self.cloud.containers.pod_token)?;
        Ok(variables([
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}{EKS_PATH}", self.addresses.main)),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path_text(&file)),
        ]))
    }

    /// What assumes `role_arn` by a token of the emulated GitLab. The token's file is written to the state folder,
    /// in the place of an earlier one for the same job.
    ///
    /// # Errors
    /// Fails when there is no token, or its file cannot be written.
    pub fn web_identity_environment(
        &self,
        role_arn: &str,
        claims: &GitLabClaims,
    ) -> Result<Vec<(String, String)>, GitLabError> {
        let token = self.gitlab_id_token(claims)?;
        let name = format!("gitlab-id-token-{}", claims.job_id);
        let file = self.token_file(&name, &token).map_err(|source| {
            let path = self.folder.path().join(&name);
            GitLabError::Write { path, source }
        })?;
        Ok(variables([
            ("AWS_ROLE_ARN", role_arn.to_owned()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path_text(&file)),
            ("AWS_ROLE_SESSION_NAME", format!("gitlab-job-{}", claims.job_id)),
        ]))
    }

    /// A token as a job of the emulated GitLab finds it in its environment. The first one that is signed by RSA waits
    /// for the key to be made, which takes part of a second.
    ///
    /// # Errors
    /// Fails when the key cannot be made.
    pub fn gitlab_id_token(&self, claims: &GitLabClaims) -> Result<SecretString, GitLabError> {
        self.cloud.providers.gitlab.id_token(claims, self.cloud.now())
    }

    /// The claim `iss` of the emulated GitLab's tokens.
    pub fn gitlab_issuer(&self) -> &str {
        self.cloud.providers.gitlab.issuer()
    }

    /// Writes a token where only its owner can read it, and without a newline, which SDKs refuse in a header.
    fn token_file(&self, name: &str, token: &SecretString) -> io::Result<PathBuf> {
        let path = std::path::absolute(self.folder.path().join(name))?;
        let mut file = NamedTempFile::new_in(self.folder.path())?;
        file.write_all(token.expose_secret().as_bytes())?;
        file.persist(&path)?;
        Ok(path)
    }
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}
