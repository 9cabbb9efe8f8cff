//! What STS, ECR and ECR Public answer to whoever wants a token. The first part of the input says which: `role` for a role
//! that is assumed before, `public` for ECR Public. `scripted_answers` tells the form of the rest.

use ecru_ecr::fuzzing::Script;
use ecru_ecr::identity::selection::{RoleSettings, Settings};
use secrecy::ExposeSecret;

use super::scripted_answers::{Asker, SECRET, answers, words};

const VARIABLES: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)];

/// Whom requests go to.
const SERVICES: [&str; 3] = [
    "https://sts.eu-west-1.amazonaws.com/",
    "https://api.ecr.eu-west-1.amazonaws.com/",
    "https://api.ecr-public.us-east-1.amazonaws.com/",
];

/// No more than three tries of two requests, and three again after each of three waits while AWS throttles: the longest
/// are of 2, 4 and 8 seconds, of which no more fit into the limit, though time stands still here.
const MAX_REQUESTS: usize = 2 * 3 * (1 + 3);

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let (way, input) = input.split_at(input.iter().position(|byte| *byte == 0).unwrap_or(input.len()));
    let (is_role, is_public) = (way == b"role", way == b"public");
    let role = RoleSettings { role_arn: "arn:aws:iam::000000000001:role/a".to_owned(), ..Default::default() };
    let asker = Asker {
        settings: Settings { role: is_role.then_some(role), ..Settings::default() },
        variables: &VARIABLES,
        registry: if is_public { "public.ecr.aws" } else { "000000000001.dkr.ecr.eu-west-1.amazonaws.com" },
    };
    let outcome = asker.run(&answers(input.get(1..).unwrap_or_default()), Script::token);
    assert!(outcome.asked.len() <= MAX_REQUESTS, "{:?}", outcome.asked);
    assert!(outcome.asked.iter().all(|address| SERVICES.contains(&address.as_str())), "{:?}", outcome.asked);
    match outcome.found {
        Ok(token) => {
            let password = token.secret.expose_secret();
            assert!(!password.is_empty() && password.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(token.username == "AWS" && token.issued_at < token.expires_at);
            assert_eq!(token.own_registry.is_some(), !is_public);
        }
        Err(error) => {
            let text = words(&error);
            assert!(!text.contains(SECRET), "a secret: {text}");
        }
    }
}
