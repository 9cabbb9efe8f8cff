//! The shell commands that put the helper on an instance of a runner.

use crate::edit::docker_config::{Helpers, with_helpers};
use crate::edit::ecru_config::{Wanted, fresh_configuration};
use crate::emit::{HELPER, SUFFIX};

/// Commands of a POSIX shell that fetch the helper and say which registries it may be asked for; run in a shell of their
/// own with `set -eu`, so that a program with another digest is never put in place. References to variables of Terraform
/// stand in it, and nothing else that Terraform would take for a template.
pub(super) fn install_script(wanted: &[Wanted]) -> String {
    format!(
        "set -eu\nhelper=/usr/local/bin/{HELPER}\n\
         curl --proto =https --fail --silent --show-error --location --output \"$helper.new\" \
         '${{var.docker_credential_ecr_login_url}}'\n\
         echo '${{var.docker_credential_ecr_login_sha256}}'\"  $helper.new\" | sha256sum --check --quiet\n\
         chmod 0755 \"$helper.new\"\n\
         mv \"$helper.new\" \"$helper\"\n\
         install -d -m 0755 /etc/ecru\n\
         cat >/etc/ecru/config.toml <<'ECRU'\n{}ECRU\n\
         chmod 0644 /etc/ecru/config.toml\n",
        fresh_configuration(wanted)
    )
}

/// The same, and root's `config.json`, which gitlab-runner's package reads.
pub(super) fn with_docker_config(script: &str, wanted: &[Wanted], creds_store: bool) -> String {
    let helpers = if creds_store {
        Helpers::Store
    } else {
        Helpers::ForRegistries(wanted.iter().map(|one| one.registry.host()).collect())
    };
    let document = with_helpers(None, &helpers, SUFFIX).unwrap_or_else(|_| helpers.document(SUFFIX));
    // Tabs would be at the mercy of heredocs that strip indentation.
    let document = document.replace('\t', "  ");
    format!(
        "{script}install -d -m 0700 /root/.docker\ncat >/root/.docker/config.json <<'ECRU'\n{document}ECRU\n\
         chmod 0600 /root/.docker/config.json\n"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use ecru_ecr::registry::Registry;

    use super::*;

    #[test]
    fn a_shell_reads_it() {
        let registry = Registry::parse("111122223333.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
        let wanted = [Wanted { registry, role_arn: Some("arn:aws:iam::111122223333:role/pull".to_owned()) }];
        let script = with_docker_config(&install_script(&wanted), &wanted, false);
        let mut shell =
            Command::new("sh").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
