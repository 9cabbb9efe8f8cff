//! Signature Version 4 written a second time, for the tests: the emulator's own is what they test.

use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderMap;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// Keys, and what they sign for.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) time: SystemTime,
}

impl Signer {
    /// `X-Amz-Date`.
    pub(crate) fn date(&self) -> String {
        let time = OffsetDateTime::from(self.time);
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        format!("{year}{month:02}{day:02}T{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second())
    }

    /// The `Authorization` header of a POST of `body` to `/` with all of these headers signed.
    pub(crate) fn authorization(&self, headers: &HeaderMap, body: &[u8]) -> String {
        let mut names: Vec<&str> = headers.keys().map(hyper::header::HeaderName::as_str).collect();
        names.sort_unstable();
        let value = |name: &&str| headers[*name].to_str().expect("a text header").to_owned();
        let lines: String = names.iter().map(|name| format!("{name}:{}\n", value(name))).collect();
        let signed = names.join(";");
        let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", hex::encode(Sha256::digest(body)));
        let (date, hash) = (self.date(), hex::encode(Sha256::digest(canonical)));
        let scope = format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let first = format!("AWS4{}", self.secret_access_key).into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        let signature = hex::encode(mac(&key, &text));
        let id = &self.access_key_id;
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}")
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
