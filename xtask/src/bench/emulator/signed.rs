//! Requests to Amazon ECR's API, signed by version 4 ("Create a signed AWS API request", IAM user guide).

use anyhow::Result;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::wire;
use crate::bench::emulated_aws::EmulatedAws;

const REGION: &str = "us-east-1";

/// The bytes of a call of `operation`, good for five minutes.
///
/// # Errors
/// Fails when the emulator has said no keys.
pub(super) fn call(
    aws: &EmulatedAws,
    operation: &str,
    body: &str,
    now: OffsetDateTime,
    keep_alive: bool,
) -> Result<Vec<u8>> {
    let address = aws.address()?.to_string();
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    let (time, id) = (time_of(now), aws.variable("AWS_ACCESS_KEY_ID")?);
    // In the order of their names, as the signature wants them.
    let signed = [
        ("content-type", "application/x-amz-json-1.1"),
        ("host", &address),
        ("x-amz-date", &time),
        ("x-amz-security-token", aws.variable("AWS_SESSION_TOKEN")?),
        ("x-amz-target", &target),
    ];
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names = signed.map(|(name, _)| name).join(";");
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", hash(body));
    let scope = format!("{}/{REGION}/ecr/aws4_request", &time[..8]);
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(&canonical));
    let secret = format!("AWS4{}", aws.variable("AWS_SECRET_ACCESS_KEY")?).into_bytes();
    let key = scope.split('/').try_fold(secret, |key, part| mac(&key, part))?;
    let signature = hex::encode(mac(&key, &text)?);
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
    let mut headers = signed.to_vec();
    headers.push(("authorization", &authorization));
    headers.push(("connection", if keep_alive { "keep-alive" } else { "close" }));
    Ok(wire::request("POST", "/", &headers, body))
}

/// `YYYYMMDDTHHMMSSZ`
fn time_of(now: OffsetDateTime) -> String {
    let (year, month, day) = now.to_calendar_date();
    let month = u8::from(month);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second())
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn mac(key: &[u8], message: &str) -> Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(message.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}
