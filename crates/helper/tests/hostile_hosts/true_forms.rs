//! The hosts that registries of ECR have, and the ways in which callers write them.

use std::collections::BTreeSet;

const ACCOUNTS: [&str; 3] = ["000000000000", "000000000001", "000000000099"];

/// Regions with the domains of their registries, for IPv4 and for both (Amazon ECR user guide, "Making requests to
/// Amazon ECR registries"). The isolated partitions have the former only.
const REGIONS: [(&str, &str, Option<&str>); 14] = [
    ("us-east-1", "amazonaws.com", Some("on.aws")),
    ("us-west-2", "amazonaws.com", Some("on.aws")),
    ("eu-central-1", "amazonaws.com", Some("on.aws")),
    ("ap-southeast-7", "amazonaws.com", Some("on.aws")),
    ("il-central-1", "amazonaws.com", Some("on.aws")),
    ("us-gov-west-1", "amazonaws.com", Some("on.aws")),
    ("us-gov-east-1", "amazonaws.com", Some("on.aws")),
    ("cn-north-1", "amazonaws.com.cn", Some("on.amazonwebservices.com.cn")),
    ("cn-northwest-1", "amazonaws.com.cn", Some("on.amazonwebservices.com.cn")),
    ("eusc-de-east-1", "amazonaws.eu", Some("on.amazonwebservices.eu")),
    ("us-iso-east-1", "c2s.ic.gov", None),
    ("us-isob-east-1", "sc2s.sgov.gov", None),
    ("eu-isoe-west-1", "cloud.adc-e.uk", None),
    ("us-isof-south-1", "csp.hci.ic.gov", None),
];

/// Host names of registries.
pub(crate) fn hosts() -> BTreeSet<String> {
    let mut hosts = BTreeSet::from(["public.ecr.aws".to_owned(), "ecr-public.aws.com".to_owned()]);
    for account in ACCOUNTS {
        for (region, suffix, dual_stack_suffix) in REGIONS {
            for service in ["ecr", "ecr-fips"] {
                hosts.insert(format!("{account}.dkr.{service}.{region}.{suffix}"));
                hosts.extend(dual_stack_suffix.map(|it| format!("{account}.dkr-{service}.{region}.{it}")));
            }
        }
    }
    hosts
}

/// The same hosts, as callers write them.
pub(crate) fn written() -> BTreeSet<String> {
    const WAYS: [fn(&str) -> String; 9] = [
        |host| host.to_owned(),
        |host| format!("https://{host}"),
        |host| format!("https://{host}/"),
        |host| format!("https://{host}/v1/"),
        |host| format!("{host}:443"),
        |host| format!("{host}/team/app:1.0"),
        |host| format!("{host}\n"),
        |host| format!("HTTPS://{host}\r\n"),
        |host| host.to_ascii_uppercase(),
    ];
    // Every host in two ways, and so that every way is seen with every kind.
    let hosts = hosts();
    let pairs = hosts.iter().enumerate().flat_map(|(number, host)| {
        let seldom = WAYS[number % WAYS.len()](host);
        [host.clone(), seldom]
    });
    let frankfurt = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";
    pairs.chain(WAYS.map(|way| way(frankfurt))).collect()
}
