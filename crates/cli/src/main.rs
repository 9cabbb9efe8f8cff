//! The program `ecru`. Called as `docker-credential-…`, it is the credential helper instead.

use std::process::ExitCode;

fn main() -> ExitCode {
    ecru_cli::main()
}
