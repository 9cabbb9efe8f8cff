//! What files mean, together and alone.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const FRANKFURT: &str = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";
const VIRGINIA: &str = "000000000002.dkr.ecr.us-east-1.amazonaws.com";

/// Writes the files and reads them together.
fn load(files: &[&str]) -> Result<Config, ConfigError> {
    let folder = TempDir::new().unwrap();
    let sources: Vec<Source> = files
        .iter()
        .enumerate()
        .map(|(index, content)| {
            let path = folder.path().join(format!("{index}.toml"));
            std::fs::write(&path, content).unwrap();
            Source { path, required: true, owner: None }
        })
        .collect();
    Config::load(&sources)
}

fn fault(file: &str) -> String {
    match load(&[file]).unwrap_err() {
        ConfigError::Invalid { fault, .. } => fault.to_string(),
        other => panic!("{other}"),
    }
}

#[test]
fn files_add_up_and_the_later_one_wins() {
    let config = load(&[
        &format!(
            "registries = ['{FRANKFURT}']\non_error = 'report'\n[alias]\n'localhost:5000' = '{FRANKFURT}'"
        ),
        &format!("registries = ['{VIRGINIA}', '{FRANKFURT}']\n[alias]\n\"LOCALHOST:5000\" = '{VIRGINIA}'"),
        "",
    ])
    .unwrap();
    let hosts: Vec<_> = config.registries().iter().map(Registry::host).collect();
    assert_eq!(hosts, [FRANKFURT, VIRGINIA]);
    assert_eq!(config.registry("http://localhost:5000/v1/").unwrap().host(), VIRGINIA);
    assert_eq!(config.on_error(), OnError::Report);
    assert!(config.names_registries());
}

#[test]
fn requests_mean_aliases_or_registries_or_nothing() {
    let config = load(&[&format!("[alias]\n'mirror.example.com' = 'https://{FRANKFURT}/'")]).unwrap();
    assert_eq!(config.registry("https://mirror.example.com:443/team/app").unwrap().host(), FRANKFURT);
    assert_eq!(config.registry(VIRGINIA).unwrap().host(), VIRGINIA);
    for text in
        ["mirror.example.com:8443", "mirror.example.com.evil.com", "x@mirror.example.com", "docker.io"]
    {
        assert!(config.registry(text).is_err(), "{text}");
    }
}

#[test]
fn faults_have_a_place_and_name_the_thing() {
    for (file, message) in [
        ("registries = [", "line 1, column 15: unclosed array, expected `]`"),
        (
            "\nregistrys = []",
            "line 2, column 1: unknown field `registrys`, expected one of `registries`, `alias`, `on_error`, `registry`, `profile`, `partition`, `policy`, `fallback`",
        ),
        (
            "on_error = 'panic'",
            "line 1, column 12: unknown variant `panic`, expected `not-found` or `report`",
        ),
        ("registries = 'a'", "line 1, column 14: invalid type: string \"a\", expected a sequence"),
        (
            "registries = [\n  'docker.io',\n]",
            "line 2, column 3: `docker.io` is not a registry of Amazon ECR",
        ),
        (
            "# ä\n[alias]\n'localhost:5000' = '1.dkr.ecr.us-east-1.amazonaws.com'",
            "line 3, column 20: `1` is not an AWS account: 12 digits are",
        ),
        (
            "[alias]\n'a b' = 'public.ecr.aws'",
            "line 2, column 1: the registry's name contains a character that no host or repository has",
        ),
        (
            "[alias]\n'https://public.ecr.aws/' = 'public.ecr.aws'",
            "line 2, column 1: `public.ecr.aws` is a registry of Amazon ECR and cannot be an alias",
        ),
        (
            "[alias]\n'a.example:5000' = 'public.ecr.aws'\n'http://a.example' = 'public.ecr.aws'",
            "line 3, column 1: `http://a.example` is not HOST or HOST:PORT: an alias is for every scheme and path of a host",
        ),
        (
            "[alias]\n'a.example/ecr' = 'public.ecr.aws'",
            "line 2, column 1: `a.example/ecr` is not HOST or HOST:PORT: an alias is for every scheme and path of a host",
        ),
    ] {
        assert_eq!(fault(file), message, "{file}");
    }
}

#[test]
fn bytes_that_are_no_text_are_a_fault_with_a_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, b"a = 1\n\xff").unwrap();
    let error = Config::load(&[Source { path, required: false, owner: None }]).unwrap_err();
    assert!(error.to_string().ends_with("line 2, column 1: a byte that is not UTF-8 text"), "{error}");
}

#[test]
fn only_a_required_file_must_exist_and_none_may_be_huge() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    let optional = Source { path: path.clone(), required: false, owner: None };
    let required = Source { path: path.clone(), required: true, owner: None };
    assert_eq!(Config::load(std::slice::from_ref(&optional)).unwrap(), Config::default());
    let error = Config::load(&[required]).unwrap_err();
    assert!(matches!(error, ConfigError::Missing { .. }) && error.hint().is_some(), "{error}");

    std::fs::write(&path, vec![b'\n'; MAX_FILE_BYTES + 1]).unwrap();
    let error = Config::load(&[optional]).unwrap_err();
    assert!(error.to_string().ends_with("it is longer than 1048576 bytes"), "{error}");
}

