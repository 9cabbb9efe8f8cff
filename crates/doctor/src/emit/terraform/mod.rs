//! Terraform for the machine that gitlab-runner runs on: what it may do, and what its instances are like.

mod hcl;
mod install_script;

use serde_json::{Value, json};

use super::quoting::indented;
use crate::edit::ecru_config::Wanted;
use crate::iam_policy::puller_policy;
use hcl::{attributes, expression};
use install_script::{install_script, with_docker_config};

/// Where the static helper comes from; ecru has no address of its own for it.
const HELPER_VARIABLES: &str = r#"variable "docker_credential_ecr_login_url" {
  description = "Where instances get the static docker-credential-ecr-login: an https URL."
  type        = string
}

variable "docker_credential_ecr_login_sha256" {
  description = "The SHA-256 of that file, in hexadecimal."
  type        = string
}
"#;

const INSTANCE_VARIABLES: &str = r#"variable "gitlab_runner_image_id" {
  description = "The AMI of the instance."
  type        = string
}

variable "gitlab_runner_instance_type" {
  description = "The type of the instance."
  type        = string
  default     = "t3.small"
}
"#;

/// Whose resources there are already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Nobody's: role, instance profile and launch template are made.
    Plain,
    /// Those of the module `cattle-ops/gitlab-runner/aws`, which gets arguments.
    CattleOps,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Terraform<'a> {
    /// The registries, with their roles.
    pub wanted: &'a [Wanted],
    /// Whether the helper is asked for everything, rather than for these registries.
    pub creds_store: bool,
    /// Whose resources there are already.
    pub module: Module,
    /// How many hops an answer with a token of the instance's metadata may go: 1 ends on the instance itself.
    pub hop_limit: u8,
}

impl Terraform<'_> {
    /// The text of a `.tf` file.
    #[must_use]
    pub fn text(&self) -> String {
        let resources = match self.module {
            Module::Plain => self.plain(),
            Module::CattleOps => self.cattle_ops(),
        };
        format!(
            "# The gitlab-runner process pulls `image:` and `services:` with the identity of its instance.\n\n\
             {HELPER_VARIABLES}\n{resources}"
        )
    }

    fn plain(&self) -> String {
        let role = block(
            r#"resource "aws_iam_role" "gitlab_runner""#,
            &attributes(
                &[
                    ("name_prefix", r#""gitlab-runner-""#.to_owned()),
                    ("assume_role_policy", json_encoded(&self.trust_policy())),
                ],
                2,
            ),
        );
        let policy = block(
            r#"resource "aws_iam_role_policy" "gitlab_runner_ecr""#,
            &attributes(
                &[
                    ("name", r#""ecr""#.to_owned()),
                    ("role", "aws_iam_role.gitlab_runner.id".to_owned()),
                    ("policy", json_encoded(&puller_policy(self.wanted))),
                ],
                2,
            ),
        );
        let profile = block(
            r#"resource "aws_iam_instance_profile" "gitlab_runner""#,
            &attributes(
                &[
                    ("name_prefix", r#""gitlab-runner-""#.to_owned()),
                    ("role", "aws_iam_role.gitlab_runner.name".to_owned()),
                ],
                2,
            ),
        );
        [INSTANCE_VARIABLES, &role, &policy, &profile, &self.launch_template()].join("\n")
    }

    fn launch_template(&self) -> String {
        let script = with_docker_config(&install_script(self.wanted), self.wanted, self.creds_store);
        let machine = attributes(
            &[
                ("name_prefix", r#""gitlab-runner-""#.to_owned()),
                ("image_id", "var.gitlab_runner_image_id".to_owned()),
                ("instance_type", "var.gitlab_runner_instance_type".to_owned()),
            ],
            2,
        );
        let user_data = format!(
            "  user_data = base64encode(<<-EOT\n{}  EOT\n  )\n",
            indented(&format!("#!/bin/sh\n{script}"), 4)
        );
        let profile = nested(
            "iam_instance_profile",
            &[("arn", "aws_iam_instance_profile.gitlab_runner.arn".to_owned())],
        );
        let metadata = nested("metadata_options", &self.metadata_options());
        block(
            r#"resource "aws_launch_template" "gitlab_runner""#,
            &format!("{machine}{user_data}\n{profile}\n{}{metadata}", self.hop_limit_comment()),
        )
    }

    fn cattle_ops(&self) -> String {
        let policy = block(
            r#"resource "aws_iam_policy" "gitlab_runner_ecr""#,
            &attributes(
                &[
                    ("name_prefix", r#""gitlab-runner-ecr-""#.to_owned()),
                    ("policy", json_encoded(&puller_policy(self.wanted))),
                ],
                2,
            ),
        );
        let object = |members: &[(&str, String)]| format!("{{\n{}  }}", attributes(members, 4));
        let role = object(&[("policy_arns", "[aws_iam_policy.gitlab_runner_ecr.arn]".to_owned())]);
        // The module puts it into a script of its own, which must go on without it.
        let script = with_docker_config(&install_script(self.wanted), self.wanted, self.creds_store);
        let script = format!("(\n{script})\n");
        let script = format!("<<-EOT\n{}    EOT", indented(&script, 6));
        let install =
            object(&[("amazon_ecr_credential_helper", "false".to_owned()), ("pre_install_script", script)]);
        let mut metadata = self.metadata_options().to_vec();
        // The module's type of this object has no optional members.
        metadata.push(("instance_metadata_tags", r#""disabled""#.to_owned()));
        let module = format!(
            "  source = \"cattle-ops/gitlab-runner/aws\"\n\n  # Beside all other arguments; members of the same objects are \
             merged by hand.\n  runner_role = {role}\n\n  runner_install = {install}\n\n{}  \
             runner_metadata_options = {}\n",
            self.hop_limit_comment(),
            object(&metadata)
        );
        format!("{policy}\n{}", block(r#"module "gitlab_runner""#, &module))
    }

    fn metadata_options(&self) -> [(&'static str, String); 3] {
        [
            ("http_endpoint", r#""enabled""#.to_owned()),
            ("http_tokens", r#""required""#.to_owned()),
            ("http_put_response_hop_limit", self.hop_limit.to_string()),
        ]
    }

    fn hop_limit_comment(&self) -> &'static str {
        if self.hop_limit == 1 {
            "  # Version 2 only, and no token gets into a container on a bridge: jobs cannot take this identity.\n"
        } else {
            "  # Version 2 only; tokens get into containers, so that jobs can take this identity.\n"
        }
    }

    /// Instances assume the role. In China, EC2 has a name of its own ("AWS service principals", IAM user guide).
    fn trust_policy(&self) -> Value {
        let is_chinese = self.wanted.iter().any(|one| one.registry.partition().name() == "aws-cn");
        let service = if is_chinese { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
        json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": service } },
            ],
        })
    }
}

fn block(header: &str, body: &str) -> String {
    format!("{header} {{\n{body}}}\n")
}

fn nested(header: &str, members: &[(&str, String)]) -> String {
    format!("  {header} {{\n{}  }}\n", attributes(members, 4))
}

fn json_encoded(value: &Value) -> String {
    format!("jsonencode({})", expression(value, 2))
}
