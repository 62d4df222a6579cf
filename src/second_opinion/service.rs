//! The target in libpq's own format: a service with every parameter as the main run
//! resolved it, and the passwords for its hosts.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::Scene;
use super::earned::Earned;
use crate::config::{Endpoint, Place, SslMode};
use crate::secret::HIDDEN;

/// The name of our service.
pub const NAME: &str = "dbdoctor";
/// A path that leads nowhere for certain: libpq goes on without such a file.
pub const NO_FILE: &str = "/dev/null/none";
/// The longest line of a service file (fe-connect.c of libpq 13 and before: 256).
const LONGEST_LINE: usize = 250;

/// What decides how a server is reached and verified, and identifies nobody.
const VERIFICATION: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
];

/// Where a host of the list is to be dialled, where the list itself is not used.
pub struct Dialled<'a> {
    /// The host.
    pub endpoint: &'a Endpoint,
    /// In place of its own address and port: the near end of the tunnel to
    /// it, or the address that the run reached.
    pub at: Option<SocketAddr>,
}

/// The service's text; `None` where a parameter cannot be written down.
pub fn text(scene: &Scene<'_>, earned: Earned, only: Option<&Dialled<'_>>) -> Option<String> {
    let target = &scene.connected.target;
    let mut service = Service::new();
    for (name, parameter) in &target.report.parameters {
        let name = name.as_str();
        let elsewhere = matches!(
            name,
            "password" | "passfile" | "service" | "servicefile" | "sslpassword"
        );
        let moved = only.is_some() && matches!(name, "host" | "hostaddr" | "port");
        let withheld = earned.only_verification() && !VERIFICATION.contains(&name);
        if elsewhere || moved || withheld || parameter.origin.kind == "default" {
            continue;
        }
        if parameter.value.contains(HIDDEN) {
            return None;
        }
        service.set(name, &parameter.value)?;
    }
    if let Some(only) = only {
        service.dial(only)?;
    }
    if earned.only_verification() {
        // The roots verify as before, and nothing goes on without TLS.
        if target.tls.mode < SslMode::Require {
            service.set("sslmode", "require")?;
        }
        service.set("sslcert", NO_FILE)?;
        service.set("sslkey", NO_FILE)?;
        service.set("user", NAME)?;
        service.set("dbname", NAME)?;
    } else if let Some(password) = &target.tls.key_password {
        service.set("sslpassword", &password.expose())?;
    }
    let timeout = scene.connected.ctx.timeout.as_secs().max(2).to_string();
    for (name, value) in [
        // The resolved ones, whatever they came from.
        ("user", target.user.as_str()),
        ("dbname", target.dbname.as_str()),
        ("application_name", target.application_name.as_str()),
        // Never attempted by the run.
        ("gssencmode", "disable"),
        ("connect_timeout", timeout.as_str()),
    ] {
        if !service.has(name) {
            service.set(name, value)?;
        }
    }
    Some(service.text())
}

/// Parameters in the order in which they were first set.
struct Service(Vec<(String, String)>);

impl Service {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets one; `None` where a service file cannot hold it.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        let fits = name.len() + value.len() < LONGEST_LINE;
        let plain = !value.contains(['\n', '\r', '\0']) && value.trim() == value;
        if !fits || !plain {
            return None;
        }
        self.0.retain(|(set, _)| set != name);
        self.0.push((name.to_owned(), value.to_owned()));
        Some(())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(set, _)| set == name)
    }

    fn dial(&mut self, only: &Dialled<'_>) -> Option<()> {
        let endpoint = only.endpoint;
        let address = match endpoint.place {
            Place::Ip(ip, 0) => Some(ip.to_string()),
            Place::Ip(ip, scope) => Some(format!("{ip}%{scope}")),
            Place::Name(_) | Place::Unix(_) => None,
        };
        match &address {
            Some(address) if endpoint.host.is_empty() => self.set("host", address)?,
            _ => self.set("host", &endpoint.host)?,
        }
        match (only.at, &address) {
            (Some(at), _) => self.set("hostaddr", &at.ip().to_string())?,
            (None, Some(address)) => self.set("hostaddr", address)?,
            (None, None) => {}
        }
        let port = only.at.map_or(endpoint.port, |at| at.port());
        self.set("port", &port.to_string())
    }

    fn text(&self) -> String {
        let mut text = format!("[{NAME}]\n");
        for (name, value) in &self.0 {
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }
}

/// The password, or passwords.
pub enum Passwords {
    /// There is none.
    None,
    /// The same for every host.
    One(Vec<u8>),
    /// The lines of a password file for several hosts.
    File(Vec<u8>),
}

impl Passwords {
    /// For these hosts; `None` where they cannot be written down.
    pub fn of(endpoints: &[&Endpoint]) -> Option<Self> {
        let mut each: Vec<_> = endpoints
            .iter()
            .map(|endpoint| Some(endpoint.password.as_ref()?.secret.expose_bytes()))
            .collect();
        each.dedup();
        match each.as_slice() {
            [] | [None] => Some(Passwords::None),
            [Some(one)] if one.contains(&0) => None,
            [Some(one)] => Some(Passwords::One(one.to_vec())),
            _ => Self::file(endpoints).map(Passwords::File),
        }
    }

    /// A password file for several hosts.
    fn file(endpoints: &[&Endpoint]) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        for endpoint in endpoints {
            let Some(password) = &endpoint.password else {
                continue;
            };
            let host = match &endpoint.place {
                Place::Unix(_) => return None,
                Place::Ip(ip, _) if endpoint.host.is_empty() => ip.to_string(),
                _ => endpoint.host.clone(),
            };
            let secret = password.secret.expose_bytes();
            if secret.contains(&b'\n') || host.contains('\n') {
                return None;
            }
            lines.extend(escaped(host.as_bytes()));
            lines.extend(format!(":{}:*:*:", endpoint.port).bytes());
            lines.extend(escaped(&secret));
            lines.push(b'\n');
        }
        Some(lines)
    }
}

/// With `:` and `\` as a password file has them.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if matches!(byte, b':' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_escaped() {
        assert_eq!(escaped(b"a:b\\c"), b"a\\:b\\\\c");
    }
}
