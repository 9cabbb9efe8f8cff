//! What the job finds in `$CI_PROJECT_DIR`: the files of the last commit, as a runner would fetch them.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;

/// An archive beyond this is not copied into the job: it would have to be held in memory.
const MAX_ARCHIVE_BYTES: u64 = 512 * 1024 * 1024;

/// What git says of a failure is read up to here.
const MAX_COMPLAINT_BYTES: u64 = 4096;

/// Variables by which another repository than that of the folder would be read; git sets them for its hooks
/// (git-rev-parse(1), `--local-env-vars`).
const OTHER_REPOSITORY: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
];

/// The project around a pipeline file, as git knows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// The last path component of its folder.
    pub(crate) name: String,
    /// The commit at HEAD, if there is one.
    pub(crate) commit: Option<String>,
    /// The branch at HEAD.
    pub(crate) branch: Option<String>,
    /// The files of that commit as a tar archive, or why there are none.
    pub(crate) archive: Result<Bytes, NoFiles>,
    /// Whether the folder holds changes that are not in that commit.
    pub(crate) has_uncommitted_changes: bool,
}

/// Why the job's folder is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoFiles {
    /// The folder is in no git repository, or in one without a commit.
    NoCommit,
    /// git did not start, with the system's words.
    NoGit(String),
    /// git refused, with its own first line.
    Refused(String),
    /// They are too much.
    TooLong,
    /// They were not asked for.
    NotAsked,
}

impl fmt::Display for NoFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommit => write!(f, "this is not a git repository with a commit"),
            Self::NoGit(error) => write!(f, "`git` cannot be run ({error})"),
            Self::Refused(complaint) => write!(f, "git says `{}`", complaint.escape_debug()),
            Self::TooLong => write!(f, "the last commit is larger than {} MiB", MAX_ARCHIVE_BYTES >> 20),
            Self::NotAsked => write!(f, "they were not asked for"),
        }
    }
}

impl Project {
    /// What a person should know about the files in the job.
    pub(crate) fn remark(&self) -> Option<String> {
        match (&self.archive, self.has_uncommitted_changes) {
            (Err(reason), _) => Some(format!("note: the job's folder is empty: {reason}")),
            (Ok(_), true) => {
                Some("note: the job sees the last commit; uncommitted changes are not in it".to_owned())
            }
            (Ok(_), false) => None,
        }
    }
}

/// The project in `folder` (the current one, if none is given); one outside git has a name only.
pub(crate) fn project_in(folder: Option<&Path>) -> Project {
    let mut project = described_project(folder);
    if project.commit.is_some() {
        let folder = folder.unwrap_or(Path::new("."));
        // A tree below the top is archived as if it were the top: the folder of the pipeline file is the project.
        project.archive = git(folder, &["archive", "--format=tar", "HEAD", "."]).map(Bytes::from);
    }
    project
}

/// The same without its files.
pub(crate) fn described_project(folder: Option<&Path>) -> Project {
    let folder = folder.unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name =
        folder.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
    let text = |arguments: &[&str]| {
        git(&folder, arguments).map(|output| String::from_utf8_lossy(&output).trim().to_owned())
    };
    match text(&["rev-parse", "--verify", "--quiet", "HEAD"]) {
        Ok(commit) => Project {
            name,
            branch: text(&["rev-parse", "--abbrev-ref", "HEAD"]).ok().filter(|name| name != "HEAD"),
            archive: Err(NoFiles::NotAsked),
            has_uncommitted_changes: text(&["status", "--porcelain", "--", "."])
                .is_ok_and(|changes| !changes.is_empty()),
            commit: Some(commit),
        },
        Err(reason) => {
            Project { name, branch: None, archive: Err(reason), has_uncommitted_changes: false, commit: None }
        }
    }
}

/// Standard output of a git command that succeeded.
fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, NoFiles> {
    let no_git = |error: std::io::Error| NoFiles::NoGit(error.to_string());
    let mut command = Command::new("git");
    OTHER_REPOSITORY.iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut process = command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        // Its words are told apart below.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(no_git)?;
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let (output, complaint) = std::thread::scope(|scope| {
        let complaint = scope.spawn(move || start_of(stderr, MAX_COMPLAINT_BYTES));
        (start_of(stdout, MAX_ARCHIVE_BYTES + 1), complaint.join().unwrap_or_default())
    });
    let succeeded = process.wait().map_err(no_git)?.success();
    if output.len() as u64 > MAX_ARCHIVE_BYTES {
        return Err(NoFiles::TooLong);
    }
    if succeeded {
        return Ok(output);
    }
    let complaint = String::from_utf8_lossy(&complaint);
    match complaint.lines().next() {
        // `rev-parse --quiet` says nothing where there is no commit yet.
        None => Err(NoFiles::NoCommit),
        Some(line) if line.contains("not a git repository") => Err(NoFiles::NoCommit),
        Some(line) => Err(NoFiles::Refused(line.to_owned())),
    }
}

/// At most that much of a stream. It is closed then, so that who writes more ends by a signal.
fn start_of(stream: Option<impl std::io::Read>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read until an error is all there is; how the program ended tells the rest.
        let _ = stream.take(limit).read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_git(folder: &Path, arguments: &[&str]) {
        let identity =
            ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
        let status =
            Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    #[test]
    fn a_folder_outside_git_has_only_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let project = project_in(Some(folder.path()));
        assert_eq!(project.commit, None);
        assert_eq!(project.archive, Err(NoFiles::NoCommit));
        let remark = project.remark().unwrap();
        assert_eq!(remark, "note: the job's folder is empty: this is not a git repository with a commit");
    }

    #[test]
    fn what_git_refuses_is_told_in_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        run_git(folder.path(), &["init", "--quiet"]);
        assert_eq!(project_in(Some(folder.path())).archive, Err(NoFiles::NoCommit));
        std::fs::write(folder.path().join(".git/config"), "[core\n").unwrap();
        let project = project_in(Some(folder.path()));
        let Err(NoFiles::Refused(complaint)) = &project.archive else { panic!("{project:?}") };
        assert!(complaint.contains("bad config"), "{complaint}");
    }

    #[test]
    fn the_archive_holds_what_is_committed_below_the_folder_and_nothing_else() {
        let repository = tempfile::tempdir().unwrap();
        let folder = repository.path().join("service");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(repository.path().join("top.txt"), "top").unwrap();
        std::fs::write(folder.join("committed.txt"), "one").unwrap();
        run_git(repository.path(), &["init", "--quiet"]);
        run_git(repository.path(), &["add", "."]);
        run_git(repository.path(), &["commit", "--quiet", "--message", "first"]);
        std::fs::write(folder.join("new.txt"), "two").unwrap();

        let project = project_in(Some(&folder));
        let archive = project.archive.expect("an archive");
        let names: Vec<String> = tar::Archive::new(archive.as_ref())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            // The commit's hash, which git puts before the files and every reader passes over.
            .filter(|name| name != "pax_global_header")
            .collect();
        assert_eq!(names, ["committed.txt"]);
        assert_eq!(project.name, "service");
        assert_eq!(project.branch.as_deref(), Some("main"));
        assert!(project.has_uncommitted_changes);
    }
}
