//! A root file system made from programs of this machine, because an example must not need a download.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The busybox applets that example scripts may use.
const APPLETS: &[&str] = &[
    "sh", "cat", "cp", "cut", "echo", "env", "false", "grep", "head", "hostname", "id", "ls", "mkdir", "mv",
    "nc", "printf", "pwd", "rm", "sed", "sleep", "tail", "tar", "test", "touch", "tr", "true", "uname", "wc",
    "wget",
];

/// Where the image keeps its copy of `ecru`, which serves, asks and relays in the example's containers.
pub(crate) const GUEST_PROGRAM: &str = "/usr/local/bin/demo-guest";

/// What goes into an image, found on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Ingredients {
    shell: Shell,
    guest: PathBuf,
    docker_client: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shell {
    /// A static busybox.
    Busybox(PathBuf),
    /// A shell with the libraries that it links.
    Linked(PathBuf),
}

/// Why no image can be made from this machine's files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootfsError {
    /// There is neither a busybox nor a shell.
    #[error("found neither a static busybox nor bash nor sh on this machine to make an example image from")]
    NoShell,
    /// A file could not be read or written.
    #[error("cannot put {path} into an example image: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Ingredients {
    /// Looks for a shell and a docker client in `search_path` (a `PATH` value); `guest` is this program's own file.
    pub(crate) fn found_on(search_path: &OsStr, guest: &Path) -> Result<Self, RootfsError> {
        let on_path = |name: &str| file_on_path(search_path, name);
        let shell = on_path("busybox")
            .filter(|busybox| linked_libraries(busybox).is_empty())
            .map(Shell::Busybox)
            .or_else(|| on_path("bash").map(Shell::Linked))
            .or_else(|| on_path("sh").map(Shell::Linked))
            .ok_or(RootfsError::NoShell)?;
        Ok(Self { shell, guest: guest.to_owned(), docker_client: on_path("docker") })
    }

    /// Whether the job image will have a docker client for `docker push`.
    pub(crate) fn has_docker_client(&self) -> bool {
        self.docker_client.is_some()
    }

    /// What the shell is made from, for people.
    pub(crate) fn shell_description(&self) -> String {
        match &self.shell {
            Shell::Busybox(path) => format!("the static busybox {}", path.display()),
            Shell::Linked(path) => format!("{} and the libraries it links", path.display()),
        }
    }

    /// Writes the layer of an image that can run scripts, with a docker client if `with_docker_client` and if there
    /// is one, as an uncompressed tar archive.
    pub(crate) fn write_layer(&self, with_docker_client: bool, to: &mut File) -> Result<(), RootfsError> {
        let mut layer = Layer::new(to);
        for directory in ["bin", "etc", "root", "tmp", "usr/local/bin", "var/tmp"] {
            layer.directory(directory)?;
        }
        layer.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
        layer.text("etc/group", "root:x:0:\n")?;
        match &self.shell {
            Shell::Busybox(busybox) => {
                layer.program(busybox, "bin/busybox")?;
                for applet in APPLETS {
                    layer.link(&format!("bin/{applet}"), "busybox")?;
                }
            }
            Shell::Linked(shell) => layer.program_with_libraries(shell, "bin/sh")?,
        }
        layer.program_with_libraries(&self.guest, GUEST_PROGRAM)?;
        if let Some(docker) = self.docker_client.as_deref().filter(|_| with_docker_client) {
            layer.program_with_libraries(docker, "usr/local/bin/docker")?;
        }
        layer.finish()
    }
}

