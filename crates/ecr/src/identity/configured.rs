//! Where an identity would come from, told without asking anyone.

use super::selection::{IdentitySource, Selection, first_asked_for};
use crate::environment::Environment;
use crate::token::EMPTY_PROFILE;

impl IdentitySource {
    /// It in words, as they tell where credentials have come from, too.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Environment => "the access key in the environment",
            Self::Profile => "the profile",
            Self::WebIdentity => "the web identity token file",
            Self::Container => "the container's credentials endpoint",
            Self::Instance => "the instance's metadata service",
        }
    }
}

/// The words for an OIDC token in a variable.
pub(crate) fn words_of_token(variable: &str) -> String {
    format!("the identity token in {variable}")
}

impl Selection {
    /// Where the identity that it means would come from in `environment`, and the roles that are assumed with it. If the
    /// source that is told has nothing, the SDK goes on to others, which only shows when they are asked.
    #[must_use]
    pub fn configured_source(&self, environment: &Environment) -> String {
        let first = match self.token_variable() {
            Some(variable) => words_of_token(variable),
            None => self.configured_first(&self.restrict(environment)),
        };
        let roles = self.roles().iter().map(|role| format!(", then the role `{}`", role.arn));
        std::iter::once(first).chain(roles).collect()
    }

    /// The sources of the SDK's chain that were asked before `found` had credentials, in their order, each with what it
    /// lacks in `environment`. None where the selection leaves but one.
    #[must_use]
    pub fn tried_before(
        &self,
        found: IdentitySource,
        environment: &Environment,
    ) -> Vec<(IdentitySource, String)> {
        if self.source().is_some() || self.token_variable().is_some() {
            return Vec::new();
        }
        let before = IdentitySource::ALL.into_iter().take_while(|source| *source != found);
        // A web identity that is asked for comes before the profiles.
        let was_asked = |source: &IdentitySource| {
            (*source, found) != (IdentitySource::Profile, IdentitySource::WebIdentity)
        };
        before.filter(was_asked).map(|source| (source, lack(source, environment))).collect()
    }

    fn configured_first(&self, environment: &Environment) -> String {
        let asked = first_asked_for(environment);
        let is_set = |name| environment.os(name).is_some();
        let has_container =
            is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let container = has_container.then_some(IdentitySource::Container);
        match asked.or(self.source()).or(container) {
            Some(IdentitySource::Profile) => {
                let profile = environment.get("AWS_PROFILE").unwrap_or("default");
                format!("{} `{profile}`", IdentitySource::Profile.words())
            }
            Some(source) => source.words().to_owned(),
            None => format!("the profile `default`, else {}", IdentitySource::Instance.words()),
        }
    }
}

/// Why a source has had nothing, without which the SDK would not have gone on.
pub(crate) fn lack(source: IdentitySource, environment: &Environment) -> String {
    let pair = |first: &str, second: &str| match (environment.os(first), environment.os(second)) {
        (Some(_), None) => format!("{first} is set, and {second} is not"),
        (None, Some(_)) => format!("{second} is set, and {first} is not"),
        _ => format!("{first} and {second} are not set"),
    };
    match source {
        IdentitySource::Environment => pair("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        IdentitySource::Profile => {
            let profile = environment.get("AWS_PROFILE").unwrap_or("default");
            format!("the profile `{profile}` {EMPTY_PROFILE}")
        }
        IdentitySource::WebIdentity => pair("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        IdentitySource::Container => {
            "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set"
                .to_owned()
        }
        IdentitySource::Instance => "it has no role".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::selection::{RoleSettings, Settings};
    use super::*;

    const ROLE: &str = "arn:aws:iam::000000000001:role/ci";

    fn told(settings: Settings, variables: &[(&str, &str)]) -> String {
        let selection = Selection::new(settings).unwrap();
        selection.configured_source(&Environment::from_map(variables.to_vec()))
    }

    fn role() -> Option<RoleSettings> {
        Some(RoleSettings { role_arn: ROLE.to_owned(), ..RoleSettings::default() })
    }

    #[test]
    fn the_first_source_that_is_asked_for_is_told_without_keys() {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")];
        let web = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
        let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/")];
        for (variables, expected) in [
            (&keys[..], "the access key in the environment"),
            (&keys[..1], "the profile `default`, else the instance's metadata service"),
            (&[("AWS_PROFILE", "ci")], "the profile `ci`"),
            (&web, "the web identity token file"),
            (&[web[0], web[1], ("AWS_PROFILE", "ci")], "the web identity token file"),
            (&[web[0], web[1], keys[0], keys[1]], "the access key in the environment"),
            (&[web[1], ("AWS_PROFILE", "ci")], "the profile `ci`"),
            (&container, "the container's credentials endpoint"),
            (&[], "the profile `default`, else the instance's metadata service"),
        ] {
            assert_eq!(told(Settings::default(), variables), expected);
        }
    }

    #[test]
    fn a_selection_leaves_no_other_source() {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t")];
        let profile = Settings { profile: Some("team".to_owned()), role: role(), ..Settings::default() };
        assert_eq!(told(profile, &keys), format!("the profile `team`, then the role `{ROLE}`"));
        let instance = Settings { source: Some(IdentitySource::Instance), ..Settings::default() };
        assert_eq!(told(instance, &keys), "the instance's metadata service");
        let token = Settings {
            identity_token_env: Some("GITLAB_OIDC_TOKEN".to_owned()),
            role: role(),
            ..Settings::default()
        };
        assert_eq!(
            told(token, &keys),
            format!("the identity token in GITLAB_OIDC_TOKEN, then the role `{ROLE}`")
        );
    }

    #[test]
    fn what_was_tried_before_is_told_with_what_it_lacks() {
        let environment =
            Environment::from_map([("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_ROLE_ARN", ROLE)]);
        let tried = Selection::default().tried_before(IdentitySource::Container, &environment);
        let tried: Vec<(&str, &str)> =
            tried.iter().map(|(source, lack)| (source.name(), lack.as_str())).collect();
        let expected = [
            ("environment", "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"),
            ("profile", "the profile `default` has no credentials"),
            ("web-identity", "AWS_ROLE_ARN is set, and AWS_WEB_IDENTITY_TOKEN_FILE is not"),
        ];
        assert_eq!(tried, expected);
        assert!(Selection::default().tried_before(IdentitySource::Environment, &environment).is_empty());
        let web = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_PROFILE", "ci")];
        let web = Environment::from_map(web);
        let tried = Selection::default().tried_before(IdentitySource::WebIdentity, &web);
        assert_eq!(tried.len(), 1, "no profile was asked: {tried:?}");
        let instance = Settings { source: Some(IdentitySource::Instance), ..Settings::default() };
        let instance = Selection::new(instance).unwrap();
        assert!(instance.tried_before(IdentitySource::Instance, &environment).is_empty());
    }
}
