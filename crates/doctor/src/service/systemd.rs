//! The service that the unit `gitlab-runner.service` describes, as systemd.exec(5) and systemd.service(5) have it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::command_line::Started;
use super::error::Trouble;
use super::sandbox::{Sandbox, truth};
use super::specifiers::Specifiers;
use super::unit_files::{self, UnitFile};
use super::words::words;
use super::{Kind, NAME, Search, Service, ServiceError, environment_file, folders, process, text_at};
use crate::files::begins_with;

/// What systemd gives a service that has no `PATH` of its own (systemd.exec(5), "Environment variables set").
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The service, if there is a unit.
pub(super) fn service(search: &Search<'_>) -> Result<Option<Service>, ServiceError> {
    let files = unit_files::unit(search.root)?;
    if files.is_empty() {
        return Ok(None);
    }
    let mut settings = Settings::new(Specifiers { root: search.root });
    for file in unit_files::manager(search.root)? {
        settings.read_manager(&file);
    }
    for file in &files {
        settings.read(file);
    }
    let mut evidence: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    let uid = match settings.uid(search) {
        Err(error @ ServiceError::DynamicUser { .. }) => {
            let process = process::of_unit(search.root).ok_or(error)?;
            evidence.push("its user is made when it starts; what counts is what runs".to_owned());
            return of_process(process, search, evidence).map(|service| Some(settings.judged(service)));
        }
        uid => uid?,
    };
    let mut troubles = Vec::new();
    let variables = settings.variables(search, uid, &mut evidence, &mut troubles)?;
    let started = settings.started(search, uid, variables);
    let mut service = if is_runner(search.root, &started) {
        let service =
            search.of_environment(uid, &started.variables, started.config(), Kind::Systemd, evidence)?;
        troubles.extend(process::of_unit(search.root).and_then(|process| {
            let number = process.number;
            let running = process.service(search, Some(Kind::Systemd)).ok()?;
            let what = service.differences(&running);
            (!what.is_empty()).then_some(Trouble::Differs { number, what })
        }));
        service
    } else if let Some(process) = process::of_unit(search.root) {
        evidence.push(format!("it starts `{}`; what counts is what runs", started.program));
        of_process(process, search, evidence)?
    } else if search.home.is_some() && search.config.is_some() {
        evidence.push(format!(
            "it starts `{}`; HOME and configuration are those that were given",
            started.program
        ));
        search.of_environment(uid, &started.variables, None, Kind::Systemd, evidence)?
    } else {
        return Err(ServiceError::Wrapper { path: settings.start.file, program: started.program });
    };
    service.troubles = troubles;
    Ok(Some(settings.judged(service)))
}

/// The service of its process, where what runs counts and not what the unit says.
fn of_process(
    process: process::Process,
    search: &Search<'_>,
    evidence: Vec<String>,
) -> Result<Service, ServiceError> {
    let mut service = process.service(search, Some(Kind::Systemd))?;
    service.evidence.splice(0..0, evidence);
    Ok(service)
}

/// Whether it is gitlab-runner itself, and no script of that name.
fn is_runner(root: &Path, started: &Started) -> bool {
    let program = Path::new(&started.program);
    let search_path = folders(started.variables.get("PATH").map_or("", String::as_str));
    let mut places = if program.is_absolute() {
        vec![program.to_owned()]
    } else {
        search_path.iter().map(|folder| folder.join(program)).collect()
    };
    places.retain(|place| super::below(root, place).is_file());
    let is_script = places.first().is_some_and(|place| begins_with(&super::below(root, place), b"#!"));
    started.is_runner() && !is_script
}

/// A variable, or a user, with the file that sets it; without a value if that has a specifier that is not known.
#[derive(Debug)]
struct Set {
    name: String,
    value: Option<String>,
    file: PathBuf,
}

impl Set {
    fn known(&self) -> Result<String, ServiceError> {
        self.value
            .clone()
            .ok_or_else(|| ServiceError::Specifier { setting: self.name.clone(), path: self.file.clone() })
    }
}

