//! The registry of the principal's own account, which only AWS knows.
//!
//! Its token is that of its region, so that those who ask for either ask through one lock.

use std::time::{Duration, Instant};

use crate::access::Access;
use crate::cache::{CacheWarning, Cached};
use crate::config::Choice;
use crate::deadlines::Deadlines;
use crate::mint::Mint;
use crate::registry::Registry;
use crate::token::{Token, TokenError, TokenSource};

impl Access<'_> {
    /// The private registry of the principal's own account in the region that is configured for it, with its token kept
    /// for those who ask for that next. Nobody is asked where the policy allows no registry in that region.
    ///
    /// # Errors
    /// If no region is configured, or it is not allowed, or as [`TokenSource::token`].
    pub fn own_registry(
        &self,
        choice: &Choice,
        deadlines: Deadlines,
        warnings: &mut Vec<CacheWarning>,
    ) -> Result<Registry, TokenError> {
        let started = Instant::now();
        let region = self.mint(&choice.selection, deadlines).own_region(self.config.policy())?;
        let somewhere = region.as_deref().and_then(|region| self.config.partitions().somewhere_in(region));
        let deadlines = Deadlines::within(deadlines.total().saturating_sub(started.elapsed()));
        let own = Own { mint: self.mint(&choice.selection, deadlines), region, limit: deadlines.mint };
        let token = match somewhere {
            Some(somewhere) => {
                let tokens = Cached::new(own, self.cache(&choice.selection), deadlines).of_the_own_registry();
                let token = tokens.token(&somewhere);
                warnings.extend(tokens.take_warnings());
                token?
            }
            // Without a region there is nothing to wait for: what is missing is told.
            None => own.token_within_limit(deadlines.mint)?,
        };
        token.own_registry.ok_or_else(nameless)
    }
}

/// AWS, asked for the principal's own registry, whatever registry of the region is named.
#[derive(Debug)]
struct Own {
    mint: Mint,
    region: Option<String>,
    limit: Duration,
}

impl Own {
    fn token_within_limit(&self, limit: Duration) -> Result<Token, TokenError> {
        let token = self.mint.own(self.region.as_deref(), limit)?;
        if token.own_registry.is_none() { Err(nameless()) } else { Ok(token) }
    }
}

impl TokenSource for Own {
    fn token(&self, _: &Registry) -> Result<Token, TokenError> {
        self.token_within_limit(self.limit)
    }

    fn token_within(&self, _: &Registry, limit: Duration) -> Result<Token, TokenError> {
        self.token_within_limit(limit)
    }
}

fn nameless() -> TokenError {
    let problem = "it names no registry".to_owned();
    TokenError::MalformedAnswer { endpoint: "Amazon ECR".to_owned(), problem }
}
