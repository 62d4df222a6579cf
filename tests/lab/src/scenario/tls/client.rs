//! The client's certificate.

use super::*;

const REJECTED: Expect = Expect::Fail("tls.client.rejected");
const REQUIRED: Expect = Expect::Fail("tls.client.required");
const CLIENT_KEY: Expect = Expect::Fail("tls.client.key");

/// No certificate.
const WANTS_NONE: &str = "hostssl all all all scram-sha-256";

/// The certificate alone, for the role of its name.
const WANTS_CERT: &str = "hostssl all all all cert";

/// Any certificate that the authority issued, and the password.
const WANTS_ANY: &str = "hostssl all all all scram-sha-256 clientcert=verify-ca";

/// How `app` comes with this certificate and key.
fn coming_with(lab: &Lab, pg: Postgres, cert: &Path, key: &Path) -> Case {
    let conn = pg
        .conn()
        .set("sslmode", "require")
        .set("sslcert", cert.display())
        .set("sslkey", key.display());
    Case::check(conn).password(lab.password()).keep(pg)
}

/// A server that wants a client certificate of the lab's authority for the role.
fn wanting(lab: &Lab, hba: &str) -> Result<Postgres> {
    lab.new_postgres()
        .tls(lab.issue(lab.cert())?)
        .file("client-ca.crt", lab.ca().cert().to_pem()?)
        .conf("ssl_ca_file", "client-ca.crt")
        .hba(hba)
        .start()
}

/// A key file in the hands of `app`, whose certificate is good.
fn with_key(lab: &Lab, key: impl FnOnce(&PKey<Private>) -> Result<(Vec<u8>, u32)>) -> Result<Case> {
    let pg = wanting(lab, WANTS_ANY)?;
    let client = lab.issue(CertSpec::client("app"))?;
    let (cert, _) = client.write(&lab.dir("client")?, "app")?;
    let (bytes, mode) = key(&client.key)?;
    let key = lab.file("app.key", bytes, mode)?;
    Ok(coming_with(lab, pg, &cert, &key))
}

/// The same with a certificate issued for the purpose.
fn coming_as(lab: &Lab, hba: &str, client: &Issued, max: &str) -> Result<Case> {
    let pg = wanting(lab, hba)?;
    let (cert, key) = client.write(&lab.dir("client")?, "app")?;
    let case = coming_with(lab, pg, &cert, &key);
    let conn = case.conn.clone().unwrap_or_default();
    Ok(Case {
        guard: case.guard,
        ..Case::check(conn.set("ssl_max_protocol_version", max)).password(lab.password())
    })
}

