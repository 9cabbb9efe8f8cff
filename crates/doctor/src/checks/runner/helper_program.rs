//! The programs of the helpers that the runner's settings name.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile32, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Architecture, Endianness, Object as _};

use super::Facts;
use super::settings::is_for_ecr;
use crate::files::read_limited;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::service::{below, homes};
use crate::shell::shell_word;

/// The longest program.
const MAX_BYTES: usize = 512 * 1024 * 1024;

/// Folders in which people put programs, beside those of accounts.
const OTHER_FOLDERS: [&str; 7] =
    ["/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/opt/bin", "/opt/ecru", "/snap/bin", "/root/bin"];
const FOLDERS_OF_HOMES: [&str; 3] = ["bin", ".local/bin", "go/bin"];

/// What no person has for a home directory, whatever `/etc/passwd` says.
const SYSTEM_FOLDERS: [&str; 7] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt"];

pub(super) static FOUND: Definition = Definition {
    id: "runner.helper.found",
    context: Context::Runner,
    station: Station::Helper,
    weight: Weight::Error,
    title: "the helper is on the service's PATH",
    why: "The runner's process starts it, with its own PATH: that of a person, of a job or of the job's host is another \
          one.",
};

pub(super) static EXECUTABLE: Definition = Definition {
    id: "runner.helper.executable",
    context: Context::Runner,
    station: Station::Helper,
    weight: Weight::Error,
    title: "the helper may be executed",
    why: "A file without the right to be executed is passed over, as if it were not there.",
};

pub(super) static ARCHITECTURE: Definition = Definition {
    id: "runner.helper.architecture",
    context: Context::Runner,
    station: Station::Helper,
    weight: Weight::Error,
    title: "the helper is a program for this machine",
    why: "A program for another architecture, or one that needs a loader or an interpreter that is not there, does not \
          start, and the runner drops the whole source.",
};

pub(super) static OWNER: Definition = Definition {
    id: "runner.helper.owner",
    context: Context::Runner,
    station: Station::Helper,
    weight: Weight::Risk,
    title: "only root and the service's user can change the helper",
    why: "Whoever can change it, or its folder, gets the service's AWS identity.",
};

pub(super) fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let suffixes = suffixes(facts);
    if suffixes.is_empty() {
        let reason = "no source names a helper";
        return [&FOUND, &EXECUTABLE, &ARCHITECTURE].map(|one| Check::not_applicable(one, reason)).into();
    }
    suffixes.iter().flat_map(|suffix| of_helper(facts, suffix)).collect()
}

/// The helpers that the settings name, without those that are named by a path.
fn suffixes(facts: &Facts<'_>) -> Vec<String> {
    let documents = facts.documents();
    let named = documents.into_iter().flat_map(|document| {
        document.credentials_store.into_iter().chain(document.credential_helpers.into_values())
    });
    let mut suffixes: Vec<String> = named.filter(|name| !name.is_empty() && !name.contains('/')).collect();
    suffixes.sort();
    suffixes.dedup();
    suffixes
}

fn of_helper(facts: &Facts<'_>, suffix: &str) -> Vec<Check> {
    let program = format!("docker-credential-{suffix}");
    let there: Vec<PathBuf> = facts
        .search_path()
        .iter()
        .map(|folder| folder.join(&program))
        .filter(|path| path.is_file())
        .collect();
    let first = there.iter().find(|path| is_executable(path));
    let fix = || match is_for_ecr(suffix) {
        true => facts.setup_command(),
        false => Fix::advice(format!("put {program} into a folder of the service's PATH")),
    };
    let checks = match (first, there.first()) {
        (None, None) => {
            let check = Check::fail(&FOUND, format!("{program} is in no folder of the service's PATH"));
            let check = match &facts.service {
                Ok(service) => check.seen(format!("PATH {}", display(&service.path))),
                Err(_) => check,
            };
            let elsewhere = elsewhere(facts, &program).into_iter();
            let check = elsewhere
                .map(|path| format!("{} is there, and not on that PATH", path.display()))
                .fold(check, Check::seen);
            let reason = "it was not found";
            vec![check.fix(fix()), Check::skipped(&EXECUTABLE, reason), Check::skipped(&ARCHITECTURE, reason)]
        }
        (None, Some(file)) => {
            let shown = shell_word(&file.display().to_string());
            vec![
                Check::pass(&FOUND).seen(file.display().to_string()),
                Check::fail(&EXECUTABLE, format!("{shown} has no right to be executed"))
                    .fix(Fix::command(format!("chmod 755 {shown}"))),
                Check::skipped(&ARCHITECTURE, "it may not be executed"),
            ]
        }
        (Some(file), _) => {
            let architecture = match why_not_for_this_machine(facts, file) {
                None => Check::pass(&ARCHITECTURE),
                Some(reason) => Check::fail(&ARCHITECTURE, reason).fix(fix()),
            };
            vec![Check::pass(&FOUND).seen(file.display().to_string()), Check::pass(&EXECUTABLE), architecture]
        }
    };
    checks.into_iter().map(|check| check.about(program.clone())).collect()
}

