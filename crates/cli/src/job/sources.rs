//! What the job finds in `$CI_PROJECT_DIR`: the files of the last commit, as a runner would fetch them.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;

/// An archive beyond this is not copied into the job: it would have to be held in memory.
const MAX_ARCHIVE_BYTES: u64 = 512 * 1024 * 1024;

/// The project around a pipeline file, as git knows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Project {
    /// The last path component of its folder.
    pub(crate) name: String,
    /// The commit at HEAD, if there is one.
    pub(crate) commit: Option<String>,
    /// The branch at HEAD.
    pub(crate) branch: Option<String>,
    /// The files of that commit as a tar archive, if the folder is part of a git repository with a commit.
    pub(crate) archive: Option<Bytes>,
    /// Whether the folder holds changes that are not in that commit.
    pub(crate) has_uncommitted_changes: bool,
}

impl Project {
    /// What a person should know about the files in the job.
    pub(crate) fn remark(&self) -> Option<String> {
        match (&self.archive, self.has_uncommitted_changes) {
            (None, _) => {
                Some("note: not a git repository with a commit, so the job's folder is empty".to_owned())
            }
            (Some(_), true) => {
                Some("note: the job sees the last commit; uncommitted changes are not in it".to_owned())
            }
            (Some(_), false) => None,
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
        let output = git(&folder, arguments)?;
        Some(String::from_utf8_lossy(&output).trim().to_owned())
    };
    let Some(commit) = text(&["rev-parse", "--verify", "--quiet", "HEAD"]) else {
        return Project { name, ..Project::default() };
    };
    Project {
        name,
        branch: text(&["rev-parse", "--abbrev-ref", "HEAD"]).filter(|name| name != "HEAD"),
        archive: None,
        has_uncommitted_changes: text(&["status", "--porcelain", "--", "."])
            .is_some_and(|changes| !changes.is_empty()),
        commit: Some(commit),
    }
}

/// Standard output of a git command that succeeded, if it is not too long.
fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut process = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut output = Vec::new();
    let read = process.stdout.take()?.take(MAX_ARCHIVE_BYTES).read_to_end(&mut output);
    let succeeded = process.wait().ok()?.success();
    (read.is_ok() && succeeded).then_some(output)
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
        assert_eq!(project.archive, None);
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
