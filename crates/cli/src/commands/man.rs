//! `ecru man`: the manual pages.

use clap::CommandFactory as _;

use crate::args::{Cli, ManArgs};
use crate::error::CommandError;
use crate::exit_code;

/// Writes `ecru.1` and a page for each command into the folder.
pub(super) fn run(args: &ManArgs) -> Result<u8, CommandError> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder)).map_err(
        |error| {
            CommandError::new(
                exit_code::NOT_WRITTEN,
                format!("cannot write into {}: {error}", folder.display()),
            )
        },
    )?;
    Ok(exit_code::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_hidden_ones_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let args = ManArgs { folder: folder.path().join("man1") };
        assert_eq!(run(&args).unwrap(), exit_code::OK);
        let names: Vec<String> = std::fs::read_dir(&args.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(names.contains(&format!("ecru-{}.1", command.get_name())), "{names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("guest")), "{names:?}");
        let page = std::fs::read_to_string(args.folder.join("ecru-doctor.1")).unwrap();
        assert!(page.contains(".SH OPTIONS") && page.contains("html"), "{page}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = run(&ManArgs { folder: file.path().join("man1") }).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::NOT_WRITTEN);
    }
}
