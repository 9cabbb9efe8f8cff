use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::accounts::AccountId;
use crate::iam::condition::Tags;
use crate::iam::policy::{Attached, PolicyError};
use crate::oidc::WebIdentity;

const SESSION_ARN: &str = "arn:aws:sts::000000000001:assumed-role/pull/job";
const ROLE_ARN: &str = "arn:aws:iam::000000000001:role/pull";
const APP: &str = "arn:aws:ecr:us-east-1:000000000001:repository/team/app";

fn policy(statements: Value) -> Policy {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string().parse().unwrap()
}

fn rule(effect: &str, action: &str, resource: &str) -> Policy {
    policy(json!([{ "Effect": effect, "Action": action, "Resource": resource }]))
}

fn granted_to(principal: &str, effect: &str) -> Policy {
    policy(json!([{ "Effect": effect, "Action": "ecr:*", "Principal": { "AWS": principal } }]))
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

struct Case {
    identity: Vec<Policy>,
    session: Option<Policy>,
    resource: Vec<Policy>,
    kind: ResourceKind,
    same_account: bool,
    principal_tags: Tags,
    resource_tags: Tags,
}

impl Case {
    fn new(identity: Vec<Policy>) -> Self {
        let (principal_tags, resource_tags) = (BTreeMap::new(), BTreeMap::new());
        Self {
            identity,
            session: None,
            resource: vec![],
            kind: ResourceKind::Usual,
            same_account: true,
            principal_tags,
            resource_tags,
        }
    }

    fn decide(&self, action: &str, resource: &str) -> Result<(), Refusal> {
        let principal = PrincipalNames {
            arn: SESSION_ARN.into(),
            role_arn: Some(ROLE_ARN.into()),
            account: "000000000001".into(),
        };
        let resource_policies: Vec<&Policy> = self.resource.iter().collect();
        let asked = Asked {
            principal: &principal,
            action,
            resource,
            same_account: self.same_account,
            context: Context {
                principal_arn: Some(ROLE_ARN),
                principal_account: Some("000000000001"),
                principal_tags: self.principal_tags.clone(),
                resource_tags: self.resource_tags.clone(),
                web_identity: None,
            },
        };
        let policies = Policies {
            identity: &self.identity,
            session: self.session.as_slice(),
            resource: &resource_policies,
            kind_of_resource: self.kind,
        };
        decide(policies, &asked)
    }

    fn pull(&self) -> Result<(), Refusal> {
        self.decide("ecr:BatchGetImage", APP)
    }
}

fn everything() -> Policy {
    rule("Allow", "*", "*")
}

#[test]
fn nothing_is_allowed_unless_a_policy_says_so() {
    assert_eq!(Case::new(vec![]).pull(), Err(Refusal::Implicit(Kind::IdentityBased)));
    assert_eq!(Case::new(vec![everything()]).pull(), Ok(()));
    let pull = rule("Allow", "ECR:batchget*", "arn:aws:ecr:*:*:repository/team/*");
    let case = Case::new(vec![pull]);
    assert_eq!(case.pull(), Ok(()));
    assert!(case.decide("ecr:PutImage", APP).is_err());
    assert!(case.decide("ecr:BatchGetImage", &APP.to_ascii_uppercase()).is_err());
}

#[test]
fn not_action_and_not_resource_exclude() {
    let deny = policy(json!([
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "NotAction": ["ecr:Get*", "ecr:Batch*"], "Resource": "*" },
        { "Effect": "Deny", "Action": "ecr:Batch*", "NotResource": APP },
    ]));
    let case = Case::new(vec![deny]);
    assert_eq!(case.pull(), Ok(()));
    assert_eq!(case.decide("ecr:GetAuthorizationToken", "*"), Ok(()));
    assert_eq!(case.decide("ecr:PutImage", APP), Err(Refusal::Explicit(Kind::IdentityBased)));
    let other = format!("{APP}2");
    assert_eq!(case.decide("ecr:BatchGetImage", &other), Err(Refusal::Explicit(Kind::IdentityBased)));
}

#[test]
fn a_session_policy_narrows() {
    let mut case = Case::new(vec![everything()]);
    case.session = Some(rule("Allow", "ecr:BatchGetImage", APP));
    assert_eq!(case.pull(), Ok(()));
    assert_eq!(case.decide("ecr:PutImage", APP), Err(Refusal::Implicit(Kind::Session)));
    case.session = Some(rule("Deny", "ecr:BatchGetImage", APP));
    assert_eq!(case.pull(), Err(Refusal::Explicit(Kind::Session)));
    // It never adds anything.
    case = Case::new(vec![]);
    case.session = Some(everything());
    assert_eq!(case.pull(), Err(Refusal::Implicit(Kind::IdentityBased)));
}

