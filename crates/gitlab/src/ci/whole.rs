//! What is wrong with a pipeline as a whole: GitLab refuses it, though every job by itself may be right.

use indexmap::IndexSet;

use super::error::has_input;
use super::is_job_name;
use super::job::WITH_DEFAULT;
use super::read;
use super::refer::{self, Referrer};
use super::warning::{CiWarning, CiWarningKind};
use crate::position::Position;
use crate::yaml::{Mapping, Node};

/// The stages of a pipeline that names none, and the two that every pipeline has (`lib/gitlab/ci/config/entry/stages.rb`,
/// `lib/gitlab/ci/config/edge_stages_injector.rb`).
const DEFAULT_STAGES: [&str; 3] = ["build", "test", "deploy"];
const FIRST_STAGE: &str = ".pre";
const LAST_STAGE: &str = ".post";

/// What GitLab's own check of the top level would say (`lib/gitlab/ci/config/entry/root.rb`, `jobs.rb`, `default.rb`).
pub(super) fn warnings(top_level: &Mapping, is_incomplete: bool) -> Vec<CiWarning> {
    let mut warnings: Vec<CiWarning> = top_level
        .iter()
        .filter(|(name, member)| is_job_name(name) && !may_be_job(&member.value))
        .map(|(name, member)| CiWarning {
            position: member.key_position,
            kind: CiWarningKind::NoJob { name: name.to_string() },
        })
        .collect();
    warnings.extend(WITH_DEFAULT.into_iter().filter_map(|keyword| default_twice(top_level, keyword)));
    let has_job = top_level.iter().any(|(name, _)| is_job_name(name));
    if !has_job && !is_incomplete {
        warnings.push(CiWarning { position: Position::START, kind: CiWarningKind::NoJobs });
    }
    warnings
}

fn may_be_job(node: &Node) -> bool {
    node.as_mapping().is_some() || node.tag.as_deref() == Some(refer::TAG)
}

fn default_twice(top_level: &Mapping, keyword: &'static str) -> Option<CiWarning> {
    let member = top_level.get(keyword).filter(|member| !member.value.is_null())?;
    top_level.get("default")?.value.member(keyword)?;
    Some(CiWarning { position: member.key_position, kind: CiWarningKind::DefaultTwice { keyword } })
}

/// The stages that jobs may be in; none if that cannot be told.
pub(super) fn stages(top_level: &Mapping, is_incomplete: bool) -> Option<IndexSet<String>> {
    let named = Referrer::new(top_level, is_incomplete).complete("stages").ok()?;
    let named = match named.filter(|node| !node.is_null()) {
        Some(node) => {
            node.as_sequence()?.iter().map(|stage| read::word(stage)).collect::<Option<Vec<String>>>()?
        }
        // They may stand in a file that is not read.
        None if is_incomplete => return None,
        None => DEFAULT_STAGES.map(str::to_owned).into(),
    };
    if named.iter().any(|stage| has_input(stage)) {
        return None;
    }
    Some([FIRST_STAGE.to_owned()].into_iter().chain(named).chain([LAST_STAGE.to_owned()]).collect())
}
