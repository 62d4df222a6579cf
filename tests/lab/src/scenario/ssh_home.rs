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

/// Files in both homes: the key is in `HOME` alone, and what the other home has of its own is
/// better than what `HOME` has under the same names.
fn in_both(lab: &Lab) -> Result<Case> {
    let case = through(lab, false)?;
    let (variable, database) = (&case.home, &case.database_home);
    let [variable, database] = [variable, database].map(|home| home.as_deref());
    let (variable, database) = (variable.context("no home")?, database.context("no home")?);
    let key = ".ssh/id_ed25519";
    fs::rename(database.join(key), variable.join(key))?;
    write_mode(&database.join(".ssh/config"), "# My own\n", 0o600)?;
    let misleading = "Host *\n HostName nowhere.invalid\n";
    write_mode(&variable.join(".ssh/config"), misleading, 0o600)?;
    write_mode(&variable.join(".ssh/known_hosts"), "", 0o600)?;
    Ok(case)
}

/// A user ID without an entry, which may add one.
fn may_be_added(lab: &Lab) -> Result<Case> {
    let mut case = through(lab, true)?.run_as("54321");
    let file = lab.dir("passwd")?.join("passwd");
    write_mode(&file, fs::read_to_string("/etc/passwd")?, 0o666)?;
    case.passwd = Some(file);
    Ok(case.assert(|report| {
        let text = report.to_string();
        ensure!(text.contains(">> /etc/passwd"), "no line to add: {text}");
        Ok(())
    }))
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
        |lab| {
            let case = through(lab, false)?.run_as("54321");
            Ok(case.assert(|report| {
                let text = report.to_string();
                ensure!(!text.contains(">> /etc/passwd"), "it cannot: {text}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-no-user-writable",
        "the user ID has no entry in the user database, and may add one",
        Expect::Fail("config.ssh.no-user"),
        NEEDS,
        may_be_added,
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "ssh-home-both",
        "the key lies in HOME, known_hosts and config in both homes",
        Expect::Fail("ssh.auth.method"),
        NEEDS,
        |lab| says_both(in_both(lab)?),
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
