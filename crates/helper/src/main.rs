//! The program `docker-credential-ecr-login`.

use std::io;
use std::process::ExitCode;

use ecru_helper::{Environment, harden_process, run};

fn main() -> ExitCode {
    harden_process();
    let (mut stdin, mut stdout, mut stderr) = (io::stdin().lock(), io::stdout().lock(), io::stderr().lock());
    let arguments = std::env::args_os().skip(1);
    ExitCode::from(run(arguments, Environment::from_process(), &mut stdin, &mut stdout, &mut stderr))
}
