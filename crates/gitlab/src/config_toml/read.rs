//! From TOML to the settings, key by key: serde's messages would repeat values, which may be secrets.

use std::str::FromStr as _;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    ConfigError, ConfigProblem, ConfigToml, ConfigWarning, DEFAULT_WAIT_FOR_SERVICES, DockerConfig,
    KubernetesConfig, MAX_INPUT_BYTES, RunnerConfig, ServiceConfig,
};
use crate::position::Position;
use crate::pull_policy::PullPolicy;
use crate::variables::Variable;

pub(super) fn config(text: &str) -> Result<ConfigToml, ConfigError> {
    if text.len() > MAX_INPUT_BYTES {
        let problem = ConfigProblem::TooLong { length: text.len() };
        return Err(ConfigError { position: Position::START, problem });
    }
    let document = DeTable::parse(text).map_err(|error| ConfigError {
        position: error.span().map_or(Position::START, |span| Position::of_offset(text, span.start)),
        problem: ConfigProblem::Syntax(error.message().to_owned()),
    })?;
    let mut reader = Reader { text, warnings: Vec::new() };
    let runners = reader
        .tables(document.get_ref(), "runners")?
        .into_iter()
        .map(|table| reader.runner(table))
        .collect::<Result<_, _>>()?;
    Ok(ConfigToml { runners, warnings: reader.warnings })
}

type Value<'t> = Spanned<DeValue<'t>>;

struct Reader<'t> {
    text: &'t str,
    warnings: Vec<ConfigWarning>,
}

