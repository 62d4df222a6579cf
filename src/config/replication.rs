//! `replication`, which libpq sends as it is, read as the server reads it.

/// The kind of walsender that a session is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// Without a database: base backups, standbys.
    Physical,
    /// `database`: logical decoding, and SQL.
    Logical,
}

impl Replication {
    /// What a value asks for (`ProcessStartupPacket`, `parse_bool`); none for an
    /// ordinary session, and for a value that the server refuses.
    pub fn of(value: &str) -> Option<Self> {
        if value == "database" {
            return Some(Self::Logical);
        }
        let value = value.to_ascii_lowercase();
        let is_start_of = |word: &str| !value.is_empty() && word.starts_with(&value);
        let on = is_start_of("true") || is_start_of("yes") || value == "on" || value == "1";
        on.then_some(Self::Physical)
    }

    /// As it is called in the facts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Logical => "logical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_server() {
        for value in ["true", "TRUE", "t", "tr", "yes", "y", "on", "ON", "1"] {
            assert_eq!(
                Replication::of(value),
                Some(Replication::Physical),
                "{value}"
            );
        }
        assert_eq!(Replication::of("database"), Some(Replication::Logical));
        for value in ["", "false", "off", "no", "0", "o", "Database", "perhaps"] {
            assert_eq!(Replication::of(value), None, "{value}");
        }
    }
}
