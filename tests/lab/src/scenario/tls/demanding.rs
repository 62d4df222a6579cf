//! Ends of TLS in front of PostgreSQL that demand a client certificate, and
//! certificates whose names are no host names.

use super::*;

/// The target in front of a proxy with these words on its `bind` line, which ends TLS from the
/// first byte.
fn demanding(lab: &Lab, bind: &str, lines: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let bind = format!("ca-file {} {bind}", lab.ca_file().display());
    let server = format!("{}\n {lines}", pg.addr());
    let proxy = HaProxy::ending_tls(lab, &bind, &server)?;
    let conn = pg
        .conn()
        .set("port", proxy.port())
        .set("sslmode", "require");
    let case = Case::check(conn).password(lab.password()).keep(proxy);
    Ok(case.forbids("protocol.not-postgres"))
}

/// The first fix of the verdict must have these words.
fn advises(words: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let fix = &report["verdict"]["fixes"][0];
        ensure!(fix.to_string().contains(words), "{fix} has no {words}");
        Ok(())
    }
}

/// The first command of the verdict, which must connect as it stands.
fn mends(password: String) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let fixes = report["verdict"]["fixes"].as_array();
        let commands = fixes.into_iter().flatten();
        let command = commands.filter_map(|fix| fix["command"].as_str()).next();
        let command = command.unwrap_or_default();
        ensure!(command.contains("application_name=kept"), "{command}");
        let ran = std::process::Command::new("sh")
            .args(["-c", &format!("{command} -Atc 'select 1'")])
            .env("PGPASSWORD", &password)
            .output()?;
        ensure!(ran.stdout == b"1\n", "{command}: {ran:?}");
        Ok(())
    }
}

/// A server whose certificate has this common name and no other, verified in full.
fn named(lab: &Lab, common: &str) -> Result<Case> {
    let issued = lab.issue(CertSpec::server(common, &[], &[]))?;
    let pg = lab.new_postgres().tls(issued).start()?;
    let conn = verified(lab, pg.conn()).set("application_name", "kept");
    let case = Case::check(conn).password(lab.password());
    Ok(case.assert(mends(lab.password().to_owned())).keep(pg))
}

/// What connects to them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tls-end-demands-certificate",
        "a proxy that ends TLS demands a client certificate, under TLS 1.3",
        Expect::Fail("tls.client.required"),
        &[Need::Postgres, Need::HaProxy],
        |lab| Ok(demanding(lab, "verify required", "")?.assert(advises("service mesh"))),
    ),
    Scenario::new(
        "tls-end-demands-certificate-tls12",
        "a proxy that ends TLS demands a client certificate, under TLS 1.2",
        Expect::Fail("tls.client.required"),
        &[Need::Postgres, Need::HaProxy],
        |lab| demanding(lab, "verify required ssl-max-ver TLSv1.2", ""),
    ),
    Scenario::new(
        "tls-end-demands-certificate-itself",
        "a proxy that asks for a client certificate and hangs up after the handshake without one",
        Expect::Fail("tls.client.required"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let rule = "tcp-request content reject unless { ssl_c_used }";
            demanding(lab, "verify optional", rule)
        },
    ),
    Scenario::new(
        "tls-end-demands-certificate-alpn",
        "a proxy that knows PostgreSQL's protocol name and demands a client certificate",
        Expect::Fail("tls.direct-only"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let case = demanding(lab, "verify required alpn postgresql", "")?;
            Ok(case.assert(advises("sslcert and sslkey")))
        },
    ),
    Scenario::new(
        "tls-end-asks-for-certificate",
        "a proxy that asks for a client certificate and does without",
        Expect::Fail("tls.direct-only"),
        &[Need::Postgres, Need::HaProxy],
        |lab| demanding(lab, "verify optional", ""),
    ),
    Scenario::new(
        "tls-cert-hostname-instance",
        "the only name of the certificate is Cloud SQL's project:instance",
        Expect::Fail("tls.cert.hostname"),
        &[Need::Postgres],
        |lab| named(lab, "my-project:my-instance"),
    ),
    Scenario::new(
        "tls-cert-hostname-company",
        "the only name of the certificate is a company's",
        Expect::Fail("tls.cert.hostname"),
        &[Need::Postgres],
        |lab| named(lab, "Example Databases Ltd"),
    ),
    Scenario::new(
        "tls-cert-hostname-keeps-settings",
        "a certificate for another host; the command keeps the target's settings",
        Expect::Fail("tls.cert.hostname"),
        &[Need::Postgres],
        |lab| named(lab, "db.elsewhere.test"),
    ),
];