impl Reader<'_> {
    fn runner(&mut self, table: &DeTable<'_>) -> Result<RunnerConfig, ConfigError> {
        Ok(RunnerConfig {
            name: self.string(table, "name")?.unwrap_or_default(),
            url: self.string(table, "url")?.unwrap_or_default(),
            executor: self.string(table, "executor")?.unwrap_or_default(),
            environment: self.environment(table)?,
            builds_dir: self.string(table, "builds_dir")?,
            pre_build_script: self.string(table, "pre_build_script")?,
            docker: match table.get("docker") {
                Some(docker) => self.docker(docker)?,
                None => DockerConfig::default(),
            },
            kubernetes: match table.get("kubernetes") {
                Some(kubernetes) => self.kubernetes(kubernetes)?,
                None => KubernetesConfig::default(),
            },
        })
    }

    fn docker(&mut self, value: &Value<'_>) -> Result<DockerConfig, ConfigError> {
        let table = value.get_ref().as_table().ok_or_else(|| self.form(value, "docker", "a table"))?;
        let services = self.tables(table, "services")?;
        Ok(DockerConfig {
            image: self.string(table, "image")?,
            host: self.string(table, "host")?,
            volumes: self.strings(table, "volumes")?.unwrap_or_default(),
            pull_policies: self.pull_policies(table, "pull_policy")?,
            allowed_pull_policies: self.pull_policies(table, "allowed_pull_policies")?,
            extra_hosts: self.strings(table, "extra_hosts")?.unwrap_or_default(),
            network_mode: self.string(table, "network_mode")?,
            privileged: self.flag(table, "privileged")?.unwrap_or_default(),
            services_privileged: self.flag(table, "services_privileged")?,
            wait_for_services: self.wait_for_services(table)?,
            services: services.into_iter().map(|table| self.service(table)).collect::<Result<_, _>>()?,
        })
    }

    fn kubernetes(&mut self, value: &Value<'_>) -> Result<KubernetesConfig, ConfigError> {
        let table = value.get_ref().as_table().ok_or_else(|| self.form(value, "kubernetes", "a table"))?;
        let services = self.tables(table, "services")?;
        let volumes = table.get("volumes").and_then(|volumes| volumes.get_ref().as_table());
        let host_paths =
            volumes.map_or_else(|| Ok(Vec::new()), |volumes| self.tables(volumes, "host_path"))?;
        let host_paths = host_paths.into_iter().filter_map(|one| {
            // Without a path of the node it is the one in the container (`getVolumesForHostPaths`).
            self.string(one, "host_path").transpose().or_else(|| self.string(one, "mount_path").transpose())
        });
        let host_paths = host_paths.collect::<Result<_, _>>()?;
        Ok(KubernetesConfig {
            image: self.string(table, "image")?,
            use_service_account_image_pull_secrets: self
                .flag(table, "use_service_account_image_pull_secrets")?
                .unwrap_or_default(),
            services: services.into_iter().map(|table| self.service(table)).collect::<Result<_, _>>()?,
            privileged: self.flag(table, "privileged")?.unwrap_or_default(),
            pull_policies: self.pull_policies(table, "pull_policy")?,
            allowed_pull_policies: self.pull_policies(table, "allowed_pull_policies")?,
            host_paths,
        })
    }

    fn service(&mut self, table: &DeTable<'_>) -> Result<ServiceConfig, ConfigError> {
        Ok(ServiceConfig {
            name: self.string(table, "name")?.unwrap_or_default(),
            alias: self.string(table, "alias")?,
            entrypoint: self.strings(table, "entrypoint")?,
            command: self.strings(table, "command")?,
            environment: self.environment(table)?,
        })
    }

    /// `config.go` (`GetVariables`): split at the first `=`; entries without one are dropped.
    fn environment(&mut self, table: &DeTable<'_>) -> Result<Vec<Variable>, ConfigError> {
        let Some(value) = table.get("environment") else { return Ok(Vec::new()) };
        let entries = self.list_of_strings(value, "environment")?;
        let dropped: Vec<usize> =
            entries.iter().filter(|(entry, _)| !entry.contains('=')).map(|(_, offset)| *offset).collect();
        if let Some(first) = dropped.first() {
            let position = Position::of_offset(self.text, *first);
            self.warnings.push(ConfigWarning::EnvironmentWithoutValue { position, count: dropped.len() });
        }
        let variables = entries.iter().filter_map(|(entry, _)| entry.split_once('='));
        Ok(variables.map(|(key, value)| Variable::new(key, value)).collect())
    }

    fn pull_policies(&self, table: &DeTable<'_>, key: &'static str) -> Result<Vec<PullPolicy>, ConfigError> {
        let Some(value) = table.get(key) else { return Ok(Vec::new()) };
        let names = match value.get_ref().as_str() {
            Some("") => Vec::new(),
            Some(name) => vec![name.to_owned()],
            None => self.list_of_strings(value, key)?.into_iter().map(|(name, _)| name).collect(),
        };
        let expected = "`always`, `if-not-present`, `never` or a list of them";
        names
            .iter()
            .map(|name| PullPolicy::from_str(name).map_err(|_| self.form(value, key, expected)))
            .collect()
    }

    /// `executors/docker/services.go` (`waitForServices`): zero is the default, less is not at all.
    fn wait_for_services(&self, table: &DeTable<'_>) -> Result<Option<Duration>, ConfigError> {
        let key = "wait_for_services_timeout";
        let Some(value) = table.get(key) else { return Ok(Some(DEFAULT_WAIT_FOR_SERVICES)) };
        let integer = value.get_ref().as_integer();
        let seconds = integer.and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        match seconds {
            Some(0) => Ok(Some(DEFAULT_WAIT_FOR_SERVICES)),
            Some(seconds) => Ok(u64::try_from(seconds).ok().map(Duration::from_secs)),
            None => Err(self.form(value, key, "a whole number of seconds")),
        }
    }

    fn tables<'a, 't>(
        &self,
        table: &'a DeTable<'t>,
        key: &'static str,
    ) -> Result<Vec<&'a DeTable<'t>>, ConfigError> {
        let Some(value) = table.get(key) else { return Ok(Vec::new()) };
        let expected = "a list of tables, each under its own `[[…]]`";
        let values = value.get_ref().as_array().ok_or_else(|| self.form(value, key, expected))?;
        let tables = values
            .iter()
            .map(|value| value.get_ref().as_table().ok_or_else(|| self.form(value, key, expected)));
        tables.collect()
    }

    /// None for an empty text too.
    fn string(&self, table: &DeTable<'_>, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = table.get(key) else { return Ok(None) };
        let text = text(value).ok_or_else(|| self.form(value, key, "a text in quotes"))?;
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    fn flag(&self, table: &DeTable<'_>, key: &'static str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = table.get(key) else { return Ok(None) };
        value.get_ref().as_bool().map(Some).ok_or_else(|| self.form(value, key, "`true` or `false`"))
    }

    fn strings(&self, table: &DeTable<'_>, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        let Some(value) = table.get(key) else { return Ok(None) };
        let texts = self.list_of_strings(value, key)?;
        Ok(Some(texts.into_iter().map(|(text, _)| text).collect()))
    }

    /// Each text with its offset in the file.
    fn list_of_strings(
        &self,
        value: &Value<'_>,
        key: &'static str,
    ) -> Result<Vec<(String, usize)>, ConfigError> {
        let expected = "a list of texts in quotes";
        let values = value.get_ref().as_array().ok_or_else(|| self.form(value, key, expected))?;
        let texts = values.iter().map(|value| {
            let text = text(value).ok_or_else(|| self.form(value, key, expected))?;
            Ok((text.to_owned(), value.span().start))
        });
        texts.collect()
    }

    fn form(&self, value: &Value<'_>, key: &'static str, expected: &'static str) -> ConfigError {
        let position = Position::of_offset(self.text, value.span().start);
        ConfigError { position, problem: ConfigProblem::Form { key, expected } }
    }
}

