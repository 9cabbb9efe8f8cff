//! What botocore makes of instance metadata in each of its modes.

use ecru_emulator::{Emulator, InstanceMetadata, Options};

use crate::client::{Client, Said};

const NO_CREDENTIALS: &str = "Unable to locate credentials";

struct Seen {
    said: Said,
    tokens: u64,
    roles: u64,
}

/// One call of the AWS CLI on an instance whose metadata answers so.
async fn seen_with(instance_metadata: InstanceMetadata) -> Seen {
    let emulator = Emulator::start(Options { instance_metadata, ..Options::default() }).await.unwrap();
    let said = Client::on_instance(&emulator).aws("sts get-caller-identity --query Arn --output text");
    let calls = emulator.calls();
    let (tokens, roles) = (calls.get("imds:PutToken"), calls.get("imds:ListRoles"));
    emulator.stop().await;
    Seen { said, tokens, roles }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn where_version_one_is_answered_botocore_goes_on_without_a_token() {
    for mode in [InstanceMetadata::V1Only, InstanceMetadata::HopLimitV1AndV2] {
        let seen = seen_with(mode).await;
        assert!(seen.said.as_ref().unwrap().contains("assumed-role/ecru-emulator-instance/"), "{mode:?}");
        assert!(seen.tokens > 0 && seen.roles > 0, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn without_an_answer_botocore_says_that_there_are_no_credentials() {
    for mode in [
        InstanceMetadata::HopLimit,
        InstanceMetadata::NoRole,
        InstanceMetadata::Disabled,
        InstanceMetadata::Absent,
    ] {
        let seen = seen_with(mode).await;
        assert!(seen.said.as_ref().unwrap_err().contains(NO_CREDENTIALS), "{mode:?}: {:?}", seen.said);
        assert!(seen.tokens > 0, "{mode:?}");
    }
}
