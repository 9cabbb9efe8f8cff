//! JSON as Go reads it, held against `serde_json`.

use ecru_docker::go_json::{SyntaxError, Value, decode_first};

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let whole: Result<serde_json::Value, _> = serde_json::from_str(text);
    match (decode_first(text), whole) {
        (Ok(ours), Ok(theirs)) => assert!(is_same(&ours, &theirs), "{text:?} was read in two ways"),
        // Go takes the first value, half of a surrogate pair, and numbers of any size.
        (Ok(ours), Err(_)) => drop((ours.kind(), format!("{ours:?}"))),
        (Err(SyntaxError::TooDeep | SyntaxError::TooLong { .. }), _) => {}
        (Err(error), Ok(_)) => panic!("{text:?} is JSON: {error}"),
        (Err(error), Err(_)) => drop(error.to_string()),
    }
}

fn is_same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, theirs) => theirs.is_null(),
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Value::String(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Value::Number(ours), serde_json::Value::Number(theirs)) => {
            serde_json::from_str::<serde_json::Number>(ours).is_ok_and(|ours| ours == *theirs)
        }
        (Value::Array(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Object(_), serde_json::Value::Object(theirs)) => {
            let ours = ours.entries();
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(name, value)| theirs.get(*name).is_some_and(|other| is_same(value, other)))
        }
        _ => false,
    }
}
