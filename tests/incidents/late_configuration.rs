//! Incident 4: the application holds settings that are no longer those in force.

use anyhow::{Result, ensure};
use dbdoctor_lab::{Dnsmasq, Tool};

use crate::replay::{Replay, Report, run};

/// The error names a host that the settings do not: `config` shows which are in force.
pub fn replay(replay: &Replay) -> Result<()> {
    // A machine whose name server has never heard of `db`, with its own database.
    let machine = replay.lab.netns()?;
    let _names = Dnsmasq::start(&replay.lab, &machine, "127.0.0.1", &[])?;
    let postgres = replay.lab.new_postgres().netns(&machine).start()?;
    let address = format!("{}:{}", postgres.host(), postgres.port());
    let url = format!("postgresql+psycopg2://app@{address}/appdb");
    let here = |tool: Tool| {
        let name = machine.name().to_owned();
        tool.env("DATABASE_URL", &url).netns(Some(name))
    };
    let application =
        |variant: &str| run(&here(replay.script("late_configuration.py")).arg(variant));

    let failed = application("original")?;
    ensure!(failed.status == Some(1), "{failed}");
    let words = "could not translate host name \"db\" to address";
    ensure!(failed.stderr.contains(words), "{failed}");
    let causes = replay.causes(&failed.stderr)?;
    let first: Vec<&str> = causes.iter().take(2).map(String::as_str).collect();
    ensure!(
        first == ["dns.container-name", "client.cached-settings"],
        "{causes:?}"
    );

    // The name is a container's, which nobody knows here.
    let dns = here(replay.dbdoctor(&["dns", "-h", "db"])?);
    Report::of(&dns)?.fails("dns.container-name")?;
    // The settings in force name another host, and it answers: the application holds older ones.
    let config = Report::of(&here(replay.dbdoctor(&["config"])?))?.passes()?;
    let host = &config.json["target"]["parameters"]["host"];
    ensure!(host["value"] == postgres.host(), "{host}");
    ensure!(host["origin"]["name"] == "DATABASE_URL", "{host}");
    Report::of(&here(replay.dbdoctor(&["check"])?))?.passes()?;

    let mended = application("mended")?;
    ensure!(mended.status == Some(0), "{mended}");
    ensure!(mended.stdout.contains("1 passed"), "{mended}");
    Ok(())
}
