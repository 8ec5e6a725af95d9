//! An address of a web server, as settings name it.

use std::fmt;

use serde::Deserialize;

/// `http://` or `https://`, a host, perhaps a port, and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    host: String,
    port: u16,
    /// With the query, if there is one.
    path: String,
}

impl Url {
    /// Reads an address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let port = match port {
            "" => {
                if secure {
                    443
                } else {
                    80
                }
            }
            port => port.parse().ok()?,
        };
        let odd =
            |c: char| c.is_control() || c.is_whitespace() || "#@".contains(c) || !c.is_ascii();
        let fine = !host.is_empty() && !host.contains(odd) && !path.contains(odd);
        fine.then(|| Self { secure, host: host.to_owned(), port, path })
    }

    /// Whether it is HTTPS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path with its query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the server is on this machine, where nobody listens in.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|a| a.is_loopback())
    }

    /// For the `Host` field.
    #[must_use]
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "expected an address such as https://login.hamburger.edu/keys";
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in ["https://a.example/", "http://127.0.0.1:8/x?y=z", "https://[::1]:8443/k"] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), Some(text));
        }
        let bare = Url::parse("HTTPS://a.example?q").expect("an address");
        assert_eq!((bare.port(), bare.path(), bare.is_local()), (443, "/?q", false));
        assert!(Url::parse("http://[::1]").is_some_and(|url| url.is_local()));
        let wrong =
            ["", "a.example", "ftp://a/", "http://", "http://a b/", "http://u@a/", "http://a:x/"];
        for text in wrong.into_iter().chain(["http://[a]/", "http://[::1]x/", "http://a/\r\nX: y"])
        {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }
}
