//! Registry host names as callers of the credential helper write them.

use ecru_ecr::registry::{Address, Registry};

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let address = match Address::parse(text) {
        Ok(address) => address,
        Err(error) => {
            assert!(Registry::parse(text).is_err(), "what is no address is no registry");
            return drop(error.to_string());
        }
    };
    assert_eq!(Address::parse(&address.to_string()).as_ref(), Ok(&address), "a canonical address is itself");
    assert_eq!(host_by_hand(text), address.host(), "the host is the one that everybody else sees");

    let Ok(registry) = Registry::parse(text) else { return };
    super::check_registry(&registry);
    let host = registry.host();
    assert_eq!(address.to_string(), host, "neither another host nor a port");
    for same in [format!("https://{host}/"), format!("{host}:443/a/b:c"), host.to_ascii_uppercase()] {
        assert_eq!(Registry::parse(&same).as_ref(), Ok(&registry), "{same}");
    }
    for look_alike in [
        format!("{host}.example"),
        format!("x{host}"),
        format!("x.{host}"),
        format!("{host}@example.com"),
        format!("example.com/{host}"),
        format!("example.com?{host}"),
        format!("{host}:80"),
        format!("http://{host}"),
        format!("{host}\n"),
        format!("{host}."),
    ] {
        assert!(Registry::parse(&look_alike).is_err(), "{look_alike}");
    }
}

/// What stands after the scheme, before the port and the path.
fn host_by_hand(text: &str) -> String {
    let lower_case = text.to_ascii_lowercase();
    let rest = lower_case.split_once("://").map_or(lower_case.as_str(), |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host.to_owned(),
        _ => authority.to_owned(),
    }
}