/// The first executable `name` in the folders of `search_path`.
pub(crate) fn file_on_path(search_path: &OsStr, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    std::env::split_paths(search_path).map(|folder| folder.join(name)).find(|file| {
        file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

/// The files that `ldd` says `program` needs: its libraries and their loader; none for a static program.
fn linked_libraries(program: &Path) -> BTreeSet<PathBuf> {
    let Ok(listing) = Command::new("ldd").arg(program).env("LC_ALL", "C").output() else {
        return BTreeSet::new();
    };
    String::from_utf8_lossy(&listing.stdout).lines().filter_map(library_of_ldd_line).collect()
}

/// `libc.so.6 => /lib/libc.so.6 (0x7f…)` and `/lib64/ld-linux.so.2 (0x7f…)` name a file; other lines do not.
fn library_of_ldd_line(line: &str) -> Option<PathBuf> {
    let target = line.split("=>").last()?.trim();
    let (path, _address) = target.rsplit_once(" (0x")?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

struct Layer<'a> {
    archive: tar::Builder<&'a mut File>,
    libraries: BTreeSet<PathBuf>,
}

impl<'a> Layer<'a> {
    fn new(to: &'a mut File) -> Self {
        Self { archive: tar::Builder::new(to), libraries: BTreeSet::new() }
    }

    fn directory(&mut self, name: &str) -> Result<(), RootfsError> {
        let mut header =
            header(tar::EntryType::Directory, if name.ends_with("tmp") { 0o1777 } else { 0o755 });
        self.archive.append_data(&mut header, name, io::empty()).map_err(file_error(name))
    }

    fn text(&mut self, name: &str, content: &str) -> Result<(), RootfsError> {
        let mut header = header(tar::EntryType::Regular, 0o644);
        header.set_size(content.len() as u64);
        self.archive.append_data(&mut header, name, content.as_bytes()).map_err(file_error(name))
    }

    fn link(&mut self, name: &str, target: &str) -> Result<(), RootfsError> {
        let mut header = header(tar::EntryType::Symlink, 0o777);
        self.archive.append_link(&mut header, name, target).map_err(file_error(name))
    }

    fn program(&mut self, from: &Path, to: &str) -> Result<(), RootfsError> {
        let named = file_error(from.display());
        let mut file = File::open(from).map_err(&named)?;
        let mut header = header(tar::EntryType::Regular, 0o755);
        header.set_size(file.metadata().map_err(&named)?.len());
        self.archive.append_data(&mut header, to.trim_start_matches('/'), &mut file).map_err(&named)
    }

    fn program_with_libraries(&mut self, from: &Path, to: &str) -> Result<(), RootfsError> {
        self.program(from, to)?;
        for library in linked_libraries(from) {
            let to = library.display().to_string();
            if self.libraries.insert(library.clone()) {
                self.program(&library, &to)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), RootfsError> {
        let file = self.archive.into_inner();
        file.and_then(Write::flush).map_err(file_error("layer"))
    }
}

/// A header without owner, time or host, so that the same files give the same digest.
fn header(entry_type: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_size(0);
    header.set_mtime(0);
    header
}

fn file_error(path: impl std::fmt::Display) -> impl Fn(io::Error) -> RootfsError {
    move |source| RootfsError::File { path: path.to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_lines_name_libraries_and_the_loader() {
        let path = |line| library_of_ldd_line(line).map(|path| path.display().to_string());
        assert_eq!(path("\tlibc.so.6 => /lib/libc.so.6 (0x7f00)").as_deref(), Some("/lib/libc.so.6"));
        assert_eq!(
            path("\t/lib64/ld-linux-x86-64.so.2 (0x7f00)").as_deref(),
            Some("/lib64/ld-linux-x86-64.so.2")
        );
        assert_eq!(path("\tlinux-vdso.so.1 (0x7ffe)"), None);
        assert_eq!(path("\tstatically linked"), None);
        assert_eq!(path("\tlibmissing.so => not found"), None);
    }

    #[test]
    fn a_layer_without_busybox_holds_a_shell_and_its_libraries() {
        let sh = file_on_path(OsStr::new("/usr/bin:/bin"), "sh").expect("a shell");
        let ingredients = Ingredients { shell: Shell::Linked(sh.clone()), guest: sh, docker_client: None };
        let mut file = tempfile::tempfile().unwrap();
        ingredients.write_layer(true, &mut file).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let names: Vec<String> = tar::Archive::new(file)
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert!(names.contains(&"bin/sh".to_owned()), "{names:?}");
        assert!(names.iter().any(|name| name.contains("libc.so")), "{names:?}");
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "no file twice: {names:?}");
    }
}
