//! The demo's lines: what was done, by whom, in how many milliseconds, and how many AWS calls it cost.

use std::fmt;
use std::time::{Duration, Instant};

use crate::terminal::Screen;

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// Whoever puts images into the registries, long before the job.
    Publisher,
    /// gitlab-runner's process.
    Runner,
    /// The host whose engine runs the job.
    JobHost,
    /// The script in the job's container.
    Job,
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Publisher => "publisher",
            Self::Runner => "runner",
            Self::JobHost => "job host",
            Self::Job => "job",
        })
    }
}

/// The steps that were taken, of those that were planned.
pub(super) struct Story<'a> {
    screen: &'a Screen,
    aws_calls: Box<dyn Fn() -> u64 + Send + 'a>,
    planned: usize,
    passed: usize,
    step_began: Instant,
    calls_before_step: u64,
}

impl<'a> Story<'a> {
    /// A story of `planned` steps; `aws_calls` counts the calls that AWS has answered so far.
    pub(super) fn new(screen: &'a Screen, planned: usize, aws_calls: impl Fn() -> u64 + Send + 'a) -> Self {
        let calls_before_step = aws_calls();
        Self {
            screen,
            aws_calls: Box::new(aws_calls),
            planned,
            passed: 0,
            step_began: Instant::now(),
            calls_before_step,
        }
    }

    /// The next step begins now: what came before costs it nothing.
    pub(super) fn begin(&mut self) {
        self.step_began = Instant::now();
        self.calls_before_step = (self.aws_calls)();
    }

    /// The step that began last was done by `actor`, who did `what`; the next one begins.
    pub(super) fn passed(&mut self, actor: Actor, what: &str) {
        self.passed += 1;
        let calls = (self.aws_calls)().saturating_sub(self.calls_before_step);
        self.screen.print(&step_line(self.passed, actor, what, self.step_began.elapsed(), calls));
        self.begin();
    }

    /// A line below the last step.
    pub(super) fn remark(&self, text: &str) {
        self.screen.print(&format!("     {text}"));
    }

    /// Whether every planned step was taken.
    pub(super) fn is_complete(&self) -> bool {
        self.passed == self.planned
    }

    /// The demo's last line.
    pub(super) fn last_line(&self) -> String {
        format!("demo: {} of {} steps passed", self.passed, self.planned)
    }
}

fn step_line(number: usize, actor: Actor, what: &str, duration: Duration, calls: u64) -> String {
    let milliseconds = duration.as_millis();
    let calls = match calls {
        0 => String::new(),
        1 => ", 1 AWS call".to_owned(),
        more => format!(", {more} AWS calls"),
    };
    format!("{number:>3}  {actor:<10} {what}  ({milliseconds} ms{calls})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_line_says_who_did_what_in_which_time_at_which_cost() {
        let line = step_line(3, Actor::Runner, "resolved", Duration::from_millis(12), 2);
        assert_eq!(line, "  3  runner     resolved  (12 ms, 2 AWS calls)");
        assert!(step_line(1, Actor::Job, "x", Duration::ZERO, 0).ends_with("(0 ms)"));
    }

    #[test]
    fn a_story_is_complete_only_when_every_planned_step_passed() {
        let screen = Screen::on_stderr(true);
        let mut story = Story::new(&screen, 2, || 0);
        story.passed(Actor::Publisher, "one");
        assert!(!story.is_complete());
        story.passed(Actor::Publisher, "two");
        assert!(story.is_complete());
        assert_eq!(story.last_line(), "demo: 2 of 2 steps passed");
    }
}
