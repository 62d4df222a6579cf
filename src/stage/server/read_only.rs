//! Sessions that a setting makes read-only, on a server that takes writes: what
//! turned default_transaction_read_only on, and how to lift it.

use crate::cause::{FixRow, server};
use crate::config::{Target, TargetSessionAttrs};
use crate::finding::Finding;

use super::Looked;
use super::facts::Facts;

/// The setting.
const SETTING: &str = "default_transaction_read_only";

/// What every name of a source is in a sentence, and what lifts it there
/// (PostgreSQL documentation, "pg_settings", and guc.c for the names).
struct Source {
    /// `pg_settings.source`.
    name: &'static str,
    /// Where it is set, as a template.
    place: &'static str,
    fix: FixRow,
}

const fn source(
    name: &'static str,
    place: &'static str,
    text: &'static str,
    command: Option<&'static str>,
) -> Source {
    Source {
        name,
        place,
        fix: FixRow { text, command },
    }
}

/// A reset has to be able to write where the setting holds for all.
macro_rules! reset {
    ($sql:literal, $variables:literal) => {
        concat!(
            "echo '",
            $sql,
            "' | PGOPTIONS='-c default_transaction_read_only=off' psql {superuser|-U postgres -d postgres}",
            $variables
        )
    };
}

const SOURCES: &[Source] = &[
    source(
        "database",
        "for database {set_database}",
        "Reset it for the database, as its owner or a superuser; open sessions keep it until \
         they end:",
        Some(reset!(
            "alter database :\"db\" reset default_transaction_read_only",
            " -v db={set_database}"
        )),
    ),
    source(
        "user",
        "for role {set_role}",
        "If the role should write, reset it, as the role itself or a superuser; open sessions \
         keep it until they end:",
        Some(reset!(
            "alter role :\"role\" reset default_transaction_read_only",
            " -v role={set_role}"
        )),
    ),
    source(
        "database user",
        "for role {set_role} in database {set_database}",
        "If the role should write in this database, reset it; open sessions keep it until they \
         end:",
        Some(reset!(
            "alter role :\"role\" in database :\"db\" reset default_transaction_read_only",
            " -v role={set_role} -v db={set_database}"
        )),
    ),
    source(
        "global",
        "for all roles",
        "Reset it for all roles, as a superuser; open sessions keep it until they end:",
        Some(reset!(
            "alter role all reset default_transaction_read_only",
            ""
        )),
    ),
    source(
        "configuration file",
        "{set_in|in the server's configuration}",
        "Check first whether the disk is full, the usual reason for this setting. Then undo \
         ALTER SYSTEM and reload; if it stays on, remove it from postgresql.conf:",
        Some(
            "psql {superuser|-U postgres -d postgres} -c 'alter system reset default_transaction_read_only' \
             -c 'select pg_reload_conf()'",
        ),
    ),
    source(
        "command line",
        "on the server's command line",
        "Start the server without -c default_transaction_read_only=on: its command line (service, \
         container or operator) sets it, which wins over every file.",
        None,
    ),
    source(
        "client",
        "by the client{set_by}",
        "Remove default_transaction_read_only from {options_of|the start-up options of the client, \
         or of the pooler that opened the server's session}.",
        None,
    ),
    source(
        "session",
        "in the session after the login",
        "Find what runs SET after the login: the pooler's connect_query or server_reset_query, \
         another client of the same pooled session, or a login trigger.",
        None,
    ),
];

/// What is known of the setting, where it makes sessions of a primary read-only.
pub(super) struct Setting<'a> {
    facts: &'a Facts,
    /// The source as the server names it.
    name: &'a str,
}

impl<'a> Setting<'a> {
    /// Reads it; `None` on a standby, and where sessions can write.
    pub(super) fn of(facts: &'a Facts) -> Option<Self> {
        let primary = facts.truth("in_recovery") == Some(false);
        let on = facts.truth(SETTING) == Some(true);
        (primary && on).then(|| Self {
            facts,
            name: facts.text("read_only_source").unwrap_or("unknown"),
        })
    }

    /// Adds where it is set, and first of all what lifts it.
    pub(super) fn explain(&self, finding: Finding, target: &Target) -> Finding {
        let facts = self.facts;
        let file = facts.text("read_only_file").map(str::to_owned);
        let line = facts.text("read_only_line").map(str::to_owned);
        let set_in = file.as_ref().map(|file| match &line {
            Some(line) => format!("in {file} line {line}"),
            None => format!("in {file}"),
        });
        let role = self.name.contains("user");
        let database = self.name.contains("database");
        let value = |name: &str| facts.text(name).map(str::to_owned);
        let options = options_from(target);
        let finding = finding
            .with("source", self.name.to_owned())
            .with("set_role", value("session_user").filter(|_| role))
            .with("set_database", value("database").filter(|_| database))
            .with("file", file)
            .with("line", line)
            .word("set_in", set_in)
            .word(
                "set_by",
                options.as_ref().map_or_else(
                    || ", in its start-up message".to_owned(),
                    |from| format!(", in options from {from}"),
                ),
            )
            .with("options_from", options.clone())
            .word(
                "options_of",
                options.map(|from| format!("options in {from}")),
            );
        match SOURCES.iter().find(|source| source.name == self.name) {
            Some(source) => {
                let place = finding.filled_text(source.place);
                finding
                    .word("place", place)
                    .with_fixes_of(std::slice::from_ref(&source.fix))
            }
            None => finding.word("unknown_place", "there"),
        }
    }
}

/// Where the target's own `options` come from, if they set it.
fn options_from(target: &Target) -> Option<String> {
    let options = target.report.parameters.get("options")?;
    let origin = &options.origin;
    let says = options.value.to_ascii_lowercase().contains(SETTING);
    let name = match (&origin.name, origin.kind.as_str()) {
        (Some(name), "service") => format!("service {name}"),
        (Some(name), _) => name.clone(),
        (None, kind) => kind.to_owned(),
    };
    says.then(|| match (&origin.file, origin.line) {
        (Some(file), Some(line)) => format!("{name} ({file} line {line})"),
        _ => name,
    })
}

impl Looked<'_> {
    /// The finding of a session that a setting keeps from writing, unless the
    /// target wants no more than to read.
    pub(super) fn read_only_setting(&self, facts: &Facts) -> Option<Finding> {
        use TargetSessionAttrs::{PreferStandby, ReadOnly};
        let setting = Setting::of(facts)?;
        let reads = matches!(self.target.session_attrs, ReadOnly | PreferStandby);
        let finding = || self.finding(&server::READ_ONLY_SETTING);
        (!reads).then(|| setting.explain(finding(), self.target))
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts;
    use super::*;

    #[test]
    fn only_a_primary_is_read_only_by_a_setting() {
        let judged = |recovery, on| {
            let facts = facts::with(&[("in_recovery", recovery), (SETTING, on)]);
            Setting::of(&facts).is_some()
        };
        assert!(judged("f", "on"));
        assert!(!judged("t", "on"));
        assert!(!judged("f", "off"));
        assert!(!judged("", "on"));
    }

    #[test]
    fn every_place_can_be_told() {
        let finding = Finding::new(&server::READ_ONLY_SETTING)
            .with("set_database", "ro")
            .with("set_role", "app")
            .word("set_by", "");
        for source in SOURCES {
            let place = finding.filled_text(source.place);
            assert!(
                place.is_some_and(|text| !text.contains('{')),
                "{}",
                source.name
            );
        }
    }
}
