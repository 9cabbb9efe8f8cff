//! `ecru whoami`: which identity is used for a registry, what chose it, and how long its token lives.

use std::fmt::Write as _;
use std::io::Write as _;

use ecru_ecr::cache::Kept;
use ecru_ecr::config::Choice;
use ecru_ecr::identity::selection::IdentitySource;
use ecru_ecr::mint::Caller;
use ecru_ecr::registry::Registry;
use serde_json::json;

use crate::args::{ReportFormat, WhoamiArgs};
use crate::ecr_access::{Asked, EcrAccess, timestamp, token_error};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::printable;

/// Asks AWS who this is, and prints it.
pub(super) fn run(args: &WhoamiArgs, outside: &Outside) -> Result<u8, CommandError> {
    ecru_helper::harden_process();
    let ecr = EcrAccess::new(outside)?;
    let asked = args.registry.as_deref().map(|text| ecr.asked(text)).transpose()?;
    let (registry, choice) = match asked {
        Some(Asked { registry, choice, .. }) => (Some(registry), choice),
        None => (None, ecr.own_choice()?),
    };
    let access = ecr.access();
    let caller = access.mint(&choice.selection, ecr.deadlines).caller(registry.as_ref());
    let caller = caller
        .map_err(|error| token_error(&error).because(format!("the identity is chosen by {}", choice.by)))?;
    let kept = registry.as_ref().and_then(|registry| access.cache(&choice.selection)?.kept(registry).ok()?);
    let tried = caller.from.map(|found| choice.selection.tried_before(found, &ecr.environment));
    let whoami = Whoami { registry, choice, caller, tried: tried.unwrap_or_default(), kept };
    let text = match args.format {
        ReportFormat::Text => printable(&whoami.text()),
        ReportFormat::Json => whoami.json(),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        CommandError::new(exit_code::NO_TOKEN, format!("the answer could not be written: {error}"))
    })?;
    Ok(exit_code::OK)
}

/// All that is known about an identity.
struct Whoami {
    registry: Option<Registry>,
    choice: Choice,
    caller: Caller,
    /// The sources that were asked before and had nothing.
    tried: Vec<(IdentitySource, String)>,
    kept: Option<Kept>,
}

impl Whoami {
    fn text(&self) -> String {
        let mut text = String::new();
        let mut put = |name: &str, value: &str| {
            // Writing to a text never fails.
            let _ = writeln!(text, "{name:<12} {value}");
        };
        if let Some(registry) = &self.registry {
            put("registry", &registry.host());
        }
        put("chosen by", &self.choice.by.to_string());
        put("source", &self.caller.source);
        for (source, lack) in &self.tried {
            put("before it", &format!("{}: {lack}", source.name()));
        }
        for role in &self.caller.roles {
            put("role", role);
        }
        put("principal", &self.caller.arn);
        put("account", &self.caller.account);
        put(
            "credentials",
            &match self.caller.expires_at {
                Some(time) => format!("until {}", timestamp(time)),
                None => "without an end".to_owned(),
            },
        );
        if self.registry.is_some() {
            put(
                "token",
                &match &self.kept {
                    Some(kept) => format!(
                        "in the cache until {}, refreshed from {}",
                        timestamp(kept.expires_at),
                        timestamp(kept.refreshed_from)
                    ),
                    None => "none in the cache; a new one lives for up to 12 hours".to_owned(),
                },
            );
        }
        text
    }

    fn json(&self) -> String {
        let token = self.kept.as_ref().map(|kept| {
            json!({
                "issued_at": timestamp(kept.issued_at),
                "refreshed_from": timestamp(kept.refreshed_from),
                "expires_at": timestamp(kept.expires_at),
            })
        });
        let tried =
            self.tried.iter().map(|(source, lack)| json!({ "source": source.name(), "reason": lack }));
        let object = json!({
            "registry": self.registry.as_ref().map(Registry::host),
            "chosen_by": self.choice.by.to_string(),
            "source": self.caller.source,
            "tried_before": tried.collect::<Vec<_>>(),
            "roles": self.caller.roles,
            "principal": self.caller.arn,
            "account": self.caller.account,
            "credentials_expire_at": self.caller.expires_at.map(timestamp),
            "cached_token": token,
        });
        format!("{object}\n")
    }
}
