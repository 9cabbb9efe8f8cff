//! What an emitted `.tf` file says.

use std::collections::BTreeMap;

use hcl::eval::{Context, Evaluate as _, FuncArgs, FuncDef, ParamType};
use serde_json::Value;

/// The bodies of the blocks with these labels, evaluated: variables are their names, `jsonencode` writes JSON, and
/// `base64encode` gives back its argument.
pub(crate) fn evaluated(text: &str) -> BTreeMap<String, Value> {
    fn json_encoded(arguments: FuncArgs) -> Result<hcl::Value, String> {
        serde_json::to_string(&arguments[0]).map(hcl::Value::from).map_err(|error| error.to_string())
    }
    fn given(arguments: FuncArgs) -> Result<hcl::Value, String> {
        Ok(arguments[0].clone())
    }
    let mut context = Context::new();
    context.declare_func("jsonencode", FuncDef::builder().param(ParamType::Any).build(json_encoded));
    context.declare_func("base64encode", FuncDef::builder().param(ParamType::String).build(given));
    let named = |names: &[(&str, &str)]| -> hcl::Value {
        names
            .iter()
            .map(|(name, value)| ((*name).to_owned(), hcl::Value::from(*value)))
            .collect::<hcl::Map<_, _>>()
            .into()
    };
    context.declare_var(
        "var",
        named(&[
            ("docker_credential_ecr_login_url", "URL"),
            ("docker_credential_ecr_login_sha256", "SHA256"),
            ("gitlab_runner_image_id", "AMI"),
            ("gitlab_runner_instance_type", "TYPE"),
        ]),
    );
    let role: hcl::Value = [("gitlab_runner".to_owned(), named(&[("id", "ROLE-ID"), ("name", "ROLE-NAME")]))]
        .into_iter()
        .collect::<hcl::Map<_, _>>()
        .into();
    context.declare_var("aws_iam_role", role);
    for (kind, name) in
        [("aws_iam_instance_profile", "gitlab_runner"), ("aws_iam_policy", "gitlab_runner_ecr")]
    {
        let value: hcl::Value =
            [(name.to_owned(), named(&[("arn", kind)]))].into_iter().collect::<hcl::Map<_, _>>().into();
        context.declare_var(kind, value);
    }
    let body = hcl::parse(text).unwrap();
    body.blocks()
        .filter(|block| block.identifier() != "variable")
        .map(|block| {
            let labels: Vec<&str> = block.labels().iter().map(hcl::BlockLabel::as_str).collect();
            let body = block.body().evaluate(&context).unwrap();
            let body: hcl::Value = hcl::from_body(body).unwrap();
            (format!("{} {}", block.identifier(), labels.join(".")), serde_json::to_value(body).unwrap())
        })
        .collect()
}
