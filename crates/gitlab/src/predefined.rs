//! GitLab's predefined variables, for a job that no GitLab has sent.
//!
//! Names and meanings are those of GitLab's "Predefined CI/CD variables reference". What only a server can give,
//! such as tokens and the container registry, is left out.

use crate::variables::Variable;

/// What is known about the project and the run. By default nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Predefined {
    /// The project's full path, such as `group/project`.
    pub project_path: String,
    /// The folder of the project in the job's container.
    pub project_dir: String,
    /// The folder below which projects lie in the job's container.
    pub builds_dir: String,
    /// The commit, if the project is under version control.
    pub commit: Option<Commit>,
    /// The project's default branch, if it is known.
    pub default_branch: Option<String>,
    /// GitLab's address, such as `https://gitlab.example`, if it is known.
    pub server_url: Option<String>,
    /// The project's number.
    pub project_id: u64,
    /// The pipeline's number.
    pub pipeline_id: u64,
    /// The job's number.
    pub job_id: u64,
    /// What describes the runner.
    pub runner_description: String,
    /// The runner's version.
    pub runner_version: String,
    /// The platform of the runner's program, such as `linux/amd64`.
    pub runner_platform: String,
}

/// A commit and the name by which it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its full hash.
    pub sha: String,
    /// The branch or tag.
    pub reference: CommitReference,
}

/// The name by which a commit was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitReference {
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
}

impl CommitReference {
    fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) => name,
        }
    }
}

/// What is known about the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its stage.
    pub stage: &'a str,
    /// Its image as written, variables included.
    pub image: &'a str,
}

/// Variables that [`Predefined::variables`] sets to something that lets a job run here, but that only GitLab knows.
const STAND_INS: [&str; 19] = [
    "CI_BUILDS_DIR",
    "CI_CONCURRENT_ID",
    "CI_CONCURRENT_PROJECT_ID",
    "CI_JOB_ID",
    "CI_PIPELINE_ID",
    "CI_PIPELINE_IID",
    "CI_PIPELINE_SOURCE",
    "CI_PROJECT_DIR",
    "CI_PROJECT_ID",
    "CI_PROJECT_NAME",
    "CI_PROJECT_NAMESPACE",
    "CI_PROJECT_PATH",
    "CI_PROJECT_PATH_SLUG",
    "CI_PROJECT_ROOT_NAMESPACE",
    "CI_PROJECT_TITLE",
    "CI_PROJECT_URL",
    "CI_RUNNER_DESCRIPTION",
    "CI_RUNNER_ID",
    "CI_RUNNER_VERSION",
];

/// Whether the value that `key` has here says nothing about the one that it has in GitLab.
pub fn is_stand_in(key: &str) -> bool {
    STAND_INS.contains(&key)
}

const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
const SHORT_SHA_LENGTH: usize = 8;

impl Predefined {
    /// The variables for one job, which are raw: a dollar sign in the name of a branch means nothing.
    pub fn variables(&self, job: JobFacts<'_>) -> Vec<Variable> {
        let mut variables = Variables(Vec::new());
        variables.add_all([
            ("CI", "true"),
            ("GITLAB_CI", "true"),
            ("CI_SERVER", "yes"),
            ("CI_SERVER_NAME", "GitLab"),
            ("CI_CONFIG_PATH", ".gitlab-ci.yml"),
            ("CI_DISPOSABLE_ENVIRONMENT", "true"),
            ("CI_NODE_TOTAL", "1"),
            ("CI_CONCURRENT_ID", "0"),
            ("CI_CONCURRENT_PROJECT_ID", "0"),
        ]);
        self.add_server(&mut variables);
        self.add_project(&mut variables);
        self.add_commit(&mut variables);
        self.add_run(&mut variables);
        variables.add_all([
            ("CI_JOB_NAME", job.name),
            ("CI_JOB_NAME_SLUG", &slug(job.name)),
            ("CI_JOB_STAGE", job.stage),
        ]);
        // The image may be written with variables, which are to be replaced here too.
        variables.0.push(Variable::new("CI_JOB_IMAGE", job.image));
        variables.0
    }

