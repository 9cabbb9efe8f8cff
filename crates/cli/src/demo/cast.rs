//! Who and what plays in the demo: the stage, its two places, the images, the processes.

use ecru_emulator::{AccountId, Options, Region, RegistryAt};
use tempfile::TempDir;

use crate::error::CommandError;
use crate::example_images::rootfs::Ingredients;
use crate::example_images::{ExampleImage, job_image, service_image};
use crate::exit_code;
use crate::outside::Outside;
use crate::stage::{Process, Stage, registry_host};

/// An account and a region with a registry.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) account: AccountId,
    pub(super) region: Region,
}

impl Place {
    /// The registry's ECR host name.
    pub(super) fn host(&self) -> String {
        registry_host(self.account, &self.region)
    }
}

/// An image and where it is published.
pub(super) struct Published<'a> {
    pub(super) place: &'a Place,
    pub(super) name: &'static str,
    pub(super) content: ExampleImage,
}

pub(super) const JOB_IMAGE: &str = "team/job:1";
pub(super) const SERVICE_IMAGE: &str = "team/catalog:1";
pub(super) const RESULT_REPOSITORY: &str = "team/result";

/// Everything that the story needs but an engine.
pub(super) struct Cast {
    pub(super) stage: Stage,
    pub(super) ingredients: Ingredients,
    /// Where the job's image lies, and its result goes: the runner's own account.
    pub(super) home: Place,
    /// Where the service's image lies: another account, in another region.
    pub(super) away: Place,
    pub(super) folder: TempDir,
    outside: Outside,
}

impl Cast {
    /// Starts emulated AWS with the two places, and finds what images are made from.
    pub(super) async fn assemble(outside: &Outside) -> Result<Self, CommandError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            CommandError::from_error(exit_code::EMULATOR_FAILED, error)
        };
        let folder =
            tempfile::Builder::new().prefix("ecru-demo-").tempdir().map_err(|error| failed(&error))?;
        let home = Place { account: AccountId::default(), region: Region::default() };
        let away = Place {
            account: AccountId::new(1).unwrap_or_default(),
            region: "eu-west-1".parse().map_err(|error: ecru_emulator::PlaceError| failed(&error))?,
        };
        let options = Options {
            registries: vec![RegistryAt { account: away.account, region: away.region.clone(), port: 0 }],
            unix_socket: Some(folder.path().join("aws.sock")),
            ..Options::default()
        };
        let stage = Stage::start(options, folder.path()).await?;
        // ECR knows no repository that nobody created (unless an account has a template for that).
        let created = stage.emulator().create_repository(home.account, &home.region, RESULT_REPOSITORY);
        created.map_err(|error| failed(&error))?;
        let guest = std::env::current_exe().map_err(|error| failed(&error))?;
        let ingredients =
            Ingredients::found_on(outside.search_path(), &guest).map_err(|error| failed(&error))?;
        Ok(Self { stage, ingredients, home, away, folder, outside: outside.clone() })
    }

    /// The two images to publish.
    pub(super) fn images(&self, with_docker_client: bool) -> Result<[Published<'_>; 2], CommandError> {
        let made = |image: Result<ExampleImage, _>| {
            image.map_err(|error: crate::example_images::rootfs::RootfsError| {
                CommandError::from_error(exit_code::EMULATOR_FAILED, &error)
            })
        };
        Ok([
            Published {
                place: &self.home,
                name: JOB_IMAGE,
                content: made(job_image(&self.ingredients, with_docker_client))?,
            },
            Published {
                place: &self.away,
                name: SERVICE_IMAGE,
                content: made(service_image(&self.ingredients))?,
            },
        ])
    }

    /// `localhost:PORT/…` for an image of a place.
    pub(super) fn local_name(&self, place: &Place, image: &str) -> String {
        let registry = self.stage.registry(place.account, &place.region).unwrap_or_default();
        format!("{registry}/{image}")
    }

    /// Whoever pushes images of an account: that account's own user.
    pub(super) fn publisher(&self, place: &Place) -> Result<Process, CommandError> {
        let home = self.folder.path().join(format!("publisher-{}", place.account));
        Ok(Process::on(&self.stage, &self.outside, &home, self.stage.user_variables(place.account)?)?)
    }

    /// gitlab-runner's process: an instance role, no keys and no region.
    pub(super) fn runner(&self) -> Result<Process, CommandError> {
        Ok(Process::on(&self.stage, &self.outside, &self.folder.path().join("runner"), [])?)
    }
}
