//! What a job specification must hold before anything is made for it.

use super::RunError;
use crate::job::JobSpec;

/// Checks what the engine would not, or would answer with a text that repeats a secret: it quotes the whole of a
/// malformed variable, value included.
pub(super) fn check(spec: &JobSpec) -> Result<(), RunError> {
    let fault = working_dir_fault(&spec.working_dir)
        .or_else(|| variable_fault("the job", &spec.env))
        .or_else(|| spec.shell_command.is_empty().then(|| "its shell command is empty".to_owned()))
        .or_else(|| spec.services.iter().find_map(|service| variable_fault(service.title(), &service.env)));
    match fault {
        Some(reason) => Err(RunError::InvalidSpec { reason }),
        None => Ok(()),
    }
}

fn working_dir_fault(path: &str) -> Option<String> {
    let is_usable = path.starts_with('/')
        && !path.contains('\0')
        && path.split('/').all(|component| !matches!(component, "." | ".."))
        && !path.trim_matches('/').is_empty();
    (!is_usable)
        .then(|| format!("`{path}` cannot be its working directory: it must be absolute, and not the root"))
}

fn variable_fault(owner: &str, variables: &[(String, String)]) -> Option<String> {
    variables.iter().find_map(|(name, value)| {
        if name.is_empty() || name.contains(['=', '\0']) {
            Some(format!("`{}` of {owner} cannot be the name of a variable", name.escape_debug()))
        } else if value.contains('\0') {
            Some(format!("the value of variable `{name}` of {owner} has a NUL byte"))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ServiceSpec;

    fn reason(change: impl FnOnce(&mut JobSpec)) -> String {
        let mut spec = JobSpec::new("test", "localhost/image", "true");
        change(&mut spec);
        check(&spec).unwrap_err().to_string()
    }

    #[test]
    fn a_plain_job_passes() {
        let mut spec = JobSpec::new("test", "localhost/image", "true");
        spec.working_dir = "/builds/group/project".to_owned();
        spec.env.push(("A_B".to_owned(), "x=y\n".to_owned()));
        assert!(check(&spec).is_ok());
    }

    #[test]
    fn working_directories_must_be_absolute_and_plain() {
        for path in ["", "builds", "/", "//", "/builds/../etc", "/./builds", "/a\0b"] {
            let reason = reason(|spec| spec.working_dir = path.to_owned());
            assert!(reason.contains("working directory"), "{path:?}: {reason}");
        }
    }

    #[test]
    fn malformed_variables_are_named_without_their_value() {
        for (name, value) in [("", "secret"), ("A=B", "secret"), ("A", "secret\0"), ("A\0", "secret")] {
            let variable = (name.to_owned(), value.to_owned());
            let reason = reason(|spec| spec.env.push(variable));
            assert!(!reason.contains("secret"), "{reason}");
        }
        let mut service = ServiceSpec::new("localhost/db", ["db"]);
        service.env.push((String::new(), "secret".to_owned()));
        let reason = reason(|spec| spec.services.push(service));
        assert!(reason.contains("db") && !reason.contains("secret"), "{reason}");
    }
}
