//! What is wrong before any packet leaves, and what only looks so.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{Case, Conn, Expect, Lab, Need, Oracle, Scenario};

/// A target that libpq refuses, or that leads nowhere.
macro_rules! refused {
    ($name:literal, $about:literal, $code:literal, $target:expr) => {
        Scenario::new($name, $about, Expect::Fail($code), &[], |_| {
            Ok(Case::target($target).secret("c4n4").secret("rypw"))
        })
    };
}

/// Something that connects, with this verdict.
macro_rules! connects {
    ($name:literal, $about:literal, $expect:expr, $setup:expr) => {
        connects!($name, $about, $expect, Oracle::Psql, $setup)
    };
    ($name:literal, $about:literal, $expect:expr, $oracle:expr, $setup:expr) => {
        Scenario::new($name, $about, $expect, &[Need::Postgres], $setup).oracle($oracle)
    };
}

const OWN_SPELLING: Oracle = Oracle::None("libpq refuses another driver's spelling");

/// `app`'s conninfo with the password in it.
fn with_password(lab: &Lab) -> Result<Conn> {
    Ok(lab.postgres()?.conn().set("password", lab.password()))
}

/// A URI of a driver's own.
fn driver_url(lab: &Lab, scheme: &str, query: &str) -> Result<String> {
    let conn = with_password(lab)?;
    let url = conn.url();
    let url = url.split('?').next().unwrap_or_default();
    Ok(format!("{}{query}", url.replacen("postgresql:", scheme, 1)))
}

/// A home directory with these files, private ones.
fn home(lab: &Lab, files: &[(&str, &str)]) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let home = lab.dir("home")?;
    for (name, text) in files {
        let path = home.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(home)
}

fn origin(report: &Value, name: &str, expected: &str) -> Result<()> {
    let origin = &report["target"]["parameters"][name]["origin"];
    ensure!(origin["kind"] == expected, "{name} comes from {origin}");
    Ok(())
}

/// A bastion's configuration, for targets that are never reached.
fn ssh_config(lab: &Lab, text: &str) -> Result<Case> {
    let config = lab.file("ssh_config", text, 0o600)?;
    Ok(Case::new("config")
        .arg("host=db user=app")
        .arg("--ssh")
        .arg("bastion")
        .arg("--ssh-config")
        .arg(config.display())
        .asks(
            crate::Tool::new("ssh")
                .arg("-G")
                .arg("-F")
                .arg(config.display())
                .arg("bastion"),
        ))
}

/// The password `se:cret`, written so in a password file.
fn with_colon(lab: &Lab, written: &str) -> Result<Case> {
    let pg = lab
        .new_postgres()
        .sql("alter role app password 'se:cret'")
        .start()?;
    let home = home(lab, &[(".pgpass", &format!("*:*:*:app:{written}\n"))])?;
    Ok(Case::check(pg.conn()).home(home).keep(pg))
}

