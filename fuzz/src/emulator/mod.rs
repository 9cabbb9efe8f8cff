//! The targets for the emulator.

pub mod emulator_seed;
pub mod fault_rule;
pub mod iam_policy;
pub mod id_token;
pub mod registry_path;
pub mod signed_request;

/// Panics unless all that is promised holds for the input.
type CheckInput = fn(&[u8]);

/// Each target with what it does with an input.
pub const TARGETS: [(&str, CheckInput); 6] = [
    ("emulator_seed", emulator_seed::check_input),
    ("fault_rule", fault_rule::check_input),
    ("iam_policy", iam_policy::check_input),
    ("id_token", id_token::check_input),
    ("registry_path", registry_path::check_input),
    ("signed_request", signed_request::check_input),
];
