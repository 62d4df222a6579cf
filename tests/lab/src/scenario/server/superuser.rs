//! The commands for the superuser where the server is behind a tunnel.

use anyhow::{Context, Result, ensure};

use crate::{Case, Expect, Lab, Need, Scenario};

/// Through the shared SSH server to a server whose role or database has no session left.
fn limited(lab: &Lab, limit: &str) -> Result<Case> {
    let pg = lab.new_postgres().sql(limit).start()?;
    let busy = pg.sessions(1)?;
    let port = pg.port();
    let case = Case::check(pg.conn()).password(lab.password());
    let case = case.ssh(lab.sshd()?.route()).keep((busy, pg));
    Ok(case.assert(move |report| {
        let first = &report["verdict"]["fixes"][0];
        let command = first["command"]
            .as_str()
            .with_context(|| first.to_string())?;
        let there = format!("psql -p {port} -U postgres -d postgres");
        ensure!(command.contains(&there), "{there:?} is not in {command}");
        let text = first["text"].as_str().unwrap_or_default();
        ensure!(text.starts_with("As a superuser on "), "{text}");
        // It is no name of this machine that is meant.
        ensure!(!text.contains("on localhost"), "{text}");
        Ok(())
    }))
}

const NEEDS: &[Need] = &[Need::Postgres, Need::Sshd, Need::Root];

/// Limits behind a tunnel.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-connections-role-tunnel",
        "the role's limit is reached, behind an SSH server",
        Expect::Fail("server.connections.role"),
        NEEDS,
        |lab| limited(lab, "alter role app connection limit 1"),
    ),
    Scenario::new(
        "server-connections-database-tunnel",
        "the database's limit is reached, behind an SSH server",
        Expect::Fail("server.connections.database"),
        NEEDS,
        |lab| limited(lab, "alter database appdb connection limit 1"),
    ),
];
