//! The pages. Each is one file that needs no other. Each has a policy that lets the browser run
//! only the page's own script.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};

use super::answer::{Answer, page};

/// The page of the board, as `src/web` builds it.
const HTML: &str = include_str!("../../web/built/dashboard.html");

/// The page of a session. It is a separate page, so that the page of the board stays small.
const SESSION_HTML: &str = include_str!("../../web/built/live-session.html");

/// The page for a browser that another page or a file led to the server. It leads on to `/`,
/// because only then does the browser send the cookie. It keeps the part after `#`, which no server
/// receives.
const ENTRANCE: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>ccsession</title>\
<script>location.replace('/' + location.hash)</script>\
<p><a href=\"/\">Open the dashboard</a></p></html>\n";

/// A page with its content security policy.
#[derive(Debug)]
pub(super) struct WebPage {
    html: Bytes,
    policy: String,
}

impl WebPage {
    pub(super) fn dashboard() -> Self {
        Self::new(HTML)
    }

    pub(super) fn session() -> Self {
        Self::new(SESSION_HTML)
    }

    pub(super) fn entrance() -> Self {
        Self::new(ENTRANCE)
    }

    pub(super) fn answer(&self) -> Answer {
        page(StatusCode::OK, self.html.clone(), &self.policy)
    }

    fn new(html: &'static str) -> Self {
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; \
            base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            sources(html, "script"),
            sources(html, "style"),
        );
        Self {
            html: Bytes::from_static(html.as_bytes()),
            policy,
        }
    }
}

/// Returns the hashes of all elements with this name, in the form of the policy.
fn sources(html: &str, name: &str) -> String {
    let elements = elements(html, name);
    let sums = elements.map(|text| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))));
    let sums: Vec<String> = sums.collect();
    match sums.is_empty() {
        true => "'none'".to_owned(),
        false => sums.join(" "),
    }
}

/// Returns the content of each element with this name.
fn elements<'h>(html: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    let (start, end) = (format!("<{name}"), format!("</{name}>"));
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once(&start)?;
            rest = after;
            if !after.starts_with([' ', '>', '\n']) {
                continue;
            }
            let (_, content) = after.split_once('>')?;
            let (content, after) = content.split_once(&end)?;
            rest = after;
            return Some(content);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_what_is_in_the_page_and_nothing_else() {
        let page = WebPage::new(
            "<style>a{}</style><styles>x</styles><script type=\"module\">b()</script>\n<script>\n</script>",
        );
        let sum = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
        let scripts = format!("script-src {} {};", sum("b()"), sum("\n"));
        assert!(page.policy.contains(&scripts), "{}", page.policy);
        let styles = format!("style-src {};", sum("a{}"));
        assert!(page.policy.contains(&styles), "{}", page.policy);
        assert!(page.policy.starts_with("default-src 'none';"));
        assert!(!page.policy.contains("unsafe"), "{}", page.policy);
    }

    #[test]
    fn each_page_has_a_script_and_asks_nobody_else_for_anything() {
        for html in [HTML, SESSION_HTML] {
            let page = WebPage::new(html);
            assert!(
                !page.policy.contains("script-src 'none'"),
                "{}",
                page.policy
            );
            for address in ["http://", "https://", "src=\"/", "href=\"/"] {
                let from_elsewhere = html.match_indices(address).find(|(at, _)| {
                    // The name of SVG is written like an address.
                    let rest = html.get(*at..).unwrap_or_default();
                    !rest.starts_with("http://www.w3.org/")
                });
                assert_eq!(from_elsewhere, None);
            }
        }
    }
}
