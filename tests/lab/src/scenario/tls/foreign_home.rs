//! The default certificate in a directory that another user closed.

use std::os::unix::fs::{PermissionsExt, chown};

use super::*;

/// A home whose directory `closed` (below it, or itself) belongs to root and to nobody else;
/// dbdoctor runs as `nobody`.
fn closed(lab: &Lab, closed: &str) -> Result<Case> {
    let home = lab.dir("home")?;
    let directory = home.join(closed);
    fs::create_dir_all(&directory)?;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755))?;
    chown(&directory, Some(0), Some(0))?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
    let pg = lab.postgres()?;
    let conn = pg.conn().set("sslmode", "require");
    let case = Case::check(conn).password(lab.password()).home(home);
    Ok(case.run_as("nobody"))
}

fn tells_users(report: &Value) -> Result<()> {
    let said = |name| evidence(report, "tls.client.key", name);
    ensure!(said("owner") == "root", "{}", said("owner"));
    ensure!(said("runs_as") == "nobody", "{}", said("runs_as"));
    let fixes = report["verdict"]["fixes"].to_string();
    ensure!(fixes.contains("PGSSLCERT=/nonexistent"), "{fixes}");
    Ok(())
}

/// What connects.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tls-home-of-another",
        "HOME is root's, and the process is not",
        Expect::Fail("tls.client.key"),
        &[Need::Postgres, Need::Root],
        |lab| Ok(closed(lab, "")?.assert(tells_users)),
    ),
    Scenario::new(
        "tls-home-directory-of-another",
        "~/.postgresql was made by root",
        Expect::Fail("tls.client.key"),
        &[Need::Postgres, Need::Root],
        |lab| Ok(closed(lab, ".postgresql")?.assert(tells_users)),
    ),
    Scenario::new(
        "tls-home-of-another-mended",
        "HOME is root's, and PGSSLCERT names a file that does not exist",
        Expect::Pass,
        &[Need::Postgres, Need::Root],
        |lab| Ok(closed(lab, "")?.env("PGSSLCERT", "/nonexistent")),
    ),
];