#[test]
fn a_repository_policy_of_the_same_account_outweighs_implicit_denials_only() {
    let decide = |named: &str, session: Policy| {
        let mut case = Case::new(vec![]);
        case.resource = vec![granted_to(named, "Allow")];
        case.session = Some(session);
        case.pull()
    };
    let (narrow, none) = (rule("Allow", "ecr:X", "*"), rule("Deny", "*", "*"));
    assert_eq!(decide(SESSION_ARN, narrow.clone()), Ok(()));
    assert_eq!(decide("*", narrow.clone()), Ok(()));
    assert_eq!(decide(ROLE_ARN, narrow.clone()), Err(Refusal::Implicit(Kind::Session)));
    assert_eq!(decide(ROLE_ARN, everything()), Ok(()));
    assert_eq!(decide("000000000001", everything()), Err(Refusal::Implicit(Kind::IdentityBased)));
    assert_eq!(decide("000000000002", narrow), Err(Refusal::Implicit(Kind::IdentityBased)));
    for named in [SESSION_ARN, "*", ROLE_ARN] {
        assert_eq!(decide(named, none.clone()), Err(Refusal::Explicit(Kind::Session)));
    }
    let mut denied = Case::new(vec![everything()]);
    denied.resource = vec![granted_to("arn:aws:iam::000000000001:root", "Deny")];
    assert_eq!(denied.pull(), Err(Refusal::Explicit(Kind::ResourceBased)));
}

#[test]
fn between_accounts_both_sides_must_allow() {
    let decide = |identity: Vec<Policy>, resource: Vec<Policy>| {
        let case = Case { same_account: false, resource, ..Case::new(identity) };
        case.pull()
    };
    assert_eq!(decide(vec![everything()], vec![]), Err(Refusal::Implicit(Kind::ResourceBased)));
    for named in ["000000000001", "arn:aws:iam::000000000001:root", ROLE_ARN, SESSION_ARN, "*"] {
        let granted = || vec![granted_to(named, "Allow")];
        assert_eq!(decide(vec![everything()], granted()), Ok(()), "{named}");
        assert_eq!(decide(vec![], granted()), Err(Refusal::Implicit(Kind::IdentityBased)), "{named}");
    }
}

#[test]
fn a_role_is_assumed_by_those_whom_it_trusts() {
    let assume = |identity: Vec<Policy>, named: &str, same_account| {
        let trust = policy(json!([{ "Effect": "Allow", "Action": "sts:*", "Principal": { "AWS": named } }]));
        let (resource, kind) = (vec![trust], ResourceKind::TrustingRole);
        let case = Case { resource, kind, same_account, ..Case::new(identity) };
        case.decide("sts:AssumeRole", ROLE_ARN)
    };
    let untrusted = Err(Refusal::Implicit(Kind::RoleTrust));
    for same_account in [true, false] {
        assert_eq!(assume(vec![everything()], "000000000002", same_account), untrusted);
        assert_eq!(assume(vec![everything()], "000000000001", same_account), Ok(()));
        let unable = Err(Refusal::Implicit(Kind::IdentityBased));
        assert_eq!(assume(vec![], "000000000001", same_account), unable);
        // Named itself, it needs no policy of its own within the account.
        assert_eq!(assume(vec![], SESSION_ARN, same_account), if same_account { Ok(()) } else { unable });
    }
}

#[test]
fn tokens_are_trusted_by_provider_and_claims() {
    let identity = |subject: &str| WebIdentity {
        account: AccountId::default(),
        provider: "gitlab.example.com".into(),
        subject: subject.into(),
        audience: "sts".into(),
    };
    let trusted = |statements: Value, identity: &WebIdentity| {
        let context = Context { web_identity: Some(identity), ..Context::default() };
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let policy = Policy::attached(&text, Attached::Role).unwrap();
        trusts(&policy, &identity.provider_arn(), "sts:AssumeRoleWithWebIdentity", &context)
    };
    let statement = |effect: &str, provider: &str, operator: &str, key: &str, value: &str| {
        json!({
            "Effect": effect,
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": { "Federated": format!("arn:aws:iam::000000000000:oidc-provider/{provider}") },
            "Condition": { operator: { key: value } },
        })
    };
    let main = identity("project_path:team/app:ref_type:branch:ref:main");
    let sub = "gitlab.example.com:sub";
    let allow = |provider, key, value| json!([statement("Allow", provider, "StringLike", key, value)]);
    assert!(trusted(allow("gitlab.example.com", sub, "project_path:team/*"), &main));
    assert!(!trusted(allow("gitlab.example.com", sub, "project_path:other/*"), &main));
    assert!(!trusted(allow("gitlab.example.org", sub, "*"), &main));
    assert!(!trusted(allow("gitlab.example.com", "gitlab.example.org:sub", "*"), &main));
    assert!(trusted(allow("gitlab.example.com", "GitLab.example.com:AUD", "sts"), &main));
    let all = statement("Allow", "gitlab.example.com", "StringLike", sub, "*");
    let none = statement("Deny", "gitlab.example.com", "StringNotEquals", sub, &main.subject);
    assert!(trusted(json!([all, none]), &main));
    assert!(!trusted(json!([all, none]), &identity("project_path:team/app:ref_type:branch:ref:x")));
    let everybody = json!([{ "Effect": "Allow", "Action": "sts:*", "Principal": "*" }]);
    assert!(trusted(everybody, &main));
    let users = json!([{ "Effect": "Allow", "Action": "sts:*", "Principal": { "AWS": "000000000000" } }]);
    assert!(!trusted(users, &main));
    for text in ["gitlab.example.com:amr", "gitlab.example.com:ref_protected"] {
        let text = json!({ "Statement": allow("gitlab.example.com", text, "*") }).to_string();
        assert!(matches!(Policy::attached(&text, Attached::Role), Err(PolicyError::Unsupported(_))));
    }
}