#[test]
fn sources_are_system_user_and_named_file() {
    let paths = |environment: &Environment| -> Vec<(String, bool)> {
        Source::all(Path::new("/etc/ecru/config.toml"), environment)
            .into_iter()
            .map(|source| (source.path.display().to_string(), source.required))
            .collect()
    };
    let system = ("/etc/ecru/config.toml".to_owned(), false);
    assert_eq!(paths(&Environment::default()), std::slice::from_ref(&system));
    let environment = Environment::from_map([("HOME", "/home/a"), ("ECRU_CONFIG", "my.toml")]);
    let user = ("/home/a/.config/ecru/config.toml".to_owned(), false);
    assert_eq!(paths(&environment), [system.clone(), user, ("my.toml".to_owned(), true)]);
    let environment = Environment::from_map([("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/c")]);
    assert_eq!(paths(&environment), [system, ("/c/ecru/config.toml".to_owned(), false)]);
}

proptest! {
    #[test]
    fn any_content_is_read_or_refused(content: Vec<u8>, text in "(registries|alias|on_error|[\\[\\]='\"\n#.a])*") {
        let _ = file::parse(&content, Partitions::default(), true);
        let _ = file::parse(text.as_bytes(), Partitions::default(), false);
    }
}

const ROLE: &str = "arn:aws:iam::000000000001:role/a";

fn chosen_by(config: &Config, server: &str, profile: Option<&str>) -> ChosenBy {
    let environment = Environment::from_map([("ECRU_PROFILE", "variables")]);
    config.choice(&config.request(server).unwrap(), profile, &environment).unwrap().by
}

#[test]
fn the_first_rule_that_matches_chooses_unless_the_program_s_name_does() {
    let config = load(&[&format!(
        "[[registry]]\nmatch = '000000000001.dkr.ecr.*.amazonaws.com/team/*'\nrole_arn = '{ROLE}'\n\
         [[registry]]\nmatch = '000000000001.dkr.ecr.*.amazonaws.com'\nprofile = 'p'\n\
         [profile.team-a]\nsource = 'instance'\n"
    )])
    .unwrap();
    let rule = |pattern: &str| ChosenBy::Rule(pattern.to_owned());
    let with_path = format!("{FRANKFURT}/team/app");
    assert_eq!(chosen_by(&config, &with_path, None), rule("000000000001.dkr.ecr.*.amazonaws.com/team/*"));
    assert_eq!(chosen_by(&config, FRANKFURT, None), rule("000000000001.dkr.ecr.*.amazonaws.com"));
    assert_eq!(chosen_by(&config, VIRGINIA, None), ChosenBy::Variables);
    assert_eq!(chosen_by(&config, FRANKFURT, Some("team-a")), ChosenBy::ProgramName("team-a".to_owned()));
    let request = config.request(FRANKFURT).unwrap();
    let error = config.choice(&request, Some("team-b"), &Environment::default()).unwrap_err();
    assert!(error.hint().unwrap().contains("[profile.team-b]"), "{error}");
}

#[test]
fn the_hint_for_a_missing_profile_is_a_table_of_toml() {
    for (name, table) in [("team-a", "[profile.team-a]"), ("team.a", "[profile.\"team.a\"]")] {
        let error = Config::default().own_choice(Some(name), &Environment::default()).unwrap_err();
        assert_eq!(error.hint(), Some(format!("add {table} to {SYSTEM_FILE}")));
        let config = load(&[&format!("{table}\nprofile = 'a'")]).unwrap();
        assert!(config.own_choice(Some(name), &Environment::default()).is_ok(), "{table}");
    }
}

#[test]
fn rules_that_cannot_be_meant_are_faults() {
    for (file, message) in [
        ("[[registry]]\nmatch = 'docker.io'", "line 2, column 9: `docker.io` is not ACCOUNT"),
        ("[[registry]]\nmatch = '*'\nprofil = 'a'", "line 3, column 1: unknown field `profil`"),
        ("[[registry]]\nmatch = '*'\nexternal_id = 'ab'", "`external_id` has no meaning without `role_arn`"),
        ("[profile.a]\nprofile = 'a'\nsource = 'instance'", "`profile` and `source` cannot be used together"),
        ("[profile.a]\nidentity_token_env = 'A'", "`identity_token_env` has no meaning without `role_arn`"),
        ("[policy]\naccounts = []", "a policy only counts in /etc/ecru/config.toml"),
        ("[fallback]", "a fallback has either `helper` or `auths`"),
        ("[fallback]\nhelper = 'ecr-login'", "line 2, column 10: ecru cannot fall back on itself"),
        ("[fallback]\nhelper = '../x'", "is not what follows"),
    ] {
        assert!(fault(file).contains(message), "{file}: {}", fault(file));
    }
}

#[test]
fn partitions_can_be_added_and_known_ones_not_changed() {
    let partition = "[[partition]]\nname = 'aws-new'\nsuffix = 'amazonaws.new'\napi_suffix = 'api.new'\n\
                     regions = ['new-*']\n";
    let host = "000000000001.dkr.ecr-fips.new-west-1.amazonaws.new";
    let config = load(&[partition, &format!("registries = ['{host}']")]).unwrap();
    let registry = &config.registries()[0];
    assert_eq!((registry.host().as_str(), registry.partition().name()), (host, "aws-new"));
    assert!(config.registry("000000000001.dkr.ecr.old-west-1.amazonaws.new").is_err());
    assert!(Registry::parse(host).is_err(), "nobody else's table changes");
    for (from, to, message) in [
        ("'aws-new'", "'aws'", "the partition `aws` is known"),
        ("'amazonaws.new'", "'amazonaws.com'", "the domain `amazonaws.com` belongs to the partition `aws`"),
        ("'amazonaws.new'", "'new'", "`new` is not a domain"),
        ("'new-*'", "'new_*'", "`new_*` is not a pattern of regions"),
    ] {
        assert!(fault(&partition.replace(from, to)).contains(message), "{message}");
    }
}
