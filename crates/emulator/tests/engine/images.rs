//! Images that go to the registry and come back.

use serde_json::{Value, json};

use crate::shop::{Person, Shop};

/// Pushes an image, pulls it again, and fails unless it is the same.
fn there_and_back(person: &Person, image: &str) {
    let id = person.inspect(image, "{{.Id}}");
    person.did(&["push", image]);
    person.forget(image);
    person.did(&["pull", image]);
    assert_eq!(person.inspect(image, "{{.Id}}"), id);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_image_of_one_layer_and_one_of_twenty() {
    let shop = Shop::open(Vec::new()).await;
    let owner = shop.owner().await;
    for layers in [1, 20] {
        let image = shop.image(&format!("team/app:{layers}"));
        owner.build(&image, layers);
        there_and_back(&owner, &image);
        assert_eq!(owner.inspect(&image, "{{len .RootFS.Layers}}"), layers.to_string());
    }
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_layer_that_another_repository_has_is_mounted_where_the_registry_says_so() {
    let shop = Shop::open(Vec::new()).await;
    let owner = shop.owner().await;
    let first = shop.image("team/app:1");
    owner.build(&first, 2);
    there_and_back(&owner, &first);
    shop.stage.create("team/third");
    for (value, repository) in [("DISABLED", "team/other"), ("ENABLED", "team/third")] {
        let setting = json!({ "name": "BLOB_MOUNTING", "value": value }).to_string();
        assert_eq!(shop.stage.ecr("PutAccountSetting", &setting).await.status, 200);
        let target = shop.image(&format!("{repository}:1"));
        owner.did(&["tag", &first, &target]);
        let said = owner.did(&["push", &target]);
        assert_eq!(said.contains("Mounted from team/"), value == "ENABLED", "{said}");
        there_and_back(&owner, &target);
    }
    shop.close();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn one_name_gives_each_platform_its_own_image() {
    let shop = Shop::open(Vec::new()).await;
    let owner = shop.owner().await;
    let index = shop.image("team/app:all");
    let platforms = ["linux/amd64", "linux/arm64"];
    let images = ["amd64", "arm64"].map(|architecture| shop.image(&format!("team/app:{architecture}")));
    for (image, platform) in images.iter().zip(platforms) {
        owner.load(image, platform);
        there_and_back(&owner, image);
    }
    let ids = images.each_ref().map(|image| owner.inspect(image, "{{.Id}}"));
    owner.did(&["manifest", "create", "--insecure", &index, &images[0], &images[1]]);
    let digest = owner.did(&["manifest", "push", "--insecure", &index]);

    // By tag and by digest of the index, and by the digests of its images.
    let listed: Value =
        serde_json::from_str(&owner.did(&["manifest", "inspect", "--insecure", &index])).unwrap();
    for (position, platform) in platforms.into_iter().enumerate() {
        let own_digest = listed["manifests"][position]["digest"].as_str().unwrap();
        let by_digest = |digest: &str| shop.image(&format!("team/app@{digest}"));
        for name in [index.clone(), by_digest(&digest), by_digest(own_digest)] {
            shop.remove_images();
            owner.did(&["pull", "--platform", platform, &name]);
            assert_eq!(
                owner.inspect(&name, "{{.Id}} {{.Os}}/{{.Architecture}}"),
                format!("{} {platform}", ids[position])
            );
        }
    }
    shop.close();
}
