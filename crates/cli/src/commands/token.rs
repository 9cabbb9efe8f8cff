//! `ecru token`: a registry's password, in the form that the next program wants.

use std::io::{IsTerminal as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_ecr::token::{Token, TokenSource as _};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};

use crate::args::{TokenArgs, TokenFormat};
use crate::ecr_access::{Asked, EcrAccess, timestamp, token_error};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// Prints the token on standard output, and nothing else there.
pub(super) fn run(args: &TokenArgs, outside: &Outside) -> Result<u8, CommandError> {
    ecru_helper::harden_process();
    let ecr = EcrAccess::new(outside)?;
    let asked = ecr.asked(&args.registry)?;
    let tokens = ecr.access().tokens(&asked.choice, ecr.deadlines);
    let token = tokens.token(&asked.registry);
    let mut stderr = std::io::stderr();
    for warning in tokens.take_warnings() {
        let _ = writeln!(stderr, "warning: {warning}");
        if let Some(hint) = warning.hint() {
            let _ = writeln!(stderr, "hint: {hint}");
        }
    }
    let token = token.map_err(|error| token_error(&error))?;
    let text = printed(args.format, &asked, &token);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        CommandError::new(exit_code::NO_TOKEN, format!("the token could not be written: {error}"))
    })?;
    if stdout.is_terminal() {
        let until = timestamp(token.expires_at);
        let _ = writeln!(stderr, "note: this is a password until {until}; keep it out of logs and histories");
    }
    Ok(exit_code::OK)
}

/// The token in a form, its last line ended.
fn printed(format: TokenFormat, asked: &Asked, token: &Token) -> Zeroizing<String> {
    let secret = token.secret.expose_secret();
    let text = match format {
        TokenFormat::Password => format!("{secret}\n"),
        TokenFormat::DockerConfig => format!("{:#}\n", docker_config(&asked.address, token)),
        TokenFormat::DockerAuthConfig => format!("{}\n", docker_config(&asked.address, token)),
        TokenFormat::Env => [
            ("ECR_REGISTRY", asked.address.as_str()),
            ("ECR_USERNAME", &token.username),
            ("ECR_PASSWORD", secret),
            ("ECR_EXPIRES_AT", &timestamp(token.expires_at)),
        ]
        .map(|(name, value)| format!("{name}={}\n", shell_word(value)))
        .concat(),
        TokenFormat::Json => {
            let object = json!({
                "registry": asked.registry.host(),
                "address": asked.address,
                "username": token.username,
                "password": secret,
                "issued_at": timestamp(token.issued_at),
                "expires_at": timestamp(token.expires_at),
            });
            format!("{object}\n")
        }
    };
    Zeroizing::new(text)
}

/// What Docker's `config.json` and GitLab's DOCKER_AUTH_CONFIG say of a registry.
fn docker_config(address: &str, token: &Token) -> Value {
    let pair = Zeroizing::new(format!("{}:{}", token.username, token.secret.expose_secret()));
    json!({ "auths": { address: { "auth": STANDARD.encode(pair.as_bytes()) } } })
}

/// `value` as one word of a POSIX shell: as it is where no character has a meaning, so that it also is one in a file
/// of variables such as GitLab's `artifacts:reports:dotenv`.
fn shell_word(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+,-./:=@_".contains(&byte);
    if value.bytes().all(is_plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_a_meaning_are_quoted() {
        assert_eq!(shell_word("QVdTOng=+/"), "QVdTOng=+/");
        assert_eq!(shell_word("[::1]:5000"), "'[::1]:5000'");
        assert_eq!(shell_word("a'b$(c)"), r"'a'\''b$(c)'");
    }
}
