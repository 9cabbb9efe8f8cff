//! Values of GitLab's Helm chart `gitlab-runner`.
//!
//! The manager's pod resolves the credentials of all jobs (`setupCredentials` of GitLab Runner's kubernetes executor), so
//! the helper and its identity belong there and nowhere else. `initContainers` came with version 0.92.0 of the chart
//! (its merge request 537).

use ecru_ecr::config::SYSTEM_FILE;

use super::quoting::{double_quoted, indented};
use super::{HELPER, docker_auth_config};
use crate::edit::ecru_config::{Wanted, fresh_configuration};

/// What the manager reads in every version of GitLab Runner: since 19.4 it runs no helper that a `DOCKER_AUTH_CONFIG`
/// names, unless a setting permits it.
const DOCKER_FILE: &str = "/home/gitlab-runner/.docker/config.json";

const RUNNERS: &str = "runners:\n  executor: kubernetes\n  config: |\n    [[runners]]\n      [runners.kubernetes]\n        \
                       namespace = \"{{ .Release.Namespace }}\"\n";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Helm<'a> {
    /// The registries. A role that is named for one of them is assumed by the service account's own identity.
    pub wanted: &'a [Wanted],
    /// Whether the helper is asked for everything, rather than for these registries.
    pub creds_store: bool,
    /// The role of the service account ("IAM roles for service accounts", Amazon EKS user guide).
    pub service_account_role: Option<&'a str>,
    /// An image that has the static helper in `/usr/local/bin`, and `cp`.
    pub helper_image: &'a str,
}

impl Helm<'_> {
    /// The text of a `values.yaml`.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "# For GitLab's chart gitlab-runner, 0.92.0 or newer, beside all other values.\n{}{}{}{RUNNERS}",
            self.service_account(),
            self.program(),
            self.files()
        )
    }

    fn service_account(&self) -> String {
        let Some(role) = self.service_account_role else { return String::new() };
        format!(
            "serviceAccount:\n  create: true\n  annotations:\n    eks.amazonaws.com/role-arn: {}\n",
            double_quoted(role)
        )
    }

    /// The program goes by an empty volume from an image of its own into the manager's PATH.
    fn program(&self) -> String {
        format!(
            "volumes:\n  - name: ecru\n    emptyDir: {{}}\n\
             initContainers:\n  - name: ecru\n    image: {}\n    \
             command: [\"cp\", \"/usr/local/bin/{HELPER}\", \"/ecru/{HELPER}\"]\n    \
             securityContext:\n      allowPrivilegeEscalation: false\n      runAsNonRoot: true\n      \
             capabilities:\n        drop: [\"ALL\"]\n    \
             volumeMounts:\n      - name: ecru\n        mountPath: /ecru\n\
             volumeMounts:\n  - name: ecru\n    mountPath: /usr/local/bin/{HELPER}\n    subPath: {HELPER}\n    \
             readOnly: true\n  \
             - name: configmaps\n    mountPath: {SYSTEM_FILE}\n    subPath: ecru.toml\n    readOnly: true\n  \
             # In the home of the user that the manager's image runs as.\n  \
             - name: configmaps\n    mountPath: {DOCKER_FILE}\n    subPath: docker.json\n    readOnly: true\n",
            double_quoted(self.helper_image)
        )
    }

    /// The chart makes files of `configMaps` in its volume `configmaps`. They are root's, and the pod's group may only read
    /// them (Kubernetes mounts that volume read-only), which is what the helper wants of a file with a policy.
    fn files(&self) -> String {
        format!(
            "configMaps:\n  ecru.toml: |\n{}  docker.json: |\n    {}\n",
            indented(&fresh_configuration(self.wanted), 4),
            docker_auth_config(self.wanted, self.creds_store)
        )
    }
}
