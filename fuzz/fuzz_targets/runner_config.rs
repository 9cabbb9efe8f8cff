//! The runner's `config.toml`.

#![no_main]

use ecru_gitlab::config_toml::{ConfigToml, SelectionError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let config = match ConfigToml::parse(text) {
        Ok(config) => config,
        Err(error) => {
            ecru_fuzz::check_place(error.position.line, error.position.column, text);
            return drop((error.to_string(), error.hint()));
        }
    };
    for warning in &config.warnings {
        drop(warning.to_string());
    }
    for runner in &config.runners {
        match config.runner(Some(&runner.name)) {
            Ok(found) => assert_eq!(found.name, runner.name),
            Err(SelectionError::SameName { name }) => assert_eq!(name, runner.name),
            Err(error) => panic!("`{}` was there: {error}", runner.name),
        }
        let is_empty = |text: &Option<String>| text.as_deref() == Some("");
        assert!(
            !is_empty(&runner.docker.image) && !is_empty(&runner.docker.host),
            "empty counts as not given"
        );
    }
    assert_eq!(config.runner(None).is_ok(), config.runners.len() == 1);
});
