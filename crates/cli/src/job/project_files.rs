//! The project's files as they are in a folder here.

use std::path::{Path, PathBuf};

use ecru_gitlab::ci::{FileProblem, ProjectFiles};
use ecru_gitlab::yaml::MAX_INPUT_BYTES;

use super::settings::read;

/// How many files are looked at for a pattern.
const MAX_FILES: usize = 200_000;
/// How deep folders are looked into for a pattern.
const MAX_DEPTH: usize = 64;

/// The files below a folder. Links that lead out of it are not followed: what a pipeline includes is told to whoever
/// sees the report.
pub(crate) struct FolderFiles {
    folder: PathBuf,
    paths: Option<Vec<String>>,
}

impl FolderFiles {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()), paths: None }
    }
}

impl ProjectFiles for FolderFiles {
    fn text(&mut self, path: &str) -> Result<String, FileProblem> {
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => FileProblem::NotFound,
            _ => FileProblem::Unreadable(error.to_string()),
        };
        let file = self.folder.join(path).canonicalize().map_err(unreadable)?;
        if !file.starts_with(&self.folder) {
            return Err(FileProblem::Unreadable("it is outside the project's folder".to_owned()));
        }
        let bytes = read(&file, u64::try_from(MAX_INPUT_BYTES).unwrap_or(u64::MAX)).map_err(unreadable)?;
        String::from_utf8(bytes).map_err(|_| FileProblem::Unreadable("it is not UTF-8".to_owned()))
    }

    fn paths(&mut self) -> Result<Vec<String>, FileProblem> {
        if let Some(paths) = &self.paths {
            return Ok(paths.clone());
        }
        let mut paths = Vec::new();
        collect(&self.folder, "", MAX_DEPTH, &mut paths)?;
        paths.sort_unstable();
        self.paths = Some(paths.clone());
        Ok(paths)
    }
}

fn collect(folder: &Path, prefix: &str, depth: usize, paths: &mut Vec<String>) -> Result<(), FileProblem> {
    let unreadable = |error: std::io::Error| FileProblem::Unreadable(error.to_string());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| *name != ".git") else { continue };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_file() {
            paths.push(format!("{prefix}{name}"));
        } else if kind.is_dir() && depth > 0 {
            collect(&entry.path(), &format!("{prefix}{name}/"), depth - 1, paths)?;
        }
        if paths.len() > MAX_FILES {
            return Err(FileProblem::Unreadable(format!("the project has more than {MAX_FILES} files")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_below_the_folder_and_nowhere_else() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("project");
        std::fs::create_dir_all(folder.join("ci/.git")).unwrap();
        std::fs::write(folder.join("ci/a.yml"), "a").unwrap();
        std::fs::write(folder.join("b.yml"), "b").unwrap();
        std::fs::write(folder.join("ci/.git/c.yml"), "c").unwrap();
        std::fs::write(outside.path().join("secret.yml"), "s").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.yml"), folder.join("link.yml")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.join("pipe.yml")).status().unwrap();
        assert!(made.success());
        let mut files = FolderFiles::new(&folder);
        assert_eq!(files.paths().unwrap(), ["b.yml", "ci/a.yml"]);
        assert_eq!(files.text("ci/a.yml").unwrap(), "a");
        assert_eq!(files.text("missing.yml"), Err(FileProblem::NotFound));
        for path in ["../secret.yml", "link.yml", "ci", "pipe.yml"] {
            assert!(matches!(files.text(path), Err(FileProblem::Unreadable(_))), "{path}");
        }
    }
}