fn display(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Where the program is on this machine, beside the service's PATH.
fn elsewhere(facts: &Facts<'_>, program: &str) -> Vec<PathBuf> {
    let root = &facts.surroundings.root;
    let of_homes = homes(root)
        .into_iter()
        .chain([PathBuf::from("/root")])
        .flat_map(|home| FOLDERS_OF_HOMES.map(|folder| home.join(folder)));
    let mut found: Vec<PathBuf> = OTHER_FOLDERS
        .iter()
        .map(PathBuf::from)
        .chain(of_homes)
        .map(|folder| folder.join(program))
        .filter(|path| facts.surroundings.place_of(path).is_file())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn why_not_for_this_machine(facts: &Facts<'_>, program: &Path) -> Option<String> {
    let content = match read_limited(program, MAX_BYTES) {
        Ok(content) => content.unwrap_or_default(),
        Err(error) => return Some(format!("{} cannot be read: {error}", program.display())),
    };
    let missing = |interpreter: &str| {
        // What is on the outside of a folder that stands for a machine is started with the outside's interpreters.
        let is_there = facts.surroundings.place_of(Path::new(interpreter)).exists()
            || (!facts.surroundings.is_this_machine() && Path::new(interpreter).exists());
        (!is_there).then(|| format!("it needs {interpreter}, which is not there"))
    };
    if let Some(line) = content.strip_prefix(b"#!") {
        let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default());
        return missing(line.split_whitespace().next().unwrap_or_default());
    }
    let architecture = ElfFile64::<Endianness>::parse(&*content)
        .map(|file| file.architecture())
        .or_else(|_| ElfFile32::<Endianness>::parse(&*content).map(|file| file.architecture()));
    match (architecture, wanted_architecture()) {
        (Err(_), _) => Some("it is neither a program nor a script".to_owned()),
        (Ok(architecture), Some(wanted)) if architecture != wanted => {
            Some(format!("it is a program for {architecture:?}, and this machine is {wanted:?}"))
        }
        _ => interpreter(&content).as_deref().and_then(missing),
    }
}

fn wanted_architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        "arm" => Some(Architecture::Arm),
        "x86" => Some(Architecture::I386),
        _ => None,
    }
}

/// The loader that a dynamic program asks for (ELF specification, `PT_INTERP`).
fn interpreter(content: &[u8]) -> Option<String> {
    let header = object::elf::FileHeader64::<Endianness>::parse(content).ok()?;
    let endian = header.endian().ok()?;
    let programs = header.program_headers(endian, content).ok()?;
    let path = programs.iter().find_map(|program| program.interpreter(endian, content).ok().flatten())?;
    Some(String::from_utf8_lossy(path).into_owned())
}

/// The folders in which a helper is looked for, as the machine has them, each to the first that has it; all of those of
/// the service's PATH for one that is nowhere.
fn searched_for(facts: &Facts<'_>, suffix: &str) -> Vec<PathBuf> {
    let program = format!("docker-credential-{suffix}");
    let folders = facts.service.iter().flat_map(|service| &service.path);
    let mut searched = Vec::new();
    for folder in folders {
        searched.push(folder.clone());
        if is_executable(&facts.surroundings.place_of(&folder.join(&program))) {
            break;
        }
    }
    searched
}

