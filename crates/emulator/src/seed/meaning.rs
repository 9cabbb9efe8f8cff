//! What a seed file means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use toml::{Spanned, Value};

use super::fault::Text;
use super::written::{self, Mutability, Written};
use super::{Seed, SeedError, SeededImage, SeededRegistry, SeededRepository, read_limited};
use crate::accounts::{AccountId, PlaceError, Region, Registry, RegistryId};
use crate::iam::policy::{Attached, Policy};
use crate::oidc::{GitLabIssuer, IdentityProvider, name_of_issuer};
use crate::options::Identity;
use crate::registry::public::is_alias;
use crate::store::{
    AppliedFor, CacheRule, CreationTemplate, MAX_FILTERS, RepositoryKey, RepositoryPrefix, TagMutability,
    Upstream,
};
use crate::sts::is_role_name;

/// The most that any policy of AWS takes ("Amazon ECR service quotas": 10,240 characters of at most 4 bytes).
const MAX_POLICY_FILE: u64 = 40 * 1024;

/// Dozens of large keys, where issuers have a few.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// Understands the text of the seed file at `path`.
pub(super) fn parse(content: &[u8], path: &Path) -> Result<Seed, SeedError> {
    let text = match std::str::from_utf8(content) {
        Ok(text) => Text { path, text },
        Err(error) => {
            let valid = String::from_utf8_lossy(&content[..error.valid_up_to()]);
            let end = valid.len()..valid.len();
            return Err(Text { path, text: &valid }.fault(end, "a byte that is not UTF-8 text"));
        }
    };
    let written: Written = toml::from_str(text.text)
        .map_err(|error| text.fault(error.span().unwrap_or_default(), error.message()))?;
    let mut meaning = Meaning { text, seed: Seed::default() };
    meaning.take(written)?;
    Ok(meaning.seed)
}

/// What was understood so far, with the text at hand for the places of faults.
struct Meaning<'a> {
    text: Text<'a>,
    seed: Seed,
}

