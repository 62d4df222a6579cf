//! `config` alone: the files that TLS would want, where it would be used.

use anyhow::{Result, ensure};

use crate::{Case, CertSpec, Conn, Expect, Lab, Need, Oracle, Scenario};

const ALONE: Oracle = Oracle::None("config connects to nothing");
const MISSING: Expect = Expect::Warn("config.file.missing");
const NONE: &str = "/nonexistent/file";

/// `dbdoctor config` on the shared server with these settings.
fn config(lab: &Lab, settings: &[(&str, &str)]) -> Result<Case> {
    let set = |conn: Conn, (name, value): &(&str, &str)| conn.set(name, value);
    let conn = settings.iter().fold(lab.postgres()?.conn(), set);
    Ok(Case::check(conn).password(lab.password()).command("config"))
}

/// The warning names the setting, where it came from and its file.
fn naming(case: Case, parameter: &'static str, file: &'static str) -> Case {
    case.assert(move |report| {
        let evidence = &report["stages"][0]["findings"][0]["evidence"];
        ensure!(evidence["parameter"] == parameter, "{evidence}");
        ensure!(evidence["file"] == file, "{evidence}");
        ensure!(evidence["source"] == "TARGET", "{evidence}");
        Ok(())
    })
}

/// Nothing is said of any file.
fn silent(case: Case) -> Case {
    let causes = ["config.file.missing", "tls.root.missing", "tls.client.key"];
    causes.into_iter().fold(case, Case::forbids)
}

/// What is warned about, and where it is not.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "config-root-missing",
        "verify-full with a named root file that is not there",
        MISSING,
        &[Need::Postgres],
        |lab| {
            let case = config(lab, &[("sslmode", "verify-full"), ("sslrootcert", NONE)])?;
            Ok(naming(case, "sslrootcert", NONE))
        },
    )
    .oracle(ALONE),
    Scenario::new(
        "config-root-missing-require",
        "require with a named root file that is not there: libpq goes on without it",
        MISSING,
        &[Need::Postgres],
        |lab| {
            let case = config(lab, &[("sslmode", "require"), ("sslrootcert", NONE)])?;
            Ok(naming(case, "sslrootcert", NONE))
        },
    ),
    Scenario::new(
        "config-root-default-verify",
        "verify-ca, and no root file where it is looked for",
        Expect::Warn("tls.root.missing"),
        &[Need::Postgres],
        |lab| config(lab, &[("sslmode", "verify-ca")]),
    )
    .oracle(ALONE),
    Scenario::new(
        "config-root-empty",
        "a root file with no certificate in it",
        Expect::Warn("tls.root.invalid"),
        &[Need::Postgres],
        |lab| {
            let file = lab.file("empty.crt", b"", 0o644)?;
            let file = file.display().to_string();
            config(lab, &[("sslmode", "require"), ("sslrootcert", &file)])
        },
    )
    .oracle(ALONE),
    Scenario::new(
        "config-root-default-require",
        "require without a root file",
        Expect::Pass,
        &[Need::Postgres],
        |lab| Ok(silent(config(lab, &[("sslmode", "require")])?)),
    ),
    Scenario::new(
        "config-cert-missing",
        "a client certificate that is not there",
        MISSING,
        &[Need::Postgres],
        |lab| {
            let case = config(lab, &[("sslmode", "require"), ("sslcert", NONE)])?;
            Ok(naming(case, "sslcert", NONE))
        },
    ),
    Scenario::new(
        "config-cert-none",
        "no client certificate, written as libpq's users write it",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let settings = [("sslmode", "require"), ("sslcert", "/nonexistent")];
            Ok(silent(config(lab, &settings)?))
        },
    ),
    Scenario::new(
        "config-key-missing",
        "a client certificate without its key",
        Expect::Warn("config.file.missing"),
        &[Need::Postgres],
        |lab| {
            let client = lab.issue(CertSpec::client("app"))?;
            let (cert, _) = client.write(&lab.dir("client")?, "app")?;
            let cert = cert.display().to_string();
            let settings = [("sslmode", "prefer"), ("sslcert", &cert), ("sslkey", NONE)];
            Ok(config(lab, &settings)?.warns("tls.client.key"))
        },
    )
    .oracle(ALONE),
    Scenario::new(
        "config-key-open",
        "a client key that others may read",
        Expect::Warn("tls.client.key"),
        &[Need::Postgres],
        |lab| {
            use std::os::unix::fs::PermissionsExt;
            let client = lab.issue(CertSpec::client("app"))?;
            let (cert, key) = client.write(&lab.dir("client")?, "app")?;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
            let (cert, key) = (cert.display().to_string(), key.display().to_string());
            config(
                lab,
                &[("sslmode", "require"), ("sslcert", &cert), ("sslkey", &key)],
            )
        },
    )
    .oracle(ALONE),
    Scenario::new(
        "config-crl-missing",
        "a revocation list that is not there",
        MISSING,
        &[Need::Postgres],
        |lab| {
            let root = lab.ca_file().display().to_string();
            let settings = [
                ("sslmode", "verify-ca"),
                ("sslrootcert", &root),
                ("sslcrl", NONE),
            ];
            Ok(naming(config(lab, &settings)?, "sslcrl", NONE))
        },
    ),
    Scenario::new(
        "config-passfile-missing",
        "a password file that is not there, where a password would be read from it",
        MISSING,
        &[],
        |_| Ok(Case::target(format!("host=db passfile={NONE}")).command("config")),
    )
    .oracle(ALONE),
    Scenario::new(
        "config-files-disable",
        "TLS is off, and nobody wants the files",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let settings = [
                ("sslmode", "disable"),
                ("sslrootcert", NONE),
                ("sslcert", NONE),
                ("sslcrl", NONE),
                ("passfile", NONE),
                ("password", lab.password()),
            ];
            Ok(silent(config(lab, &settings)?.secret(lab.password())))
        },
    ),
    Scenario::new(
        "config-files-socket",
        "a unix socket, and nobody wants the files",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let socket = lab.postgres()?.socket_dir().display().to_string();
            let settings = [
                ("host", socket.as_str()),
                ("sslmode", "verify-full"),
                ("sslrootcert", NONE),
                ("sslkey", NONE),
            ];
            Ok(silent(config(lab, &settings)?))
        },
    ),
];
