//! Where the files of a pipeline are in its project, which is how GitLab finds those of a report.

use std::path::{Path, PathBuf};

use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::position::Position;

use super::report::Place;
use crate::job::folder_of;

/// How the files of a pipeline are shown.
pub(super) struct Places {
    /// The pipeline's own file.
    file: String,
    /// The folder in which `include:local` starts; none if it is the project's top.
    folder: PathBuf,
}

impl Places {
    /// The top is `project`; if not given, that of the git repository, else the pipeline file's folder.
    pub(super) fn of(file: &Path, project: Option<&Path>) -> Self {
        let own_folder = canonical(folder_of(file));
        let folder = project.map_or_else(|| own_folder.clone(), canonical);
        let is_top = |folder: &&Path| folder.join(".git").exists();
        let top = match project {
            Some(_) => folder.as_path(),
            None => folder.ancestors().find(is_top).unwrap_or(&folder),
        };
        let in_project = file.file_name().map(|name| own_folder.join(name));
        let in_project = in_project.as_deref().and_then(|file| file.strip_prefix(top).ok());
        Self {
            file: in_project.unwrap_or(file).display().to_string(),
            folder: folder.strip_prefix(top).map(Path::to_owned).unwrap_or_default(),
        }
    }

    pub(super) fn place(&self, pipeline: &Pipeline, position: Position) -> Place {
        let own = pipeline.files().first().map(String::as_str);
        let file = match pipeline.file_of(position) {
            Some(included) if Some(included) != own => self.folder.join(included).display().to_string(),
            _ => self.file.clone(),
        };
        Place { file, line: position.line }
    }
}

fn canonical(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(file: &Path, project: Option<&Path>) -> (String, String) {
        let Places { file, folder } = Places::of(file, project);
        (file, folder.display().to_string())
    }

    #[test]
    fn files_are_shown_from_the_top_of_the_project() {
        let outside = tempfile::tempdir().unwrap();
        let (top, below) = (outside.path().join("project"), outside.path().join("project/deep/er"));
        std::fs::create_dir_all(&below).unwrap();
        let file = below.join("ci.yml");
        let pair = |file: &str, folder: &str| (file.to_owned(), folder.to_owned());
        assert_eq!(shown(&file, None), pair("ci.yml", ""));
        assert_eq!(shown(&file, Some(&top)), pair("deep/er/ci.yml", ""));
        std::fs::create_dir(top.join(".git")).unwrap();
        assert_eq!(shown(&file, None), pair("deep/er/ci.yml", "deep/er"));
        assert_eq!(shown(&file, Some(&top.join("deep"))), pair("er/ci.yml", ""));
        let elsewhere = outside.path().join("merged.yml");
        assert_eq!(shown(&elsewhere, Some(&top)).0, elsewhere.display().to_string());
    }
}