#[test]
fn tags_decide_by_value() {
    let same_team = |operator: &str, value: &str| {
        let statement = json!([{
            "Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": { operator: { "aws:ResourceTag/team": value } },
        }]);
        let mut case = Case::new(vec![policy(statement)]);
        case.principal_tags = tags(&[("Team", "blue")]);
        case.resource_tags = tags(&[("team", "blue")]);
        let with_tag = case.pull().is_ok();
        case.resource_tags = Tags::new();
        (with_tag, case.pull().is_ok())
    };
    assert_eq!(same_team("StringEquals", "${aws:PrincipalTag/team}"), (true, false));
    assert_eq!(same_team("StringEquals", "b*"), (false, false));
    assert_eq!(same_team("StringLike", "b*"), (true, false));
    assert_eq!(same_team("StringNotEquals", "blue"), (false, true));
    assert_eq!(same_team("StringNotLike", "r*"), (true, true));
    assert_eq!(same_team("StringEquals", "${aws:PrincipalTag/other}"), (false, false));
}

fn any_statement() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(vec!["*", "ecr:*", "ecr:Batch*", "ecr:PutImage", "sts:*"]);
    let resource = prop::sample::select(vec!["*", APP, "arn:aws:ecr:*:*:repository/*", "arn:aws:s3:::*"]);
    (any::<bool>(), any::<bool>(), action, any::<bool>(), resource).prop_map(
        |(allows, not_action, action, not_resource, resource)| {
            json!({
                "Effect": if allows { "Allow" } else { "Deny" },
                (if not_action { "NotAction" } else { "Action" }): action,
                (if not_resource { "NotResource" } else { "Resource" }): resource,
            })
        },
    )
}

fn any_grant() -> impl Strategy<Value = Value> {
    let named = prop::sample::select(vec!["*", SESSION_ARN, ROLE_ARN, "000000000001", "000000000002"]);
    (prop::bool::weighted(0.8), named).prop_map(|(allows, named)| {
        json!({
            "Effect": if allows { "Allow" } else { "Deny" },
            "Action": "ecr:*",
            "Principal": { "AWS": named },
        })
    })
}

/// Statements of an identity, of a session and of a repository, and whether the repository is in the same account.
type Statements = (Vec<Value>, Option<Vec<Value>>, Vec<Value>, bool);

fn any_statements() -> impl Strategy<Value = Statements> {
    let many = || prop::collection::vec(any_statement(), 1..4);
    (many(), prop::option::of(many()), prop::collection::vec(any_grant(), 1..3), any::<bool>())
}

fn case((identity, session, resource, same_account): &Statements) -> Case {
    Case {
        session: session.as_ref().map(|statements| policy(json!(statements))),
        resource: vec![policy(json!(resource))],
        same_account: *same_account,
        ..Case::new(vec![policy(json!(identity))])
    }
}

proptest! {
    #[test]
    fn a_deny_wins_wherever_it_stands(statements in any_statements(), at in 0..3) {
        let deny = |element: &str, value: Value| json!({ "Effect": "Deny", "Action": "ecr:*", element: value });
        let (mut identity, mut session, mut resource, same_account) = statements;
        match at {
            0 => identity.push(deny("Resource", json!("*"))),
            1 => session.get_or_insert_default().push(deny("Resource", json!("*"))),
            _ => resource.push(deny("Principal", json!("*"))),
        }
        let decision = case(&(identity, session, resource, same_account)).pull();
        prop_assert!(matches!(decision, Err(Refusal::Explicit(_))), "{decision:?}");
    }

    #[test]
    fn an_allow_never_takes_access_away(statements in any_statements(), added in any_statement(), at in 0..3) {
        let before = case(&statements).pull();
        let (mut identity, mut session, mut resource, same_account) = statements;
        let mut added = added;
        added["Effect"] = json!("Allow");
        match (at, &mut session) {
            (0, _) => identity.push(added),
            (1, Some(session)) => session.push(added),
            _ => resource.push(json!({ "Effect": "Allow", "Action": "ecr:*", "Principal": "*" })),
        }
        let after = case(&(identity, session, resource, same_account)).pull();
        prop_assert!(before.is_err() || after.is_ok(), "{before:?} {after:?}");
    }

    #[test]
    fn without_an_allow_nothing_is_allowed(statements in any_statements()) {
        let (mut identity, mut session, mut resource, same_account) = statements;
        for statement in identity.iter_mut().chain(session.iter_mut().flatten()).chain(&mut resource) {
            statement["Effect"] = json!("Deny");
        }
        prop_assert!(case(&(identity, session, resource, same_account)).pull().is_err());
    }
}
