//! The proxy that the usual environment variables name.

use ureq::Proxy;

use super::endpoint::Endpoint;
use crate::store::env;

/// Returns the proxy for this endpoint, if there is one. A service on this machine is always
/// reached without a proxy.
///
/// # Errors
/// Returns a text that names the variable whose value is not the URL of a proxy. The text does not
/// contain the value, because that may contain a password.
pub(super) fn of(endpoint: &Endpoint) -> Result<Option<Proxy>, String> {
    let Some(proxy) = env::proxy(endpoint.is_encrypted()) else {
        return Ok(None);
    };
    let except = env::no_proxy().map(|it| it.value).unwrap_or_default();
    if endpoint.is_loopback() || is_excepted(endpoint.host(), &except) {
        return Ok(None);
    }
    let wrong = |_| {
        let name = &proxy.variable;
        format!("${name} is not the URL of a proxy, such as `http://proxy.example.com:3128`")
    };
    Proxy::new(&proxy.value).map(Some).map_err(wrong)
}

/// Returns whether `list` contains this host, or a domain to which it belongs.
fn is_excepted(host: &str, list: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let entries = list.split([',', ' ']).map(str::trim);
    entries.filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        let name = entry.trim_start_matches('*').trim_start_matches('.');
        let name = name.trim_matches(['[', ']']);
        let is_domain = || {
            let before = host.strip_suffix(name);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        entry == "*" || (!name.is_empty() && is_domain())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_excepted_by_its_name_and_by_its_domain() {
        let check = |host: &str, list: &str, expected: bool| {
            assert_eq!(is_excepted(host, list), expected, "{host} {list}");
        };
        check("otel.example.com", "example.com", true);
        check("otel.example.com", ".example.com", true);
        check("otel.example.com", "a.net, *.Example.com", true);
        check("OTEL.example.com", "otel.example.com", true);
        check("10.0.0.7", "10.0.0.7", true);
        check("[fe80::1]", "fe80::1", true);
        check("x", "*", true);
        check("badexample.com", "example.com", false);
        check("example.com", "otel.example.com", false);
        check("x", "", false);
        check("x", " , .", false);
    }
}
