//! The program `docker-credential-ecr-login`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ecru_helper::main()
}
