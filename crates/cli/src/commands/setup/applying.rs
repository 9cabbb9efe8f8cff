//! What all set-ups have in common: a plan is shown, confirmed, applied, and taken back.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use ecru_doctor::apply::{ApplyError, Machine, apply, preview_of_undo, undo};
use ecru_doctor::plan::Plan;
use ecru_doctor::setup_runner::HELPER;
use ecru_doctor::surroundings::Target;

use super::text;
use crate::args::Applying;
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::printable;

/// Where records and backups of root's set-ups are.
const STATE: &str = "/var/lib/ecru/setup";

/// How often a plan is made again because somebody changed a file meanwhile.
const ATTEMPTS: usize = 50;

/// What a set-up says.
pub(super) struct Texts<'a> {
    /// The set-up, as its command is called.
    pub(super) set_up: &'a str,
    /// What was found and what would change.
    pub(super) shown: &'a dyn Fn(&Plan) -> String,
    /// After the changes.
    pub(super) applied: String,
}

/// Shows the plan, makes its changes where that is wanted, and returns the exit code.
pub(super) fn carry_out(
    applying: &Applying,
    outside: &Outside,
    plan: impl Fn() -> Result<Plan, CommandError>,
    texts: &Texts<'_>,
) -> Result<u8, CommandError> {
    let state = state(applying, outside)?;
    let planned = plan()?;
    say(&(texts.shown)(&planned));
    if planned.is_empty() {
        return Ok(exit_code::OK);
    }
    if !is_confirmed(applying) {
        say(text::NOT_APPLIED);
        return Ok(exit_code::NOT_APPLIED);
    }
    let machine = Machine { root: &applying.root, state: &state, set_up: texts.set_up };
    apply_until_current(planned, machine, plan)?;
    say(&texts.applied);
    Ok(exit_code::OK)
}

/// With `--yes` nobody looked at the diff, and a plan for what changed meanwhile is as good.
fn apply_until_current(
    mut planned: Plan,
    machine: Machine<'_>,
    again: impl Fn() -> Result<Plan, CommandError>,
) -> Result<(), CommandError> {
    for attempt in 1.. {
        match apply(&planned, machine) {
            Ok(()) => return Ok(()),
            Err(ApplyError::Changed { .. }) if attempt < ATTEMPTS => planned = again()?,
            Err(error) => return Err(failed(&error, machine.root)),
        }
    }
    Ok(())
}

/// Takes the last set-up of this kind back, and returns the exit code.
pub(super) fn take_back(set_up: &str, applying: &Applying, outside: &Outside) -> Result<u8, CommandError> {
    let state = state(applying, outside)?;
    let machine = Machine { root: &applying.root, state: &state, set_up };
    let asks = !applying.yes && std::io::stdout().is_terminal();
    if applying.dry_run || asks {
        let preview = preview_of_undo(machine).map_err(|error| failed(&error, machine.root))?;
        say(&text::undone(&preview, "would be as it was"));
    }
    if applying.dry_run {
        say("Nothing was changed. To take it back, leave out --dry-run.\n");
        return Ok(exit_code::NOT_APPLIED);
    }
    if asks && !is_answered_yes("Take it back?") {
        return Ok(exit_code::NOT_APPLIED);
    }
    let undone = undo(machine).map_err(|error| failed(&error, machine.root))?;
    say(&text::undone(&undone, "as it was"));
    let is_gone = |file: &PathBuf| file.ends_with(HELPER) && !in_root(&applying.root, file).exists();
    if undone.files.iter().any(is_gone) {
        say(&text::helper_is_gone(&Target::at(&applying.root)));
    }
    Ok(exit_code::OK)
}

fn is_confirmed(applying: &Applying) -> bool {
    if applying.yes {
        return true;
    }
    !applying.dry_run && std::io::stdout().is_terminal() && is_answered_yes("Make these changes?")
}

fn is_answered_yes(question: &str) -> bool {
    say(&format!("{question} [y/N] "));
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// A reader that went away has seen what it wanted.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(printable(text).as_bytes());
}

/// Where the machine's file is, whose `/` is at `root`.
fn in_root(root: &Path, file: &Path) -> PathBuf {
    root.join(file.strip_prefix("/").unwrap_or(file))
}

fn state(applying: &Applying, outside: &Outside) -> Result<PathBuf, CommandError> {
    if applying.root != Path::new("/") || rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from(STATE));
    }
    let of_home = || outside.home().map(|home| home.join(".local/state"));
    let folder = outside.variable("XDG_STATE_HOME").map(PathBuf::from).or_else(of_home);
    folder.map(|folder| folder.join("ecru/setup")).ok_or_else(|| {
        CommandError::new(exit_code::NOTHING_TO_SET_UP, "HOME is not set, so there is no place for a backup")
    })
}

fn failed(error: &ApplyError, root: &Path) -> CommandError {
    CommandError::from_error(exit_code::SETUP_FAILED, error).maybe_hint(error.hint(root))
}