impl Meaning<'_> {
    fn take(&mut self, written: Written) -> Result<(), SeedError> {
        let mut aliases = BTreeMap::new();
        for account in written.account {
            let id = self.account(Some(&account.id))?;
            if let Some(alias) = account.public_alias {
                if !is_alias(alias.get_ref()) {
                    let message = format!("`{}` is not an alias of ECR Public", alias.get_ref());
                    return Err(self.text.fault(alias.span(), message));
                }
                self.once(&alias, aliases.insert(alias.get_ref().clone(), id).is_none())?;
            }
        }
        self.seed.public_aliases = aliases;
        self.seed.public_port = written.public_registry.map(|public| public.port);
        if let Some(trust) = written.user.iter().find_map(|user| user.trust_policy.as_ref()) {
            return Err(self.text.fault(trust.span(), "only roles have a trust policy"));
        }
        self.seed.users = self.identities(written.user)?;
        self.seed.roles = self.identities(written.role)?;
        self.seed.gitlab = written.gitlab.map(|gitlab| self.gitlab(gitlab)).transpose()?.unwrap_or_default();
        self.seed.identity_providers = self.identity_providers(written.identity_provider)?;
        for registry in written.registry {
            let registry = self.registry(registry)?;
            self.seed.registries.push(registry);
        }
        for repository in written.repository {
            let repository = self.repository(repository)?;
            self.seed.repositories.push(repository);
        }
        Ok(())
    }

    fn identities(&mut self, written: Vec<written::Identity>) -> Result<Vec<Identity>, SeedError> {
        let mut seen = BTreeSet::new();
        let mut identities = Vec::new();
        for identity in written {
            let account = self.account(identity.account.as_ref())?;
            let name = identity.name.get_ref().clone();
            if !is_role_name(&name) {
                let hint = "use at most 64 letters, digits and characters of `_+=,.@-`".to_owned();
                let message = format!("`{name}` is not a name that IAM takes");
                return Err(self.text.fault_with_hint(identity.name.span(), message, Some(hint)));
            }
            self.once(&identity.name, seen.insert((account, name.clone())))?;
            let policies = identity.policies.iter().map(|policy| self.policy(policy, Attached::Identity));
            let policies =
                policies.map(|policy| Ok(policy?.text().to_owned())).collect::<Result<_, SeedError>>()?;
            let trust = identity.trust_policy.map(|trust| self.policy(&trust, Attached::Role)).transpose()?;
            let trust_policy = trust.map(|trust| trust.text().to_owned());
            identities.push(Identity { account, name, policies, tags: identity.tags, trust_policy });
        }
        Ok(identities)
    }

    fn gitlab(&self, written: written::GitLab) -> Result<GitLabIssuer, SeedError> {
        if let Some(issuer) = &written.issuer {
            self.issuer(issuer)?;
        }
        let issuer = written.issuer.map(Spanned::into_inner);
        Ok(GitLabIssuer { issuer, audiences: written.audiences })
    }

    fn identity_providers(
        &mut self,
        written: Vec<written::IdentityProvider>,
    ) -> Result<Vec<IdentityProvider>, SeedError> {
        // The emulated GitLab is an identity provider of every account.
        let gitlab = self.seed.gitlab.issuer.as_deref().and_then(name_of_issuer).map(str::to_owned);
        let mut seen = BTreeSet::new();
        let mut providers = Vec::new();
        for provider in written {
            let account = self.account(provider.account.as_ref())?;
            let name = self.issuer(&provider.issuer)?.to_owned();
            let is_first = gitlab.as_ref() != Some(&name) && seen.insert((account, name));
            self.once(&provider.issuer, is_first)?;
            let keys = self.json(&provider.keys, "a key set", MAX_KEY_FILE)?;
            let issuer = provider.issuer.into_inner();
            let understood = IdentityProvider { account, issuer, audiences: provider.audiences, keys };
            if let Some(fault) = understood.fault() {
                return Err(self.text.fault(provider.keys.span(), fault));
            }
            providers.push(understood);
        }
        Ok(providers)
    }

    /// An issuer's name, if it can be one.
    fn issuer<'a>(&self, written: &'a Spanned<String>) -> Result<&'a str, SeedError> {
        name_of_issuer(written.get_ref()).ok_or_else(|| {
            let message = format!("`{}` is not an issuer", written.get_ref());
            let hint = "use a URL such as https://gitlab.example.com".to_owned();
            self.text.fault_with_hint(written.span(), message, Some(hint))
        })
    }

    fn registry(&mut self, written: written::Registry) -> Result<SeededRegistry, SeedError> {
        let (account, region) = (self.account(Some(&written.account))?, self.region(Some(&written.region))?);
        let id = RegistryId { account, region };
        self.once(&written.account, self.seed.registries.iter().all(|other| other.id != id))?;
        let mut templates: Vec<(_, CreationTemplate)> = Vec::new();
        for template in written.template {
            let prefix = self.parsed(&template.prefix, "the beginning of repository names, or ROOT")?;
            self.once(&template.prefix, templates.iter().all(|(other, _)| *other != prefix))?;
            let policy =
                template.policy.map(|policy| self.policy(&policy, Attached::Repository)).transpose()?;
            let template = CreationTemplate {
                description: template.description,
                applied_for: BTreeSet::from([AppliedFor::CreateOnPush]),
                mutability: self.mutability(template.mutability, &template.mutability_exclusions)?,
                tags: template.tags,
                policy,
                custom_role_arn: None,
                // Known when it is applied.
                created: 0,
            };
            templates.push((prefix, template));
        }
        let cache_rules = self.cache_rules(written.cache_rule, &id)?;
        let (port, blob_mounting) = (written.port, written.blob_mounting);
        Ok(SeededRegistry { id, port, blob_mounting, templates, cache_rules })
    }

    fn cache_rules(
        &self,
        written: Vec<written::CacheRule>,
        registry: &RegistryId,
    ) -> Result<Vec<(RepositoryPrefix, CacheRule)>, SeedError> {
        let prefix_of =
            |text: &Spanned<String>| self.parsed(text, "the beginning of repository names, or ROOT");
        let mut rules: Vec<(RepositoryPrefix, CacheRule)> = Vec::new();
        for rule in written {
            let prefix = prefix_of(&rule.prefix)?;
            self.once(&rule.prefix, rules.iter().all(|(other, _)| *other != prefix))?;
            let upstream: Upstream = self.parsed(&rule.upstream, "public.ecr.aws or an emulated registry")?;
            if !upstream.is_open_to(registry) {
                let message = "a rule's upstream is another registry of the same account, or public.ecr.aws";
                return Err(self.text.fault(rule.upstream.span(), message));
            }
            let upstream_prefix = rule.upstream_prefix.as_ref().map(prefix_of).transpose()?;
            // When it was made is known when it is applied.
            rules.push((prefix, CacheRule { upstream, upstream_prefix, created: 0 }));
        }
        Ok(rules)
    }

    fn repository(&mut self, written: written::Repository) -> Result<SeededRepository, SeedError> {
        let account = self.account(written.account.as_ref())?;
        let registry = match (written.public, &written.region) {
            (true, Some(region)) => {
                return Err(self.text.fault(region.span(), "a public repository has no region"));
            }
            (true, None) => Registry::Public(account),
            (false, region) => RegistryId { account, region: self.region(region.as_ref())? }.into(),
        };
        let name = self.parsed(
            &written.name,
            "a repository name: 2 to 256 lower-case letters, digits, `.`, `_`, `-`, `/`",
        )?;
        let key = RepositoryKey { registry, name };
        self.once(&written.name, self.seed.repositories.iter().all(|other| other.key != key))?;
        if let Some(policy) = written.policy.as_ref().filter(|_| written.public) {
            return Err(self
                .text
                .fault(policy.span(), "the emulator evaluates no policies of public repositories"));
        }
        let policy = written.policy.map(|policy| self.policy(&policy, Attached::Repository)).transpose()?;
        let images = written.image.into_iter().map(|image| self.image(image)).collect::<Result<_, _>>()?;
        let mutability = self.mutability(written.mutability, &written.mutability_exclusions)?;
        Ok(SeededRepository { key, mutability, policy, tags: written.tags, images })
    }

    fn image(&self, written: written::Image) -> Result<SeededImage, SeedError> {
        let tags = written.tags.iter().map(|tag| self.parsed(tag, "a tag")).collect::<Result<_, _>>()?;
        Ok(SeededImage { from: self.beside(&written.from), reference: written.reference, tags })
    }

    fn mutability(
        &self,
        written: Mutability,
        exclusions: &[Spanned<String>],
    ) -> Result<TagMutability, SeedError> {
        if let Some(excess) = exclusions.get(MAX_FILTERS) {
            return Err(self.text.fault(excess.span(), format!("there can be {MAX_FILTERS} exclusions")));
        }
        let what = "a filter of tags: their letters and at most two `*`";
        let exclusions =
            exclusions.iter().map(|filter| self.parsed(filter, what)).collect::<Result<_, _>>()?;
        Ok(TagMutability { immutable: written == Mutability::Immutable, exclusions })
    }

    fn policy(&self, written: &Spanned<Value>, to: Attached) -> Result<Policy, SeedError> {
        let json = self.json(written, "a policy", MAX_POLICY_FILE)?;
        Policy::attached(&json, to).map_err(|error| self.text.fault(written.span(), error))
    }

    /// The text of a JSON document that is written as that, as a table, or as `{ file = "…" }`.
    fn json(&self, written: &Spanned<Value>, what: &str, limit: u64) -> Result<String, SeedError> {
        let fault = |message: &dyn Display| self.text.fault(written.span(), message);
        match written.get_ref() {
            Value::String(text) => Ok(text.clone()),
            Value::Table(table) => match table.get("file") {
                Some(Value::String(file)) if table.len() == 1 => {
                    let path = self.beside(Path::new(file));
                    let text = read_limited(&path, limit).map_err(|error| fault(&error))?;
                    String::from_utf8(text).map_err(|_| fault(&format!("`{}` is not text", path.display())))
                }
                _ => serde_json::to_string(table).map_err(|error| fault(&error)),
            },
            _ => Err(fault(&format!("{what} is a JSON text, a table, or `{{ file = \"…\" }}`"))),
        }
    }

    fn beside(&self, path: &Path) -> std::path::PathBuf {
        self.text.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The account that is meant, from now on one that the emulator knows; the first one, if none is written.
    fn account(&mut self, written: Option<&Spanned<String>>) -> Result<AccountId, SeedError> {
        let account = written.map_or(Ok(AccountId::default()), |written| self.place(written))?;
        self.seed.accounts.insert(account);
        Ok(account)
    }

    fn region(&self, written: Option<&Spanned<String>>) -> Result<Region, SeedError> {
        written.map_or(Ok(Region::default()), |written| self.place(written))
    }

    fn place<T: FromStr<Err = PlaceError>>(&self, written: &Spanned<String>) -> Result<T, SeedError> {
        written
            .get_ref()
            .parse()
            .map_err(|error: PlaceError| self.text.fault_with_hint(written.span(), &error, error.hint()))
    }

    fn parsed<T: FromStr>(&self, written: &Spanned<String>, what: &str) -> Result<T, SeedError> {
        let message = || format!("`{}` is not {what}", written.get_ref());
        written.get_ref().parse().map_err(|_| self.text.fault(written.span(), message()))
    }

    /// A fault unless something is named here for the first time.
    fn once(&self, written: &Spanned<String>, is_first: bool) -> Result<(), SeedError> {
        if is_first {
            return Ok(());
        }
        Err(self.text.fault(written.span(), format!("`{}` is there already", written.get_ref())))
    }
}

#[cfg(test)]
mod tests;
