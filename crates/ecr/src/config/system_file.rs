//! The system's file: what only it may say, who may write it, and that no other name makes it another file.

use tempfile::TempDir;

use super::*;

const FRANKFURT: &str = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";

/// The system's file with this content, owned by whoever runs the test.
fn system_file(folder: &TempDir, content: &str) -> Source {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join("system.toml");
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Source { path, required: false, owner: Some(rustix::process::geteuid().as_raw()) }
}

#[test]
fn the_policy_of_the_system_s_file_cannot_be_widened() {
    let folder = TempDir::new().unwrap();
    let system =
        system_file(&folder, "[policy]\naccounts = ['000000000001']\nregions = ['eu-*']\npublic = false\n");
    let user = Source { path: folder.path().join("user.toml"), required: true, owner: None };
    std::fs::write(&user.path, "registries = ['public.ecr.aws']\n").unwrap();
    let config = Config::load(&[system.clone(), user.clone()]).unwrap();
    let permit = |host: &str| config.permit(&config.registry(host).unwrap());
    assert_eq!(permit(FRANKFURT), Ok(()));
    assert!(matches!(
        permit("000000000001.dkr.ecr.us-east-1.amazonaws.com"),
        Err(PolicyError::Region { .. })
    ));
    assert!(matches!(
        permit("000000000002.dkr.ecr.eu-west-1.amazonaws.com"),
        Err(PolicyError::Account { .. })
    ));
    assert_eq!(permit("public.ecr.aws"), Err(PolicyError::Public));
    std::fs::write(&user.path, "[policy]\n").unwrap();
    assert!(Config::load(&[system, user]).unwrap_err().to_string().contains("only counts in"));
}

#[test]
fn a_system_s_file_that_others_can_change_does_not_count() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let system = system_file(&folder, "");
    assert!(Config::load(std::slice::from_ref(&system)).is_ok());
    let of_another = Source { owner: Some(rustix::process::geteuid().as_raw() + 1), ..system.clone() };
    assert!(Config::load(&[of_another]).unwrap_err().to_string().contains("belongs to user"));
    for path in [system.path.clone(), folder.path().to_owned()] {
        let before = path.metadata().unwrap().permissions();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Config::load(std::slice::from_ref(&system)).unwrap_err();
        assert!(error.to_string().contains("others can write"), "{error}");
        let hint = format!("chown root: {0} && chmod go-w {0}", path.display());
        assert_eq!(error.hint(), Some(hint), "{error}");
        std::fs::set_permissions(&path, before).unwrap();
    }
}

#[test]
fn a_system_s_file_behind_a_link_that_leads_nowhere_is_not_absent() {
    let folder = TempDir::new().unwrap();
    let system = system_file(&folder, "");
    std::fs::remove_file(&system.path).unwrap();
    assert!(Config::load(std::slice::from_ref(&system)).is_ok());
    std::os::unix::fs::symlink("/nonexistent", &system.path).unwrap();
    let error = Config::load(std::slice::from_ref(&system)).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("is a link that leads nowhere"), "{error}");
}

#[test]
fn a_system_s_file_that_a_link_fetches_from_elsewhere_is_copied() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let system = system_file(&folder, "");
    let target = elsewhere.path().join("target.toml");
    std::fs::rename(&system.path, &target).unwrap();
    std::os::unix::fs::symlink(&target, &system.path).unwrap();
    assert!(Config::load(std::slice::from_ref(&system)).is_ok());
    std::fs::set_permissions(elsewhere.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = Config::load(std::slice::from_ref(&system)).unwrap_err();
    let hint = error.hint().unwrap();
    let (_, command) = hint.split_once(": ").unwrap();
    assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success(), "{hint}");
    assert!(Config::load(std::slice::from_ref(&system)).is_ok(), "after {hint}");
}

#[test]
fn the_system_s_file_is_read_once_by_whatever_name() {
    let folder = TempDir::new().unwrap();
    let system = system_file(&folder, "[policy]\npublic = false\n").path;
    let load = |system: &Path, variables: &[(&str, &Path)]| {
        let mut sources = Source::all(system, &Environment::from_map(variables.to_vec()));
        sources[0].owner = Some(rustix::process::geteuid().as_raw());
        Config::load(&sources)
    };
    let twisted = folder.path().join("./system.toml");
    for name in [&system, &twisted] {
        let config = load(&system, &[("ECRU_CONFIG", name)]).unwrap();
        assert!(config.policy().is_some(), "{}", name.display());
    }
    let link = folder.path().join("link.toml");
    std::os::unix::fs::symlink(&system, &link).unwrap();
    let error = load(&system, &[("ECRU_CONFIG", &link)]).unwrap_err();
    assert!(
        error.to_string().contains("only counts in"),
        "another file may lead elsewhere tomorrow: {error}"
    );

    let user = folder.path().join("ecru/config.toml");
    std::fs::create_dir(user.parent().unwrap()).unwrap();
    std::fs::rename(&system, &user).unwrap();
    assert!(load(&user, &[("XDG_CONFIG_HOME", folder.path())]).unwrap().policy().is_some());

    // Whoever names a file wants it to be there.
    let error = load(&system, &[("ECRU_CONFIG", &system)]).unwrap_err();
    assert!(matches!(error, ConfigError::Missing { .. }), "{error}");
}
