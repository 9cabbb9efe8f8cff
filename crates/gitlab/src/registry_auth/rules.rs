//! What differs from version to version of the runner.

use super::paths;
use super::version::RunnerVersion;

/// How credentials are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Source by source, by the registry's host; the first source that has it ends the search.
    SourceBySource,
    /// All sources in one table by their keys as written, searched by the registry's host.
    KeysByHost,
    /// All sources in one table by host.
    Host,
    /// All sources in one table by path, searched for the longest.
    Path,
}

/// The rules of one version. Sources are files of GitLab Runner at the version named; where a change lies between two
/// versions that were read, it counts from the later one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) lookup: Lookup,
    /// Whether a helper's name that is a path ends everything.
    pub(super) refuses_paths: bool,
    /// Whether keys are compared in lower case.
    lower_case_keys: bool,
    /// Whether keys with `http://` are understood.
    knows_http_keys: bool,
    /// Whether image names are cleaned, and `localhost` and `index.docker.io` known in any case.
    cleans_images: bool,
    /// Whether entries of a source come in a fixed order, so that the same one wins each time.
    pub(super) has_stable_order: bool,
    /// Whether the job log tells that DOCKER_AUTH_CONFIG could not be used.
    pub(super) warns: bool,
    /// Whether helpers that DOCKER_AUTH_CONFIG names run only where a setting allows it.
    pub(super) has_allow_list: bool,
}

impl Rules {
    pub(super) fn of(version: RunnerVersion) -> Self {
        let since = |major, minor, patch| version.is_at_least(RunnerVersion::new(major, minor, patch));
        Self {
            lookup: lookup(version),
            // Commit 495029eb in `helpers/docker/auth/auth.go`: 13.5.0, 13.4.1, 13.3.2, 13.2.4.
            refuses_paths: version.has(
                RunnerVersion::new(13, 5, 0),
                &[RunnerVersion::new(13, 4, 1), RunnerVersion::new(13, 3, 2), RunnerVersion::new(13, 2, 4)],
            ),
            // `convertToHostname` of v13.1.0 does not lower keys, and that of the last versions before v17.5.0 does;
            // which one began is not known.
            lower_case_keys: since(13, 4, 0),
            // Commit 0de4d6e3 repairs in v18.1.0 what v17.5.0 broke (`convertToRegistryPath`).
            knows_http_keys: !since(17, 5, 0) || since(18, 1, 0),
            // `normalizeImageRef` in v18.3.0, `dockerImageNamePath` in v18.1.0.
            cleans_images: since(18, 3, 0),
            // `withStableOrder` in v18.3.0 (merge request 5686); before, a Go map in its random order.
            has_stable_order: since(18, 3, 0),
            // `AllConfigs` in v18.11.0 (merge request 6578).
            warns: since(18, 11, 0),
            // Merge request 7320, released with 19.4.0, 19.3.2, 19.2.4 and 19.1.3.
            has_allow_list: version.has(
                RunnerVersion::new(19, 4, 0),
                &[RunnerVersion::new(19, 3, 2), RunnerVersion::new(19, 2, 4), RunnerVersion::new(19, 1, 3)],
            ),
        }
    }

    /// What of `image` is looked up.
    pub(super) fn image_path(&self, image: &str) -> String {
        match (self.lookup, self.cleans_images) {
            (Lookup::Path, true) => paths::image_path(image),
            (Lookup::Path, false) => paths::image_path_as_written(image),
            _ => paths::image_host(image).to_owned(),
        }
    }

    /// What a configured key holds credentials for.
    pub(super) fn key_path(&self, key: &str) -> String {
        match self.lookup {
            Lookup::Path if self.knows_http_keys => paths::registry_path(key),
            Lookup::Path => paths::registry_path_without_http(key),
            _ if self.lower_case_keys => paths::key_host(&key.to_lowercase()).to_owned(),
            _ => paths::key_host(key).to_owned(),
        }
    }

    /// The paths under which `image_path` is looked up, the best first.
    pub(super) fn candidates<'a>(&self, image_path: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let all = match self.lookup {
            Lookup::Path => usize::MAX,
            _ => 1,
        };
        paths::self_and_parents(image_path).take(all)
    }

    /// What may be in the table once only: the path, or in the versions that had it so, the key.
    pub(super) fn slot(&self, key: &str, path: &str) -> String {
        match self.lookup {
            Lookup::KeysByHost => key.to_owned(),
            _ => path.to_owned(),
        }
    }

    /// Whether it is known how this version compares the letters of `key`.
    pub(super) fn knows_case_of(&self, key: &str) -> bool {
        self.lookup != Lookup::Host || !paths::key_host(key).contains(char::is_uppercase)
    }
}

fn lookup(version: RunnerVersion) -> Lookup {
    let since = |major, minor| version.is_at_least(RunnerVersion::new(major, minor, 0));
    if since(17, 5) {
        // `ResolveConfigForImage` in v17.5.0 (merge request 4727).
        Lookup::Path
    } else if since(13, 4) {
        // `ResolveConfigs` in v13.4.0 (merge request 2357).
        Lookup::Host
    } else if since(13, 1) {
        // `GetConfigForImage` in v13.1.0 (merge request 2048).
        Lookup::KeysByHost
    } else {
        // `getAuthConfig` in v12.0.0 `executors/docker/executor_docker.go` (merge request 1386).
        Lookup::SourceBySource
    }
}