/// The client's certificate.
pub const SCENARIOS: &[Scenario] = &[
    // ---- The client's certificate ----
    Scenario::new(
        "tls-client-healthy",
        "a client certificate in place of a password",
        PASS,
        &[Need::Postgres],
        |lab| coming_as(lab, WANTS_CERT, &lab.issue(CertSpec::client("app"))?, ""),
    ),
    Scenario::new(
        "tls-client-unwanted-healthy",
        "a client certificate that nobody asks for",
        PASS,
        &[Need::Postgres],
        |lab| {
            let client = lab.issue(CertSpec::client("app"))?;
            let (cert, key) = client.write(&lab.dir("client")?, "app")?;
            let pg = lab.new_postgres().tls(lab.issue(lab.cert())?).start()?;
            Ok(coming_with(lab, pg, &cert, &key)
                .assert(fact("client_certificate_sent", json!(false))))
        },
    ),
    Scenario::new(
        "tls-client-optional-healthy",
        "the server asks for a certificate and takes none",
        PASS,
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_NONE)?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .assert(fact("client_certificate_asked", json!(true))))
        },
    ),
    Scenario::new(
        "tls-client-required",
        "pg_hba.conf wants a certificate and none is there",
        REQUIRED,
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_ANY)?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .assert(tells("tls.client.required", "why")))
        },
    ),
    Scenario::new(
        "tls-client-required-cert",
        "pg_hba.conf says cert and no certificate is there",
        REQUIRED,
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_CERT)?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg))
        },
    ),
    Scenario::new(
        "tls-client-required-proxy",
        "a proxy demands a certificate (TLS 1.3)",
        REQUIRED,
        PROXY,
        |lab| {
            Ok(terminating(
                lab,
                "crt {bundle} ca-file {ca} verify required",
                &[("sslmode", "require")],
            )?
            .assert(tells("tls.client.required", "authorities")))
        },
    ),
    Scenario::new(
        "tls-client-required-proxy-1.2",
        "a proxy demands a certificate (TLS 1.2)",
        REQUIRED,
        PROXY,
        |lab| {
            terminating(
                lab,
                "crt {bundle} ca-file {ca} verify required",
                &[
                    ("sslmode", "require"),
                    ("ssl_max_protocol_version", "TLSv1.2"),
                ],
            )
        },
    ),
    Scenario::new(
        "tls-client-rejected",
        "a certificate of an authority that the server does not know (TLS 1.3)",
        REJECTED,
        &[Need::Postgres],
        |lab| {
            let client = Ca::new("Other CA")?.issue(&CertSpec::client("app"))?;
            Ok(coming_as(lab, WANTS_ANY, &client, "")?
                .assert(tells("tls.client.rejected", "issuer")))
        },
    ),
    Scenario::new(
        "tls-client-rejected-1.2",
        "a certificate of an authority that the server does not know (TLS 1.2)",
        REJECTED,
        &[Need::Postgres],
        |lab| {
            coming_as(
                lab,
                WANTS_ANY,
                &Ca::new("Other CA")?.issue(&CertSpec::client("app"))?,
                "TLSv1.2",
            )
        },
    ),
    Scenario::new(
        "tls-client-rejected-expired",
        "an expired client certificate",
        REJECTED,
        &[Need::Postgres],
        |lab| {
            coming_as(
                lab,
                WANTS_ANY,
                &lab.issue(CertSpec {
                    not_after: -1,
                    ..CertSpec::client("app")
                })?,
                "",
            )
        },
    ),
    Scenario::new(
        "tls-client-rejected-purpose",
        "a server's certificate in the hands of a client",
        REJECTED,
        &[Need::Postgres],
        |lab| {
            coming_as(
                lab,
                WANTS_ANY,
                &lab.issue(CertSpec {
                    usage: Usage::Server,
                    ..CertSpec::client("app")
                })?,
                "",
            )
        },
    ),
    Scenario::new(
        "tls-client-key-open",
        "the client key is open to others",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| with_key(lab, |key| Ok((key.private_key_to_pem_pkcs8()?, 0o644))),
    ),
    Scenario::new(
        "tls-client-key-root-0640-healthy",
        "a key of root's that the group may read",
        PASS,
        &[Need::Postgres, Need::Root],
        |lab| with_key(lab, |key| Ok((key.private_key_to_pem_pkcs8()?, 0o640))),
    ),
    Scenario::new(
        "tls-client-key-mismatch",
        "the client key belongs to another certificate",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| {
            with_key(lab, |_| {
                Ok((KeyKind::P256.generate()?.private_key_to_pem_pkcs8()?, 0o600))
            })
        },
    ),
    Scenario::new(
        "tls-client-key-other-kind",
        "the client key is of another kind",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| {
            with_key(lab, |_| {
                Ok((
                    KeyKind::Ed25519.generate()?.private_key_to_pem_pkcs8()?,
                    0o600,
                ))
            })
        },
    ),
    Scenario::new(
        "tls-client-key-garbage",
        "the client key is no key",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| with_key(lab, |_| Ok((b"nothing of use\n".to_vec(), 0o600))),
    ),
    Scenario::new(
        "tls-client-key-encrypted",
        "the client key is encrypted and there is no password",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| {
            with_key(lab, |key| {
                let cipher = Cipher::aes_256_cbc();
                Ok((
                    key.private_key_to_pem_pkcs8_passphrase(cipher, b"open sesame")?,
                    0o600,
                ))
            })
        },
    ),
    Scenario::new(
        "tls-client-key-password-wrong",
        "the password does not open the client key",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| {
            let case = with_key(lab, |key| {
                let cipher = Cipher::aes_256_cbc();
                Ok((
                    key.private_key_to_pem_pkcs8_passphrase(cipher, b"open sesame")?,
                    0o600,
                ))
            })?;
            let conn = case
                .conn
                .clone()
                .unwrap_or_default()
                .set("sslpassword", "shut sesame");
            Ok(Case {
                guard: case.guard,
                ..Case::check(conn)
                    .password(lab.password())
                    .secret("shut sesame")
            })
        },
    ),
    Scenario::new(
        "tls-client-key-password-healthy",
        "the password opens the client key",
        PASS,
        &[Need::Postgres],
        |lab| {
            let case = with_key(lab, |key| {
                let cipher = Cipher::aes_256_cbc();
                Ok((
                    key.private_key_to_pem_pkcs8_passphrase(cipher, b"open sesame")?,
                    0o600,
                ))
            })?;
            let conn = case
                .conn
                .clone()
                .unwrap_or_default()
                .set("sslpassword", "open sesame");
            Ok(Case {
                guard: case.guard,
                ..Case::check(conn)
                    .password(lab.password())
                    .secret("open sesame")
            })
        },
    ),
    Scenario::new(
        "tls-client-key-sec1-healthy",
        "the client key in its traditional form",
        PASS,
        &[Need::Postgres],
        |lab| with_key(lab, |key| Ok((key.ec_key()?.private_key_to_pem()?, 0o600))),
    ),
    Scenario::new(
        "tls-client-key-der-healthy",
        "the client key in DER",
        PASS,
        &[Need::Postgres],
        |lab| with_key(lab, |key| Ok((key.private_key_to_pkcs8()?, 0o600))),
    ),
    Scenario::new(
        "tls-client-key-default-missing",
        "a client certificate, and no key in the default place",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_ANY)?;
            let (cert, _) = lab
                .issue(CertSpec::client("app"))?
                .write(&lab.dir("client")?, "app")?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("sslcert", cert.display());
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "tls-client-key-missing",
        "a client certificate, and the key named beside it is not there",
        Expect::Fail("config.file.missing"),
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_ANY)?;
            let (cert, _) = lab
                .issue(CertSpec::client("app"))?
                .write(&lab.dir("client")?, "app")?;
            Ok(coming_with(
                lab,
                pg,
                &cert,
                Path::new("/nonexistent/app.key"),
            ))
        },
    ),
    Scenario::new(
        "tls-client-key-prefer",
        "the client key is open to others, and prefer goes on in clear",
        Expect::Warn("tls.client.key"),
        &[Need::Postgres],
        |lab| {
            let client = lab.issue(CertSpec::client("app"))?;
            let dir = lab.dir("client")?;
            let (cert, _) = client.write(&dir, "app")?;
            let key = lab.file("app.key", client.key.private_key_to_pem_pkcs8()?, 0o644)?;
            let pg = lab.new_postgres().tls(lab.issue(lab.cert())?).start()?;
            let conn = pg
                .conn()
                .set("sslcert", cert.display())
                .set("sslkey", key.display());
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "tls-client-cert-missing-healthy",
        "a named client certificate that is not there is left out",
        PASS,
        &[Need::Postgres],
        |lab| {
            plainly(
                lab,
                &[("sslmode", "require"), ("sslcert", "/nonexistent/app.crt")],
            )
        },
    ),
    Scenario::new(
        "tls-client-cert-garbage",
        "the client certificate is no certificate",
        CLIENT_KEY,
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_ANY)?;
            let cert = lab.file("app.crt", "nothing of use\n", 0o644)?;
            let key = lab.file(
                "app.key",
                KeyKind::P256.generate()?.private_key_to_pem_pkcs8()?,
                0o600,
            )?;
            Ok(coming_with(lab, pg, &cert, &key))
        },
    ),
    Scenario::new(
        "tls-client-default-healthy",
        "certificate and key in their default places",
        PASS,
        &[Need::Postgres],
        |lab| {
            let pg = wanting(lab, WANTS_CERT)?;
            let home = lab.dir("home")?;
            let dir = home.join(".postgresql");
            fs::create_dir(&dir)?;
            lab.issue(CertSpec::client("app"))?
                .write(&dir, "postgresql")?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .home(home)
                .keep(pg))
        },
    ),
    Scenario::new(
        "tls-client-disabled",
        "a certificate is at hand and sslcertmode forbids it",
        REQUIRED,
        &[Need::Postgres],
        |lab| {
            let case = coming_as(lab, WANTS_ANY, &lab.issue(CertSpec::client("app"))?, "")?;
            let conn = case
                .conn
                .clone()
                .unwrap_or_default()
                .set("sslcertmode", "disable");
            Ok(Case {
                guard: case.guard,
                ..Case::check(conn).password(lab.password())
            })
        },
    )
    .oracle(NEWER),
];
