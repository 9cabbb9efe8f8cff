//! The emulated registry as a client that moves blobs sees it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde_json::Value;
use time::OffsetDateTime;

use super::signed;
use super::wire::{self, Answer};
use crate::bench::emulated_aws::EmulatedAws;

const REPOSITORY: &str = "bench/app";

/// A repository, and a password for it.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) address: SocketAddr,
    authorization: String,
}

impl Registry {
    /// Creates the repository and gets the password.
    ///
    /// # Errors
    /// Fails when the emulator refuses one of them.
    pub(super) fn of(aws: &EmulatedAws) -> Result<Self> {
        let address = aws.address()?;
        let call = |operation: &str, body: &str| -> Result<Value> {
            let request = signed::call(aws, operation, body, OffsetDateTime::now_utc(), false)?;
            let answer = Answer::to(&request, address)?.expect(200).context(operation.to_owned())?;
            Ok(serde_json::from_str(&answer.body)?)
        };
        call("CreateRepository", &format!(r#"{{"repositoryName":"{REPOSITORY}"}}"#))?;
        let answer = call("GetAuthorizationToken", "{}")?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        Ok(Self { address, authorization: format!("Basic {}", token.context("no token")?) })
    }

    /// The head of a PUT that brings a blob of `length` bytes in one piece, as the specification's "single POST then
    /// PUT" has it (OCI distribution specification 1.1).
    ///
    /// # Errors
    /// Fails when the upload is refused.
    pub(super) fn upload(&self, digest: &str, length: u64) -> Result<Vec<u8>> {
        let started = self.ask("POST", &format!("/v2/{REPOSITORY}/blobs/uploads/"))?.expect(202)?;
        let target = format!("{}?digest={digest}", started.header("location")?);
        Ok(wire::head("PUT", &target, &self.headers("keep-alive"), length))
    }

    /// Where a blob is downloaded, and the request for it.
    ///
    /// # Errors
    /// Fails when the registry does not redirect to an address of this machine.
    pub(super) fn download(&self, digest: &str) -> Result<(SocketAddr, Vec<u8>)> {
        let redirect = self.ask("GET", &format!("/v2/{REPOSITORY}/blobs/{digest}"))?.expect(307)?;
        let link = redirect.header("location")?;
        let (address, path) = link
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .context("no address in the link")?;
        let request = wire::request("GET", &format!("/{path}"), &[("host", address)], "");
        Ok((address.parse()?, request))
    }

    fn ask(&self, method: &str, target: &str) -> Result<Answer> {
        Answer::to(&wire::request(method, target, &self.headers("close"), ""), self.address)
    }

    fn headers<'a>(&'a self, connection: &'a str) -> [(&'a str, &'a str); 3] {
        [("host", "localhost"), ("authorization", &self.authorization), ("connection", connection)]
    }
}
