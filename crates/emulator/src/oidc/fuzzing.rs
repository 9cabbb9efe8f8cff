//! Doors to the tokens of OpenID Connect, for the fuzz targets only.

use time::OffsetDateTime;

use super::public_key::keys_of_set;
use super::token::{Claims, TokenRefusal, UnverifiedToken};

/// The subject and the audiences of a token that is signed by one of the keys of a set, at this second.
///
/// # Errors
/// Why it is worth nothing.
pub fn subject_of_token(token: &str, keys: &str, now: i64) -> Result<(String, Vec<String>), String> {
    let keys = keys_of_set(keys)?;
    let believed = || {
        let token = UnverifiedToken::parse(token)?;
        token.verify(&keys)?;
        judged(&token.claims, now)
    };
    believed().map_err(|refusal| refusal.to_string())
}

/// The same of the claims of a token, as if they were signed.
///
/// # Errors
/// Why the token would be worth nothing.
pub fn subject_of_claims(json: &str, now: i64) -> Result<(String, Vec<String>), String> {
    let claims: Claims = serde_json::from_str(json).map_err(|error| error.to_string())?;
    judged(&claims, now).map_err(|refusal| refusal.to_string())
}

fn judged(claims: &Claims, now: i64) -> Result<(String, Vec<String>), TokenRefusal> {
    let now = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    claims.check(now)?;
    Ok((claims.subject()?.to_owned(), claims.audiences()?.to_vec()))
}
