//! What the SDK's two files send on to, beside what stands in them.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The key of a profile that names a file with a token, of which the subject decides.
const TOKEN_FILE: &str = "web_identity_token_file";

/// The key of a profile that names a process, whose answer may depend on anything.
const PROCESS: &str = "credential_process";

/// The files and processes that any profile names. Which profile counts is not looked at: that depends on more than a
/// key, and one more part of an identity costs a request at most.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) token_files: BTreeSet<PathBuf>,
    pub(super) has_process: bool,
}

impl Named {
    /// Adds what a file names; its lines are read as by aws-runtime's `env_config/parse.rs`.
    pub(super) fn add(&mut self, content: &[u8]) {
        let Ok(text) = std::str::from_utf8(content) else { return };
        for (key, value) in text.lines().filter_map(property) {
            if key.eq_ignore_ascii_case(TOKEN_FILE) {
                self.token_files.insert(PathBuf::from(value));
            }
            self.has_process |= key.eq_ignore_ascii_case(PROCESS);
        }
    }
}

/// Key and value of a line, without a comment after a blank.
fn property(line: &str) -> Option<(&str, &str)> {
    let is_comment = |(index, _): &(usize, &str)| line[..*index].ends_with(char::is_whitespace);
    let comment = line.match_indices(['#', ';']).find(is_comment);
    let line = comment.map_or(line, |(index, _)| &line[..index]);
    let (key, value) = line.split_once('=')?;
    Some((key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_processes_of_all_profiles_are_found() {
        let mut named = Named::default();
        named.add(b"[default]\nweb_identity_token_file = /a b # the token\n#web_identity_token_file=/c\n");
        named.add(b"[profile x]\r\nWeb_Identity_Token_File=/d#e\r\nrole_arn = web_identity_token_file\r\n");
        named.add(b"\xffcredential_process=x");
        let files = ["/a b", "/d#e"].map(PathBuf::from);
        assert_eq!(named, Named { token_files: files.into(), has_process: false });
        named.add(b"[profile y]\ncredential_process = /bin/x --y");
        assert!(named.has_process);
    }
}
