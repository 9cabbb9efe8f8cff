//! Values of GitLab's Helm chart `gitlab-runner`.
//!
//! The manager's pod resolves the credentials of all jobs (`setupCredentials` of GitLab Runner's kubernetes executor), so
//! the helper and its identity belong there and nowhere else. `initContainers` came with version 0.92.0 of the chart
//! (its merge request 537).

use super::quoting::{double_quoted, indented};
use super::registry_rules::registry_rules;
use super::{HELPER, environment_line};
use crate::edit::ecru_config::Wanted;

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
        let rules = registry_rules(self.wanted, None);
        format!(
            "# For GitLab's chart gitlab-runner, 0.92.0 or newer, beside all other values.\n{}{}{}{}",
            self.service_account(),
            self.program(),
            Self::rules(&rules),
            self.runners()
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
             readOnly: true\n",
            double_quoted(self.helper_image)
        )
    }

    /// The chart mounts `configMaps` at `/configmaps`.
    fn rules(rules: &str) -> String {
        if rules.is_empty() {
            return String::new();
        }
        format!(
            "envVars:\n  - name: ECRU_CONFIG\n    value: /configmaps/ecru.toml\nconfigMaps:\n  ecru.toml: |\n{}",
            indented(rules, 4)
        )
    }

    fn runners(&self) -> String {
        let line = environment_line(self.wanted, self.creds_store);
        let config = format!(
            "[[runners]]\n  {line}\n  [runners.kubernetes]\n    namespace = \"{{{{ .Release.Namespace }}}}\"\n"
        );
        format!("runners:\n  executor: kubernetes\n  config: |\n{}", indented(&config, 4))
    }
}
