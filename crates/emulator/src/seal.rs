//! What only this emulator can make: unpredictable identifiers, and seals on what it hands out.
//!
//! Registry passwords, metadata tokens and blob links carry their own meaning and a MAC over it, so the emulator
//! keeps no table of them and its memory does not grow with their number. The key is made at start and never
//! leaves the process: what one emulator sealed, another does not accept.

use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a seal is for; a seal for one purpose is worth nothing for another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    RegistryPassword,
    MetadataToken,
    BlobLink,
    AnonymousToken,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::RegistryPassword => b"registry password\0",
            Self::MetadataToken => b"metadata token\0",
            Self::BlobLink => b"blob link\0",
            Self::AnonymousToken => b"anonymous token\0",
        }
    }
}

pub(crate) struct Seal {
    keyed: Hmac<Sha256>,
    drawn: AtomicU64,
}

impl Seal {
    /// A seal with a fresh key, or the error of the system's random source.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        Ok(Self { keyed: Hmac::new(&key.into()), drawn: AtomicU64::new(0) })
    }

    pub(crate) fn tag(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        self.mac(purpose.label(), message).finalize().into_bytes().into()
    }

    /// Whether `tag` was made by this emulator for this message; compares in constant time.
    pub(crate) fn matches(&self, purpose: Purpose, message: &[u8], tag: &[u8]) -> bool {
        self.mac(purpose.label(), message).verify_slice(tag).is_ok()
    }

    /// Bytes that nobody can guess and that never repeat: the MAC of a counter.
    pub(crate) fn unpredictable(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.mac(b"unpredictable\0", &drawn.to_be_bytes()).finalize().into_bytes().into()
    }

    /// An identifier in the shape of a random UUID, as AWS uses for requests and registries for uploads.
    pub(crate) fn uuid(&self) -> String {
        let digits = hex::encode(self.unpredictable());
        let (a, b, c, d, e) =
            (&digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..32]);
        format!("{a}-{b}-4{c}-8{d}-{e}")
    }

    fn mac(&self, label: &[u8], message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(label);
        mac.update(message);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_for_its_purpose_message_and_emulator_only() {
        let seal = Seal::generate().unwrap();
        let tag = seal.tag(Purpose::BlobLink, b"message");
        assert!(seal.matches(Purpose::BlobLink, b"message", &tag));
        assert!(!seal.matches(Purpose::BlobLink, b"other", &tag));
        assert!(!seal.matches(Purpose::MetadataToken, b"message", &tag));
        assert!(!seal.matches(Purpose::BlobLink, b"message", &tag[..31]));
        assert!(!Seal::generate().unwrap().matches(Purpose::BlobLink, b"message", &tag));
    }

    #[test]
    fn identifiers_differ_and_look_like_uuids() {
        let seal = Seal::generate().unwrap();
        let (first, second) = (seal.uuid(), seal.uuid());
        assert_ne!(first, second);
        assert_eq!(first.len(), 36);
        assert_eq!(first.as_bytes()[14], b'4');
    }
}
