//! `ecru emulate`: emulated AWS until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ecru_ecr::registry::Registry;
use ecru_emulator::{
    AccountId, CrossAccount, Fault, Options, Region, RegistryAt, Seed, SeedError, TlsOptions,
};
use tokio_util::sync::CancellationToken;

use super::emulate_around::{self, identity_variables};
use super::emulate_identity;
use crate::args::{EmulateArgs, ReportFormat};
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
    refuse_real_identity(args, outside)?;
    let screen = Screen::on_stderr(true);
    let temporary = temporary_folder()?;
    let stage = start(args, outside, temporary.path(), &screen).await?;
    let variables = client_variables(&stage, args, temporary.path())?;
    if args.format == ReportFormat::Json {
        screen.print(&json(&stage, variables));
    } else {
        for line in lines(&stage, &variables, emulate_identity::remark(args.identity)) {
            screen.print(&line);
        }
    }
    tokio::select! {
        () = cancelled.cancelled() => {}
        () = stage.emulator().stop_requested() => {}
    }
    stage.stop().await;
    Ok(exit_code::OK)
}

/// Serves as long as the command runs; returns the command's exit code.
pub(super) async fn run_around_command(args: &EmulateArgs, outside: &Outside) -> Result<u8, CommandError> {
    let screen = Screen::on_stderr(true);
    let temporary = temporary_folder()?;
    let stage = start(args, outside, temporary.path(), &screen).await?;
    if let Some(address) = stage.emulator().addresses().control {
        screen.line(&format!("control address: http://{address}"));
    }
    let variables = client_variables(&stage, args, temporary.path())?;
    let environment = emulate_around::environment(&stage, variables, outside, temporary.path());
    let exit_code = emulate_around::exit_code_of(&args.command, &stage, &environment).await;
    stage.stop().await;
    exit_code
}

async fn start(
    args: &EmulateArgs,
    outside: &Outside,
    temporary: &Path,
    screen: &Screen,
) -> Result<Stage, CommandError> {
    // The variables that are printed must hold in any folder.
    let state = args.state.as_deref().map(std::path::absolute).transpose().map_err(no_folder)?;
    let folder = state.as_deref().unwrap_or(temporary);
    let seed = args.seed.as_deref().map(Seed::read).transpose().map_err(refused_seed)?.unwrap_or_default();
    let mut options = options(args, state.clone())?;
    seed.add_to(&mut options);
    let stage = Stage::start(options, folder).await?;
    stage.emulator().apply(&seed).await.map_err(refused_seed)?;
    if args.example_images {
        push_example_images(&stage, outside, temporary, screen).await?;
    }
    Ok(stage)
}

/// The variables of a client. Its tokens are kept beside nobody else's and no longer than the emulator: another one on the
/// same port would refuse them.
fn client_variables(
    stage: &Stage,
    args: &EmulateArgs,
    temporary: &Path,
) -> Result<Vec<(String, String)>, CommandError> {
    let mut variables = emulate_identity::variables(stage, args.identity)?;
    variables.push(("AWS_ECR_CACHE_DIR".to_owned(), temporary.join("tokens").display().to_string()));
    Ok(variables)
}

fn temporary_folder() -> Result<tempfile::TempDir, CommandError> {
    tempfile::Builder::new().prefix("ecru-emulate-").tempdir().map_err(no_folder)
}

/// Beside the variables of a real identity, the printed ones would not be the whole truth: a client with both would
/// send real keys' signatures to the emulator, or a request meant for it to AWS.
fn refuse_real_identity(args: &EmulateArgs, outside: &Outside) -> Result<(), CommandError> {
    let real = identity_variables(outside);
    if real.is_empty() || args.force {
        return Ok(());
    }
    let names = real.join(", ");
    let unset = format!("env -u {} ecru emulate", real.join(" -u "));
    Err(CommandError::new(
        exit_code::REAL_AWS_VARIABLES,
        format!("variables of a real AWS identity are set: {names}"),
    )
    .hint(unset)
    .hint("ecru emulate -- COMMAND runs a command without them; --force starts anyway"))
}

