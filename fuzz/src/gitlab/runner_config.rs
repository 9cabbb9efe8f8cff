//! The runner's `config.toml`.

use ecru_gitlab::config_toml::{ConfigToml, SelectionError};

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let config = match ConfigToml::parse(text) {
        Ok(config) => config,
        Err(error) => {
            super::check_place(error.position.line, error.position.column, text);
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
}
