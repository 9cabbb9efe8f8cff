//! Who signed a request, by its Signature Version 4 `Authorization` header.
//!
//! This is the one place where API callers are authenticated: it verifies the credential scope, the time, the
//! session token and the signature, in this order ("Signature Version 4 for API requests", IAM user guide). Only
//! header signatures count; none of the emulated APIs is called by presigned URLs.

mod authorization;
mod canonical;
mod signing;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, DATE};
use axum::http::request::Parts;
use secrecy::ExposeSecret as _;
use time::{Duration, OffsetDateTime};

use crate::accounts::Region;
use crate::principals::{KeyRefusal, Principal, Principals};
use crate::requests::note_principal;
use authorization::{Authorization, TERMINATOR};

/// How far the client's clock may be off, in both directions ("Troubleshoot Signature Version 4", IAM user guide).
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// The caller of an API, and the region that the call is for.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) region: Region,
}

/// Why a request counts as nobody's, in AWS's words. Each protocol has its own codes for these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("Request is missing Authentication Token")]
    Missing,
    #[error("Authorization header requires '{0}' parameter.")]
    Incomplete(&'static str),
    #[error("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")]
    NoDate,
    #[error("Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601")]
    MalformedDate(String),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is expired")]
    Expired,
    #[error("Credential should be scoped to correct service: '{0}'.")]
    WrongService(&'static str),
    #[error("Credential should be scoped to a valid region.")]
    WrongRegion,
    #[error("Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{0}'.")]
    WrongTerminator(String),
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '{scope}' != '{signed_day}', from '{signed}'."
    )]
    WrongDay { scope: String, signed_day: String, signed: String },
    #[error("Signature expired: {signed} is now earlier than {limit} ({now} - 5 min.)")]
    TooOld { signed: String, limit: String, now: String },
    #[error("Signature not yet current: {signed} is still later than {limit} ({now} + 5 min.)")]
    TooNew { signed: String, limit: String, now: String },
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    NotSigned(String),
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

/// The caller of `service`. A region that the request's host names must be the one that it was signed for.
pub(crate) fn authenticate(
    request: &Parts,
    body: &[u8],
    service: &'static str,
    region_of_host: Option<&Region>,
    principals: &Principals,
    now: OffsetDateTime,
) -> Result<Caller, SignatureError> {
    let header = request.headers.get(AUTHORIZATION).ok_or(SignatureError::Missing)?;
    let authorization = Authorization::parse(header.to_str().unwrap_or_default())?;
    let signed_at = signed_at(&request.headers)?;
    check_clocks(signed_at, now)?;
    let region = check_scope(&authorization, signed_at, service, region_of_host)?;
    check_signed_headers(&authorization, &request.headers)?;

    let session_token =
        request.headers.get("x-amz-security-token").map(|token| token.to_str().unwrap_or_default());
    let holder = principals.holder_of(authorization.access_key_id, session_token, now).map_err(
        |refusal| match refusal {
            KeyRefusal::Unknown => SignatureError::UnknownKey,
            KeyRefusal::Expired => SignatureError::Expired,
        },
    )?;
    let canonical = canonical::request(request, &authorization.signed_headers(), body);
    let text = signing::string_to_sign(signed_at, &authorization.scope(), &canonical);
    let secret = holder.secret_access_key.expose_secret();
    if !signing::is_signature_of(&text, &authorization, secret) {
        return Err(SignatureError::Mismatch);
    }
    note_principal(&request.extensions, &holder.principal.arn);
    Ok(Caller { principal: holder.principal, region })
}

/// When the client says that it signed. Every SDK sends `X-Amz-Date`.
fn signed_at(headers: &HeaderMap) -> Result<OffsetDateTime, SignatureError> {
    let value = headers.get("x-amz-date").or_else(|| headers.get(DATE)).ok_or(SignatureError::NoDate)?;
    let text = value.to_str().unwrap_or_default();
    signing::parse_basic(text).ok_or_else(|| SignatureError::MalformedDate(text.into()))
}

fn check_clocks(signed_at: OffsetDateTime, now: OffsetDateTime) -> Result<(), SignatureError> {
    let (oldest, newest) = (now - CLOCK_TOLERANCE, now + CLOCK_TOLERANCE);
    let (signed, now) = (signing::basic(signed_at), signing::basic(now));
    if signed_at < oldest {
        return Err(SignatureError::TooOld { signed, limit: signing::basic(oldest), now });
    }
    if signed_at > newest {
        return Err(SignatureError::TooNew { signed, limit: signing::basic(newest), now });
    }
    Ok(())
}

fn check_scope(
    authorization: &Authorization,
    signed_at: OffsetDateTime,
    service: &'static str,
    region_of_host: Option<&Region>,
) -> Result<Region, SignatureError> {
    if authorization.terminator != TERMINATOR {
        return Err(SignatureError::WrongTerminator(authorization.terminator.into()));
    }
    let signed = signing::basic(signed_at);
    let signed_day = signing::day(&signed);
    if authorization.day != signed_day {
        let (scope, signed_day) = (authorization.day.into(), signed_day.into());
        return Err(SignatureError::WrongDay { scope, signed_day, signed });
    }
    if authorization.service != service {
        return Err(SignatureError::WrongService(service));
    }
    let region: Region = authorization.region.parse().map_err(|_| SignatureError::WrongRegion)?;
    if region_of_host.is_some_and(|of_host| *of_host != region) {
        return Err(SignatureError::WrongRegion);
    }
    Ok(region)
}

/// `host` and everything that starts with `x-amz-` must be signed ("Elements of an AWS API request signature", IAM
/// user guide); a header that is not could be altered on the way.
fn check_signed_headers(authorization: &Authorization, headers: &HeaderMap) -> Result<(), SignatureError> {
    let is_signed = |name: &str| authorization.signed_headers().contains(&name);
    if !is_signed("host") {
        return Err(SignatureError::NotSigned("Host' or ':authority".into()));
    }
    let must_be =
        headers.keys().map(axum::http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    must_be
        .filter(|name| !is_signed(name))
        .map(|name| Err(SignatureError::NotSigned(name.into())))
        .next()
        .unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests;
