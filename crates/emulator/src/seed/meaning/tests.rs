use super::*;
use proptest::prelude::*;

fn parsed(text: &str) -> Result<Seed, SeedError> {
    parse(text.as_bytes(), Path::new("folder/seed.toml"))
}

fn fault(text: &str) -> (usize, usize, String) {
    match parsed(text).unwrap_err() {
        SeedError::Fault { line, column, message, .. } => (line, column, message),
        error => panic!("{error:?}"),
    }
}

#[test]
fn an_empty_seed_is_a_seed() {
    let seed = parsed("# nothing\n").unwrap();
    assert!(seed.accounts.is_empty() && seed.repositories.is_empty());
}

#[test]
fn faults_have_a_line_and_a_column() {
    assert_eq!(fault("[[user]]\nname = \"a\"\nkeys = 1\n").0, 3);
    assert!(fault("[[user]]\nname = \"a\"\nkeys = 1\n").2.contains("unknown field `keys`"));
    let (line, column, message) = fault("[[user]]\naccount = \"123456789012\"\nname = \"a\"\n");
    assert_eq!((line, column), (2, 11));
    assert!(message.contains("is not an emulated one"), "{message}");
    assert_eq!(fault("[[repository]]\nname = \"A\"\n").0, 2);
    assert_eq!(fault("[[repository]]\nname = \"ab\"\nregion = \"x\"\n").0, 3);
    assert_eq!(fault("[[repository]]\nname = \"ab\"\npublic = true\nregion = \"us-east-1\"\n").0, 4);
    assert_eq!(fault("[[repository]]\nname = \"ab\"\n[[repository]]\nname = \"ab\"\n").0, 4);
    assert_eq!(fault("[[repository]]\nname = \"ab\"\npolicy = 1\n").0, 3);
    assert_eq!(fault("[[role]]\nname = \"a\"\npolicies = [\n  '{}',\n]\n").0, 4);
    assert_eq!(fault("[[role]]\nname = \"a b\"\n").0, 2);
    assert_eq!(fault("[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n").0, 4);
    assert_eq!(fault("[[account]]\nid = \"000000000001\"\npublic_alias = \"A\"\n").0, 3);
    assert_eq!(fault("[[user]]\nname = \"a\"\ntrust_policy = '{}'\n").0, 3);
    assert_eq!(fault("[[role]]\nname = \"a\"\ntrust_policy = '{}'\n").0, 3);
    assert!(fault("[gitlab]\nurl = \"\"\n").2.contains("unknown field `url`"));
    assert_eq!(fault("[gitlab]\nissuer = \"gitlab\"\n").0, 2);
    let rule = |keys: &str| {
        fault(&format!(
            "[[registry]]\naccount = \"000000000000\"\nregion = \"us-east-1\"\n[[registry.cache_rule]]\n{keys}\n"
        ))
    };
    assert_eq!(rule("prefix = \"Hub\"\nupstream = \"public.ecr.aws\"").0, 5);
    for upstream in [
        "quay.io",
        "000000000000.dkr.ecr.us-east-1.amazonaws.com",
        "000000000001.dkr.ecr.us-east-1.amazonaws.com",
    ] {
        assert_eq!(rule(&format!("prefix = \"hub\"\nupstream = \"{upstream}\"")).0, 6, "{upstream}");
    }
    assert_eq!(fault("x = é").0, 1);
    let not_text = parse(b"# a\n\xff", Path::new("s")).unwrap_err();
    assert!(matches!(not_text, SeedError::Fault { line: 2, column: 1, .. }), "{not_text:?}");
}

const KEY: &str = r#"{ kty = "EC", crv = "P-256", x = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" }"#;

#[test]
fn an_identity_provider_has_an_issuer_and_keys() {
    let provider =
        |issuer: &str, keys: &str| format!("[[identity_provider]]\nissuer = \"{issuer}\"\nkeys = {keys}\n");
    let set = format!("{{ keys = [{KEY}] }}");
    let good = provider("https://ci.example.com", &set);
    let seed = parsed(&good).unwrap();
    assert_eq!(seed.identity_providers[0].issuer, "https://ci.example.com");
    assert!(seed.identity_providers[0].keys.contains("P-256"));

    let (line, column, message) = fault(&provider("ci.example.com", &set));
    assert_eq!((line, column), (2, 10));
    assert_eq!(message, "`ci.example.com` is not an issuer");
    for keys in ["{ keys = [] }", "'no JSON'", "1", "{ file = \"none.json\" }"] {
        assert_eq!(fault(&provider("https://ci.example.com", keys)).0, 3, "{keys}");
    }
    assert_eq!(fault(&format!("{good}{good}")).0, 5);
    let gitlab = "[gitlab]\nissuer = \"https://ci.example.com/\"\n";
    assert_eq!(fault(&format!("{good}{gitlab}")).0, 2);
    assert!(fault(&format!("{good}jwks = 1\n")).2.contains("unknown field `jwks`"));
}

#[test]
fn a_policy_is_a_text_a_table_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.toml");
    let json = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    std::fs::write(folder.path().join("all.json"), json).unwrap();
    let table =
        r#"{ Version = "2012-10-17", Statement = { Effect = "Allow", Action = "*", Resource = "*" } }"#;
    let text = format!("[[role]]\nname = \"a\"\npolicies = ['{json}', {table}, {{ file = \"all.json\" }}]\n");
    let seed = parse(text.as_bytes(), &path).unwrap();
    let policies: Vec<Policy> = seed.roles[0]
        .policies
        .iter()
        .map(|text| Policy::attached(text, Attached::Identity).unwrap())
        .collect();
    assert_eq!((policies.len(), policies[0].text()), (3, json));
    assert!(policies.iter().all(|policy| policy.text().contains("Allow")));
    let missing = "[[role]]\nname = \"a\"\npolicies = [{ file = \"none.json\" }]\n";
    assert!(matches!(parse(missing.as_bytes(), &path), Err(SeedError::Fault { line: 3, .. })));
}

const KEYS: &str = "(id|account|name|region|port|policies|policy|trust_policy|issuer|audiences|keys|tags|from|\
                    prefix|upstream|mutability|public|x)";

proptest! {
    #[test]
    fn any_text_is_a_seed_or_an_error(text in any::<String>(), bytes: Vec<u8>) {
        let _ = parsed(&text);
        let _ = parse(&bytes, Path::new("seed.toml"));
    }

    #[test]
    fn any_table_is_a_seed_or_an_error(
        table in "(account|user|role|identity_provider|registry|repository|repository.image|registry.template|registry.cache_rule|other)",
        key in KEYS,
        value in "([\"']?[ -~]{0,20}[\"']?|\\[[ -~]{0,20}\\]|\\{[ -~]{0,20}\\}|[0-9-]{1,9})",
    ) {
        let _ = parsed(&format!("[[{table}]]\nname = \"ab\"\n{key} = {value}\n"));
        let _ = parsed(&format!("[[{table}]]\n{key} = {value}\n"));
    }
}
