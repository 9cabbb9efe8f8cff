//! IAM policies, of identities and of repositories, and their evaluation.

use ecru_emulator::fuzzing::is_allowed;
use serde_json::{Value, json};

const ACTIONS: [&str; 3] = ["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "sts:AssumeRole"];
const RESOURCES: [&str; 2] = ["arn:aws:ecr:us-east-1:000000000000:repository/team/app", "*"];

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for of_repository in [false, true] {
        for (action, resource) in
            ACTIONS.into_iter().flat_map(|action| RESOURCES.map(|resource| (action, resource)))
        {
            let Ok(allowed) = is_allowed(text, of_repository, action, resource) else { continue };
            assert_eq!(is_allowed(text, of_repository, action, resource), Ok(allowed), "a decision is one");
            let cased = is_allowed(text, of_repository, &action.to_ascii_uppercase(), resource);
            assert_eq!(cased, Ok(allowed), "the case of an action does not matter");
            let denying = with_denial(text, of_repository).expect("a policy is JSON");
            let denied = is_allowed(&denying, of_repository, action, resource);
            assert_ne!(denied, Ok(true), "nothing outweighs a Deny: {denying}");
        }
    }
}

/// The same policy with a statement that denies everything to everybody.
fn with_denial(text: &str, of_repository: bool) -> Option<String> {
    let mut policy: Value = serde_json::from_str(text).ok()?;
    let denial = match of_repository {
        true => json!({ "Effect": "Deny", "Action": "*", "Principal": "*" }),
        false => json!({ "Effect": "Deny", "Action": "*", "Resource": "*" }),
    };
    let statements = match policy.get_mut("Statement")?.take() {
        Value::Array(mut statements) => {
            statements.push(denial);
            statements
        }
        one => vec![one, denial],
    };
    policy["Statement"] = statements.into();
    Some(policy.to_string())
}
