//! `ecru cache`: what the token cache holds, and emptying it.

use std::fmt::Write as _;
use std::io::Write as _;

use ecru_ecr::cache::{DirectoryError, Inventory, Kept};
use ecru_ecr::clock::system_time;
use serde_json::{Value, json};

use crate::args::{CacheClearArgs, CacheCommand, CacheListArgs, ReportFormat};
use crate::ecr_access::{EcrAccess, timestamp};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// How much of an identity's digest is shown to people: enough to tell one from another.
const SHOWN_DIGITS: usize = 12;

/// Carries out the command.
pub(super) fn run(command: &CacheCommand, outside: &Outside) -> Result<u8, CommandError> {
    let ecr = EcrAccess::new(outside)?;
    let partitions = ecr.config.partitions().clone();
    let Some(inventory) = Inventory::new(&ecr.environment, partitions, system_time) else {
        return Err(CommandError::new(exit_code::CACHE_UNUSABLE, "there is no place for a token cache")
            .hint("set HOME, XDG_CACHE_HOME or AWS_ECR_CACHE_DIR"));
    };
    let text = match command {
        CacheCommand::List(args) => listed(&inventory, args)?,
        CacheCommand::Clear(args) => cleared(&inventory, args, &ecr)?,
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        CommandError::new(exit_code::CACHE_UNUSABLE, format!("the answer could not be written: {error}"))
    })?;
    Ok(exit_code::OK)
}

fn listed(inventory: &Inventory, args: &CacheListArgs) -> Result<String, CommandError> {
    let entries = inventory.entries().map_err(|error| unusable(&error))?;
    let path = inventory.path().display();
    if args.format == ReportFormat::Json {
        let entries: Vec<Value> = entries.iter().map(in_json).collect();
        return Ok(format!("{}\n", json!({ "directory": path.to_string(), "entries": entries })));
    }
    if entries.is_empty() {
        return Ok(format!("no valid token in {path}\n"));
    }
    let width = entries.iter().map(|kept| kept.registry.host().len()).max().unwrap_or_default();
    let mut text = format!(
        "{:width$}  {:SHOWN_DIGITS$}  {:20}  {}\n",
        "REGISTRY", "IDENTITY", "REFRESHED FROM", "EXPIRES"
    );
    for kept in &entries {
        let identity: String = kept.identity.chars().take(SHOWN_DIGITS).collect();
        let (refreshed, expires) = (timestamp(kept.refreshed_from), timestamp(kept.expires_at));
        // Writing to a text never fails.
        let _ = writeln!(text, "{:width$}  {identity}  {refreshed:20}  {expires}", kept.registry.host());
    }
    Ok(text)
}

fn in_json(kept: &Kept) -> Value {
    json!({
        "registry": kept.registry.host(),
        "identity": kept.identity,
        "issued_at": timestamp(kept.issued_at),
        "refreshed_from": timestamp(kept.refreshed_from),
        "expires_at": timestamp(kept.expires_at),
    })
}

fn cleared(inventory: &Inventory, args: &CacheClearArgs, ecr: &EcrAccess) -> Result<String, CommandError> {
    let registry = args.registry.as_deref().map(|text| ecr.registry(text)).transpose()?;
    let removed = inventory.clear(registry.as_ref()).map_err(|error| unusable(&error))?;
    let tokens = if removed == 1 { "token" } else { "tokens" };
    Ok(format!("{removed} {tokens} removed from {}\n", inventory.path().display()))
}

fn unusable(error: &DirectoryError) -> CommandError {
    CommandError::new(exit_code::CACHE_UNUSABLE, format!("the token cache cannot be used: {error}"))
        .maybe_hint(error.hint())
}
