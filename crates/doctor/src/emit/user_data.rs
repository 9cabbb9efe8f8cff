//! Plain user data: a shell script that cloud-init, or the first boot of Amazon Linux, runs as root.

use crate::setup_job_host::{HostFile, JobHost};

/// Ends the texts of files. None of them has such a line.
const END: &str = "END_OF_FILE_OF_ECRU";

/// The user data that makes a machine a job host. It can run any number of times.
#[must_use]
pub fn user_data(host: &JobHost) -> String {
    let mut text =
        "#!/bin/sh\n# Written by ecru: makes this machine a host for CI jobs.\nset -eu\n".to_owned();
    host.files().iter().for_each(|file| text.push_str(&written(file)));
    text.push('\n');
    text.push_str(&host.script());
    text
}

/// A file is replaced as a whole, so that nobody finds half of it.
fn written(file: &HostFile) -> String {
    let HostFile { path, mode, content } = file;
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    format!(
        "\nmkdir -p '{folder}'\ncat >'{path}.new' <<'{END}'\n{content}{END}\nchmod {mode:04o} '{path}.new'\nmv '{path}.new' '{path}'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EC2 refuses longer user data (Amazon EC2 user guide, "Run commands when you launch an EC2 instance").
    const LIMIT: usize = 16 * 1024;

    #[test]
    fn it_fits_and_holds_every_file() {
        let host = JobHost::default();
        let text = user_data(&host);
        assert!(text.len() < LIMIT, "{} bytes", text.len());
        for file in host.files() {
            assert!(text.contains(&file.content) && !file.content.contains(END), "{}", file.path);
            assert!(file.content.ends_with('\n'), "{}", file.path);
        }
    }

    #[test]
    fn the_shell_writes_the_files_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap().to_owned();
        let path: &'static str = Box::leak(format!("{place}/a/b").into_boxed_str());
        let file = HostFile { path, mode: 0o750, content: "$HOME `id` \\ 'x'\n\nE\n".to_owned() };
        for _ in 0..2 {
            let run = std::process::Command::new("sh").args(["-euc", &written(&file)]).status().unwrap();
            assert!(run.success());
            assert_eq!(std::fs::read_to_string(path).unwrap(), file.content);
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
        assert_eq!(mode & 0o7777, 0o750);
    }
}