/// The folders in which any of the helpers is looked for, as the machine has them.
pub(super) fn searched(facts: &Facts<'_>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        suffixes(facts).iter().flat_map(|suffix| searched_for(facts, suffix)).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// Whoever can write into a folder that comes before the helper's puts another program there, and whoever can write into
/// one above either puts another folder in its place.
pub(super) fn owners(facts: &Facts<'_>) -> Vec<Check> {
    let Ok(service) = &facts.service else { return Vec::new() };
    // In a folder that stands for a machine, whoever looks at it stands for root.
    let root = if facts.surroundings.is_this_machine() { 0 } else { facts.surroundings.uid };
    let trusted = [root, service.uid];
    let people = homes_of_people(facts);
    let of_suffix = |suffix: &String| {
        let program = format!("docker-credential-{suffix}");
        let folders = searched_for(facts, suffix);
        let file = facts.surroundings.place_of(&folders.last()?.join(&program));
        is_executable(&file).then(|| {
            let mut open = Open::default();
            for folder in &folders {
                open.add(folder, open_folders(&facts.surroundings.root, folder, trusted), &people);
            }
            if let Some(folder) = folders.last().filter(|_| is_open(&file, trusted, false)) {
                open.add(folder, vec![file], &people);
            }
            open.check().about(program)
        })
    };
    suffixes(facts).iter().filter_map(of_suffix).collect()
}

/// The home directories of accounts, as places of this machine. Root's is none of them, nor is a folder of the system
/// that an account such as `daemon` has for one.
fn homes_of_people(facts: &Facts<'_>) -> Vec<PathBuf> {
    let root = &facts.surroundings.root;
    let is_system = |home: &Path| {
        let mut folders = SYSTEM_FOLDERS.iter().map(Path::new);
        home == Path::new("/root") || folders.any(|folder| folder.starts_with(home))
    };
    let homes = homes(root).into_iter().filter(|home| home.is_absolute() && !is_system(home));
    let places = homes.map(|home| below(root, &home));
    places.flat_map(|place| [place.canonicalize().ok(), Some(place)]).flatten().collect()
}

/// What others can change on the way to a helper.
#[derive(Default)]
struct Open {
    /// What root can take into its own hands.
    places: Vec<PathBuf>,
    /// What is a person's, and has to stay so.
    of_people: Vec<PathBuf>,
    /// The folders of PATH that lead there.
    folders: Vec<PathBuf>,
}

impl Open {
    fn add(&mut self, folder: &Path, open: Vec<PathBuf>, people: &[PathBuf]) {
        let is_of_people = |place: &PathBuf| people.iter().any(|home| place.starts_with(home));
        let (of_people, places): (Vec<PathBuf>, Vec<PathBuf>) = open.into_iter().partition(is_of_people);
        if !of_people.is_empty() {
            self.folders.push(folder.to_owned());
        }
        self.of_people.extend(of_people);
        self.places.extend(places);
    }

    fn check(self) -> Check {
        let words = |paths: &[&PathBuf], by: &str| {
            let mut paths = paths.to_vec();
            paths.sort();
            paths.dedup();
            let words = paths.iter().map(|path| shell_word(&path.display().to_string()));
            words.collect::<Vec<_>>().join(by)
        };
        let all: Vec<&PathBuf> = self.places.iter().chain(&self.of_people).collect();
        if all.is_empty() {
            return Check::pass(&OWNER);
        }
        let mut check = Check::fail(&OWNER, format!("others can change {}", words(&all, ", ")));
        if !self.places.is_empty() {
            let paths = words(&self.places.iter().collect::<Vec<_>>(), " ");
            check = check.fix(Fix::command(format!("chown root: {paths} && chmod go-w {paths}")));
        }
        if !self.folders.is_empty() {
            let folders = words(&self.folders.iter().collect::<Vec<_>>(), ", ");
            check = check.fix(Fix::advice(format!(
                "take {folders} out of the service's PATH, and put the helper into a folder of root's: what is in a home \
                 directory stays its owner's"
            )));
        }
        check
    }
}

/// `folder` and those above it into which others than `trusted` can write, as places of this machine.
fn open_folders(root: &Path, folder: &Path, trusted: [u32; 2]) -> Vec<PathBuf> {
    let place = below(root, folder);
    let resolved =
        place.canonicalize().ok().filter(|resolved| *resolved != place && resolved.starts_with(root));
    let above = |place: &Path| -> Vec<PathBuf> {
        let folders = place.ancestors().take_while(|folder| folder.starts_with(root));
        // A sticky folder keeps what is in it from being replaced, but not a new name from being added.
        folders.filter(|one| is_open(one, trusted, *one != place)).map(Path::to_owned).collect()
    };
    [Some(place), resolved].into_iter().flatten().flat_map(|place| above(&place)).collect()
}

fn is_open(path: &Path, trusted: [u32; 2], sticky_is_safe: bool) -> bool {
    path.metadata().is_ok_and(|metadata| {
        let mode = metadata.mode();
        let is_shared = mode & 0o022 != 0 && !(sticky_is_safe && mode & 0o1000 != 0);
        !trusted.contains(&metadata.uid()) || is_shared
    })
}
