//! Specifiers of unit files (systemd.unit(5), "Specifiers"), for this unit of the system's manager, which is root's.

use std::path::Path;

use super::text_at;

/// The machine whose specifiers are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Specifiers<'a> {
    pub(super) root: &'a Path,
}

impl Specifiers<'_> {
    /// `value` without specifiers; `None` if there is one that is not known.
    pub(super) fn expanded(self, value: &str) -> Option<String> {
        let mut result = String::new();
        let mut characters = value.chars();
        while let Some(character) = characters.next() {
            match character {
                '%' => result.push_str(&self.value(characters.next()?)?),
                other => result.push(other),
            }
        }
        Some(result)
    }

    fn value(self, specifier: char) -> Option<String> {
        let value = match specifier {
            '%' => "%",
            'h' => "/root",
            'u' | 'g' => "root",
            'U' | 'G' => "0",
            'n' => "gitlab-runner.service",
            'N' | 'p' | 'P' => "gitlab-runner",
            'i' | 'I' => "",
            'j' | 'J' => "runner",
            't' => "/run",
            'S' => "/var/lib",
            'C' => "/var/cache",
            'L' => "/var/log",
            'E' => "/etc",
            'T' => "/tmp",
            'V' => "/var/tmp",
            'H' => return self.host_name(),
            'l' => return Some(self.host_name()?.split('.').next()?.to_owned()),
            'm' => return self.line_of("/etc/machine-id"),
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// The kernel's, else the one that the machine gets at its start (hostname(5)).
    fn host_name(self) -> Option<String> {
        self.line_of("/proc/sys/kernel/hostname").or_else(|| self.line_of("/etc/hostname"))
    }

    fn line_of(self, path: &str) -> Option<String> {
        let text = text_at(self.root, Path::new(path)).ok()??;
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
        Some(line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_put_in_and_what_is_not_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        std::fs::write(folder.path().join("etc/hostname"), "# name\nci.example\n").unwrap();
        let specifiers = Specifiers { root: folder.path() };
        assert_eq!(
            specifiers.expanded("100%% %h %S/%p %H %l %i.").as_deref(),
            Some("100% /root /var/lib/gitlab-runner ci.example ci .")
        );
        for unknown in ["%b", "%m", "%"] {
            assert_eq!(specifiers.expanded(unknown), None, "{unknown}");
        }
    }
}
