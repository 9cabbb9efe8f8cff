//! The story on a Docker engine: one job with one service, run just as `ecru run --docker socket` runs it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ecru_executor::{Engine, Event, Observer, OutputStream};
use tokio_util::sync::CancellationToken;

use super::cast::{Cast, JOB_IMAGE, RESULT_REPOSITORY, SERVICE_IMAGE};
use super::story::{Actor, Story};
use crate::args::DockerAccess;
use crate::commands::demo_guest::ANSWER_VARIABLE;
use crate::error::CommandError;
use crate::example_images::SERVICE_PORT;
use crate::example_images::oci::LoopbackRegistries;
use crate::exit_code;
use crate::job::{JobRequest, PlannedJob};
use crate::terminal::{Pull, Screen};

/// Where the job finds the emulator's socket, and on which port of its own loopback it listens for it.
const AWS_SOCKET_IN_JOB: &str = "/run/ecru-demo/aws.sock";
const AWS_PORT_IN_JOB: u16 = 4566;

/// What the script prints when it has done something, so that the story can tell.
const ANSWERED: &str = "the catalog has ";
const PUSHED: &str = "pushed the result";

const JOB_DEADLINE: Duration = Duration::from_secs(300);

/// For two images a choice and a pull each, the service, and the job's question; with a docker client also the job's
/// push and the registry's word for it.
pub(super) fn planned_steps(cast: &Cast) -> usize {
    if cast.ingredients.has_docker_client() { 8 } else { 6 }
}

/// Runs the job and tells what happens; removes the images that the engine has then.
pub(super) async fn tell(
    story: &mut Story<'_>,
    cast: &Cast,
    engine: &Engine,
    screen: &Arc<Screen>,
    cancelled: &CancellationToken,
) -> Result<(), CommandError> {
    let told = tell_and_leave_images(story, cast, engine, screen, cancelled).await;
    let left = remove_images(cast, engine).await;
    told.and(left)
}

async fn tell_and_leave_images(
    story: &mut Story<'_>,
    cast: &Cast,
    engine: &Engine,
    screen: &Arc<Screen>,
    cancelled: &CancellationToken,
) -> Result<(), CommandError> {
    let answer = random_answer()?;
    let pipeline = cast.folder.path().join(".gitlab-ci.yml");
    let config = cast.folder.path().join("config.toml");
    written(&pipeline, &pipeline_text(cast, &answer))?;
    written(&config, &config_text(cast))?;
    let runner = cast.runner()?;
    let planned = PlannedJob::new(
        &JobRequest {
            job: "prove",
            pipeline: &pipeline,
            config: Some(&config),
            runner: None,
            home: runner.outside.home(),
            project_variables: job_variables(cast)?,
            docker: DockerAccess::Socket,
            timeout: JOB_DEADLINE,
        },
        &runner.outside,
    )?;
    story.begin();
    let mut observer = JobInStory::new(story, cast, screen);
    let exit_code = planned.run(engine, &quiet(), &mut observer, cancelled).await;
    let JobInStory { output, answered, .. } = observer;
    match exit_code? {
        0 => {}
        code => return Err(failed_script(code, &output)),
    }
    if answered.as_deref() != Some(answer.as_str()) {
        return Err(CommandError::new(exit_code::DEMO_STEP_FAILED, "the job got no answer from its service"));
    }
    if cast.ingredients.has_docker_client() {
        find_result(story, cast).await?;
    }
    Ok(())
}

/// What the runner tells its job log is told as steps here.
fn quiet() -> Arc<Screen> {
    Arc::new(Screen::silent())
}

fn pipeline_text(cast: &Cast, answer: &str) -> String {
    let job_image = cast.local_name(&cast.home, JOB_IMAGE);
    let service_image = cast.local_name(&cast.away, SERVICE_IMAGE);
    let result = result_image(cast);
    let mut text = format!(
        "prove:
  image: {job_image}
  services:
    - name: {service_image}
      alias: catalog
      variables:
        {ANSWER_VARIABLE}: {answer}
  script:
    - answer=$(demo-guest ask catalog:{SERVICE_PORT})
    - echo \"{ANSWERED}$answer\"
"
    );
    if cast.ingredients.has_docker_client() {
        text.push_str(&format!(
            "    - echo \"$answer\" > /tmp/answer.txt
    - demo-guest tar /tmp/answer.txt | docker import - {result}
    - demo-guest with-aws {AWS_PORT_IN_JOB} {AWS_SOCKET_IN_JOB} docker push {result}
    - echo \"{PUSHED}\"
"
        ));
    }
    text
}

fn config_text(cast: &Cast) -> String {
    let socket = cast.folder.path().join("aws.sock");
    format!(
        r#"[[runners]]
  name = "demo"
  url = "http://127.0.0.1/"
  executor = "docker"
  environment = ['DOCKER_AUTH_CONFIG={{"credsStore":"ecr-login"}}']
  [runners.docker]
    pull_policy = "always"
    volumes = ["{}:{AWS_SOCKET_IN_JOB}"]
"#,
        socket.display()
    )
}

/// The job's own identity, as CI/CD variables of the project would give it, and the way to the emulator.
fn job_variables(cast: &Cast) -> Result<Vec<(String, String)>, CommandError> {
    let endpoint = format!("http://127.0.0.1:{AWS_PORT_IN_JOB}");
    let mut variables = vec![("AWS_ENDPOINT_URL_ECR".to_owned(), endpoint)];
    variables.extend(cast.stage.user_variables(cast.home.account)?);
    Ok(variables)
}

