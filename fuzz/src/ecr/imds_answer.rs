//! What an EC2 instance's metadata service answers to the three requests for the identity of the instance's role: a
//! session token, the role's name, and the document with the credentials. `scripted_answers` tells the input's form.

use ecru_ecr::identity::selection::IdentitySource;

/// A name that an answer holds becomes a part of the next address, and must not lead elsewhere.
const SERVICE: &str = "http://169.254.169.254/latest/";

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    super::identity_search::check(IdentitySource::Instance, &[], SERVICE, input);
}