/// The words of `ExecStart=`; none if one has a specifier that is not known.
#[derive(Debug, Default)]
struct Start {
    words: Option<Vec<String>>,
    raw: Vec<String>,
    file: PathBuf,
}

/// The settings of `[Service]` that matter here.
#[derive(Debug)]
struct Settings<'a> {
    specifiers: Specifiers<'a>,
    user: Option<Set>,
    /// Of the manager, for all units.
    defaults: Vec<Set>,
    environment: Vec<Set>,
    environment_files: Vec<Set>,
    unset: Vec<String>,
    search_path: Vec<Set>,
    start: Start,
    working_directory: Option<String>,
    /// What makes the user anew at each start.
    dynamic: Option<PathBuf>,
    sandbox: Sandbox,
}

impl<'a> Settings<'a> {
    fn new(specifiers: Specifiers<'a>) -> Self {
        Self {
            specifiers,
            user: None,
            defaults: Vec::new(),
            environment: Vec::new(),
            environment_files: Vec::new(),
            unset: Vec::new(),
            search_path: Vec::new(),
            start: Start::default(),
            working_directory: None,
            dynamic: None,
            sandbox: Sandbox::default(),
        }
    }

    /// `DefaultEnvironment=` of systemd-system.conf(5).
    fn read_manager(&mut self, file: &UnitFile) {
        for (key, value) in file.assignments("Manager") {
            if key == "DefaultEnvironment" {
                let set = self.assigned(&value, file);
                grow(&mut self.defaults, set);
            }
        }
    }

    fn read(&mut self, file: &UnitFile) {
        for (key, value) in file.assignments("Service") {
            match key.as_str() {
                "User" => self.user = self.whole(&key, &value, file).pop(),
                "Environment" => {
                    let set = self.assigned(&value, file);
                    grow(&mut self.environment, set);
                }
                "EnvironmentFile" => {
                    let set = self.whole(&key, &value, file);
                    grow(&mut self.environment_files, set);
                }
                "UnsetEnvironment" => grow(&mut self.unset, words(&value)),
                "ExecSearchPath" => {
                    let set = self.whole("PATH", &value, file);
                    grow(&mut self.search_path, set);
                }
                "ExecStart" => self.start = self.start_of(&value, file),
                "WorkingDirectory" => self.working_directory = self.specifiers.expanded(&value),
                "DynamicUser" => {
                    if let Some(is_dynamic) = truth(&value) {
                        self.dynamic = is_dynamic.then(|| file.path.clone());
                    }
                }
                _ => self.sandbox.read(&key, &value, file, self.specifiers),
            }
        }
    }

    /// The value as one; none if it is empty.
    fn whole(&self, name: &str, value: &str, file: &UnitFile) -> Vec<Set> {
        if value.is_empty() {
            return Vec::new();
        }
        let value = self.specifiers.expanded(value);
        vec![Set { name: name.to_owned(), value, file: file.path.clone() }]
    }

    /// The value as words `NAME=VALUE`.
    fn assigned(&self, value: &str, file: &UnitFile) -> Vec<Set> {
        let set = |word: String| {
            let (name, value) = word.split_once('=')?;
            self.whole(name, value, file).pop().or_else(|| {
                Some(Set { name: name.to_owned(), value: Some(String::new()), file: file.path.clone() })
            })
        };
        words(value).into_iter().filter_map(set).collect()
    }

    /// A service of any type but `oneshot` has one command; an empty value takes it back.
    fn start_of(&self, value: &str, file: &UnitFile) -> Start {
        let raw = words(value);
        let words = raw.iter().map(|word| self.specifiers.expanded(word)).collect();
        Start { words, raw, file: file.path.clone() }
    }

    /// The service with what hides its HOME.
    fn judged(&self, mut service: Service) -> Service {
        service.troubles.extend(self.sandbox.trouble(&service.home));
        service
    }

