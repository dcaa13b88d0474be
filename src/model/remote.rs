//! A repository on a server, named by the URL of its remote, as in OpenTelemetry. The URL has no
//! user, password or port. So all clones of a repository have the same one, and no secret is sent.

/// A repository on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// `https://{host}/{owner}/{name}` in lower case, whatever the protocol.
    pub url: String,
    /// The last part of the path.
    pub name: String,
    /// All parts of the path before the name.
    pub owner: Option<String>,
    /// The company that runs the server, for well-known hosts.
    pub provider: Option<&'static str>,
}

impl Remote {
    /// Reads the URL of a remote in the forms that git accepts. Returns `None` if it names no
    /// server, such as a path on this machine.
    pub fn parse(url: &str) -> Option<Self> {
        let url = url.trim();
        let (authority, path) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let known = ["https", "http", "ssh", "git", "git+ssh", "ssh+git"];
                let scheme = scheme.to_ascii_lowercase();
                known.contains(&scheme.as_str()).then_some(())?;
                rest.split_once('/')?
            }
            // `user@host:path`. A slash before the colon means a path on this machine.
            None => {
                let (authority, path) = url.split_once(':')?;
                if authority.contains('/') || authority.len() < 2 || path.starts_with('\\') {
                    return None;
                }
                (authority, path)
            }
        };
        let host = authority.rsplit('@').next()?;
        let host = match host.split_once(':') {
            Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => host,
            Some(_) => return None,
            None => host,
        };
        let path = path.split(['?', '#']).next()?.trim_matches('/');
        let path = path
            .strip_suffix(".git")
            .unwrap_or(path)
            .trim_end_matches('/');
        let (host, path) = (host.to_ascii_lowercase(), path.to_lowercase());
        let is_plain = |it: &str| !it.contains(|c: char| c.is_control() || c.is_whitespace());
        if host.is_empty() || !is_plain(&host) || !is_plain(&path) {
            return None;
        }
        let (owner, name) = match path.rsplit_once('/') {
            Some((owner, name)) => (Some(owner.to_owned()), name.to_owned()),
            None => (None, path.clone()),
        };
        (!name.is_empty()).then(|| Self {
            url: format!("https://{host}/{path}"),
            provider: provider(&host),
            name,
            owner,
        })
    }
}

/// Returns the company that runs a server, in the words of OpenTelemetry's conventions.
fn provider(host: &str) -> Option<&'static str> {
    match host {
        "github.com" => Some("github"),
        "gitlab.com" => Some("gitlab"),
        "bitbucket.org" => Some("bitbucket"),
        "gitea.com" => Some("gitea"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, Option<&str>)>) {
        let read = Remote::parse(url);
        let of = |it: &'_ Remote| (it.url.clone(), it.owner.clone());
        let expected = expected.map(|(url, owner)| (url.to_owned(), owner.map(str::to_owned)));
        assert_eq!(read.as_ref().map(of), expected, "{url}");
    }

    #[test]
    fn all_ways_to_name_a_repository_are_one() {
        let shop = Some(("https://github.com/acme/shop", Some("acme")));
        check("git@github.com:Acme/Shop.git", shop);
        check("https://github.com/acme/shop", shop);
        check("https://GitHub.com/Acme/Shop.git/", shop);
        check("https://me:secret@github.com/acme/shop.git", shop);
        check("ssh://git@github.com:2222/acme/shop.git", shop);
        check("github.com:acme/shop", shop);
        check("http://github.com:80/acme/shop", shop);
        let read = Remote::parse("git@github.com:Acme/Shop.git").unwrap();
        assert_eq!(
            (read.name.as_str(), read.provider),
            ("shop", Some("github"))
        );
    }

    #[test]
    fn the_owner_is_all_that_stands_before_the_name() {
        let deep = "https://gitlab.example/group/sub/shop";
        check(
            "git@gitlab.example:group/sub/shop.git",
            Some((deep, Some("group/sub"))),
        );
        check("ssh://host/shop", Some(("https://host/shop", None)));
        assert_eq!(Remote::parse(deep).unwrap().provider, None);
    }

    #[test]
    fn a_local_path_is_not_a_remote() {
        for url in [
            "/srv/shop.git",
            "../shop",
            "file:///srv/shop.git",
            "C:\\shop",
            "c:/shop",
            "",
            "shop",
            "https://",
            "https://host/",
            "./a:b/c",
            "https://ho st/a",
        ] {
            check(url, None);
        }
    }

    #[test]
    fn no_secret_of_a_url_is_kept() {
        let read = Remote::parse("https://oauth2:ghp_secret@host/a/b?token=secret#secret").unwrap();
        assert_eq!(read.url, "https://host/a/b");
    }
}
