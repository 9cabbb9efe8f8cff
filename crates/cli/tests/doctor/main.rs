//! `ecru doctor`, run as a program on folders that stand for machines, with the emulator as their AWS.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod answers;
mod effects;
mod entries;
mod executors;
mod fixture;
mod fixtures;
mod forms;
mod healthy;
mod helpers;
mod html;
mod job;
mod logins;
mod machine;
mod page;
mod roots;
