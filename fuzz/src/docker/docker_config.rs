//! Docker's `config.json`.

use ecru_docker::config_file::{ConfigFile, StaticAuth};
use secrecy::ExposeSecret;

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let config = match ConfigFile::parse(text) {
        Ok(config) => config,
        Err(error) => return drop((error.to_string(), error.hint())),
    };
    assert_ne!(config.credentials_store.as_deref(), Some(""));
    for auth in config.auths.values() {
        let nameless = StaticAuth { username: String::new(), ..auth.clone() };
        assert_eq!(format!("{nameless:?}"), r#"StaticAuth { username: "", .. }"#, "Debug shows a secret");
    }
    // Whatever follows the first value is ignored.
    if !text.trim().is_empty() {
        let longer = ConfigFile::parse(&format!("{text} }}, nonsense")).expect("the same configuration");
        assert_eq!(longer.credentials_store, config.credentials_store);
        assert_eq!(longer.credential_helpers, config.credential_helpers);
        assert!(longer.auths.iter().map(plain).eq(config.auths.iter().map(plain)));
    }
}

fn plain<'a>((key, auth): (&'a String, &'a StaticAuth)) -> [&'a str; 5] {
    let StaticAuth { username, password, identity_token, registry_token } = auth;
    [key, username, password.expose_secret(), identity_token.expose_secret(), registry_token.expose_secret()]
}
