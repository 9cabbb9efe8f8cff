//! What the credential service of an ECS task, or of a pod with EKS Pod Identity, answers: a document with the
//! credentials. `scripted_answers` tells the input's form.

use ecru_ecr::identity::selection::IdentitySource;

const SERVICE: &str = "http://169.254.170.23/v1/credentials";

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", SERVICE),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "an authorization token"),
    ];
    super::identity_search::check(IdentitySource::Container, &variables, SERVICE, input);
}
