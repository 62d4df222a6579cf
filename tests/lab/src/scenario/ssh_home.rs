//! Whose files ssh reads: those in the home directory of the user database, not of `HOME`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::certs::write_mode;
use crate::{Case, Expect, Lab, Need, Oracle, Scenario, Tool};

const NEEDS: &[Need] = &[Need::Root, Need::Postgres, Need::Sshd];

/// A home with these files of ssh.
fn home(lab: &Lab, name: &str, files: &[(&str, String)]) -> Result<PathBuf> {
    let home = lab.dir(name)?;
    fs::create_dir_all(home.join(".ssh"))?;
    for (name, text) in files {
        write_mode(&home.join(".ssh").join(name), text, 0o600)?;
    }
    Ok(home)
}

/// To the shared database through the shared server, named `alias` in the configuration, which
/// lies with the key and the known hosts in one of the homes. ssh is asked with no option
/// about them.
fn through(lab: &Lab, in_variable: bool) -> Result<Case> {
    let (pg, sshd) = (lab.postgres()?, lab.sshd()?);
    let known = fs::read_to_string(sshd.known_hosts())?;
    let key = fs::read_to_string(lab.client_key()?)?;
    let files = [("known_hosts", known), ("id_ed25519", key)];
    let (variable, database) = match in_variable {
        true => (home(lab, "variable", &files)?, home(lab, "database", &[])?),
        false => (home(lab, "variable", &[])?, home(lab, "database", &files)?),
    };
    let conn = pg.conn();
    let place = format!(
        "{}:{}",
        conn.get("host").context("no host")?,
        conn.get("port").context("no port")?
    );
    let ssh = Tool::new("ssh")
        .args(["-o", "BatchMode=yes", "-W", &place])
        .arg(format!("ssh://{}", sshd.destination()));
    Ok(Case::check(conn)
        .password(lab.password())
        .args(&["--ssh", &sshd.destination()])
        .home(variable)
        .database_home(database)
        .asks(ssh))
}

/// An alias that only the configuration in one of the homes knows.
fn alias(lab: &Lab, in_variable: bool) -> Result<Case> {
    let mut case = through(lab, in_variable)?;
    let sshd = lab.sshd()?;
    let text = format!(
        "Host bastion-canary\n HostName {}\n Port {}\n User {}\n IdentityFile ~/.ssh/id_ed25519\n UserKnownHostsFile %d/.ssh/known_hosts\n",
        sshd.host(),
        sshd.port(),
        lab.user()?
    );
    let home: &Path = match in_variable {
        true => case.home.as_deref(),
        false => case.database_home.as_deref(),
    }
    .context("no home")?;
    write_mode(&home.join(".ssh/config"), text, 0o600)?;
    for word in case
        .args
        .iter_mut()
        .filter(|word| **word == sshd.destination())
    {
        *word = "bastion-canary".to_owned();
    }
    if let Some(ssh) = &mut case.oracle {
        ssh.args.pop();
        ssh.args.push("bastion-canary".to_owned());
    }
    Ok(case)
}

fn says_both(case: Case) -> Result<Case> {
    let homes = [case.home.clone(), case.database_home.clone()];
    Ok(case.warns("config.ssh.home").assert(move |report| {
        let text = report.to_string();
        for home in homes.iter().flatten() {
            ensure!(
                text.contains(&*home.to_string_lossy()),
                "{home:?} is not named"
            );
        }
        Ok(())
    }))
}

/// The scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-home-variable",
        "key and known_hosts lie in HOME, which ssh does not look at",
        Expect::Fail("ssh.hostkey.unknown"),
        NEEDS,
        |lab| says_both(through(lab, true)?),
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-database",
        "key and known_hosts lie in the user's home, HOME is elsewhere",
        Expect::Pass,
        NEEDS,
        |lab| Ok(through(lab, false)?.forbids("config.ssh.home")),
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-alias-variable",
        "the alias is defined in the configuration in HOME alone",
        Expect::Fail("dns.nxdomain"),
        NEEDS,
        |lab| says_both(alias(lab, true)?),
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-alias-database",
        "alias, ~ and %d are those of the user's home",
        Expect::Pass,
        NEEDS,
        |lab| alias(lab, false),
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-no-user",
        "the user ID has no entry in the user database",
        Expect::Fail("config.ssh.no-user"),
        NEEDS,
        |lab| Ok(through(lab, false)?.run_as("54321")),
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-no-user-direct",
        "such a user needs no entry where ssh is not involved",
        Expect::Pass,
        &[Need::Root, Need::Postgres],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(case.run_as("54321"))
        },
    ),
];