fn result_image(cast: &Cast) -> String {
    cast.local_name(&cast.home, &format!("{RESULT_REPOSITORY}:1"))
}

/// A word that only the service knows, so that the answer proves that the job reached it.
fn random_answer() -> Result<String, CommandError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| CommandError::from_error(exit_code::DEMO_STEP_FAILED, &error))?;
    Ok(format!("loaf-{}", hex::encode(bytes)))
}

async fn find_result(story: &mut Story<'_>, cast: &Cast) -> Result<(), CommandError> {
    story.begin();
    let image = result_image(cast);
    let publisher = cast.publisher(&cast.home)?;
    let credential = publisher.credential(image.split('/').next().unwrap_or_default()).await?;
    let digest = LoopbackRegistries::new().digest(&image, &credential).await?;
    let digest = super::without_engine::short(&digest);
    story
        .passed(Actor::Publisher, &format!("found {RESULT_REPOSITORY}:1 in {} ({digest})", cast.home.host()));
    Ok(())
}

async fn remove_images(cast: &Cast, engine: &Engine) -> Result<(), CommandError> {
    let images = [
        cast.local_name(&cast.home, JOB_IMAGE),
        cast.local_name(&cast.away, SERVICE_IMAGE),
        result_image(cast),
    ];
    let mut outcome = Ok(());
    for image in images {
        let removed = match engine.image_exists(&image).await {
            Ok(true) => engine.remove_image(&image).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            outcome = Err(CommandError::from_error(exit_code::DEMO_STEP_FAILED, &error));
        }
    }
    outcome
}

fn written(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|error| CommandError::from_error(exit_code::DEMO_STEP_FAILED, &error))
}

fn failed_script(code: i32, output: &str) -> CommandError {
    let error = CommandError::new(
        exit_code::DEMO_STEP_FAILED,
        format!("the job's script ended with exit code {code}"),
    );
    let lines: Vec<&str> = output.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(10))
        .fold(error, |error, line| error.because(format!("its output: {line}")))
}

/// Turns what happens to the job into steps.
struct JobInStory<'s, 'a> {
    story: &'s mut Story<'a>,
    cast: &'s Cast,
    screen: &'s Screen,
    pull: Option<Pull>,
    /// Everything that the script wrote, for the report of a failure.
    output: String,
    /// The line that standard output is in.
    line: String,
    answered: Option<String>,
}

impl<'s, 'a> JobInStory<'s, 'a> {
    fn new(story: &'s mut Story<'a>, cast: &'s Cast, screen: &'s Screen) -> Self {
        Self { story, cast, screen, pull: None, output: String::new(), line: String::new(), answered: None }
    }

    fn host_of(&self, image: &str) -> String {
        let local_registry = image.split('/').next().unwrap_or_default();
        let places = [&self.cast.home, &self.cast.away];
        places
            .into_iter()
            .find(|place| self.cast.stage.registry(place.account, &place.region) == Some(local_registry))
            .map_or_else(|| local_registry.to_owned(), super::cast::Place::host)
    }

    fn take_output(&mut self, stream: OutputStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.output.push_str(&text);
        if stream == OutputStream::Stderr {
            return;
        }
        self.line.push_str(&text);
        while let Some((line, rest)) = self.line.split_once('\n') {
            let (line, rest) = (line.trim_end().to_owned(), rest.to_owned());
            self.line = rest;
            self.take_line(&line);
        }
    }

    fn take_line(&mut self, line: &str) {
        if let Some(answer) = line.strip_prefix(ANSWERED) {
            self.answered = Some(answer.to_owned());
            self.story.passed(Actor::Job, &format!("asked catalog:{SERVICE_PORT} by its alias: {answer}"));
        } else if line == PUSHED {
            self.story.passed(
                Actor::Job,
                &format!("pushed {RESULT_REPOSITORY}:1 with docker push and the mounted helper"),
            );
        }
    }
}

impl Observer for JobInStory<'_, '_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::PullStarted { image, credential_for, .. } => {
                let place = self.host_of(image);
                match credential_for {
                    Some(_) => self.story.passed(
                        Actor::Runner,
                        &format!("chose credentials for {place} from $DOCKER_AUTH_CONFIG"),
                    ),
                    None => self.story.remark(&format!("the runner found no credentials for {place}")),
                }
                self.pull = Some(self.screen.pull(image));
            }
            Event::PullProgress { progress, .. } => {
                if let Some(pull) = &mut self.pull {
                    pull.progress(progress.bytes, progress.total);
                }
            }
            Event::PullFinished { image, .. } => {
                self.pull = None;
                let place = self.host_of(image);
                let name = image.split_once('/').map_or(image, |(_, name)| name);
                self.story.passed(Actor::JobHost, &format!("pulled {name} of {place}"));
            }
            Event::ServiceReady { service, port } => {
                self.story.passed(
                    Actor::JobHost,
                    &format!("started the service {service}, which listens on port {port}"),
                );
            }
            Event::Output { stream, bytes, .. } => self.take_output(stream, bytes),
            Event::NotRemoved { kind, name, reason } => {
                self.story.remark(&format!("{kind} {name} could not be removed: {reason}"));
            }
            _ => {}
        }
    }
}
