//! The `Authorization` header, taken apart.

use super::SignatureError;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What every credential scope ends with.
pub(super) const TERMINATOR: &str = "aws4_request";

/// What `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…` says; the credential is
/// `<access key id>/<day>/<region>/<service>/aws4_request`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    /// `YYYYMMDD`.
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) terminator: &'a str,
    /// Lower-case names, joined by semicolons.
    signed_headers: &'a str,
    /// Hexadecimal.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let parameters = header.strip_prefix(ALGORITHM).ok_or(SignatureError::Missing)?;
        let parameter = |name: &'static str| {
            parameters
                .split(',')
                .filter_map(|pair| pair.trim().split_once('='))
                .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
                .ok_or(SignatureError::Incomplete(name))
        };
        let (credential, signed_headers) = (parameter("Credential")?, parameter("SignedHeaders")?);
        let signature = parameter("Signature")?;
        let parts: Vec<&str> = credential.split('/').collect();
        let &[access_key_id, day, region, service, terminator] = parts.as_slice() else {
            return Err(SignatureError::Incomplete("Credential"));
        };
        Ok(Self { access_key_id, day, region, service, terminator, signed_headers, signature })
    }

    pub(super) fn signed_headers(&self) -> Vec<&'a str> {
        self.signed_headers.split(';').collect()
    }

    /// What the signature is good for: `<day>/<region>/<service>/aws4_request`.
    pub(super) fn scope(&self) -> String {
        [self.day, self.region, self.service, self.terminator].join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_parameters_may_come_in_any_order() {
        let text = "AWS4-HMAC-SHA256 Signature=00,SignedHeaders=host;x-amz-date,  \
                    Credential=AKID/20150830/us-east-1/ecr/aws4_request";
        let parsed = Authorization::parse(text).unwrap();
        assert_eq!(parsed.signed_headers(), ["host", "x-amz-date"]);
        assert_eq!(parsed.scope(), "20150830/us-east-1/ecr/aws4_request");
        assert_eq!((parsed.access_key_id, parsed.signature), ("AKID", "00"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let refusal = |text: &str| Authorization::parse(text).unwrap_err();
        assert_eq!(refusal("Basic QVdTOg=="), SignatureError::Missing);
        assert_eq!(refusal(ALGORITHM), SignatureError::Incomplete("Credential"));
        let credential = "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request";
        assert_eq!(refusal(credential), SignatureError::Incomplete("SignedHeaders"));
        let unsigned = format!("{credential}, SignedHeaders=host, Signature=");
        assert_eq!(refusal(&unsigned), SignatureError::Incomplete("Signature"));
        for credential in ["a/b", "a/b/c/d/e/f"] {
            let text = format!("{ALGORITHM} Credential={credential}, SignedHeaders=host, Signature=00");
            assert_eq!(refusal(&text), SignatureError::Incomplete("Credential"));
        }
    }

    proptest! {
        #[test]
        fn any_header_is_an_authorization_or_an_error(text in ".*", credential in "[A-Z0-9/a-z=_-]*") {
            let _ = Authorization::parse(&text);
            let _ = Authorization::parse(&format!("{ALGORITHM} Credential={credential}, SignedHeaders=;, Signature=0"));
        }
    }
}
