//! AssumeRole: from one AWS identity to another.

use axum::http::StatusCode;

use super::role::{Role, check_session_name};
use super::session::{self, Scope};
use super::{refuse, required, session_policy};
use crate::aws_query::{Output, Parameters, QueryError};
use crate::cloud::Cloud;
use crate::iam;
use crate::sigv4::Caller;

const MISSING_PARAMETERS: [&str; 2] = ["TransitiveTagKeys.", "SourceIdentity"];

pub(super) fn assume_role(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<Output, QueryError> {
    refuse(parameters, &MISSING_PARAMETERS)?;
    let arn = required(parameters, "RoleArn")?;
    let name = required(parameters, "RoleSessionName")?;
    check_session_name(name)?;
    let principal = &caller.principal;
    let lifetime = session::lifetime(parameters.get("DurationSeconds"), Some(principal))?;
    let policies = session_policy::policies(parameters)?;
    let tags = session_policy::tags(parameters)?;
    let packed = session_policy::packed_size(&policies, &tags)?;
    let role = Role::parse(arn).ok_or_else(|| {
        let message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            principal.arn
        );
        QueryError::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    })?;
    let authorize = |action| iam::authorize_on_role(cloud, principal, action, role.account, role.name, arn);
    authorize("sts:AssumeRole")?;
    if !tags.is_empty() {
        authorize("sts:TagSession")?;
    }
    let keys = session::open(cloud, &role, name, Scope { policies: policies.all(), tags }, lifetime);
    let output = session::answer(Output::of("AssumeRole"), &keys, &role, name);
    Ok(match packed {
        Some(percent) => output.element("PackedPolicySize", &percent.to_string()),
        None => output,
    })
}
