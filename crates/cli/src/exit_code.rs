//! What `ecru` exits with. These numbers are a promise: see `docs/EXIT_CODES.md`.
//!
//! `ecru run` passes the script's own exit code on, so its own failures stay in a block (80 to 99) that scripts
//! rarely use and that neither the shell (126 to 165) nor clap (2) uses.

/// All went well.
pub const OK: u8 = 0;
/// `ecru check`: an image cannot be had, or a job cannot be read.
pub const CHECK_FAILED: u8 = 1;
/// A demo step failed.
pub const DEMO_STEP_FAILED: u8 = 1;
/// `ecru explain`: nothing has credentials for the image, so that its pull is anonymous.
pub const NO_CREDENTIALS: u8 = 3;
/// `ecru explain`: the runner, or `docker`, ends with an error before it pulls.
pub const RESOLUTION_ABORTED: u8 = 4;
/// `ecru setup`: changes were shown, and not made.
pub const NOT_APPLIED: u8 = 5;
/// A file could not be read or says something wrong: `.gitlab-ci.yml`, `config.toml`, ecru's configuration.
pub const BAD_CONFIGURATION: u8 = 80;
/// The pipeline has no such job, or the job has no image.
pub const NO_SUCH_JOB: u8 = 81;
/// No Docker engine answered.
pub const NO_ENGINE: u8 = 82;
/// The registry has no such image.
pub const IMAGE_NOT_FOUND: u8 = 83;
/// The registry refused the pull: no credentials, or not allowed to.
pub const PULL_DENIED: u8 = 84;
/// A service stopped, or none of its ports was ever open.
pub const SERVICE_NOT_READY: u8 = 85;
/// The engine could not run the job for another reason.
pub const ENGINE_FAILED: u8 = 86;
/// The job took longer than it may.
pub const TIMED_OUT: u8 = 87;
/// The emulator could not start.
pub const EMULATOR_FAILED: u8 = 88;
/// Variables of a real AWS identity are set where emulated AWS is to be.
pub const REAL_AWS_VARIABLES: u8 = 89;
/// `ecru token`, `ecru whoami`: no token or no identity could be had from AWS.
pub const NO_TOKEN: u8 = 90;
/// `ecru token`, `ecru whoami`, `ecru cache`: what was named is no registry of Amazon ECR and no alias.
pub const NOT_A_REGISTRY: u8 = 91;
/// `ecru token`, `ecru whoami`: the policy of this machine forbids the registry.
pub const FORBIDDEN: u8 = 92;
/// `ecru cache`: the token cache has no place, or its directory cannot be trusted or read.
pub const CACHE_UNUSABLE: u8 = 93;
/// `ecru setup`: what is to be set up was not found on this machine.
pub const NOTHING_TO_SET_UP: u8 = 94;
/// `ecru setup`: the changes could not be made, or not taken back; the files are as they were.
pub const SETUP_FAILED: u8 = 95;
/// The command of `ecru emulate -- COMMAND` cannot be run (as shells say it).
pub const COMMAND_NOT_RUN: u8 = 126;
/// There is no such command (as shells say it).
pub const NO_SUCH_COMMAND: u8 = 127;
/// Stopped by Ctrl-C or SIGTERM (128 + SIGINT, as shells report it).
pub const INTERRUPTED: u8 = 130;
