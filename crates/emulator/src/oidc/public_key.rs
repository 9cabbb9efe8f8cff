//! Keys that tokens are verified with, in the form in which issuers publish them: JSON Web Key Sets (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// Far more than a set of many keys takes.
const MAX_KEY_SET: usize = 256 * 1024;

/// An algorithm of signatures, of those that STS takes and *ring* has (RFC 7518, section 3.1). STS takes ES512 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
}

impl Algorithm {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            _ => return None,
        })
    }
}

/// One key of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    id: Option<String>,
    /// The only algorithm that it is for, if it says one.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256 { point: Vec<u8> },
    P384 { point: Vec<u8> },
}

impl PublicKey {
    /// Whether a token that names `id`, or no key, may be signed with it.
    pub(super) fn is_called(&self, id: Option<&str>) -> bool {
        id.is_none() || id == self.id.as_deref()
    }

    pub(super) fn verifies(
        &self,
        name: &str,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        if self.algorithm.as_deref().is_some_and(|own| own != name) {
            return false;
        }
        let by_rsa = |parameters: &RsaParameters| match &self.material {
            Material::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(parameters, message, signature)
                .is_ok(),
            _ => false,
        };
        let by_point = |algorithm: &'static dyn VerificationAlgorithm, point: &Vec<u8>| {
            UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
        };
        match (algorithm, &self.material) {
            (Algorithm::Rs256, _) => by_rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            (Algorithm::Rs384, _) => by_rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            (Algorithm::Rs512, _) => by_rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            (Algorithm::Es256, Material::P256 { point }) => by_point(&ECDSA_P256_SHA256_FIXED, point),
            (Algorithm::Es384, Material::P384 { point }) => by_point(&ECDSA_P384_SHA384_FIXED, point),
            (Algorithm::Es256 | Algorithm::Es384, _) => false,
        }
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// The members that matter; an issuer may publish keys of other kinds and for other uses beside them.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn understood(self) -> Option<PublicKey> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| BASE64.decode(text.as_deref()?).ok();
        let point = |length: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            // Uncompressed, as section 2.3.3 of SEC 1 writes it.
            ((x.len(), y.len()) == (length, length)).then(|| [vec![4], x, y].concat())
        };
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                modulus: without_leading_zeros(bytes(&self.n)?),
                exponent: without_leading_zeros(bytes(&self.e)?),
            },
            ("EC", Some("P-256")) => Material::P256 { point: point(32)? },
            ("EC", Some("P-384")) => Material::P384 { point: point(48)? },
            _ => return None,
        };
        Some(PublicKey { id: self.kid, algorithm: self.alg, material })
    }
}

/// Some issuers write the zero that ASN.1 would need; *ring* takes none.
fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// The keys of a JSON Web Key Set that sign by an algorithm that is known here.
pub(super) fn keys_of_set(text: &str) -> Result<Vec<PublicKey>, String> {
    if text.len() > MAX_KEY_SET {
        return Err(format!("it is longer than {MAX_KEY_SET} bytes"));
    }
    let set: KeySet = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let keys: Vec<PublicKey> = set.keys.into_iter().filter_map(Jwk::understood).collect();
    if keys.is_empty() { Err("it has no RSA, P-256 or P-384 key for signatures".into()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_of_other_kinds_and_uses_are_passed_over() {
        let point = BASE64.encode([1; 32]);
        let set = |keys: &str| keys_of_set(&format!(r#"{{"keys":[{keys}]}}"#));
        let good = format!(r#"{{"kty":"EC","crv":"P-256","kid":"a","x":"{point}","y":"{point}"}}"#);
        let others =
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"},{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}"#;
        let keys = set(&format!("{others},{good}")).unwrap();
        assert_eq!(keys.len(), 1);
        assert!(keys[0].is_called(Some("a")) && keys[0].is_called(None) && !keys[0].is_called(Some("b")));
        assert!(set(others).is_err());
        assert!(set(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_set_or_an_error(text in any::<String>(), part in "[A-Za-z0-9_-]{0,50}", bytes: Vec<u8>) {
            let _ = keys_of_set(&text);
            let set = format!(r#"{{"keys":[{{"kty":"RSA","n":"{part}","e":"AQAB"}}]}}"#);
            if let Ok(keys) = keys_of_set(&set) {
                prop_assert!(!keys[0].verifies("RS256", Algorithm::Rs256, &bytes, &bytes));
            }
        }
    }
}
