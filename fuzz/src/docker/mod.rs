//! The targets for what Docker says.

pub mod docker_config;
pub mod go_json;
pub mod helper_answer;
pub mod helper_request;
pub mod image_reference;

/// Panics unless all that is promised holds for the input.
type CheckInput = fn(&[u8]);

/// Each target with what it does with an input.
pub const TARGETS: [(&str, CheckInput); 5] = [
    ("docker_config", docker_config::check_input),
    ("go_json", go_json::check_input),
    ("helper_answer", helper_answer::check_input),
    ("helper_request", helper_request::check_input),
    ("image_reference", image_reference::check_input),
];
