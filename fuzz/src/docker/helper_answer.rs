//! What a credential helper answers to `get` and `list`.

use ecru_docker::credential_helper::message::{
    Credential, MessageError, server_list_from_json, server_list_to_json,
};
use secrecy::ExposeSecret;

/// Panics unless all that is promised holds for the input.
pub fn check_input(json: &[u8]) {
    match Credential::from_json(json) {
        Ok(credential) => {
            let written = credential.to_json().expect("JSON");
            assert!(written.iter().all(|byte| *byte >= b' '), "an answer is one line");
            let again = Credential::from_json(&written).expect("what was written can be read");
            assert_eq!(again.server_url, credential.server_url);
            assert_eq!(again.username, credential.username);
            assert_eq!(again.secret.expose_secret(), credential.secret.expose_secret());
        }
        Err(error) => check(&error),
    }
    match server_list_from_json(json) {
        Ok(list) => {
            let written = server_list_to_json(&list).expect("JSON");
            assert!(written.iter().all(|byte| *byte >= b' '), "an answer is one line");
            assert_eq!(server_list_from_json(&written).expect("what was written can be read"), list);
        }
        Err(error) => check(&error),
    }
}

/// The text of an error is fixed but for two numbers: it cannot repeat a secret.
fn check(error: &MessageError) {
    let text: String = error.to_string().chars().filter(|character| !character.is_ascii_digit()).collect();
    let fixed = ["the message is empty", "the message is not the expected JSON at line , column "];
    assert!(fixed.contains(&text.as_str()), "{text}");
}
