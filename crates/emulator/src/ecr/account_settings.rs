//! PutAccountSetting and GetAccountSetting, of which the emulator has the setting that a registry obeys.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::registry_of;
use crate::aws_json::JsonError;
use crate::cloud::{Cloud, blocking};
use crate::iam;
use crate::sigv4::Caller;

/// Whether layers of one repository can be mounted in another ("Blob mounting in Amazon ECR", Amazon ECR user guide).
const BLOB_MOUNTING: &str = "BLOB_MOUNTING";

#[derive(Deserialize)]
pub(super) struct Setting {
    name: String,
    #[serde(default)]
    value: String,
}

pub(super) async fn put(cloud: Arc<Cloud>, caller: &Caller, input: Setting) -> Result<Value, JsonError> {
    iam::authorize_as_identity(&cloud, &caller.principal, "ecr:PutAccountSetting", "*")?;
    check_name(&input)?;
    let enabled = match input.value.as_str() {
        "ENABLED" => true,
        "DISABLED" => false,
        _ => return Err(JsonError::invalid_parameter("value", "ENABLED or DISABLED")),
    };
    let registry = registry_of(caller, None)?;
    let change = move || {
        cloud.store.change_settings(&registry, |settings| {
            settings.blob_mounting = enabled;
            Ok(())
        })
    };
    blocking(change).await.map_err(JsonError::server)??;
    Ok(answer(enabled))
}

pub(super) fn get(cloud: &Cloud, caller: &Caller, input: &Setting) -> Result<Value, JsonError> {
    iam::authorize_as_identity(cloud, &caller.principal, "ecr:GetAccountSetting", "*")?;
    check_name(input)?;
    Ok(answer(cloud.store.settings(&registry_of(caller, None)?).blob_mounting))
}

fn check_name(setting: &Setting) -> Result<(), JsonError> {
    if setting.name == BLOB_MOUNTING {
        return Ok(());
    }
    Err(JsonError::invalid_parameter("name", "BLOB_MOUNTING, the only setting that the emulator has"))
}

fn answer(enabled: bool) -> Value {
    json!({ "name": BLOB_MOUNTING, "value": if enabled { "ENABLED" } else { "DISABLED" } })
}