    /// The user: that of `User=`, else root or one that is called like the unit, else the owner of the home directory
    /// that was given. One that is made anew has an account only where somebody made it before.
    fn uid(&self, search: &Search<'_>) -> Result<u32, ServiceError> {
        let user = match (&self.user, &self.dynamic) {
            (Some(set), _) => set.known(),
            (None, Some(_)) => Ok(NAME.to_owned()),
            (None, None) => return Ok(0),
        };
        let known = user.and_then(|user| {
            search.users.uid_of(&user).ok_or_else(|| match &self.dynamic {
                Some(path) => ServiceError::DynamicUser { path: path.clone() },
                None => ServiceError::NoUser { user: user.clone() },
            })
        });
        match (known, search.home) {
            (Err(_), Some(home)) => search.owner_of(home),
            (known, _) => known,
        }
    }

    fn variables(
        &self,
        search: &Search<'_>,
        uid: u32,
        evidence: &mut Vec<String>,
        troubles: &mut Vec<Trouble>,
    ) -> Result<BTreeMap<String, String>, ServiceError> {
        let search_path: Result<Vec<String>, _> = self.search_path.iter().map(Set::known).collect();
        let search_path =
            if self.search_path.is_empty() { DEFAULT_PATH.to_owned() } else { search_path?.join(":") };
        let mut variables = BTreeMap::from([("PATH".to_owned(), search_path)]);
        // With User=, systemd sets HOME to the account's folder.
        if self.user.is_some()
            && let Some(home) = search.users.home_of(uid)
        {
            variables.insert("HOME".to_owned(), home.display().to_string());
        }
        let mut unknown: BTreeMap<&str, &Set> = BTreeMap::new();
        for set in self.defaults.iter().chain(&self.environment) {
            match &set.value {
                Some(value) => {
                    variables.insert(set.name.clone(), value.clone());
                    unknown.remove(set.name.as_str());
                }
                None => {
                    variables.remove(&set.name);
                    unknown.insert(&set.name, set);
                }
            }
        }
        for set in &self.environment_files {
            let pattern = set.known()?;
            let path = pattern.trim_start_matches('-');
            let files = environment_file::matching(search.root, path);
            if files.is_empty() && path == pattern {
                troubles.push(Trouble::MissingFile { file: pattern.clone(), unit: set.file.clone() });
            }
            for file in files {
                let text = text_at(search.root, &file)?.unwrap_or_default();
                for (name, value) in environment_file::assignments(&text) {
                    unknown.remove(name.as_str());
                    variables.insert(name, value);
                }
                evidence.push(file.display().to_string());
            }
        }
        for name in &self.unset {
            remove(&mut variables, name);
            unknown.remove(name.as_str());
        }
        for (name, set) in unknown {
            let is_given = name == "HOME" && search.home.is_some();
            if matches!(name, "HOME" | "PATH") && !is_given {
                set.known()?;
            }
            evidence.push(format!(
                "{name} is left out: its value in {} has a specifier that is not known here",
                set.file.display()
            ));
        }
        Ok(variables)
    }

    fn started(&self, search: &Search<'_>, uid: u32, variables: BTreeMap<String, String>) -> Started {
        let folder = match self.working_directory.as_deref().map(|folder| folder.trim_start_matches('-')) {
            Some("~") => search.users.home_of(uid),
            folder => folder.map(PathBuf::from),
        };
        let folder = folder.unwrap_or_else(|| PathBuf::from("/"));
        match &self.start.words {
            Some(words) => Started::of(words, variables, folder),
            None => Started { program: self.start.raw.join(" "), arguments: Vec::new(), variables, folder },
        }
    }
}

/// `NAME`, or `NAME=VALUE` for this value only.
fn remove(variables: &mut BTreeMap<String, String>, unset: &str) {
    match unset.split_once('=') {
        Some((name, value)) => {
            variables.retain(|other, is| other != name || is != value);
        }
        None => {
            variables.remove(unset);
        }
    }
}

/// An empty value takes back all before it.
fn grow<T>(list: &mut Vec<T>, values: Vec<T>) {
    if values.is_empty() {
        list.clear();
    }
    list.extend(values);
}
