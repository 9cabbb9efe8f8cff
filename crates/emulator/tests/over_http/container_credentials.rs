//! The endpoints of ECS and EKS.

use ecru_emulator::{AccountId, Options};
use hyper::Method;

use crate::client::{Answer, Call};
use crate::signer::Signer;
use crate::stage::{Hands, Stage};

/// What the variables of a container lead to.
struct Endpoint {
    path: String,
    token: String,
}

impl Endpoint {
    fn of(variables: &[(String, String)], stage: &Stage) -> Self {
        let value =
            |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let url = value("AWS_CONTAINER_CREDENTIALS_FULL_URI").expect("an address");
        let path = url.strip_prefix(&format!("http://{}", stage.main())).expect("the main listener");
        let token = value("AWS_CONTAINER_AUTHORIZATION_TOKEN").unwrap_or_else(|| {
            let file = value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").expect("a token");
            std::fs::read_to_string(file).expect("the file of the token")
        });
        Self { path: path.into(), token }
    }

    async fn get(&self, stage: &Stage) -> Answer {
        Call::get(stage.main(), &self.path).header("authorization", &self.token).send().await
    }
}

async fn arn_of(stage: &Stage, credentials: &Answer) -> String {
    let credentials = credentials.json();
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let signer = Signer {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: Some(text("Token")),
        ..stage.signer(0, "us-east-1", "sts")
    };
    stage.sts(&signer, "Action=GetCallerIdentity").await.element("Arn").to_owned()
}

#[tokio::test]
async fn containers_have_a_role_of_their_own() {
    let stage = Stage::with(Options { container_role: "task".into(), ..Options::default() }).await;
    let by_value = Endpoint::of(&stage.emulator.ecs_environment(), &stage);
    let by_file = Endpoint::of(&stage.emulator.ecs_file_environment().unwrap(), &stage);
    assert_eq!((&by_value.path, &by_value.token), (&by_file.path, &by_file.token));
    let credentials = by_value.get(&stage).await;
    assert_eq!(credentials.json()["RoleArn"], "arn:aws:iam::000000000000:role/task");
    assert!(credentials.json().get("AccountId").is_none());
    assert!(arn_of(&stage, &credentials).await.starts_with("arn:aws:sts::000000000000:assumed-role/task/"));

    let pod = Endpoint::of(&stage.emulator.eks_environment().unwrap(), &stage).get(&stage).await;
    assert_eq!(pod.json()["AccountId"], "000000000000");
    assert!(arn_of(&stage, &pod).await.starts_with("arn:aws:sts::000000000000:assumed-role/task/eks-"));
}

#[tokio::test]
async fn nobody_gets_credentials_without_the_token() {
    let stage = Stage::new().await;
    let task = Endpoint::of(&stage.emulator.ecs_environment(), &stage);
    let pod = Endpoint::of(&stage.emulator.eks_environment().unwrap(), &stage);
    for (endpoint, other) in [(&task, &pod), (&pod, &task)] {
        let none = Call::get(stage.main(), &endpoint.path).send().await;
        assert_eq!((none.status.as_u16(), &none.json()["code"]), (401, &"Unauthorized".into()));
        for token in [&other.token, &format!("Bearer {}", endpoint.token), ""] {
            let wrong = Endpoint { path: endpoint.path.clone(), token: token.to_owned() }.get(&stage).await;
            assert_eq!(wrong.status, 401, "{token}");
            assert!(!wrong.text().contains("AccessKeyId") && wrong.json()["message"].is_string());
        }
        let post = Call::new(Method::POST, stage.main(), &endpoint.path).send().await;
        assert_eq!(post.status, 405);
        let elsewhere = Call::get(stage.main(), &endpoint.path).header("host", "sts.amazonaws.com");
        assert_eq!(elsewhere.send().await.status, 404);
    }
    let unknown = Endpoint { path: "/ecs/credentials/other".into(), token: task.token.clone() };
    let answer = unknown.get(&stage).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &"InvalidIdInRequest".into()));
    let second = Stage::new().await;
    assert_eq!(task.get(&second).await.status, 401);
}

#[tokio::test]
async fn credentials_are_renewed_before_they_expire() {
    let hands = Hands::new();
    let stage = Stage::with(Options { clock: hands.clock(), ..Options::default() }).await;
    let endpoint = Endpoint::of(&stage.emulator.ecs_environment(), &stage);
    let first = endpoint.get(&stage).await.json();
    assert_eq!(first["Expiration"], "2027-01-15T14:00:00Z");
    hands.advance(5);
    assert_eq!(endpoint.get(&stage).await.json(), first);
    hands.advance(1);
    assert_ne!(endpoint.get(&stage).await.json()["AccessKeyId"], first["AccessKeyId"]);
}

#[tokio::test]
async fn a_token_file_is_its_owners_and_has_no_newline() {
    use std::os::unix::fs::PermissionsExt as _;

    let stage = Stage::new().await;
    let variables = stage.emulator.eks_environment().unwrap();
    let file = &variables.iter().find(|(name, _)| name.ends_with("TOKEN_FILE")).unwrap().1;
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(file).unwrap().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(stage.emulator.keys_environment(AccountId::default()).is_some());
    assert!(stage.emulator.keys_environment(AccountId::new(9).unwrap()).is_none());
}
