//! ecru's own configuration: two files, the system's and the user's, divided by a NUL byte.

use ecru_ecr::config::{ChosenBy, Config, Fault, Rule};
use ecru_ecr::environment::Environment;
use ecru_ecr::fuzzing::config;
use ecru_ecr::registry::{Address, Partitions, Registry};

/// What anybody may ask for, one of each kind.
const HOSTS: [&str; 7] = [
    "public.ecr.aws",
    "000000000001.dkr.ecr.eu-central-1.amazonaws.com",
    "000000000002.dkr-ecr.us-east-1.on.aws",
    "000000000001.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    "000000000001.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "000000000001.dkr.ecr.eusc-de-east-1.amazonaws.eu",
    "000000000001.dkr.ecr.us-iso-east-1.c2s.ic.gov",
];

/// Panics unless all that is promised holds for the input.
pub fn check_input(content: &[u8]) {
    let (system, user) = match content.iter().position(|byte| *byte == 0) {
        Some(end) => (&content[..end], &content[end + 1..]),
        None => (content, &[][..]),
    };
    let alone = config(system, b"");
    let together = config(system, user);
    assert!(alone.is_ok() || together.is_err(), "half of the rules is none");
    for (text, read) in [(system, &alone), (content, &together)] {
        if let Err(fault) = read {
            check_fault(fault, text);
        }
    }
    let (Ok(alone), Ok(together)) = (alone, together) else { return };
    check(&together);
    for registry in HOSTS.map(|host| Registry::parse(host).expect("a registry")) {
        let allowed = [&alone, &together].map(|config| config.permit(&registry));
        assert_eq!(allowed[0], allowed[1], "a user's file does not change the policy for {registry}");
        assert_eq!(together.registry(&registry.host()).as_ref(), Ok(&registry), "Amazon's own hosts stay");
        check_choice(&together, &registry);
    }
}

fn check_fault(fault: &Fault, text: &[u8]) {
    assert!(!fault.message.is_empty() && !fault.message.contains('\n'), "{fault}");
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    assert!(fault.line >= 1 && fault.line <= lines + 1 && fault.column >= 1, "{fault}");
}

fn check(config: &Config) {
    let partitions = config.partitions();
    let is_known = *partitions == Partitions::default();
    for registry in config.registries().iter().chain(config.aliases().values()) {
        assert_eq!(
            partitions.parse(&registry.host()).as_ref(),
            Ok(registry),
            "a host names its own registry"
        );
        if is_known {
            super::check_registry(registry);
        }
    }
    for (address, registry) in config.aliases() {
        assert!(Registry::from_address(address).is_err(), "a registry stands for itself: {address}");
        assert_eq!(config.registry(&address.to_string()).as_ref(), Ok(registry));
        // An alias opens its own host and no other.
        let look_alike = format!("x{address}");
        if let Ok(found) = config.registry(&look_alike)
            && partitions.parse(&look_alike).is_err()
        {
            let address = Address::parse(&look_alike).expect("an address");
            assert_eq!(config.aliases().get(&address), Some(&found), "{look_alike}");
        }
    }
    config.rules().iter().for_each(|rule| check_rule(rule, config));
}

/// A rule for one server is a rule for that server.
fn check_rule(rule: &Rule, config: &Config) {
    let Some(server) = rule.pattern.server() else { return };
    let (host, path) = server.split_once('/').unwrap_or((server, ""));
    if let Ok(registry) = config.partitions().parse(host) {
        assert!(rule.pattern.matches(&registry, path), "{server}");
    }
}

/// The first rule that matches decides, and no other.
fn check_choice(config: &Config, registry: &Registry) {
    let request = config.request(&registry.host()).expect("a request");
    let choice = config.choice(&request, None, &Environment::default()).expect("a choice");
    let first = config.rules().iter().find(|rule| rule.pattern.matches(registry, ""));
    match (choice.by, first) {
        (ChosenBy::Rule(pattern), Some(first)) => assert_eq!(pattern, first.pattern.as_str()),
        (ChosenBy::Default, None) => {}
        (by, first) => panic!("{by:?} instead of {first:?}"),
    }
}
