//! Connection strings.

use std::fmt;

/// Connection parameters in the order they were set, shown as a `key=value` conninfo string.
#[derive(Clone, Debug, Default)]
pub struct Conn(Vec<(String, String)>);

impl Conn {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter, in place of an earlier value.
    pub fn set(mut self, name: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        self
    }

    /// Leaves a parameter out.
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(n, _)| n != name);
        self
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The same as a URI; host, port, user, password and database in their usual places.
    pub fn url(&self) -> String {
        let part = |name| self.get(name).map(percent).unwrap_or_default();
        let mut url = String::from("postgresql://");
        url += &part("user");
        if self.get("password").is_some() {
            url += &format!(":{}", part("password"));
        }
        if self.get("user").is_some() {
            url.push('@');
        }
        let host = self.get("host").unwrap_or_default();
        url += &if host.contains(':') {
            format!("[{host}]")
        } else {
            percent(host)
        };
        if let Some(port) = self.get("port") {
            url += &format!(":{port}");
        }
        url += &format!("/{}", part("dbname"));
        let placed = ["user", "password", "host", "port", "dbname"];
        let rest = self
            .0
            .iter()
            .filter(|(name, _)| !placed.contains(&name.as_str()));
        for (i, (name, value)) in rest.enumerate() {
            url += &format!(
                "{}{name}={}",
                if i == 0 { '?' } else { '&' },
                percent(value)
            );
        }
        url
    }
}

impl fmt::Display for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.0.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            if value.is_empty() || value.contains([' ', '\'', '\\', '\n', '\t']) {
                let value = value.replace('\\', r"\\").replace('\'', r"\'");
                write!(f, "{space}{name}='{value}'")?;
            } else {
                write!(f, "{space}{name}={value}")?;
            }
        }
        Ok(())
    }
}

/// The text as it stands in a URI.
pub(crate) fn percent(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let encode = |b| {
        if keep(b) {
            (b as char).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(encode).collect()
}