/// Settings.
pub const SCENARIOS: &[Scenario] = &[
    connects!(
        "config-passfile-elsewhere",
        "the home directory is another user's, who lets nobody in",
        Expect::Pass,
        |lab| {
            use std::os::unix::fs::PermissionsExt;
            let home = home(lab, &[(".pgpass", "*:*:*:*:c4n4rypw\n")])?;
            std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700))?;
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .home(home)
                .run_as("nobody")
                .forbids("config.file.missing"))
        }
    ),
    connects!(
        "config-keepalives-socket",
        "keepalives that the system does not take, and a unix socket in the list",
        Expect::Warn("config.param.invalid"),
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg
                .conn()
                .set("host", format!("127.0.0.1,{}", pg.socket_dir().display()))
                .set("keepalives_idle", "0");
            Ok(Case::check(conn).password(lab.password()))
        }
    ),
    refused!(
        "config-keepalives-tcp",
        "keepalives that the system does not take",
        "config.param.invalid",
        "host=127.0.0.1,::1 keepalives_idle=0 user=app"
    ),
    refused!(
        "config-url-within",
        "a URL in the place of a URL's host",
        "config.url.in-host",
        "postgres://app:c4n4rypw@https://127.0.0.1:5432/appdb"
    ),
    refused!(
        "config-url-encoded",
        "a URL that was percent-encoded as a whole",
        "config.url.syntax",
        "postgres%3A%2F%2Fapp%3Ac4n4rypw%40h%2Fx"
    ),
    refused!(
        "config-url-kubernetes",
        "a variable that Kubernetes did not fill in",
        "config.url.placeholder",
        "postgres://app:c4n4rypw@$(DB_HOST)/appdb"
    ),
    connects!(
        "config-password-blank",
        "a quoted password with a blank behind it, where none is asked for",
        Expect::Warn("config.whitespace"),
        |lab| {
            let conn = lab.postgres()?.conn().set("user", "postgres");
            let conn = conn.set("host", lab.postgres()?.socket_dir().display());
            Ok(Case::check(conn.set("password", "c4n4rypw ")))
        }
    ),
    refused!(
        "config-url-syntax",
        "a URI without its closing bracket",
        "config.url.syntax",
        "postgresql://app@[::1/appdb"
    ),
    refused!(
        "config-url-no-scheme",
        "user, password and host without a scheme",
        "config.url.syntax",
        "app:c4n4rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-one-slash",
        "one slash behind the scheme",
        "config.url.syntax",
        "postgres:/127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-other",
        "the URL of another database",
        "config.url.syntax",
        "mysql://app:c4n4rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-quote",
        "a quote that is not closed",
        "config.url.syntax",
        "host=127.0.0.1 port=1 password='c4n4rypw"
    ),
    refused!(
        "config-url-dotnet",
        "a connection string of .NET",
        "config.url.syntax",
        "Host=127.0.0.1;Port=1;Username=app;Password=c4n4rypw"
    ),
    refused!(
        "config-url-at",
        "an @ in the password",
        "config.url.unescaped",
        "postgresql://app:c4n4@rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-slash",
        "a / in the password",
        "config.url.unescaped",
        "postgresql://app:c4n4/rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-slash-number",
        "a / behind digits in the password",
        "config.url.unescaped",
        "postgresql://app:12/c4n4rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-percent",
        "a % in the password",
        "config.url.unescaped",
        "postgresql://app:c4n4%rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-url-question",
        "/ and ? in the password",
        "config.url.unescaped",
        "postgresql://app:c4n4/x?rypw@127.0.0.1:1/appdb"
    ),
    refused!(
        "config-placeholder",
        "a variable that nobody expanded",
        "config.url.placeholder",
        "postgresql://app:c4n4rypw@${DB_HOST}:5432/appdb"
    ),
    refused!(
        "config-placeholder-default",
        "a variable with a default",
        "config.url.placeholder",
        "postgresql://app:c4n4rypw@${DB_HOST:-db}:5432/appdb"
    ),
    refused!(
        "config-placeholder-template",
        "a template of a chart",
        "config.url.placeholder",
        "host={{.Values.host}} user=app"
    ),
    refused!(
        "config-placeholder-windows",
        "variables as Windows writes them",
        "config.url.placeholder",
        "postgresql://%USER%:%PASS%@%HOST%/appdb"
    ),
    refused!(
        "config-in-host",
        "host and port as host",
        "config.url.in-host",
        "host=127.0.0.1:5432 user=app"
    ),
    refused!(
        "config-in-host-url",
        "a URL as host",
        "config.url.in-host",
        "host=postgresql://app:c4n4rypw@127.0.0.1/appdb user=app"
    ),
    refused!(
        "config-in-host-folder",
        "a socket directory whose path does not begin with /",
        "config.url.in-host",
        "host=var/run/postgresql user=app"
    ),
    refused!(
        "config-in-host-home",
        "a socket directory in the home",
        "config.url.in-host",
        "host=~/sockets user=app"
    ),
    refused!(
        "config-port-range",
        "port 99999",
        "config.param.invalid",
        "postgresql://app@127.0.0.1:99999/appdb"
    ),
    refused!(
        "config-port-zero",
        "port 0",
        "config.param.invalid",
        "host=127.0.0.1 port=0 user=app"
    ),
    refused!(
        "config-port-letters",
        "a port with letters",
        "config.param.invalid",
        "postgresql://app:c4n4rypw@127.0.0.1:54x2/appdb"
    ),
    refused!(
        "config-sslmode",
        "sslmode=requires",
        "config.param.invalid",
        "host=127.0.0.1 user=app sslmode=requires"
    ),
    refused!(
        "config-timeout",
        "connect_timeout=5s",
        "config.param.invalid",
        "host=127.0.0.1 port=1 user=app connect_timeout=5s"
    ),
    refused!(
        "config-hostaddr",
        "a name as hostaddr",
        "config.param.invalid",
        "hostaddr=localhost port=1 user=app"
    ),
    refused!(
        "config-param-unknown",
        "a parameter that nobody knows",
        "config.param.unknown",
        "host=127.0.0.1 user=app hots=127.0.0.1"
    ),
    refused!(
        "config-param-secret",
        "a blank within the password",
        "config.param.unknown",
        "host=127.0.0.1 user=app password=c4n4 rypw=x"
    ),
    refused!(
        "config-conflict-direct",
        "direct TLS, perhaps",
        "config.param.conflict",
        "host=127.0.0.1 user=app sslnegotiation=direct"
    ),
    refused!(
        "config-conflict-ports",
        "two ports for one host",
        "config.param.conflict",
        "host=127.0.0.1 port=1,2 user=app"
    ),
    refused!(
        "config-conflict-tls",
        "the lowest TLS version above the highest",
        "config.param.conflict",
        "host=127.0.0.1 user=app ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2"
    ),
    refused!(
        "config-whitespace-quotes",
        "a URL in quotes",
        "config.whitespace",
        "\"postgresql://app:c4n4rypw@127.0.0.1:1/appdb\""
    ),
    refused!(
        "config-whitespace-before",
        "a blank before the URL",
        "config.whitespace",
        " postgresql://app:c4n4rypw@127.0.0.1:1/appdb"
    ),
    Scenario::new("config-keepalives-zero", "keepalives_idle=0, which the system refuses and libpq with it", Expect::Fail("config.param.invalid"), &[Need::Postgres], |lab| {
            let conn = lab.postgres()?.conn().set("keepalives_idle", 0);
            Ok(Case::check(conn).password(lab.password()))
        }),
    Scenario::new("config-keepalives-off", "keepalives_idle=0 with keepalives=0: nobody reads it", Expect::Pass, &[Need::Postgres], |lab| {
            let conn = lab.postgres()?.conn().set("keepalives", 0);
            let conn = conn.set("keepalives_idle", 0);
            Ok(Case::check(conn).password(lab.password()))
        }),
    Scenario::new("config-conflict-system", "the system's authorities without the name", Expect::Fail("config.param.conflict"), &[], |_| {
            Ok(Case::target(
                "host=127.0.0.1 port=1 user=app sslrootcert=system sslmode=require",
            ))
        }).oracle(Oracle::None("psql 15 does not know sslrootcert=system")),
    Scenario::new("config-url-space", "a space in the password", Expect::Fail("config.url.unescaped"), &[], |_| {
            Ok(Case::target("postgresql://app:c4n4 rypw@127.0.0.1:1/appdb")
                .secret("c4n4")
                .secret("rypw"))
        }),
    Scenario::new("config-url-empty", "an empty --url, from a secret that is not set", Expect::Fail("config.url.syntax"), &[], |_| Ok(Case::new("check").arg("--url="))).oracle(Oracle::None("psql would take defaults")),
    Scenario::new("config-user-unknown", "a system user without a name, and no user given", Expect::Fail("config.user.unknown"), &[Need::Root], |lab| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(lab.root(), std::fs::Permissions::from_mode(0o755))?;
            Ok(Case::target("host=127.0.0.1 port=1").run_as("54321"))
        }),
    connects!(
        "config-url-hash",
        "a # in the password, which libpq takes as meant",
        Expect::Warn("config.url.unescaped"),
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app password 'c4n4#rypw:x'")
                .start()?;
            let url = pg.conn().url().replacen("app@", "app:c4n4#rypw:x@", 1);
            Ok(Case::target(url).secret("c4n4").secret("rypw").keep(pg))
        }
    ),
    connects!(
        "config-placeholder-password",
        "a password that looks like a template",
        Expect::Warn("config.url.placeholder"),
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app password '<c4n4rypw>'")
                .start()?;
            let url = pg.conn().url().replacen("app@", "app:<c4n4rypw>@", 1);
            Ok(Case::target(url).secret("c4n4").secret("rypw").keep(pg))
        }
    ),
    connects!(
        "config-password-line-end",
        "a line end behind the right password",
        Expect::Fail("auth.password.wrong"),
        |lab| {
            let case = Case::check(lab.postgres()?.conn());
            Ok(case
                .env("PGPASSWORD", format!("{}\n", lab.password()))
                .secret(lab.password())
                .warns("config.whitespace"))
        }
    ),
    connects!(
        "config-param-prisma",
        "Prisma's parameters",
        Expect::Warn("config.param.unknown"),
        OWN_SPELLING,
        |lab| {
            Ok(Case::target(driver_url(
                lab,
                "postgresql:",
                "?schema=public&connection_limit=5&pgbouncer=true",
            )?))
        }
    ),
    connects!(
        "config-driver-sqlalchemy",
        "SQLAlchemy's dialect and parameters",
        Expect::Pass,
        OWN_SPELLING,
        |lab| {
            Ok(
                Case::target(driver_url(lab, "postgresql+asyncpg:", "?ssl=require")?)
                    .forbids("config.param.unknown"),
            )
        }
    ),
    connects!(
        "config-driver-jdbc",
        "a JDBC URL",
        Expect::Pass,
        OWN_SPELLING,
        |lab| {
            let conn = lab.postgres()?.conn();
            let get = |name| conn.get(name).unwrap_or_default().to_owned();
            let url = format!(
                "jdbc:postgresql://{}:{}/{}?user={}&password={}&currentSchema=public&prepareThreshold=0",
                get("host"),
                get("port"),
                get("dbname"),
                get("user"),
                lab.password()
            );
            Ok(Case::target(url)
                .secret(lab.password())
                .forbids("config.param.unknown"))
        }
    ),
    connects!(
        "config-driver-no-verify",
        "node-postgres without verification",
        Expect::Warn("config.param.unknown"),
        OWN_SPELLING,
        |lab| {
            Ok(Case::target(driver_url(
                lab,
                "postgres:",
                "?sslmode=no-verify",
            )?))
        }
    ),
    connects!(
        "config-ssl-true",
        "ssl=true, which libpq translates",
        Expect::Pass,
        |lab| {
            Ok(Case::target(driver_url(lab, "postgresql:", "?ssl=true")?)
                .forbids("config.param.unknown"))
        }
    ),
    connects!(
        "config-bare",
        "a bare host and port",
        Expect::Pass,
        Oracle::None("psql takes it for a database"),
        |lab| {
            let conn = lab.postgres()?.conn();
            let get = |name| conn.get(name).unwrap_or_default().to_owned();
            Ok(Case::new("check")
                .arg(format!("{}:{}", get("host"), get("port")))
                .args(&["-U", "app", "-d", "appdb"])
                .password(lab.password()))
        }
    ),
    connects!(
        "config-sources",
        "DATABASE_URL names one server, PGHOST another",
        Expect::Warn("config.sources.conflict"),
        |lab| {
            let conn = with_password(lab)?;
            Ok(Case::new("check")
                .env("DATABASE_URL", conn.url())
                .env("PGHOST", "other.test")
                .asks_psql(conn)
                .secret(lab.password()))
        }
    ),
    connects!(
        "config-sources-dotenv",
        "the environment names one server, .env another",
        Expect::Warn("config.sources.conflict"),
        |lab| {
            let conn = lab.postgres()?.conn();
            let get = |name| conn.get(name).unwrap_or_default().to_owned();
            let cwd = lab.dir("cwd")?;
            std::fs::write(
                cwd.join(".env"),
                "DATABASE_URL=postgresql://app:c4n4rypw@db/appdb\n",
            )?;
            Ok(Case::new("check")
                .env("PGHOST", get("host"))
                .env("PGPORT", get("port"))
                .env("PGUSER", "app")
                .env("PGDATABASE", "appdb")
                .password(lab.password())
                .secret("c4n4rypw")
                .cwd(cwd))
        }
    ),
    connects!(
        "config-dotenv-mentioned",
        "the command line names one server, .env another",
        Expect::Pass,
        |lab| {
            let cwd = lab.dir("cwd")?;
            std::fs::write(cwd.join(".env"), "PGHOST=db\nPGPASSWORD=c4n4rypw\n")?;
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .secret("c4n4rypw")
                .forbids("config.sources.conflict")
                .assert(|report| {
                    let told = &report["stages"][0]["facts"]["dotenv"]["value"];
                    ensure!(told == "db", "the dotenv file is not mentioned: {told}");
                    Ok(())
                })
                .cwd(cwd))
        }
    ),
    Scenario::new("config-default", "nothing names a server but a dotenv file beside", Expect::Warn("config.default.used"), &[], |lab| {
            let cwd = lab.dir("cwd")?;
            std::fs::write(
                cwd.join(".env"),
                "POSTGRES_HOST=db\nPOSTGRES_PASSWORD=c4n4rypw\n",
            )?;
            Ok(Case::new("config").secret("c4n4rypw").cwd(cwd))
        }).oracle(Oracle::None("nothing is connected to")),
    connects!(
        "config-env-file",
        "everything from a dotenv file",
        Expect::Pass,
        |lab| {
            let conn = lab.postgres()?.conn();
            let get = |name| conn.get(name).unwrap_or_default().to_owned();
            let text = format!(
                "export PGHOST='{}' # here\nPORT={}\nPGPORT=${{PORT}}\nDATABASE_URL=\"postgresql://app:{}@${{PGHOST}}:${{PGPORT}}/appdb\"\n",
                get("host"),
                get("port"),
                lab.password()
            );
            let file = lab.file("settings.env", text, 0o600)?;
            let target = with_password(lab)?;
            Ok(Case::new("check")
                .arg("--env-file")
                .arg(file.display())
                .asks_psql(target)
                .secret(lab.password())
                .assert(|report| origin(report, "host", "env-file")))
        }
    ),
    Scenario::new("config-env-file-missing", "a dotenv file that is not there", Expect::Fail("config.file.missing"), &[], |_| Ok(Case::new("check").args(&["--env-file", "/nonexistent/.env"]))).oracle(Oracle::None("psql has no such flag")),
    Scenario::new("config-env-file-syntax", "a dotenv file with an open quote", Expect::Fail("config.env-file.syntax"), &[], |lab| {
            let file = lab.file("bad.env", "PGHOST=db\nPGPASSWORD='c4n4rypw\n", 0o600)?;
            Ok(Case::new("check")
                .arg("--env-file")
                .arg(file.display())
                .secret("c4n4rypw"))
        }).oracle(Oracle::None("psql has no such flag")),
    connects!(
        "config-service",
        "everything from a service",
        Expect::Pass,
        |lab| {
            let conn = lab.postgres()?.conn();
            let get = |name| conn.get(name).unwrap_or_default().to_owned();
            let text = format!(
                "# services\n[lab]\nhost={}\nport={}\nuser=app\ndbname=appdb\n",
                get("host"),
                get("port")
            );
            let home = home(lab, &[(".pg_service.conf", &text)])?;
            Ok(Case::target("service=lab")
                .password(lab.password())
                .home(home)
                .assert(|report| origin(report, "host", "service")))
        }
    ),
    Scenario::new("config-service-missing", "a service that is not defined", Expect::Fail("config.service.missing"), &[], |lab| {
            let home = home(lab, &[(".pg_service.conf", "[other]\nhost=127.0.0.1\n")])?;
            Ok(Case::target("service=lab").home(home))
        }),
    Scenario::new("config-service-syntax", "a service file with a line that is none", Expect::Fail("config.service.syntax"), &[], |lab| {
            let home = home(lab, &[(".pg_service.conf", "[lab]\nhost\n")])?;
            Ok(Case::target("service=lab").home(home))
        }),
    Scenario::new("config-service-blanks", "a service file with blanks around =", Expect::Fail("config.param.unknown"), &[], |lab| {
            let home = home(lab, &[(".pg_service.conf", "[lab]\nhost = 127.0.0.1\n")])?;
            Ok(Case::target("service=lab").home(home))
        }),
    connects!(
        "config-passfile",
        "the password from a password file",
        Expect::Pass,
        |lab| {
            let conn = lab.postgres()?.conn();
            let text = format!(
                "# x\nother:*:*:*:no\n{}:*:*:app:{}\n",
                conn.get("host").unwrap_or("*"),
                lab.password()
            );
            let home = home(lab, &[(".pgpass", &text)])?;
            Ok(Case::check(conn)
                .home(home)
                .secret(lab.password())
                .assert(|report| origin(report, "password", "passfile")))
        }
    ),
    connects!(
        "config-passfile-colon",
        "a password file whose password has a colon",
        Expect::Fail("auth.password.wrong"),
        |lab| Ok(with_colon(lab, "se:cret")?.warns("config.passfile.colon"))
    ),
    connects!(
        "config-passfile-colon-escaped",
        "the same, with a backslash before the colon",
        Expect::Pass,
        |lab| Ok(with_colon(lab, "se\\:cret")?.forbids("config.passfile.colon"))
    ),
    connects!(
        "config-passfile-open",
        "a password file that others may read",
        Expect::Fail("auth.password.missing"),
        |lab| {
            use std::os::unix::fs::PermissionsExt;
            let conn = lab.postgres()?.conn();
            let home = home(
                lab,
                &[(".pgpass", &format!("*:*:*:*:{}\n", lab.password()))],
            )?;
            std::fs::set_permissions(home.join(".pgpass"), std::fs::Permissions::from_mode(0o644))?;
            Ok(Case::check(conn)
                .home(home)
                .secret(lab.password())
                .warns("config.passfile.permissions"))
        }
    ),
    connects!(
        "config-passfile-open-unused",
        "a password file that others may read, and PGPASSWORD",
        Expect::Pass,
        |lab| {
            use std::os::unix::fs::PermissionsExt;
            let conn = lab.postgres()?.conn();
            let home = home(lab, &[(".pgpass", "*:*:*:*:c4n4rypw\n")])?;
            std::fs::set_permissions(home.join(".pgpass"), std::fs::Permissions::from_mode(0o644))?;
            Ok(Case::check(conn)
                .home(home)
                .password(lab.password())
                .secret("c4n4rypw")
                .forbids("config.passfile.permissions"))
        }
    ),
    connects!(
        "config-passfile-nomatch",
        "a password file for another port",
        Expect::Fail("auth.password.missing"),
        |lab| {
            let conn = lab.postgres()?.conn();
            let home = home(
                lab,
                &[(".pgpass", &format!("*:1:*:*:{}\n", lab.password()))],
            )?;
            Ok(Case::check(conn)
                .home(home)
                .secret(lab.password())
                .warns("config.passfile.nomatch"))
        }
    ),
    Scenario::new("config-passfile-open-config", "config alone, with a password file that others may read", Expect::Warn("config.passfile.permissions"), &[], |lab| {
            use std::os::unix::fs::PermissionsExt;
            let home = home(lab, &[(".pgpass", "*:*:*:*:c4n4rypw\n")])?;
            std::fs::set_permissions(home.join(".pgpass"), std::fs::Permissions::from_mode(0o640))?;
            Ok(Case::target("host=db user=app")
                .command("config")
                .home(home)
                .secret("c4n4rypw"))
        }).oracle(Oracle::None("nothing is connected to")),
    Scenario::new("config-passfile-nomatch-config", "config alone, with a password file for another host", Expect::Warn("config.passfile.nomatch"), &[], |lab| {
            let home = home(lab, &[(".pgpass", "other:*:*:*:c4n4rypw\n")])?;
            Ok(Case::target("host=db user=app")
                .command("config")
                .home(home)
                .secret("c4n4rypw"))
        }).oracle(Oracle::None("nothing is connected to")),
    connects!(
        "config-file-missing-cert",
        "a client certificate that is not there, and nobody asks for",
        Expect::Warn("config.file.missing"),
        |lab| {
            let conn = lab
                .postgres()?
                .conn()
                .set("sslmode", "require")
                .set("sslcert", "/nonexistent/client.crt");
            Ok(Case::check(conn).password(lab.password()))
        }
    ),
    connects!(
        "config-whitespace-url",
        "a blank behind the URL, which libpq 18 drops",
        Expect::Warn("config.whitespace"),
        Oracle::None("psql 15 takes it for a piece of the database"),
        |lab| {
            Ok(Case::target(format!("{} ", with_password(lab)?.url())).secret(lab.password()))
        }
    ),
    connects!(
        "config-address-elsewhere",
        "PGHOSTADDR decides where the named host is",
        Expect::Warn("config.sources.conflict"),
        |lab| {
            let conn = lab.postgres()?.conn();
            let address = conn.get("host").unwrap_or_default().to_owned();
            let conn = conn.set("host", "db.invalid");
            Ok(Case::check(conn)
                .env("PGHOSTADDR", address)
                .password(lab.password()))
        }
    ),
    connects!(
        "config-not-host",
        "the host is a forbidden one",
        Expect::Fail("server.wrong-identity"),
        Oracle::None("psql has no such guard"),
        |lab| {
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .args(&["--not-host", "127.0.0.*"]))
        }
    ),
    connects!(
        "config-not-host-other",
        "the host is not a forbidden one",
        Expect::Pass,
        |lab| {
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .args(&["--not-host", "*.prod.test"]))
        }
    ),
    Scenario::new("config-ssh-syntax", "an option that ssh does not know, for another host", Expect::Fail("config.ssh.syntax"), &[Need::Sshd], |lab| ssh_config(lab, "Host other\n  UseKeychains yes\n")).oracle(Oracle::Own),
    Scenario::new("config-ssh-unsupported", "host keys in DNS", Expect::Warn("config.ssh.unsupported"), &[Need::Sshd], |lab| ssh_config(lab, "Host bastion\n  VerifyHostKeyDNS yes\n")).oracle(Oracle::Own),
    Scenario::new("config-ssh-loop", "every host is reached through the bastion, the bastion too", Expect::Fail("config.ssh.loop"), &[Need::Sshd], |lab| ssh_config(lab, "Host *\n  ProxyJump bastion\n")).oracle(Oracle::Own),
    Scenario::new("config-ssh-fine", "a configuration as people have it", Expect::Pass, &[Need::Sshd], |lab| {
            let text = "Host *\n  ServerAliveInterval 60\n  ControlMaster auto\n  ControlPath ~/.ssh/%C\n  AddKeysToAgent yes\n  ForwardAgent no\n  SendEnv LANG LC_*\n  HashKnownHosts yes\n  IdentitiesOnly yes\nHost bastion b?\n  HostName 127.0.0.1\n  Port 2222\n  User ops\nMatch host 127.0.0.1 user ops\n  StrictHostKeyChecking accept-new\n";
            ssh_config(lab, text)
        }).oracle(Oracle::Own),
    Scenario::new("config-ssh-permissions", "~/.ssh/config that everybody may write", Expect::Fail("config.ssh.permissions"), &[], |lab| {
            use std::os::unix::fs::PermissionsExt;
            let home = home(lab, &[(".ssh/config", "Host *\n")])?;
            let open = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(home.join(".ssh/config"), open)?;
            Ok(Case::new("config")
                .args(&["host=db", "--ssh", "bastion"])
                .home(home))
        }).oracle(Oracle::None("ssh takes the home directory from the user database")),
    Scenario::new("config-ssh-known-hosts-missing", "a known_hosts file that is not there", Expect::Warn("config.file.missing"), &[], |_| {
            let args = [
                "host=db",
                "--ssh",
                "bastion",
                "--ssh-known-hosts",
                "/nonexistent/known_hosts",
            ];
            Ok(Case::new("config").args(&args))
        }).oracle(Oracle::None("nothing is connected to")),
    Scenario::new("config-ssh-missing", "an SSH configuration that is not there", Expect::Fail("config.file.missing"), &[], |_| {
            let args = [
                "host=db",
                "--ssh",
                "bastion",
                "--ssh-config",
                "/nonexistent/config",
            ];
            Ok(Case::new("config").args(&args))
        }).oracle(Oracle::None("nothing is connected to")),
];
