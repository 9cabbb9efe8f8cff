//! Private keys of the emulated GitLab, made by the emulator that uses them and kept nowhere.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde_json::{Value, json};

use crate::seal::Seal;

/// The length of the keys that GitLab makes (`config/initializers/01_secret_token.rb`).
const RSA_BITS: usize = 2048;

/// A key could not be made, or does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of the emulated GitLab cannot be {0}")]
pub(super) struct KeyError(&'static str);

const NOT_MADE: KeyError = KeyError("made");
const NOT_USED: KeyError = KeyError("used");

/// A key that signs tokens.
pub(super) struct SigningKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    pub(super) fn generate_p256(seal: &Seal) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| NOT_MADE)?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).map_err(|_| NOT_MADE)?;
        Ok(Self { id: seal.uuid(), pair: Pair::P256(pair) })
    }

    /// Searches for primes, which takes part of a second.
    pub(super) fn generate_rsa(seal: &Seal) -> Result<Self, KeyError> {
        let key = rsa::PrivateKey::new(&mut SealedRandom(seal), RSA_BITS).map_err(|_| NOT_MADE)?;
        let [p, q] = key.primes() else { return Err(NOT_MADE) };
        let bytes = |number: &rsa::BoxedUint| number.to_be_bytes_trimmed_vartime();
        let (Some(dp), Some(dq), Some(inverse)) = (key.dp(), key.dq(), key.qinv()) else {
            return Err(NOT_MADE);
        };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: bytes(key.n()), e: key.e().to_be_bytes_trimmed_vartime() },
            d: bytes(key.d()),
            p: bytes(p),
            q: bytes(q),
            dP: bytes(dp),
            dQ: bytes(dq),
            qInv: bytes(&inverse.retrieve()),
        };
        let pair = RsaKeyPair::from_components(&components).map_err(|_| NOT_MADE)?;
        Ok(Self { id: seal.uuid(), pair: Pair::Rsa(pair) })
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        }
    }

    /// The public half, as a JSON Web Key (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": BASE64.encode(public.n), "e": BASE64.encode(public.e) })
            }
            Pair::P256(pair) => {
                let (x, y) = pair.public_key().as_ref().split_at(1).1.split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y) })
            }
        };
        jwk["kid"] = self.id.as_str().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().into();
        jwk
    }

    /// A JSON Web Token with these claims, in its compact form.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let header = json!({ "kid": self.id, "typ": "JWT", "alg": self.algorithm() });
        let encode = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
                    .map_err(|_| NOT_USED)?;
                signature
            }
            Pair::P256(pair) => {
                pair.sign(&random, signed.as_bytes()).map_err(|_| NOT_USED)?.as_ref().to_vec()
            }
        };
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }
}

/// The seal as a source of random numbers: it has its randomness already, so that it cannot fail.
struct SealedRandom<'a>(&'a Seal);

impl TryRng for SealedRandom<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(32) {
            part.copy_from_slice(&self.0.unpredictable()[..part.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SealedRandom<'_> {}
