//! Which package depends on which, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The package itself.
    Normal,
    /// Its build script.
    Build,
    /// Its tests.
    Development,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Build => "build",
            Self::Development => "dev",
        })
    }
}

/// One line of a manifest's dependency tables.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) to: String,
    pub(super) kind: Kind,
}

/// The dependencies between packages, by name. Several versions of one package are one node: a fence is about the
/// library, not its version.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// What the manifests of the workspace's own crates declare, for every platform.
    pub(super) own: BTreeMap<String, Vec<Dependency>>,
    /// What each package links on this platform.
    links: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads the graph of this workspace.
    pub(super) fn of_workspace() -> Result<Self> {
        // Without a platform, cargo fetches what only Windows needs, too.
        let platform = format!("--filter-platform={}", crate::workspace::host_triple()?);
        let metadata = MetadataCommand::new()
            .manifest_path(crate::workspace::root().join("Cargo.toml"))
            .other_options([platform])
            .exec()
            .context("cannot read the workspace")?;
        let own = metadata.workspace_packages().into_iter().map(|package| {
            let dependencies = package.dependencies.iter();
            let declared = dependencies.map(|it| Dependency { to: it.name.clone(), kind: kind_of(it.kind) });
            (package.name.to_string(), declared.collect())
        });

        let names: HashMap<&PackageId, String> =
            metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
        let nodes = metadata.resolve.as_ref().context("cargo resolved nothing")?.nodes.iter();
        let mut links = BTreeMap::<String, BTreeSet<String>>::new();
        for node in nodes {
            let linked = node
                .deps
                .iter()
                .filter(|it| it.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
            let linked = linked.filter_map(|it| names.get(&it.pkg).cloned());
            links.entry(names[&node.id].clone()).or_default().extend(linked);
        }
        Ok(Self { own: own.collect(), links })
    }

    /// A graph made up for a test: `own` are the crates of the workspace.
    #[cfg(test)]
    pub(super) fn from_edges(own: &[&str], edges: &[(&str, &str, Kind)]) -> Self {
        let mut graph = Self::default();
        for name in own {
            graph.own.insert((*name).to_owned(), Vec::new());
        }
        for &(from, to, kind) in edges {
            if let Some(dependencies) = graph.own.get_mut(from) {
                dependencies.push(Dependency { to: to.to_owned(), kind });
            }
            if kind == Kind::Normal {
                graph.links.entry(from.to_owned()).or_default().insert(to.to_owned());
            }
        }
        graph
    }

    /// For each package below `from` that `wanted` accepts, one shortest path of links from `from` to it.
    pub(super) fn paths(&self, from: &str, wanted: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
        let mut seen = BTreeSet::from([from.to_owned()]);
        let mut frontier = vec![vec![from.to_owned()]];
        let mut found = Vec::new();
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for path in frontier {
                let linked = path.last().and_then(|end| self.links.get(end)).into_iter().flatten();
                for name in linked.filter(|name| seen.insert((*name).clone())) {
                    let longer = [path.as_slice(), std::slice::from_ref(name)].concat();
                    if wanted(name) {
                        found.push(longer);
                    } else {
                        next.push(longer);
                    }
                }
            }
            frontier = next;
        }
        found
    }
}

fn kind_of(kind: DependencyKind) -> Kind {
    match kind {
        DependencyKind::Development => Kind::Development,
        DependencyKind::Build => Kind::Build,
        _ => Kind::Normal,
    }
}
