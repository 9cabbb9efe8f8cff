//! `.gitlab-ci.yml` with the files that it includes, and the images that all jobs use. The input holds all files: lines
//! that begin with `%%% ` name the file that follows; what comes before the first is `.gitlab-ci.yml` itself.

use std::collections::BTreeMap;

use ecru_gitlab::ci::{FileProblem, Pipeline, ProjectFiles};
use ecru_gitlab::image_uses::{ImageUse, UsesRequest, image_uses};
use ecru_gitlab::position::Position;
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::variables::Variable;

const MAIN: &str = ".gitlab-ci.yml";

struct Files<'a>(BTreeMap<&'a str, &'a str>);

impl ProjectFiles for Files<'_> {
    fn text(&mut self, path: &str) -> Result<String, FileProblem> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or(FileProblem::NotFound)
    }

    fn paths(&mut self) -> Result<Vec<String>, FileProblem> {
        Ok(self.0.keys().map(|path| (*path).to_owned()).collect())
    }
}

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let mut parts = input.split("%%% ");
    let main = parts.next().unwrap_or_default();
    let mut files = Files(parts.filter_map(|part| part.split_once('\n')).collect());
    let variables = [Variable::new("KNOWN", "known")];
    let pipeline = match Pipeline::with_includes(MAIN, main, &mut files, &variables) {
        Ok(pipeline) => pipeline,
        Err(error) => return drop((error.to_string(), error.hint())),
    };
    let in_its_file = |position: Position| {
        let path = pipeline.file_of(position).expect("a file that was read");
        let text = if path == MAIN && position.file.0 == 0 { main } else { files.0[path] };
        super::check_place(position.line, position.column, text);
    };
    assert_eq!(pipeline.files()[0], MAIN);
    pipeline.warnings().iter().for_each(|warning| in_its_file(warning.position));
    let request = UsesRequest {
        pipeline: &pipeline,
        runner: None,
        predefined: &predefined(),
        extra_variables: &variables,
    };
    let uses = image_uses(&request);
    for job in &uses.jobs {
        in_its_file(job.position);
        job.image.iter().for_each(check);
        job.services.iter().for_each(|service| check(&service.image));
    }
    for failed in &uses.failed {
        failed.error.position().into_iter().for_each(in_its_file);
        drop((failed.error.to_string(), failed.error.hint()));
    }
}

/// Either everything is known, or it is said what is not.
fn check(image: &ImageUse) {
    let has_inputs = image.written.contains("$[[");
    assert_eq!(image.name.is_some(), image.unresolved.is_empty() && !has_inputs, "{image:?}");
}

fn predefined() -> Predefined {
    Predefined {
        project_path: "group/project".into(),
        project_dir: "/builds/group/project".into(),
        builds_dir: "/builds".into(),
        project_id: 1,
        pipeline_id: 1,
        job_id: 1,
        ..Predefined::default()
    }
}
