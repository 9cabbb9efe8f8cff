//! Which proxy stands before AWS, by the usual variables.

use aws_smithy_http_client::proxy::ProxyConfig;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::environment::Environment;
use crate::no_proxy;

/// The variables that name a proxy for HTTPS; the first that is set counts.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// Those for everything. Many programs, Go's among them, know them not at all, and often they name a SOCKS proxy for
/// others: one that cannot be used is passed over.
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];

/// What no proxy is asked for, whatever NO_PROXY says: this machine and link-local addresses.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10,fd00:ec2::/32";

/// The port of an address that names none.
const HTTPS_PORT: u16 = 443;

/// The proxy of this process.
#[derive(Debug)]
pub(super) struct Proxy {
    named: Named,
    exceptions: String,
}

/// What the variables name.
#[derive(Debug)]
enum Named {
    Nothing,
    /// Something that is no HTTP proxy, in a variable that need not count.
    PassedOver(&'static str),
    /// The same in a variable that counts.
    Unusable(&'static str),
    /// A proxy at this address, which may have a password in it.
    Usable {
        address: String,
        shown: String,
    },
}

/// How an address is reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    /// Directly, although this variable is set.
    PassedOver(&'static str),
    /// Through the proxy of this name.
    Through(String),
}

impl Proxy {
    pub(super) fn of(environment: &Environment) -> Self {
        let first = |variables: [&'static str; 2]| {
            variables.into_iter().find_map(|variable| Some((variable, environment.get(variable)?)))
        };
        let named = match (first(HTTPS), first(ALL)) {
            (Some((variable, text)), _) => usable(text).unwrap_or(Named::Unusable(variable)),
            (None, Some((variable, text))) => usable(text).unwrap_or(Named::PassedOver(variable)),
            (None, None) => Named::Nothing,
        };
        let exceptions = environment.get("NO_PROXY").or_else(|| environment.get("no_proxy"));
        let exceptions = format!("{NEVER_PROXIED},{}", exceptions.unwrap_or_default());
        Self { named, exceptions }
    }

    /// The way to an address that is reached by HTTPS.
    pub(super) fn way(&self, uri: &Uri) -> Result<Way, String> {
        if matches!(self.named, Named::Nothing) || self.is_excepted(uri) {
            return Ok(Way::Direct);
        }
        match &self.named {
            Named::Nothing => Ok(Way::Direct),
            Named::PassedOver(variable) => Ok(Way::PassedOver(variable)),
            Named::Usable { shown, .. } => Ok(Way::Through(shown.clone())),
            Named::Unusable(variable) => {
                Err(format!("{variable} is not the address of an HTTP proxy: write http://HOST:PORT"))
            }
        }
    }

    /// Whether the address is reached without a proxy. Any will do for the question.
    fn is_excepted(&self, uri: &Uri) -> bool {
        let exceptions = no_proxy::for_port(&self.exceptions, uri.port_u16().unwrap_or(HTTPS_PORT));
        let matcher = Matcher::builder().https("http://proxy.invalid").no(exceptions).build();
        matcher.intercept(uri).is_none()
    }

    /// The proxy for an HTTP client whose every request goes through it.
    pub(super) fn config(&self) -> Result<ProxyConfig, String> {
        let Named::Usable { address, shown } = &self.named else { return Ok(ProxyConfig::disabled()) };
        let proxy = ProxyConfig::https(address.as_str());
        proxy.map_err(|_| format!("{shown} cannot be used as a proxy"))
    }
}

/// The proxy at an address, as curl and Go read it: `http://` may be left out.
fn usable(text: &str) -> Option<Named> {
    let text = text.trim();
    let address = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri = Uri::try_from(address.as_str()).ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return None;
    }
    let shown = uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some(Named::Usable { address, shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(variables: &[(&str, &str)], host: &str) -> Result<Way, String> {
        let proxy = Proxy::of(&Environment::from_map(variables.to_vec()));
        assert!(proxy.config().is_ok());
        proxy.way(&Uri::try_from(format!("https://{host}/")).unwrap())
    }

    #[test]
    fn the_scheme_of_a_proxy_may_be_left_out() {
        for address in [
            "proxy.example:3128",
            "http://proxy.example:3128",
            "HTTP://u:NEVER@proxy.example:3128/",
            " proxy.example:3128 ",
        ] {
            for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                let shown = Ok(Way::Through("proxy.example:3128".to_owned()));
                assert_eq!(way(&[(variable, address)], "api.ecr.aws"), shown, "{variable}={address}");
            }
        }
    }

    #[test]
    fn exceptions_are_those_of_go() {
        for (exceptions, host, is_direct) in [
            (".test", "api.ecr.test", true),
            ("*", "api.ecr.test", true),
            ("*.test", "api.ecr.test", true),
            ("api.ecr.test:443", "api.ecr.test", true),
            ("test:443", "api.ecr.test", true),
            ("test:443", "api.ecr.test:443", true),
            ("test:443", "api.ecr.test:8443", false),
            ("test:8443", "api.ecr.test:8443", true),
            ("test:80", "api.ecr.test", false),
            ("*.test", "api.ecr.testing", false),
            ("10.0.0.1:443", "10.0.0.1", true),
            ("[fd00::1]:443", "[fd00::1]", true),
            ("*.example, test:443", "api.ecr.test", true),
        ] {
            let variables = [("HTTPS_PROXY", "proxy.example:1"), ("NO_PROXY", exceptions)];
            let expected = if is_direct { Way::Direct } else { Way::Through("proxy.example:1".to_owned()) };
            assert_eq!(way(&variables, host), Ok(expected), "{exceptions} {host}");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_refused_or_passed_over_where_it_would_be_used() {
        for address in ["socks5h://127.0.0.1:1080", "nonsense://", "http://", "a b"] {
            let refused = way(&[("HTTPS_PROXY", address)], "api.ecr.aws").unwrap_err();
            assert_eq!(refused, "HTTPS_PROXY is not the address of an HTTP proxy: write http://HOST:PORT");
            assert_eq!(way(&[("HTTPS_PROXY", address)], "127.0.0.1:8443"), Ok(Way::Direct));
            let excepted = [("HTTPS_PROXY", address), ("NO_PROXY", ".ecr.aws")];
            assert_eq!(way(&excepted, "api.ecr.aws"), Ok(Way::Direct));
            assert_eq!(way(&[("ALL_PROXY", address)], "api.ecr.aws"), Ok(Way::PassedOver("ALL_PROXY")));
            let both = [("ALL_PROXY", address), ("https_proxy", "proxy.example:1")];
            assert_eq!(way(&both, "api.ecr.aws"), Ok(Way::Through("proxy.example:1".to_owned())));
        }
        assert_eq!(way(&[], "api.ecr.aws"), Ok(Way::Direct));
    }
}
