//! Policy documents ("IAM JSON policy reference", IAM user guide).

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::condition::{Condition, Context};
use super::pattern::{Pattern, Syntax};

/// A policy as it was written, and as it is understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Policy {
    text: String,
    statements: Vec<Statement>,
}

/// Why a policy is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is no JSON, or not shaped as a policy.
    #[error("this is not a policy document: {0}")]
    Malformed(String),
    /// A variable is not closed.
    #[error("a policy variable is not closed")]
    Syntax,
    /// It uses an element that the emulator does not evaluate; ignoring that would allow too much or too little.
    #[error("ecru-emulator does not evaluate {0}")]
    Unsupported(String),
    /// It has elements that this kind of policy cannot have, or lacks some.
    #[error("{0}")]
    WrongKind(&'static str),
}

/// Where a policy is attached, which decides what it must and must not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attached {
    /// To a user, a role or a session: it names resources, and no principals.
    Identity,
    /// To a repository: it names principals, and no resources.
    Repository,
    /// To a role, to say who may assume it: it names principals, and no resources.
    Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) allows: bool,
    principals: Option<Principals>,
    actions: Choice,
    resources: Option<Choice>,
    conditions: Vec<Condition>,
}

/// Whom a statement of a resource-based policy is about, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Principals {
    aws: Vec<String>,
    federated: Vec<String>,
}

/// What an element with a positive and a `Not…` form selects.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    AnyOf(Vec<Pattern>),
    NoneOf(Vec<Pattern>),
}

impl Choice {
    fn holds(&self, text: &str, context: &Context) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(text, context));
        match self {
            Self::AnyOf(patterns) => any(patterns),
            Self::NoneOf(patterns) => !any(patterns),
        }
    }
}

