//! `ECRU_LOG`: what ecru does, step by step, on standard error. There is no log file.
//!
//! Only what ecru itself says is shown: the AWS SDK's own events may repeat requests. Without the variable there is no
//! subscriber, and an event costs the look at one number.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::time::Instant;

use ecru_docker::credential_helper::serve::printable;
use ecru_ecr::environment::Environment;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The variable that says how much is told: `off`, `error`, `warn`, `info`, `debug` or `trace`.
pub const VARIABLE: &str = "ECRU_LOG";

/// What the targets of ecru's own events start with.
const OURS: &str = "ecru_";

/// Starts to tell what `environment` asks for, for the rest of the process. A level that is none is told to `stderr`.
pub fn start(environment: &Environment, stderr: &mut dyn io::Write) {
    let Some(text) = environment.get(VARIABLE) else { return };
    let Some(level) = level(text.trim()) else {
        // Nobody may be listening there.
        let _ = writeln!(stderr, "{VARIABLE} is none of off, error, warn, info, debug and trace");
        return;
    };
    // A handle of its own: the program holds the lock of its standard error while other threads work for it.
    let Ok(out) = io::stderr().as_fd().try_clone_to_owned() else { return };
    if level != LevelFilter::OFF {
        let log = Log { level, started: Instant::now(), out: out.into() };
        // Fails only where something tells already.
        let _ = tracing::subscriber::set_global_default(log);
    }
}

fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

/// Writes each event in a line of its own.
struct Log {
    level: LevelFilter,
    started: Instant,
    out: File,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level && metadata.target().starts_with(OURS)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let (level, target) = (metadata.level(), metadata.target());
        let after = self.started.elapsed().as_millis();
        let Line { message, fields } = line;
        let text = format!("[{after} ms {level} {target}] {message}{fields}");
        let _ = (&self.out).write_all(format!("{}\n", printable(&text)).as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The words of an event, and its fields after them.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text never fails.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names() {
        assert_eq!(level("Debug"), Some(LevelFilter::DEBUG));
        assert_eq!(level("off"), Some(LevelFilter::OFF));
        assert_eq!(level("3"), None);
        assert_eq!(level("aws=trace"), None);
    }

    #[test]
    fn a_level_that_is_none_is_told() {
        let mut stderr = Vec::new();
        start(&Environment::from_map([(VARIABLE, "verbose")]), &mut stderr);
        assert!(String::from_utf8(stderr).unwrap().starts_with("ECRU_LOG is none of off"));
    }
}
