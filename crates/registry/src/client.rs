//! The question and its answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_docker::reference::ImageReference;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::answer::Answer;
use crate::challenge::Challenge;
use crate::error::{LookupError, SetupError};
use crate::http::{self, Options};
use crate::manifest::{self, ImageFacts, Manifest, Platform};
use crate::refusal::Refusal;
use crate::target::{Target, is_loopback};

/// The size that registries take at least (OCI distribution specification 1.1, pushing manifests).
const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// The settings of an image are some kilobytes.
const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
const MAX_TOKEN_BYTES: usize = 256 * 1024;

const DEADLINE: Duration = Duration::from_secs(30);

/// Hosts that public registries send clients to for tokens.
const KNOWN_REALMS: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("mcr.microsoft.com", "mcr.microsoft.com"),
];

/// What a registry is shown.
#[derive(Debug, Clone)]
pub enum Login {
    /// User name and password, for the registry itself or for where it sends clients for a token.
    Password {
        /// The user name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A token for the registry itself, as `registrytoken` of a Docker configuration holds it.
    Token(SecretString),
}

impl Login {
    fn header(&self) -> Result<HeaderValue, LookupError> {
        match self {
            Self::Password { username, password } => {
                let pair = format!("{username}:{}", password.expose_secret());
                secret_header(&format!("Basic {}", STANDARD.encode(pair)))
            }
            Self::Token(token) => bearer(token.expose_secret()),
        }
    }
}

/// Asks registries about images.
#[derive(Clone)]
pub struct RegistryClient {
    http: Client,
    realm_hosts: Vec<String>,
    deadline: Duration,
}

impl RegistryClient {
    /// Makes a client; no network is touched.
    ///
    /// # Errors
    /// If proxy or certificates cannot be used.
    pub fn new(options: &Options) -> Result<Self, SetupError> {
        Ok(Self {
            http: http::client(options)?,
            realm_hosts: options.realm_hosts.clone(),
            deadline: options.deadline.unwrap_or(DEADLINE),
        })
    }

    /// What an image is, for engines of `platform` (such as `linux/amd64`).
    ///
    /// # Errors
    /// If the registry does not have it, does not give it, or cannot be asked; see [`LookupError`].
    pub async fn image(
        &self,
        image: &str,
        login: Option<&Login>,
        platform: &str,
    ) -> Result<ImageFacts, LookupError> {
        let target = Target::of(&ImageReference::parse(image)?);
        let mut lookup = Lookup {
            client: self,
            login,
            authorization: login.map(Login::header).transpose()?,
            target,
            // A token is for the registry alone: nothing else is got with it.
            is_authenticated: matches!(login, Some(Login::Token(_))),
        };
        tokio::time::timeout(self.deadline, lookup.facts(platform))
            .await
            .unwrap_or(Err(LookupError::TimedOut))
    }

    fn is_realm_of(&self, registry: &str, host: &str) -> bool {
        host.eq_ignore_ascii_case(registry)
            || KNOWN_REALMS.contains(&(registry, host))
            || self.realm_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

struct Lookup<'a> {
    client: &'a RegistryClient,
    login: Option<&'a Login>,
    /// What is sent to the registry, and to nobody else.
    authorization: Option<HeaderValue>,
    target: Target,
    /// Whether a challenge was answered already.
    is_authenticated: bool,
}

impl Lookup<'_> {
    async fn facts(&mut self, platform: &str) -> Result<ImageFacts, LookupError> {
        let url = self.target.manifest_url(&self.target.reference);
        let head = self.ask(Method::HEAD, &url, MAX_REFUSAL_BYTES).await?;
        let found = match head.status.is_success() {
            true => head,
            // The answer to HEAD has no words, and there are registries that know GET only.
            false => self.ask(Method::GET, &url, MAX_MANIFEST_BYTES).await?,
        };
        if !found.status.is_success() {
            return Err(self.refusal(found.status, &found.body, true));
        }
        let mut facts = ImageFacts {
            digest: found
                .header("docker-content-digest")
                .filter(|it| manifest::is_digest(it))
                .map(str::to_owned),
            media_type: found.header("content-type").map(str::to_owned),
            ..ImageFacts::default()
        };
        // Docker Hub counts a GET of a manifest as a pull; a check must not use them up.
        if !self.target.is_docker_hub {
            self.look_inside(&mut facts, platform).await?;
        }
        Ok(facts)
    }

    async fn look_inside(&mut self, facts: &mut ImageFacts, platform: &str) -> Result<(), LookupError> {
        let reference = facts.digest.clone().unwrap_or_else(|| self.target.reference.clone());
        let top = self.manifest(&reference).await?;
        facts.platforms = top.platforms();
        let of_index = top.manifest_for(platform).map(|(digest, is_for)| (digest.to_owned(), is_for));
        let (image, is_for_platform) = match of_index {
            Some((digest, is_for)) => (self.manifest(&digest).await?, is_for),
            None => (top, true),
        };
        facts.size = image.size().filter(|_| is_for_platform);
        let Some(config) = image.config.filter(|config| manifest::is_digest(&config.digest)) else {
            return Ok(());
        };
        // Also for an index: only a blob shows whether the layers may be had, which is a permission of its own.
        let settings = self.blob(&config.digest).await?;
        if facts.platforms.is_empty() {
            facts.platforms.extend(Platform::read(&settings));
        }
        Ok(())
    }