impl Policy {
    /// A policy that is right for where it is to be attached.
    pub(crate) fn attached(text: &str, to: Attached) -> Result<Self, PolicyError> {
        let policy: Self = text.parse()?;
        for statement in &policy.statements {
            if to != Attached::Role
                && statement.conditions.iter().any(|condition| condition.key.is_of_token())
            {
                return Err(PolicyError::Unsupported("claims of tokens outside trust policies".into()));
            }
            match (to, &statement.principals, &statement.resources) {
                (Attached::Identity, None, Some(_))
                | (Attached::Repository | Attached::Role, Some(_), None) => {}
                (Attached::Identity, Some(_), _) => {
                    return Err(PolicyError::WrongKind("a policy of an identity names no principal"));
                }
                (Attached::Identity, None, None) => {
                    return Err(PolicyError::WrongKind("a policy of an identity names resources"));
                }
                (Attached::Repository, _, _) => {
                    return Err(PolicyError::WrongKind(
                        "a policy of a repository names principals and no resources",
                    ));
                }
                (Attached::Role, _, _) => {
                    return Err(PolicyError::WrongKind("a trust policy names principals and no resources"));
                }
            }
        }
        Ok(policy)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl Statement {
    /// Whether it is about this action on this resource. `action` is in lower case, as the patterns are.
    pub(super) fn concerns(&self, action: &str, resource: &str, context: &Context) -> bool {
        self.actions.holds(action, context)
            && self.resources.as_ref().is_none_or(|resources| resources.holds(resource, context))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }

    /// The principals with AWS identities that it names, as written.
    pub(super) fn principals(&self) -> &[String] {
        self.principals.as_ref().map(|principals| principals.aws.as_slice()).unwrap_or_default()
    }

    /// Whether it is about those whom an identity provider vouches for.
    pub(super) fn names_provider(&self, arn: &str) -> bool {
        self.principals().iter().any(|named| named == "*")
            || self.principals.iter().flat_map(|principals| &principals.federated).any(|named| named == arn)
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let document: Document =
            serde_json::from_str(text).map_err(|error| PolicyError::Malformed(error.to_string()))?;
        let variables = match document.version.as_deref() {
            Some("2012-10-17") => true,
            Some("2008-10-17") | None => false,
            Some(version) => return Err(PolicyError::Malformed(format!("unknown version `{version}`"))),
        };
        let statements = document.statement.into_vec();
        if statements.is_empty() {
            return Err(PolicyError::Malformed("it has no statements".into()));
        }
        let statements = statements.into_iter().map(|statement| statement.understood(variables));
        Ok(Self { text: text.into(), statements: statements.collect::<Result<_, _>>()? })
    }
}

impl TryFrom<String> for Policy {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.text
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<StatementDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatementDocument {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Option<PrincipalDocument>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<String>>>,
}

#[derive(Deserialize, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PrincipalDocument {
    Everybody(String),
    Named(BTreeMap<String, OneOrMany<String>>),
}

impl StatementDocument {
    fn understood(self, variables: bool) -> Result<Statement, PolicyError> {
        let malformed = |reason: &str| PolicyError::Malformed(reason.into());
        let syntax = Syntax { wildcards: true, variables };
        let lower = |action: OneOrMany<String>| {
            OneOrMany::Many(action.into_vec().iter().map(|text| text.to_ascii_lowercase()).collect())
        };
        let actions = choice(
            self.action.map(lower),
            self.not_action.map(lower),
            Syntax { wildcards: true, variables: false },
        )?
        .ok_or_else(|| malformed("a statement needs Action or NotAction, and not both"))?;
        let resources = choice(self.resource, self.not_resource, syntax)?;
        let principals = match self.principal {
            None => None,
            Some(PrincipalDocument::Everybody(text)) if text == "*" => {
                Some(Principals { aws: vec![text], ..Principals::default() })
            }
            Some(PrincipalDocument::Everybody(_)) => return Err(malformed("Principal is not `*`")),
            // Services are principals that no request to the emulator comes from.
            Some(PrincipalDocument::Named(mut named)) => {
                let mut of = |kind| named.remove(kind).map(OneOrMany::into_vec).unwrap_or_default();
                Some(Principals { aws: of("AWS"), federated: of("Federated") })
            }
        };
        let conditions = self.condition.into_iter().flat_map(|(operator, keys)| {
            keys.into_iter()
                .map(move |(key, values)| Condition::parse(&operator, &key, &values.into_vec(), variables))
        });
        let conditions = conditions.collect::<Result<_, _>>()?;
        let allows = self.effect == Effect::Allow;
        Ok(Statement { allows, principals, actions, resources, conditions })
    }
}

/// The choice between an element and its `Not…` form; nothing if there is neither.
fn choice(
    any_of: Option<OneOrMany<String>>,
    none_of: Option<OneOrMany<String>>,
    syntax: Syntax,
) -> Result<Option<Choice>, PolicyError> {
    let patterns = |texts: OneOrMany<String>| {
        texts.into_vec().iter().map(|text| Pattern::parse(text, syntax)).collect::<Result<Vec<_>, _>>()
    };
    match (any_of, none_of) {
        (Some(_), Some(_)) => Err(PolicyError::Malformed("an element stands beside its Not form".into())),
        (Some(any_of), None) => Ok(Some(Choice::AnyOf(patterns(any_of)?))),
        (None, Some(none_of)) => Ok(Some(Choice::NoneOf(patterns(none_of)?))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_policy_keeps_its_text() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let policy = Policy::attached(text, Attached::Identity).unwrap();
        assert_eq!(policy.text(), text);
        let json = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        let statement = |rest: &str| {
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny",{rest}}}]}}"#);
            Policy::attached(&text, Attached::Identity)
        };
        assert!(statement(r#""NotAction":["ecr:*"],"NotResource":"a""#).is_ok());
        for rest in [
            r#""Action":"*""#,
            r#""Resource":"*""#,
            r#""Action":"*","NotAction":"*","Resource":"*""#,
            r#""Action":"*","Resource":"*","Principal":"*""#,
            r#""Action":"*","Resource":"*","NotPrincipal":"*""#,
            r#""Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceIp":"x"}}"#,
            r#""Action":"*","Resource":"${aws:username}""#,
            r#""Action":"*","Resource":"*","More":1"#,
        ] {
            assert!(statement(rest).is_err(), "{rest}");
        }
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Version":"2012-10-17","Statement":[]}"#,
            r#"{"Version":"1","Statement":[]}"#,
        ] {
            assert!(text.parse::<Policy>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_repository_policy_names_principals_only() {
        let policy = |rest: &str| {
            let text = format!(r#"{{"Statement":[{{"Effect":"Allow","Action":"ecr:*",{rest}}}]}}"#);
            Policy::attached(&text, Attached::Repository)
        };
        assert!(policy(r#""Principal":"*""#).is_ok());
        assert!(policy(r#""Principal":{"AWS":["000000000001"],"Service":"x"}"#).is_ok());
        assert!(policy(r#""Principal":"x""#).is_err());
        assert!(policy(r#""Principal":"*","Resource":"*""#).is_err());
        assert!(policy(r#""Resource":"*""#).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_policy_or_an_error(text in any::<String>(), inner in r#"[\[\]{}":,a-zA-Z*$]{0,40}"#) {
            let _ = text.parse::<Policy>();
            let _ = format!(r#"{{"Statement":{{"Effect":"Allow","Action":{inner}}}}}"#).parse::<Policy>();
        }
    }
}
