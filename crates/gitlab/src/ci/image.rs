//! `image` and `services`.

use super::error::CiError;
use super::read;
use crate::pull_policy::PullPolicy;
use crate::variables::Variable;
use crate::yaml::Node;

/// The image of a job. Variables in it are not expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The image reference.
    pub name: String,
    /// What is started in place of the image's entrypoint; `[""]` is none.
    pub entrypoint: Option<Vec<String>>,
    /// When it is pulled; empty means that the runner's settings decide.
    pub pull_policies: Vec<PullPolicy>,
    /// `docker:platform`.
    pub platform: Option<String>,
    /// `docker:user`.
    pub user: Option<String>,
}

/// A service of a job. Variables in it are not expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The image and how it is started.
    pub image: Image,
    /// Names beside those made from the image, separated by spaces or commas.
    pub alias: Option<String>,
    /// The arguments in place of the image's command.
    pub command: Option<Vec<String>>,
    /// Variables for this service alone.
    pub variables: Vec<Variable>,
}

const IMAGE_KEYWORDS: [&str; 6] = ["name", "entrypoint", "ports", "pull_policy", "docker", "kubernetes"];
const SERVICE_KEYWORDS: [&str; 9] =
    ["name", "alias", "entrypoint", "command", "variables", "ports", "pull_policy", "docker", "kubernetes"];

pub(super) fn image(node: &Node) -> Result<Image, CiError> {
    read_image(node, "`image`", &IMAGE_KEYWORDS)
}

pub(super) fn services(node: &Node) -> Result<Vec<Service>, CiError> {
    let items = node
        .as_sequence()
        .ok_or_else(|| CiError::form(node, "`services`", "a list of texts or of mappings with `name`"))?;
    items.iter().map(|item| service(item)).collect()
}

fn service(node: &Node) -> Result<Service, CiError> {
    let image = read_image(node, "a service", &SERVICE_KEYWORDS)?;
    let alias = node.member("alias").map(|alias| read::text(alias, "`alias` of a service")).transpose()?;
    let command =
        node.member("command").map(|command| read::texts(command, "`command` of a service")).transpose()?;
    let variables = match node.member("variables") {
        Some(variables) => read::variables_of_service(variables, "`variables` of a service")?,
        None => Vec::new(),
    };
    Ok(Service { image, alias, command, variables })
}

fn read_image(node: &Node, subject: &str, keywords: &[&str]) -> Result<Image, CiError> {
    if let Some(name) = node.as_text() {
        return Ok(Image {
            name: name.to_owned(),
            entrypoint: None,
            pull_policies: Vec::new(),
            platform: None,
            user: None,
        });
    }
    let expected = "a string or a mapping with `name`";
    let members = read::mapping(node, subject, expected)?;
    read::only_keywords(members, keywords, subject)?;
    let name = node.member("name").ok_or_else(|| CiError::form(node, subject, expected))?;
    let part = |keyword: &str| format!("`{keyword}` of {subject}");

    let entrypoint = node.member("entrypoint").map(|entrypoint| read::texts(entrypoint, &part("entrypoint")));
    let pull_policies =
        node.member("pull_policy").map(|policies| read::pull_policies(policies, &part("pull_policy")));
    let docker = node.member("docker");
    if let Some(docker) = docker {
        let options = read::mapping(docker, &part("docker"), "a mapping with `platform` or `user`")?;
        read::only_keywords(options, &["platform", "user"], &part("docker"))?;
    }
    let option = |keyword: &str| {
        let value = docker.and_then(|docker| docker.member(keyword))?;
        Some(read::word(value).ok_or_else(|| CiError::form(value, part(keyword), "a text")))
    };
    Ok(Image {
        name: read::text(name, &part("name"))?,
        entrypoint: entrypoint.transpose()?,
        pull_policies: pull_policies.transpose()?.unwrap_or_default(),
        platform: option("platform").transpose()?,
        user: option("user").transpose()?,
    })
}