/// Neither a script nor a variable can hold a NUL character.
fn text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    value.get_ref().as_str().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &str = r#"
concurrent = 4
[session_server]
  session_timeout = 1800
[[runners]]
  name = "docker-1"
  url = "https://gitlab.example"
  token = "glrt-s3cr3t"
  executor = "docker"
  builds_dir = "/builds"
  pre_build_script = "echo before"
  environment = ['DOCKER_AUTH_CONFIG={"credsStore":"ecr-login"}', "A=b=c", "DROPPED"]
  [runners.cache]
    Type = "s3"
  [runners.docker]
    image = "alpine:3"
    host = "unix:///var/run/docker.sock"
    privileged = true
    volumes = ["/cache", "/opt/x:/opt/x:ro"]
    pull_policy = ["always", "if-not-present"]
    allowed_pull_policies = ["always"]
    extra_hosts = ["a:10.0.0.1"]
    network_mode = "bridge"
    services_privileged = false
    wait_for_services_timeout = 0x10
    [[runners.docker.services]]
      name = "redis:7"
      alias = "cache, store"
      command = ["redis-server"]
      entrypoint = [""]
      environment = ["K=v"]
"#;

    fn message(text: &str) -> String {
        config(text).unwrap_err().to_string()
    }

    #[test]
    fn a_complete_file_is_read() {
        let ConfigToml { mut runners, warnings } = config(COMPLETE).unwrap();
        let runner = runners.remove(0);
        assert_eq!((runner.name.as_str(), runner.executor.as_str()), ("docker-1", "docker"));
        assert_eq!(runner.builds_dir.as_deref(), Some("/builds"));
        assert_eq!(runner.pre_build_script.as_deref(), Some("echo before"));
        let environment: Vec<(&str, &str)> =
            runner.environment.iter().map(|variable| (&*variable.key, &*variable.value)).collect();
        assert_eq!(environment, [("DOCKER_AUTH_CONFIG", r#"{"credsStore":"ecr-login"}"#), ("A", "b=c")]);
        assert_eq!(
            warnings,
            [ConfigWarning::EnvironmentWithoutValue {
                position: Position { line: 12, column: 76, ..Position::START },
                count: 1
            }]
        );

        let docker = runner.docker;
        assert_eq!(docker.image.as_deref(), Some("alpine:3"));
        assert_eq!((docker.privileged, docker.services_privileged), (true, Some(false)));
        assert_eq!(docker.volumes, ["/cache", "/opt/x:/opt/x:ro"]);
        assert_eq!(docker.pull_policies, [PullPolicy::Always, PullPolicy::IfNotPresent]);
        assert_eq!(docker.allowed_pull_policies, [PullPolicy::Always]);
        assert_eq!(docker.extra_hosts, ["a:10.0.0.1"]);
        assert_eq!(docker.network_mode.as_deref(), Some("bridge"));
        assert_eq!(docker.wait_for_services, Some(Duration::from_secs(16)));
        let service = &docker.services[0];
        assert_eq!((service.name.as_str(), service.alias.as_deref()), ("redis:7", Some("cache, store")));
        assert_eq!(service.command.as_deref(), Some(&["redis-server".to_owned()][..]));
        assert_eq!(service.environment, [Variable::new("K", "v")]);
    }

    #[test]
    fn what_kubernetes_lets_jobs_do_is_read() {
        let text = "[[runners]]\n[runners.kubernetes]\nprivileged = true\npull_policy = 'if-not-present'\n\
                    [[runners.kubernetes.volumes.host_path]]\nmount_path = '/a'\n\
                    [[runners.kubernetes.volumes.host_path]]\nmount_path = '/b'\nhost_path = '/c'\n";
        let kubernetes = config(text).unwrap().runners.remove(0).kubernetes;
        assert!(kubernetes.privileged && kubernetes.allowed_pull_policies.is_empty());
        assert_eq!(kubernetes.pull_policies, [PullPolicy::IfNotPresent]);
        assert_eq!(kubernetes.host_paths, ["/a", "/c"]);
    }

    #[test]
    fn what_is_missing_has_the_defaults_of_the_runner() {
        let runner = config("[[runners]]").unwrap().runners.remove(0);
        assert_eq!(runner.docker.wait_for_services, Some(DEFAULT_WAIT_FOR_SERVICES));
        let waiting = |seconds: i64| {
            let text = format!("[[runners]]\n[runners.docker]\nwait_for_services_timeout = {seconds}");
            config(&text).unwrap().runners.remove(0).docker.wait_for_services
        };
        assert_eq!(waiting(0), Some(DEFAULT_WAIT_FOR_SERVICES));
        assert_eq!(waiting(-1), None);
        assert!(config("").unwrap().runners.is_empty());
    }

    #[test]
    fn errors_carry_line_and_column_and_no_value() {
        let cases = [
            ("[[runners]\n", "line 1, column"),
            ("runners = 1", "line 1, column 11: `runners` must be a list of tables"),
            ("[[runners]]\nname = 1", "line 2, column 8: `name` must be a text in quotes"),
            (
                "[[runners]]\nenvironment = 's3cr3t'",
                "line 2, column 15: `environment` must be a list of texts",
            ),
            ("[[runners]]\nenvironment = ['a=s3cr3t', 1]", "line 2, column 28: `environment` must be a list"),
            (
                "[[runners]]\n[runners.docker]\npull_policy = 's3cr3t'",
                "line 3, column 15: `pull_policy` must be",
            ),
            ("[[runners]]\nenvironment = [\"X={\"s3cr3t\":1}\"]", "line 2, column 21: not valid TOML: "),
            ("[[runners]]\ntoken = s3cr3t", "line 2, column 9: not valid TOML: "),
            ("[[runners]]\nname = 's3cr3t'\nname = 's3cr3t'", "line 3, column 1: not valid TOML: "),
        ];
        for (text, expected) in cases {
            let message = message(text);
            assert!(message.starts_with(expected), "for {text:?}: {message}");
            assert!(!message.contains("s3cr3t"), "for {text:?}: {message}");
        }
        assert!(message(&"#".repeat(MAX_INPUT_BYTES + 1)).contains("bytes, more than"));
    }

    #[test]
    fn debug_shows_no_value_of_the_environment() {
        let shown = format!("{:?}", config(COMPLETE).unwrap());
        assert!(!shown.contains("ecr-login") && !shown.contains("s3cr3t"), "{shown}");
    }
}
