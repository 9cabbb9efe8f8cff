//! Names of roles.

/// Whether `text` is the ARN of a role: `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME` ("IAM identifiers", IAM user guide).
#[must_use]
pub fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else { return false };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&byte);
    let is_partition = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    arn == "arn"
        && partition.starts_with("aws")
        && partition.bytes().all(is_partition)
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource
            .strip_prefix("role/")
            .is_some_and(|name| !name.is_empty() && !name.ends_with('/') && name.bytes().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::is_role_arn;

    #[test]
    fn only_roles_are_roles() {
        for arn in ["arn:aws:iam::111122223333:role/a", "arn:aws-cn:iam::111122223333:role/ci/p@+=,.-_1"] {
            assert!(is_role_arn(arn), "{arn}");
        }
        for text in [
            "",
            "arn:aws:iam::111122223333:user/a",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/a/",
            "arn:aws:iam:eu-west-1:111122223333:role/a",
            "arn:aws:sts::111122223333:assumed-role/a/b",
            "arn:aws:iam::11112222333:role/a",
            "arn:aws:iam::111122223333:role/a\nEOF",
            "arn:aws:iam::111122223333:role/${x}",
            "arn:aws:iam::111122223333:role/a\"",
        ] {
            assert!(!is_role_arn(text), "{text}");
        }
    }
}
