//! `ecru run` and `ecru demo` on a real Docker engine, against a real `ecru emulate`.

mod bad_input;
mod first_job;
mod stage;
