//! One file of the token cache, as something else than ecru may have left it.
//!
//! `@KEY@` and `@IDENTITY@` in the input stand for the digests that the entry must hold.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use ecru_ecr::cache::{Cache, Cached, Key};
use ecru_ecr::environment::Environment;
use ecru_ecr::identity::{Identity, MachineFiles};
use ecru_ecr::registry::Registry;
use ecru_ecr::token::{Fixed, MAX_LIFETIME, TokenSource};
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;

/// The time of these tests, between the times of the seeds.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

struct Stage {
    environment: Environment,
    identity: Identity,
    registry: Registry,
    key: String,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let environment = Environment::from_map([("AWS_ECR_CACHE_DIR", ecru_fuzz::folder())]);
    let nowhere = ecru_fuzz::folder().join("nowhere");
    let identity =
        Identity::read(&environment, &MachineFiles { machine_id: nowhere.clone(), asset_tag: nowhere });
    let registry = Registry::parse("000000000001.dkr.ecr.eu-central-1.amazonaws.com").expect("a registry");
    let key = Key::new(&identity.fingerprint(), &registry, &environment).to_string();
    Stage { environment, identity, registry, key }
});

fuzz_target!(|content: &str| {
    let Stage { environment, identity, registry, key } = &*STAGE;
    let content = content.replace("@KEY@", key).replace("@IDENTITY@", &identity.fingerprint().to_string());
    ecru_fuzz::write(&format!("ecru/v1-{key}.json"), content.as_bytes());
    let cache = || Cache::new(environment, identity, now).expect("a cache");

    for registry in cache().registries() {
        ecru_fuzz::check_registry(&registry);
    }
    // AWS has nothing to say, so that a token can only be the one in the file.
    let cached = Cached::new(Fixed::new([]), Some(cache()), Duration::ZERO);
    let Ok(token) = cached.token(registry) else { return };
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_plain(&token.username) && is_plain(token.secret.expose_secret()), "{content}");
    assert!(now() < token.expires_at, "an expired token was served: {content}");
    let life = token.expires_at.duration_since(token.issued_at).expect("a life");
    assert!(life <= MAX_LIFETIME, "{content}");
    let is_fresh = now() < token.issued_at + life / 2;
    assert_eq!(
        cached.source().asked().is_empty(),
        is_fresh,
        "AWS is asked from half of the life on: {content}"
    );
});
