//! ecru's own configuration: two files, divided by a NUL byte.

#![no_main]

use ecru_ecr::config::{Config, ConfigError, Source};
use ecru_ecr::registry::{Address, Partitions, Registry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let mut parts = content.splitn(2, |byte| *byte == 0);
    let sources = ["system.toml", "user.toml"].map(|name| Source {
        path: ecru_fuzz::write(name, parts.next().unwrap_or_default()),
        required: true,
        owner: None,
    });
    let alone = sources.each_ref().map(|source| Config::load(std::slice::from_ref(source)));
    let together = Config::load(&sources);
    // A partition of one file makes registries of the next ones.
    if alone.iter().flatten().all(|config| *config.partitions() == Partitions::default()) {
        assert_eq!(together.is_ok(), alone.iter().all(Result::is_ok), "files are valid or not, each by itself");
    }
    match together {
        Ok(config) => check(&config),
        Err(ConfigError::Invalid { fault, .. }) => {
            assert!(!fault.message.contains('\n'), "{fault}");
            let lines = content.iter().filter(|byte| **byte == b'\n').count();
            assert!(fault.line >= 1 && fault.line <= lines + 1 && fault.column >= 1, "{fault}");
        }
        Err(other) => panic!("{other}"),
    }
});

fn check(config: &Config) {
    if *config.partitions() != Partitions::default() {
        return;
    }
    config.registries().iter().for_each(ecru_fuzz::check_registry);
    for (address, registry) in config.aliases() {
        ecru_fuzz::check_registry(registry);
        assert!(Registry::from_address(address).is_err(), "a registry stands for itself: {address}");
        assert_eq!(config.registry(&address.to_string()).as_ref(), Ok(registry));
        // An alias opens its own host and no other.
        let look_alike = format!("x{address}");
        if let Ok(found) = config.registry(&look_alike) {
            let address = Address::parse(&look_alike).expect("an address");
            assert_eq!(config.aliases().get(&address), Some(&found), "{look_alike}");
        }
    }
}
