//! `ecru emulate`: emulated AWS until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ecru_ecr::registry::Registry;
use ecru_emulator::{AccountId, CrossAccount, Options, Region, RegistryAt, TlsOptions};
use tokio_util::sync::CancellationToken;

use crate::args::EmulateArgs;
use crate::error::CommandError;
use crate::example_images::rootfs::Ingredients;
use crate::example_images::{job_image, service_image};
use crate::exit_code;
use crate::outside::Outside;
use crate::stage::{Process, Stage};
use crate::terminal::Screen;

/// Serves until `cancelled`; returns the exit code.
pub(super) async fn run(
    args: &EmulateArgs,
    outside: &Outside,
    cancelled: &CancellationToken,
) -> Result<u8, CommandError> {
    let screen = Screen::on_stderr(true);
    let temporary = tempfile::Builder::new().prefix("ecru-emulate-").tempdir().map_err(no_folder)?;
    // The variables that are printed must hold in any folder.
    let state = args.state.as_deref().map(std::path::absolute).transpose().map_err(no_folder)?;
    let folder = state.as_deref().unwrap_or(temporary.path());
    let stage = Stage::start(options(args, state.clone())?, folder).await?;
    if args.example_images {
        push_example_images(&stage, outside, temporary.path(), &screen).await?;
    }
    if args.json {
        screen.print(&json(&stage));
    } else {
        for line in lines(&stage) {
            screen.print(&line);
        }
    }
    cancelled.cancelled().await;
    stage.stop().await;
    Ok(exit_code::OK)
}

fn options(args: &EmulateArgs, state: Option<PathBuf>) -> Result<Options, CommandError> {
    Ok(Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        registries: args.registries.iter().map(|text| registry_at(text)).collect::<Result<_, _>>()?,
        tls: args.tls.map(|port| TlsOptions { port, ..TlsOptions::default() }),
        state_dir: state,
        cross_account: if args.deny_cross_account { CrossAccount::Deny } else { CrossAccount::Allow },
        ..Options::default()
    })
}

/// `000000000001.dkr.ecr.eu-west-1.amazonaws.com=5001`
fn registry_at(text: &str) -> Result<RegistryAt, CommandError> {
    let refused = |why: &str| {
        CommandError::new(exit_code::BAD_CONFIGURATION, format!("`--registry {text}` {why}"))
            .hint("--registry 000000000001.dkr.ecr.eu-west-1.amazonaws.com=5001")
    };
    let (host, port) = text.rsplit_once('=').ok_or_else(|| refused("has no `=PORT`"))?;
    let port = port.parse().map_err(|_| refused("has no port number after the `=`"))?;
    let registry =
        Registry::parse(host).map_err(|error| refused(&format!("is not an ECR registry: {error}")))?;
    let account = registry.account().ok_or_else(|| refused("is not a private registry"))?;
    let account: AccountId =
        account.parse().map_err(|_| refused("is not an emulated account: 000000000000 to 000000000099"))?;
    let region: Region =
        registry.region().parse().map_err(|_| refused("is in a region that is not emulated"))?;
    Ok(RegistryAt { account, region, port })
}

async fn push_example_images(
    stage: &Stage,
    outside: &Outside,
    folder: &Path,
    screen: &Screen,
) -> Result<(), CommandError> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        CommandError::from_error(exit_code::EMULATOR_FAILED, error)
    };
    let guest = std::env::current_exe().map_err(|error| failed(&error))?;
    let ingredients = Ingredients::found_on(outside.search_path(), &guest).map_err(|error| failed(&error))?;
    let (account, region) = (AccountId::default(), Region::default());
    let publisher = Process::on(stage, outside, &folder.join("publisher"), stage.user_variables(account)?)?;
    let images = [
        ("team/job:1", job_image(&ingredients, true).map_err(|error| failed(&error))?),
        ("team/catalog:1", service_image(&ingredients).map_err(|error| failed(&error))?),
    ];
    for (name, image) in &images {
        let digest = stage.publish(account, &region, name, image, &publisher).await?;
        screen.line(&format!(
            "pushed {name} to {} ({digest})",
            stage.registry(account, &region).unwrap_or_default()
        ));
    }
    Ok(())
}

fn json(stage: &Stage) -> String {
    let variables: serde_json::Map<String, serde_json::Value> =
        stage.variables().into_iter().map(|(name, value)| (name, value.into())).collect();
    serde_json::json!({ "addresses": stage.emulator().addresses(), "environment": variables }).to_string()
}

fn lines(stage: &Stage) -> Vec<String> {
    let addresses = stage.emulator().addresses();
    let mut lines = vec!["# Emulated AWS; stop it with Ctrl-C. In the shell of its clients:".to_owned()];
    lines.extend(stage.variables().iter().map(|(name, value)| format!("export {name}='{value}'")));
    lines.extend(addresses.registries.iter().map(|(host, local)| format!("# {local} stands for {host}")));
    if let Some(tls) = &addresses.tls {
        lines.push(format!("# TLS at {}; its authority: {}", tls.main, tls.ca.display()));
    }
    lines.push("# An identity comes from the emulated instance metadata, so no keys are needed.".to_owned());
    lines
}

fn no_folder(error: std::io::Error) -> CommandError {
    CommandError::from_error(exit_code::EMULATOR_FAILED, &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_named_by_its_real_host_and_a_port() {
        let parsed = registry_at("000000000001.dkr.ecr.eu-west-1.amazonaws.com=5001").unwrap();
        assert_eq!((parsed.account.to_string().as_str(), parsed.port), ("000000000001", 5001));
    }

    #[test]
    fn real_accounts_and_other_hosts_are_refused() {
        for text in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com=5001",
            "registry.example.org=5001",
            "public.ecr.aws=5001",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com",
            "000000000001.dkr.ecr.eu-west-1.amazonaws.com=http",
            "",
        ] {
            let error = registry_at(text).unwrap_err();
            assert_eq!(error.exit_code(), exit_code::BAD_CONFIGURATION, "{text}");
            assert!(error.report().contains("hint: --registry"), "{text}");
        }
    }
}