    async fn manifest(&mut self, reference: &str) -> Result<Manifest, LookupError> {
        if reference.contains(':') && !manifest::is_digest(reference) {
            return Err(LookupError::Answer("an index names a manifest by no digest".to_owned()));
        }
        let url = self.target.manifest_url(reference);
        let answer = self.ask(Method::GET, &url, MAX_MANIFEST_BYTES).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(answer.status, &answer.body, true));
        }
        Manifest::read(&answer.body)
    }

    /// A small blob.
    async fn blob(&mut self, digest: &str) -> Result<Vec<u8>, LookupError> {
        let answer = self.ask(Method::GET, &self.target.blob_url(digest), MAX_SETTINGS_BYTES).await?;
        match answer.status.is_success() {
            true => Ok(answer.body),
            false => Err(self.refusal(answer.status, &answer.body, false)),
        }
    }

    /// An address at which a registry keeps something: reached by TLS, or on this machine for a registry on it.
    fn elsewhere(&self, url: &str, location: &str) -> Option<Url> {
        let url = Url::parse(url).ok()?.join(location).ok()?;
        let is_here = self.target.is_loopback() && url.host_str().is_some_and(is_loopback);
        (url.scheme() == "https" || (url.scheme() == "http" && is_here)).then_some(url)
    }

    /// Sends a request, and follows one redirect, as engines do, but without what was sent to the registry.
    async fn ask(&mut self, method: Method, url: &str, most: usize) -> Result<Answer, LookupError> {
        let answer = self.ask_registry(method.clone(), url, most).await?;
        if !answer.status.is_redirection() {
            return Ok(answer);
        }
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let url = location.and_then(|location| self.elsewhere(url, location)).ok_or_else(|| {
            LookupError::Answer("it sends clients to an address that is not taken".to_owned())
        })?;
        Answer::to(self.client.http.request(method, url).header(ACCEPT, manifest::ACCEPT), most).await
    }

    /// Sends a request to the registry itself, and answers a challenge once.
    async fn ask_registry(&mut self, method: Method, url: &str, most: usize) -> Result<Answer, LookupError> {
        let answer = self.send(method.clone(), url, most).await?;
        if answer.status != StatusCode::UNAUTHORIZED || self.is_authenticated {
            return Ok(answer);
        }
        let challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter();
        let challenge = challenges.filter_map(|header| Challenge::parse(header.to_str().ok()?)).next();
        // A password was sent with the first request: where that is what is wanted, it was refused.
        let Some(Challenge::Bearer { realm, service, scope }) = challenge else { return Ok(answer) };
        self.authorization = Some(self.token(&realm, service.as_deref(), scope.as_deref()).await?);
        self.is_authenticated = true;
        self.send(method, url, most).await
    }

    async fn send(&self, method: Method, url: &str, most: usize) -> Result<Answer, LookupError> {
        let mut request = self.client.http.request(method, url).header(ACCEPT, manifest::ACCEPT);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        Answer::to(request, most).await
    }

    /// Gets a token for the registry (distribution, "Token authentication specification").
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<HeaderValue, LookupError> {
        let mut url =
            Url::parse(realm).map_err(|_| LookupError::Answer("its realm is no address".to_owned()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_secure = url.scheme() == "https"
            || (url.scheme() == "http" && self.target.is_loopback() && is_loopback(&host));
        if self.login.is_none() && !is_secure {
            return Err(LookupError::Answer(format!("it sends clients to `{host}` without TLS for a token")));
        }
        // Who has no password to lose is sent anywhere.
        if self.login.is_some() && !(is_secure && self.client.is_realm_of(self.target.host(), &host)) {
            let registry = self.target.authority.clone();
            return Err(LookupError::RealmElsewhere { registry, host });
        }
        let pull = format!("repository:{}:pull", self.target.repository);
        let scope = scope.unwrap_or(&pull);
        let parameters = service.map(|service| ("service", service)).into_iter().chain([("scope", scope)]);
        url.query_pairs_mut().extend_pairs(parameters);
        let mut request = self.client.http.get(url);
        if let Some(login) = self.login {
            request = request.header(AUTHORIZATION, login.header()?);
        }
        let answer = Answer::to(request, MAX_TOKEN_BYTES).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(answer.status, &answer.body, false));
        }
        let answer: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| LookupError::Answer("its answer holds no token".to_owned()))?;
        let token = [answer.token, answer.access_token].into_iter().flatten().find(|it| !it.is_empty());
        let token = token.ok_or_else(|| LookupError::Answer("its answer holds no token".to_owned()))?;
        bearer(&token)
    }

    fn refusal(&self, status: StatusCode, body: &[u8], of_manifest: bool) -> LookupError {
        Refusal { status: status.as_u16(), body, with_login: self.login.is_some(), of_manifest }.error()
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

fn bearer(token: &str) -> Result<HeaderValue, LookupError> {
    secret_header(&format!("Bearer {token}"))
}

fn secret_header(text: &str) -> Result<HeaderValue, LookupError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        LookupError::Answer("the credentials hold characters that no header takes".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}
