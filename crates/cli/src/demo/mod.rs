//! `ecru demo`: the whole story in one command, with nothing but this program.
//!
//! Emulated AWS with private registries in two accounts and two regions; a runner whose only setting is
//! `DOCKER_AUTH_CONFIG={"credsStore":"ecr-login"}`, with an instance role and no region; a job with a service. The
//! three contexts are walked through one after the other: the runner authenticates, the job host pulls, the job
//! pushes. Everything is made in a temporary folder and removed again.

mod cast;
mod story;
mod with_engine;
mod without_engine;

use std::sync::Arc;

use ecru_executor::Engine;
use tokio_util::sync::CancellationToken;

use self::cast::Cast;
use self::story::{Actor, Story};
use crate::args::DemoArgs;
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::Screen;

/// Tells the story; the exit code is 0 only if every step passed.
pub(crate) async fn run(
    args: &DemoArgs,
    outside: &Outside,
    cancelled: &CancellationToken,
) -> Result<u8, CommandError> {
    let screen = Arc::new(Screen::on_stderr(args.plain));
    let engine = engine(args, outside).await;
    let cast = Cast::assemble(outside).await?;
    let mut story = Story::new(&screen, planned_steps(&engine, &cast), || cast.stage.aws_calls());
    introduce(&screen, &cast, &engine);
    let told = tokio::select! {
        biased;
        () = cancelled.cancelled(), if engine.is_err() => Err(interrupted()),
        told = tell(&mut story, &cast, &engine, &screen, cancelled) => told,
    };
    let (complete, last_line) = (story.is_complete(), story.last_line());
    drop(story);
    screen.print(&format!("aws calls: {} ({})", cast.stage.aws_calls(), cast.stage.aws_call_list()));
    cast.stage.stop().await;
    if let Err(error) = &told {
        screen.line(error.report().trim_end());
    }
    screen.print(&last_line);
    match told {
        Err(error) if error.exit_code() == exit_code::INTERRUPTED => Ok(exit_code::INTERRUPTED),
        Ok(()) if complete => Ok(exit_code::OK),
        _ => Ok(exit_code::DEMO_STEP_FAILED),
    }
}

/// The engine, or why the story is told without one.
async fn engine(args: &DemoArgs, outside: &Outside) -> Result<Engine, String> {
    if args.no_engine {
        return Err("--no-engine was given".to_owned());
    }
    Engine::connect(outside.text("DOCKER_HOST")).await.map_err(|error| error.to_string())
}

fn planned_steps(engine: &Result<Engine, String>, cast: &Cast) -> usize {
    PUBLISHER_STEPS
        + match engine {
            Ok(_) => with_engine::planned_steps(cast),
            Err(_) => without_engine::PLANNED_STEPS,
        }
}

const PUBLISHER_STEPS: usize = 2;

fn introduce(screen: &Screen, cast: &Cast, engine: &Result<Engine, String>) {
    screen.print("demo: emulated AWS on this machine's loopback; nothing leaves it, and nothing stays");
    screen.print(&format!("      images are made from {}", cast.ingredients.shell_description()));
    match engine {
        Ok(engine) => {
            let engine = engine.describe();
            screen.print(&format!("      Docker engine {} at {}", engine.version, engine.address));
            if !cast.ingredients.has_docker_client() {
                screen
                    .print("      no docker client on PATH, so the script cannot push: that step is skipped");
            }
        }
        Err(why) => {
            screen.print(&format!("      no Docker engine ({why}):"));
            screen.print(
                "      an OCI client inside this program pulls and pushes, and the script step is skipped",
            );
        }
    }
}

async fn tell(
    story: &mut Story<'_>,
    cast: &Cast,
    engine: &Result<Engine, String>,
    screen: &Arc<Screen>,
    cancelled: &CancellationToken,
) -> Result<(), CommandError> {
    publish(story, cast, engine.is_ok()).await?;
    match engine {
        Ok(engine) => with_engine::tell(story, cast, engine, screen, cancelled).await,
        Err(_) => without_engine::tell(story, cast).await,
    }
}

/// Two images in two accounts and regions, each pushed with the credentials that the helper has for its account.
async fn publish(story: &mut Story<'_>, cast: &Cast, with_docker_client: bool) -> Result<(), CommandError> {
    for image in cast.images(with_docker_client)? {
        story.begin();
        let publisher = cast.publisher(image.place)?;
        let place = image.place;
        cast.stage.publish(place.account, &place.region, image.name, &image.content, &publisher).await?;
        story.passed(
            Actor::Publisher,
            &format!(
                "pushed {} to {} ({} MB)",
                image.name,
                place.host(),
                image.content.layer.len() / 1_000_000
            ),
        );
    }
    Ok(())
}

fn interrupted() -> CommandError {
    CommandError::new(exit_code::INTERRUPTED, "the demo was interrupted; what it made has been removed")
}
