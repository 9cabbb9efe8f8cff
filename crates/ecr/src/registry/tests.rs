//! True registries are read, everything that resembles one is refused.

use proptest::prelude::*;

use super::*;

/// Every form of host that the documentation knows, with what it means: account, region, partition, FIPS,
/// dual-stack.
const HOSTS: [(&str, &str, &str, bool, bool); 19] = [
    ("000000000001.dkr.ecr.us-east-1.amazonaws.com", "us-east-1", "aws", false, false),
    ("000000000001.dkr.ecr.ap-southeast-7.amazonaws.com", "ap-southeast-7", "aws", false, false),
    ("000000000001.dkr.ecr-fips.us-west-2.amazonaws.com", "us-west-2", "aws", true, false),
    ("000000000001.dkr-ecr.eu-central-1.on.aws", "eu-central-1", "aws", false, true),
    ("000000000001.dkr-ecr-fips.us-east-2.on.aws", "us-east-2", "aws", true, true),
    ("000000000001.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1", "aws-us-gov", false, false),
    ("000000000001.dkr.ecr-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1", "aws-us-gov", true, false),
    ("000000000001.dkr-ecr-fips.us-gov-east-1.on.aws", "us-gov-east-1", "aws-us-gov", true, true),
    ("000000000001.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn", false, false),
    (
        "000000000001.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn",
        "cn-northwest-1",
        "aws-cn",
        false,
        true,
    ),
    ("000000000001.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "aws-eusc", false, false),
    (
        "000000000001.dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu",
        "eusc-de-east-1",
        "aws-eusc",
        false,
        true,
    ),
    ("000000000001.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", "aws-iso", false, false),
    ("000000000001.dkr.ecr-fips.us-iso-west-1.c2s.ic.gov", "us-iso-west-1", "aws-iso", true, false),
    ("000000000001.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", "aws-iso-b", false, false),
    ("000000000001.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", "aws-iso-e", false, false),
    ("000000000001.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", "aws-iso-f", false, false),
    ("public.ecr.aws", "us-east-1", "aws", false, false),
    ("ecr-public.aws.com", "us-east-1", "aws", false, true),
];

#[test]
fn every_documented_host_is_read_and_written() {
    for (host, region, partition, fips, dual_stack) in HOSTS {
        let registry = Registry::parse(host).unwrap_or_else(|error| panic!("{host}: {error}"));
        assert_eq!(registry.region(), region, "{host}");
        assert_eq!(registry.partition().name(), partition, "{host}");
        assert_eq!((registry.fips(), registry.dual_stack()), (fips, dual_stack), "{host}");
        let account = if host.starts_with('0') { Some("000000000001") } else { None };
        assert_eq!(registry.account(), account, "{host}");
        assert_eq!(registry.is_public(), account.is_none(), "{host}");
        assert_eq!(registry.to_string(), host);
    }
}

#[test]
fn scheme_port_path_and_case_do_not_matter() {
    for (host, ..) in HOSTS {
        let registry = Registry::parse(host).unwrap();
        for text in [
            format!("https://{host}"),
            format!("HTTPS://{host}/v1/"),
            format!("{host}:443"),
            format!("{host}/"),
            format!("https://{host}:443/team/app:1.0"),
            host.to_ascii_uppercase(),
        ] {
            assert_eq!(Registry::parse(&text).as_ref(), Ok(&registry), "{text}");
        }
    }
}

#[test]
fn junk_around_a_true_host_is_refused() {
    for (host, ..) in HOSTS {
        for text in [
            format!("{host}.evil.com"),
            format!("{host}evil.com"),
            format!("{host}@evil.com"),
            format!("evil.com@{host}"),
            format!("user:pw@{host}"),
            format!("evil.com/{host}"),
            format!("evil.com:443/{host}/"),
            format!("evil.com#{host}"),
            format!("evil.com?{host}"),
            format!("evil.{host}"),
            format!("evil-{host}"),
            format!("{host}:8443"),
            format!("{host}:80"),
            format!("{host}:"),
            format!("{host}."),
            format!("{host}?x=.evil.com"),
            format!("{host}#evil.com"),
            format!("{host}/../../evil"),
            format!("{host}/%2e%2e"),
            format!("{host}\\@evil.com"),
            format!("{host}\n.evil.com"),
            format!("{host}\n"),
            format!("{host}\r"),
            format!("{host}\0"),
            format!(" {host}"),
            format!("{host} "),
            format!("http://{host}"),
            format!("ftp://{host}"),
            format!("https://https://{host}"),
            format!("//{host}"),
            host.replacen('.', "%2e", 1),
            host.replacen('.', "\u{3002}", 1),
            host.replacen('.', "\n.", 1),
            host.replacen('.', "..", 1),
            host.replacen('c', "\u{441}", 1),
            host.replace("ecr", "ecr-evil"),
        ] {
            assert!(Registry::parse(&text).is_err(), "{text:?} was read");
        }
    }
}

#[test]
fn look_alikes_are_refused() {
    for text in [
        "12345678901.dkr.ecr.us-east-1.amazonaws.com",
        "1234567890123.dkr.ecr.us-east-1.amazonaws.com",
        "00000000000a.dkr.ecr.us-east-1.amazonaws.com",
        "\u{661}00000000001.dkr.ecr.us-east-1.amazonaws.com",
        "000000000001.dkr.ecr.us-east-1.amazonaws.org",
        "000000000001.dkr.ecr.us-east-1.on.aws",
        "000000000001.dkr-ecr.us-east-1.amazonaws.com",
        "000000000001.dkr.ecr.evil-region.amazonaws.com",
        "000000000001.dkr.ecr.us-east.amazonaws.com",
        "000000000001.dkr.ecr.us-east-123.amazonaws.com",
        "000000000001.dkr.ecr.us-east-x.amazonaws.com",
        "000000000001.dkr.ecr.us--1.amazonaws.com",
        "000000000001.dkr.ecr.-east-1.amazonaws.com",
        "000000000001.dkr.ecr.us-evil-east-1.amazonaws.com",
        "000000000001.dkr.ecr.us-aaaaaaaaaaaaaaaaaaaaaaaaaaaa-1.amazonaws.com",
        "000000000001.dkr.ecr.cn-north-1.amazonaws.com",
        "000000000001.dkr.ecr.us-east-1.amazonaws.com.cn",
        "000000000001.dkr.ecr.us-gov-west-1.amazonaws.eu",
        "000000000001.dkr.ecr.us-iso-east-1.sc2s.sgov.gov",
        "000000000001.dkr.ecr.us-iso-east-1.amazonaws.com",
        "000000000001.dkr-ecr.us-iso-east-1.on.aws",
        "000000000001.dkr.ecr.amazonaws.com",
        "000000000001.dkr.ecr..amazonaws.com",
        "000000000001.dkr.ecr.us-east-1",
        "000000000001.dkr.ecr-dualstack.us-east-1.amazonaws.com",
        "000000000001.dkr_ecr.us-east-1.amazonaws.com",
        "dkr.ecr.us-east-1.amazonaws.com",
        "api.ecr.us-east-1.amazonaws.com",
        "public.ecr.aws.evil.com",
        "evil.public.ecr.aws",
        "public.ecr.avvs",
        "public-ecr.aws",
        "ecr.aws",
        "public.ecr.aws:5000",
        "localhost:5000",
        "docker.io",
        "",
    ] {
        assert!(Registry::parse(text).is_err(), "{text:?} was read");
    }
}

#[test]
fn errors_tell_other_hosts_from_broken_registries() {
    for other in ["https://index.docker.io/v1/", "registry.gitlab.com", "localhost:5000", "ecr.aws"] {
        assert!(Registry::parse(other).unwrap_err().is_another_host(), "{other}");
    }
    for (text, message) in [
        (
            "000000000001.dkr.ecr.us-east-1.amazonaws.com.evil.com",
            "`000000000001.dkr.ecr.us-east-1.amazonaws.com.evil.com` looks like a registry of Amazon ECR, but its \
             domain is not one of Amazon's",
        ),
        ("1.dkr.ecr.us-east-1.amazonaws.com", "`1` is not an AWS account: 12 digits are"),
        (
            "000000000001.dkr.ecr.cn-north-1.amazonaws.com",
            "`cn-north-1` is not an AWS region with registries below `amazonaws.com`",
        ),
        ("public.ecr.aws:5000", "registries of Amazon ECR do not listen on port 5000"),
        ("http://public.ecr.aws", "registries of Amazon ECR are not reached by plain HTTP"),
        ("a@b", "the registry's name contains a character that no host or repository has"),
    ] {
        let error = Registry::parse(text).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!error.is_another_host(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = Registry::parse(&text);
    }

    /// One byte changed, put in or taken out of a true host gives the same registry, another one that is as true,
    /// or none: never one whose host differs from the text.
    #[test]
    fn a_damaged_host_is_never_read_as_another_one(
        index in 0..HOSTS.len(),
        position in 0_usize..70,
        character in any::<char>(),
        damage in 0..3,
    ) {
        let mut text: Vec<char> = HOSTS[index].0.chars().collect();
        let position = position % text.len();
        match damage {
            0 => text[position] = character,
            1 => text.insert(position, character),
            _ => drop(text.remove(position)),
        }
        let text: String = text.into_iter().collect();
        if let Ok(registry) = Registry::parse(&text) {
            let host = text.split('/').next().unwrap_or_default().to_ascii_lowercase();
            prop_assert_eq!(registry.host(), host);
        }
    }

    #[test]
    fn texts_built_of_the_parts_of_hosts_are_read_whole(parts in prop::collection::vec(
        prop::sample::select(vec![
            "000000000001", "dkr", "ecr", "ecr-fips", "dkr-ecr", "us-east-1", "cn-north-1", "amazonaws", "com", "cn",
            "on", "aws", "public", "evil", "", "@", "/", ":443", "eu",
        ]),
        1..9,
    )) {
        let text = parts.join(".");
        if let Ok(registry) = Registry::parse(&text) {
            prop_assert_eq!(registry.host(), text);
        }
    }
}