    fn add_server(&self, variables: &mut Variables) {
        let Some(url) = self.server_url.as_deref().map(|url| url.trim_end_matches('/')) else { return };
        variables.add_all([
            ("CI_SERVER_URL", url),
            ("CI_API_V4_URL", &format!("{url}/api/v4")),
            ("CI_API_GRAPHQL_URL", &format!("{url}/api/graphql")),
            ("CI_PROJECT_URL", &format!("{url}/{}", self.project_path)),
        ]);
        let Some((protocol, rest)) = url.split_once("://") else { return };
        let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
        let default_port = if protocol == "http" { "80" } else { "443" };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
            _ => (authority, default_port),
        };
        variables.add_all([
            ("CI_SERVER_PROTOCOL", protocol),
            ("CI_SERVER_HOST", host),
            ("CI_SERVER_PORT", port),
        ]);
    }

    fn add_project(&self, variables: &mut Variables) {
        let path = self.project_path.as_str();
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let root_namespace = namespace.split_once('/').map_or(namespace, |(root, _)| root);
        variables.add_all([
            ("CI_PROJECT_ID", self.project_id.to_string().as_str()),
            ("CI_PROJECT_NAME", name),
            ("CI_PROJECT_TITLE", name),
            ("CI_PROJECT_PATH", path),
            ("CI_PROJECT_PATH_SLUG", &slug(path)),
            ("CI_PROJECT_NAMESPACE", namespace),
            ("CI_PROJECT_ROOT_NAMESPACE", root_namespace),
            ("CI_PROJECT_DIR", &self.project_dir),
            ("CI_BUILDS_DIR", &self.builds_dir),
        ]);
        if let Some(branch) = &self.default_branch {
            variables.add("CI_DEFAULT_BRANCH", branch);
        }
    }

    fn add_commit(&self, variables: &mut Variables) {
        let Some(Commit { sha, reference }) = &self.commit else { return };
        variables.add_all([
            ("CI_COMMIT_SHA", sha.as_str()),
            ("CI_COMMIT_SHORT_SHA", sha.get(..SHORT_SHA_LENGTH).unwrap_or(sha)),
            ("CI_COMMIT_BEFORE_SHA", NO_COMMIT),
            ("CI_COMMIT_REF_NAME", reference.name()),
            ("CI_COMMIT_REF_SLUG", &slug(reference.name())),
        ]);
        match reference {
            CommitReference::Branch(name) => variables.add("CI_COMMIT_BRANCH", name),
            CommitReference::Tag(name) => variables.add("CI_COMMIT_TAG", name),
        }
    }

    fn add_run(&self, variables: &mut Variables) {
        variables.add_all([
            ("CI_PIPELINE_ID", self.pipeline_id.to_string().as_str()),
            ("CI_PIPELINE_IID", "1"),
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_JOB_ID", &self.job_id.to_string()),
            ("CI_RUNNER_ID", "1"),
            ("CI_RUNNER_DESCRIPTION", &self.runner_description),
            ("CI_RUNNER_VERSION", &self.runner_version),
            ("CI_RUNNER_EXECUTABLE_ARCH", &self.runner_platform),
        ]);
    }
}

struct Variables(Vec<Variable>);

impl Variables {
    fn add(&mut self, key: &str, value: &str) {
        self.0.push(Variable::new(key, value).raw());
    }

    fn add_all<const N: usize>(&mut self, pairs: [(&str, &str); N]) {
        for (key, value) in pairs {
            self.add(key, value);
        }
    }
}

/// Lower case, at most 63 characters, all but letters and digits as `-`, none of them at the ends
/// (GitLab, `Gitlab::Utils.slugify`).
fn slug(text: &str) -> String {
    let dashed =
        text.to_lowercase().replace(|character: char| !matches!(character, 'a'..='z' | '0'..='9'), "-");
    dashed.get(..63).unwrap_or(&dashed).trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::last_value;

    fn predefined() -> Predefined {
        Predefined {
            project_path: "group/sub/project".into(),
            project_dir: "/builds/group/sub/project".into(),
            builds_dir: "/builds".into(),
            commit: Some(Commit {
                sha: "0123456789abcdef0123456789abcdef01234567".into(),
                reference: CommitReference::Branch("Feature/$X".into()),
            }),
            default_branch: Some("main".into()),
            server_url: Some("https://gitlab.example:8443/sub/".into()),
            project_id: 7,
            pipeline_id: 8,
            job_id: 9,
            runner_description: "ecru".into(),
            runner_version: "0.1.0".into(),
            runner_platform: "linux/amd64".into(),
        }
    }

    const JOB: JobFacts<'_> = JobFacts { name: "build app: 1/2", stage: "build", image: "$IMAGE" };

    #[test]
    fn variables_have_the_values_that_gitlab_gives() {
        let variables = predefined().variables(JOB);
        for (key, expected) in [
            ("CI", "true"),
            ("CI_SERVER_HOST", "gitlab.example"),
            ("CI_SERVER_PORT", "8443"),
            ("CI_API_V4_URL", "https://gitlab.example:8443/sub/api/v4"),
            ("CI_PROJECT_NAME", "project"),
            ("CI_PROJECT_NAMESPACE", "group/sub"),
            ("CI_PROJECT_ROOT_NAMESPACE", "group"),
            ("CI_PROJECT_PATH_SLUG", "group-sub-project"),
            ("CI_COMMIT_SHORT_SHA", "01234567"),
            ("CI_COMMIT_REF_SLUG", "feature--x"),
            ("CI_COMMIT_BRANCH", "Feature/$X"),
            ("CI_JOB_NAME_SLUG", "build-app--1-2"),
            ("CI_JOB_IMAGE", "$IMAGE"),
            ("CI_JOB_ID", "9"),
        ] {
            assert_eq!(last_value(&variables, key), Some(expected), "{key}");
        }
        assert_eq!(last_value(&variables, "CI_COMMIT_TAG"), None);
        assert_eq!(last_value(&variables, "CI_REGISTRY"), None);
    }

    #[test]
    fn what_is_unknown_is_not_set() {
        let unknown = Predefined { commit: None, default_branch: None, server_url: None, ..predefined() };
        let variables = unknown.variables(JOB);
        for key in ["CI_COMMIT_SHA", "CI_DEFAULT_BRANCH", "CI_SERVER_URL", "CI_PROJECT_URL"] {
            assert_eq!(last_value(&variables, key), None, "{key}");
        }
    }

    #[test]
    fn only_the_image_is_expanded() {
        let variables = predefined().variables(JOB);
        let expanded: Vec<&str> = variables
            .iter()
            .filter(|variable| !variable.is_raw)
            .map(|variable| variable.key.as_str())
            .collect();
        assert_eq!(expanded, ["CI_JOB_IMAGE"]);
    }

    #[test]
    fn slugs_are_short_and_have_no_dash_at_the_ends() {
        assert_eq!(slug("--A_b--"), "a-b");
        assert_eq!(slug(&"x".repeat(70)).len(), 63);
        assert_eq!(slug("\u{e9}"), "");
    }
}
