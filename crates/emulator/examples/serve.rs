//! Runs an emulator until Ctrl-C: `cargo run -p ecru-emulator --example serve -- [OPTION]...`
//!
//! Options: `--port N`, `--registry ACCOUNT/REGION/PORT`, `--tls PORT`, `--state DIR`, `--unix PATH`, `--deny`,
//! `--repository ACCOUNT/REGION/NAME`. Prints where it listens, what to set, and in the end what was called.

use std::error::Error;

use ecru_emulator::{AccountId, CrossAccount, Emulator, Options, Region, RegistryAt, TlsOptions};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this program talks to a person")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut repositories = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        if option == "--deny" {
            options.cross_account = CrossAccount::Deny;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--port" => options.listen.set_port(value.parse()?),
            "--registry" => {
                let (account, region, port) = place(&value)?;
                options.registries.push(RegistryAt { account, region, port: port.parse()? });
            }
            "--tls" => options.tls = Some(TlsOptions { port: value.parse()?, names: Vec::new() }),
            "--state" => options.state_dir = Some(value.into()),
            "--unix" => options.unix_socket = Some(value.into()),
            "--repository" => repositories.push(value),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }

    let emulator = Emulator::start(options).await?;
    for repository in &repositories {
        let (account, region, name) = place(repository)?;
        emulator.create_repository(account, &region, name)?;
    }
    println!("{:#?}", emulator.addresses());
    for (name, value) in emulator.environment() {
        println!("export {name}={value}");
    }
    tokio::signal::ctrl_c().await?;
    println!("{}", emulator.calls());
    emulator.stop().await;
    Ok(())
}

fn place(text: &str) -> Result<(AccountId, Region, &str), Box<dyn Error>> {
    let mut parts = text.splitn(3, '/');
    let mut next = || parts.next().ok_or("expected ACCOUNT/REGION/…");
    Ok((next()?.parse()?, next()?.parse()?, next()?))
}
