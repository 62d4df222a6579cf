//! Settings whose fixes are pasted commands.

use std::os::unix::fs::chown;

use anyhow::Result;

use crate::certs::write_mode;
use crate::{Case, Expect, Lab, Need, Oracle, Scenario};

/// Nothing names a server, and a dotenv file beside does.
fn beside(lab: &Lab, text: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let cwd = lab.dir("cwd")?;
    let text = text
        .replace("{host}", pg.host())
        .replace("{port}", &pg.port().to_string())
        .replace("{password}", lab.password());
    write_mode(&cwd.join(".env"), text, 0o600)?;
    let case = Case::new("check").cwd(cwd).secret(lab.password());
    Ok(case.warns("config.default.used"))
}

/// Settings whose fixes are pasted commands.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "config-default-url",
        "nothing names a server but DATABASE_URL in a dotenv file beside",
        Expect::Fail("tcp.socket-missing"),
        &[Need::Postgres],
        |lab| {
            let text = "DATABASE_URL=postgresql://app:{password}@{host}:{port}/appdb\n";
            beside(lab, text)
        },
    ),
    Scenario::new(
        "config-default-variables",
        "nothing names a server but the official image's variables in a dotenv file beside",
        Expect::Fail("tcp.socket-missing"),
        &[Need::Postgres],
        |lab| {
            let text = "POSTGRES_HOST={host}\nPOSTGRES_PORT={port}\nPOSTGRES_USER=app\n\
                        POSTGRES_DB=appdb\nPOSTGRES_PASSWORD={password}\n";
            Ok(beside(lab, text)?.password(lab.password()))
        },
    ),
    Scenario::new(
        "config-ssh-owner",
        "~/.ssh/config belongs to another user",
        Expect::Fail("config.ssh.permissions"),
        &[Need::Root],
        |lab| {
            let home = lab.dir("home")?;
            std::fs::create_dir(home.join(".ssh"))?;
            let file = home.join(".ssh/config");
            write_mode(&file, "Host *\n", 0o600)?;
            chown(&file, Some(65534), None)?;
            let case = Case::new("config").args(&["host=db", "--ssh", "bastion"]);
            Ok(case.home(home))
        },
    )
    .oracle(Oracle::None(
        "ssh takes the home directory from the user database",
    )),
];
