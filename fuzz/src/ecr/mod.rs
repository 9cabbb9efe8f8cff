//! The targets for what AWS says, and how ecru is configured.

use ecru_ecr::registry::Registry;

pub mod aws_answer;
pub mod aws_words;
pub mod cache_entry;
pub mod container_answer;
pub mod ecr_answer;
pub mod ecru_config;
mod identity_search;
pub mod imds_answer;
pub mod last_failure;
pub mod registry_host;
mod scripted_answers;

/// Panics unless all that is promised holds for the input.
type CheckInput = fn(&[u8]);

/// Each target with what it does with an input.
pub const TARGETS: [(&str, CheckInput); 9] = [
    ("aws_answer", aws_answer::check_input),
    ("aws_words", aws_words::check_input),
    ("cache_entry", cache_entry::check_input),
    ("container_answer", container_answer::check_input),
    ("ecr_answer", ecr_answer::check_input),
    ("ecru_config", ecru_config::check_input),
    ("imds_answer", imds_answer::check_input),
    ("last_failure", last_failure::check_input),
    ("registry_host", registry_host::check_input),
];

/// Makes sure that a registry is one of Amazon's, by its host name alone and without the library's own table.
fn check_registry(registry: &Registry) {
    let host = registry.host();
    assert_eq!(Registry::parse(&host).as_ref(), Ok(registry), "a host names its own registry");
    assert_eq!(host, host.to_ascii_lowercase());
    if registry.is_public() {
        assert!(matches!(host.as_str(), "public.ecr.aws" | "ecr-public.aws.com"), "{host}");
        return;
    }
    let (account, rest) = host.split_once('.').expect("an account");
    assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()), "{host}");
    let domain = match rest.split_once(registry.region()) {
        Some(("dkr.ecr." | "dkr.ecr-fips.", domain)) if !registry.dual_stack() => domain,
        Some(("dkr-ecr." | "dkr-ecr-fips.", domain)) if registry.dual_stack() => domain,
        _ => panic!("{host}"),
    };
    let domains: &[&str] = match registry.dual_stack() {
        true => &[".on.aws", ".on.amazonwebservices.com.cn", ".on.amazonwebservices.eu"],
        false => &[
            ".amazonaws.com",
            ".amazonaws.com.cn",
            ".amazonaws.eu",
            ".c2s.ic.gov",
            ".sc2s.sgov.gov",
            ".cloud.adc-e.uk",
            ".csp.hci.ic.gov",
        ],
    };
    assert!(domains.contains(&domain), "{host}");
}