fn options(args: &EmulateArgs, state: Option<PathBuf>) -> Result<Options, CommandError> {
    let (public, private): (Vec<&String>, Vec<&String>) =
        args.registries.iter().partition(|text| text.starts_with(PUBLIC));
    Ok(Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        registries: private.into_iter().map(|text| registry_at(text)).collect::<Result<_, _>>()?,
        public_port: public.into_iter().map(|text| public_port(text)).next_back().transpose()?,
        tls: args.tls.map(|port| TlsOptions { port, ..TlsOptions::default() }),
        state_dir: state,
        faults: args.faults.iter().map(|rule| fault(rule)).collect::<Result<_, _>>()?,
        control: args.control,
        instance_metadata: args.imds.into(),
        cross_account: if args.deny_cross_account { CrossAccount::Deny } else { CrossAccount::Allow },
        ..Options::default()
    })
}

/// What `--registry` for ECR Public starts with.
const PUBLIC: &str = "public.ecr.aws=";

/// `public.ecr.aws=5002`
fn public_port(text: &str) -> Result<u16, CommandError> {
    host_and_port(text).map(|(_, port)| port)
}

fn host_and_port(text: &str) -> Result<(&str, u16), CommandError> {
    let (host, port) = text.rsplit_once('=').ok_or_else(|| refused(text, "has no `=PORT`"))?;
    Ok((host, port.parse().map_err(|_| refused(text, "has no port number after the `=`"))?))
}

fn refused(text: &str, why: &str) -> CommandError {
    CommandError::new(exit_code::BAD_CONFIGURATION, format!("`--registry {text}` {why}"))
        .hint("--registry 000000000001.dkr.ecr.eu-west-1.amazonaws.com=5001")
}

/// A seed file is configuration, and what it leads to may fail as the emulator may.
fn refused_seed(error: SeedError) -> CommandError {
    let code = match &error {
        SeedError::State(_) | SeedError::Runtime(_) => exit_code::EMULATOR_FAILED,
        _ => exit_code::BAD_CONFIGURATION,
    };
    CommandError::from_error(code, &error).maybe_hint(error.hint())
}

fn fault(rule: &str) -> Result<Fault, CommandError> {
    Fault::parse(rule).map_err(|error| {
        CommandError::from_error(exit_code::BAD_CONFIGURATION, &error).maybe_hint(error.hint())
    })
}

/// `000000000001.dkr.ecr.eu-west-1.amazonaws.com=5001`
fn registry_at(text: &str) -> Result<RegistryAt, CommandError> {
    let refused = |why: &str| refused(text, why);
    let (host, port) = host_and_port(text)?;
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

fn json(stage: &Stage, variables: Vec<(String, String)>) -> String {
    let variables: serde_json::Map<String, serde_json::Value> =
        variables.into_iter().map(|(name, value)| (name, value.into())).collect();
    serde_json::json!({ "addresses": stage.emulator().addresses(), "environment": variables }).to_string()
}

fn lines(stage: &Stage, variables: &[(String, String)], remark: &str) -> Vec<String> {
    let addresses = stage.emulator().addresses();
    let mut lines = vec!["# Emulated AWS; stop it with Ctrl-C. In the shell of its clients:".to_owned()];
    lines.extend(variables.iter().map(|(name, value)| format!("export {name}='{value}'")));
    lines.extend(addresses.registries.iter().map(|(host, local)| format!("# {local} stands for {host}")));
    if let Some(tls) = &addresses.tls {
        lines.push(format!("# TLS at {}; its authority: {}", tls.main, tls.ca.display()));
    }
    if let Some(address) = &addresses.control {
        lines.push(format!("# control address: http://{address}"));
    }
    lines.push(format!("# {remark}"));
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
    fn ecr_public_is_named_by_its_host_too() {
        assert_eq!(public_port("public.ecr.aws=5002").unwrap(), 5002);
        assert!(public_port("public.ecr.aws=x").is_err());
    }

    #[test]
    fn a_fault_that_is_none_is_refused_with_a_hint() {
        assert!(fault("ecr:GetAuthorizationToken=latency:200ms").is_ok());
        let error = fault("ecr:*=explode").unwrap_err();
        assert_eq!(error.exit_code(), exit_code::BAD_CONFIGURATION);
        assert!(error.report().contains("hint: effects are latency"), "{}", error.report());
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
