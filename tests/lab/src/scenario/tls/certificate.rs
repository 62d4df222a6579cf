//! The server's certificate: names, dates, purpose, and what other stacks refuse.

use super::*;

const PORTABILITY: Expect = Expect::Warn("tls.cert.portability");
const SOON: Expect = Expect::Warn("tls.cert.expires-soon");

/// A server that allows everything, whatever its security level.
fn lenient(lab: &Lab, issued: Issued) -> Result<Postgres> {
    lab.new_postgres()
        .tls(issued)
        .env(
            "OPENSSL_CONF",
            openssl_cnf(lab, "CipherString = ALL:@SECLEVEL=0\nMinProtocol = TLSv1")?,
        )
        .conf("ssl_ciphers", "ALL:@SECLEVEL=0")
        .conf("ssl_min_protocol_version", "TLSv1")
        .start()
}

/// A weak certificate on a lenient server.
fn weak(lab: &Lab, spec: CertSpec) -> Result<Case> {
    let pg = lenient(lab, lab.issue(spec)?)?;
    Ok(Case::check(verified(lab, pg.conn()))
        .password(lab.password())
        .keep(pg))
}

const WEAK: Expect = Expect::Fail("tls.cert.weak");
const PURPOSE: Expect = Expect::Fail("tls.cert.purpose");
const EXPIRED: Expect = Expect::Fail("tls.cert.expired");

/// A certificate as `openssl req -x509` makes it: an authority's.
fn made_by_req(lab: &Lab) -> Result<Issued> {
    let dir = lab.dir("req")?;
    let (cert, key) = (dir.join("server.crt"), dir.join("server.key"));
    Tool::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "365",
            "-subj",
            "/CN=127.0.0.1",
        ])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-out")
        .arg(cert.display())
        .arg("-keyout")
        .arg(key.display())
        .succeed()?;
    Ok(Issued {
        cert: X509::from_pem(&fs::read(cert)?)?,
        key: PKey::private_key_from_pem(&fs::read(key)?)?,
        chain: Vec::new(),
    })
}

/// `tls.cert.portability` must name these stacks, and no others.
fn refused_by(stacks: &'static [&'static str]) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let refusals = evidence(report, "tls.cert.portability", "refused_by");
        let refusals = refusals.as_array().into_iter().flatten();
        let named: Vec<&str> = refusals.filter_map(|one| one["stack"].as_str()).collect();
        ensure!(named == stacks, "{named:?} refuse it, not {stacks:?}");
        Ok(())
    }
}

/// The server's certificate: names, dates, purpose, and what other stacks refuse.
pub const SCENARIOS: &[Scenario] = &[
    // ---- Names ----
    Scenario::new(
        "tls-name-cn",
        "a certificate with a common name alone: libpq alone reads it",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    dns: vec![],
                    ips: vec![],
                    cn: "127.0.0.1".into(),
                    ..lab.cert()
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-name-cn-beside-dns",
        "an address as common name counts beside DNS names",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec::server("127.0.0.1", &["db.test"], &[]))?,
            )
        },
    ),
    Scenario::new(
        "tls-name-cn-ignored",
        "the common name does not count beside a DNS name",
        HOSTNAME,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec::server("db.test", &["other.test"], &[]))?;
            verifying(
                lab,
                issued,
                &[("host", "db.test"), ("hostaddr", "127.0.0.1")],
            )
        },
    ),
    Scenario::new(
        "tls-name-cn-beside-ip",
        "the common name counts beside an address",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec::server("db.test", &[], &["10.0.0.1"]))?;
            verifying(
                lab,
                issued,
                &[("host", "db.test"), ("hostaddr", "127.0.0.1")],
            )
        },
    ),
    Scenario::new(
        "tls-name-wildcard-healthy",
        "a star for one label",
        PASS,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec::server("", &["*.test"], &[]))?;
            verifying(
                lab,
                issued,
                &[("host", "DB.test"), ("hostaddr", "127.0.0.1")],
            )
        },
    ),
    Scenario::new(
        "tls-name-wildcard-deep",
        "a star does not stand for two labels",
        HOSTNAME,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec::server("", &["*.test"], &[]))?;
            verifying(
                lab,
                issued,
                &[("host", "a.db.test"), ("hostaddr", "127.0.0.1")],
            )
        },
    ),
    Scenario::new(
        "tls-name-ip-missing",
        "an address that is not among the names",
        HOSTNAME,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec::server("db.test", &["db.test"], &["10.0.0.1"]))?,
            )
        },
    ),
    Scenario::new(
        "tls-name-none",
        "a certificate without any name",
        HOSTNAME,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    org: "Corp".into(),
                    ..CertSpec::server("", &[], &[])
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-name-hostaddr-only",
        "only an address is given apart, and no name to compare",
        HOSTNAME,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().without("host").set("hostaddr", "127.0.0.1");
            Ok(Case::check(verified(lab, conn))
                .password(lab.password())
                .keep(pg))
        },
    ),
    Scenario::new(
        "tls-name-verify-ca-healthy",
        "another name, and verify-ca does not look at it",
        PASS,
        &[Need::Postgres],
        |lab| {
            Ok(shared(
                lab,
                &[
                    ("sslmode", "verify-ca"),
                    ("host", "other.test"),
                    ("hostaddr", "127.0.0.1"),
                ],
            )?
            .forbids("tls.cert.hostname")
            .assert(fact("verified", json!("chain"))))
        },
    ),
    // ---- Dates ----
    Scenario::new(
        "tls-cert-expired-and-name",
        "expired, and for another name",
        EXPIRED,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec {
                not_after: -3,
                ..lab.cert()
            })?;
            Ok(verifying(
                lab,
                issued,
                &[("host", "other.test"), ("hostaddr", "127.0.0.1")],
            )?
            .assert(also("tls.cert.hostname")))
        },
    ),
    Scenario::new(
        "tls-intermediate-expired",
        "the intermediate has expired",
        EXPIRED,
        &[Need::Postgres],
        |lab| {
            let old = lab.ca().intermediate_with(&CertSpec {
                not_after: -1,
                ..CertSpec::authority("Old CA")
            })?;
            Ok(with_cert(lab, old.issue(&lab.cert())?)?.assert(|report| {
                let role = evidence(report, "tls.cert.expired", "role");
                ensure!(role == "intermediate", "role {role}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "tls-root-expired",
        "the root in the root file has expired",
        EXPIRED,
        &[Need::Postgres],
        |lab| {
            let old = Ca::with(&CertSpec {
                not_after: -1,
                ..CertSpec::authority("Old Root")
            })?;
            let file = old.write(&lab.dir("old")?.join("root.crt"))?;
            verifying(
                lab,
                old.issue(&lab.cert())?,
                &[("sslrootcert", &file.to_string_lossy())],
            )
        },
    ),
    Scenario::new(
        "tls-expired-require-healthy",
        "expired, and nothing verifies it",
        PASS,
        &[Need::Postgres],
        |lab| {
            let issued = Issued::self_signed(&CertSpec {
                not_after: -3,
                ..lab.cert()
            })?;
            let pg = lab.new_postgres().tls(issued).start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .forbids("tls.cert.expired")
                .forbids("tls.cert.expires-soon")
                .forbids("tls.root.missing"))
        },
    ),
    Scenario::new(
        "tls-31-days-healthy",
        "expires in 31 days",
        PASS,
        &[Need::Postgres],
        |lab| {
            Ok(with_cert(
                lab,
                lab.issue(CertSpec {
                    not_after: 31,
                    ..lab.cert()
                })?,
            )?
            .forbids("tls.cert.expires-soon"))
        },
    ),
    Scenario::new(
        "tls-intermediate-expires-soon",
        "the intermediate expires in ten days",
        SOON,
        &[Need::Postgres],
        |lab| {
            let soon = lab.ca().intermediate_with(&CertSpec {
                not_after: 10,
                ..CertSpec::authority("Soon CA")
            })?;
            with_cert(lab, soon.issue(&lab.cert())?)
        },
    ),
    Scenario::new(
        "tls-expires-soon-require",
        "expires in ten days, and nothing verifies it",
        SOON,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(CertSpec {
                    not_after: 10,
                    ..lab.cert()
                })?)
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg))
        },
    ),
    // ---- What other stacks refuse ----
    Scenario::new(
        "tls-cert-portability",
        "no subject alternative name, and verify-ca looks at no name",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec::server("db.test", &[], &[]))?;
            Ok(verifying(lab, issued, &[("sslmode", "verify-ca")])?
                .assert(refused_by(&["Go", "rustls"])))
        },
    ),
    Scenario::new(
        "tls-cert-portability-version-1",
        "X.509 version 1, as openssl x509 -req issues without -extfile",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec {
                version_1: true,
                ..CertSpec::server("127.0.0.1", &[], &[])
            })?;
            Ok(with_cert(lab, issued)?.assert(refused_by(&["Go", "rustls", "rustls"])))
        },
    ),
    Scenario::new(
        "tls-cert-portability-authority",
        "openssl req -x509 made it, an authority's that is its own root",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            let issued = made_by_req(lab)?;
            let file = lab.file("root.crt", issued.cert.to_pem()?, 0o644)?;
            Ok(
                verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])?
                    .assert(refused_by(&["rustls"])),
            )
        },
    ),
    Scenario::new(
        "tls-cert-portability-key-identifier",
        "no authority key identifier",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec {
                authority_id: false,
                ..lab.cert()
            })?;
            Ok(with_cert(lab, issued)?
                .assert(refused_by(&["Python"]))
                .assert(|report| {
                    let command = report["verdict"]["fixes"][0]["command"].as_str();
                    let command = command.unwrap_or_default();
                    let both = format!("{{ {command}; }} 2>&1 || true");
                    let shown = Tool::new("sh").args(["-c", &both]).succeed()?;
                    let error = "Missing Authority Key Identifier";
                    ensure!(shown.contains(error), "{command}: {shown}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tls-cert-portability-intermediate",
        "an intermediate without authority key identifier",
        PORTABILITY,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate_with(&CertSpec {
                authority_id: false,
                ..CertSpec::authority("Lab CA 2")
            })?;
            Ok(with_cert(lab, between.issue(&lab.cert())?)?
                .assert(refused_by(&["Python"]))
                .assert(|report| {
                    let role = evidence(report, "tls.cert.portability", "role");
                    ensure!(role == "intermediate", "it is about the {role}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tls-cert-portability-trusted-intermediate-healthy",
        "the root file has that intermediate, where Python's verification ends",
        PASS,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate_with(&CertSpec {
                authority_id: false,
                ..CertSpec::authority("Lab CA 2")
            })?;
            let file = lab.dir("both")?.join("root.crt");
            fs::write(
                &file,
                [between.cert().to_pem()?, lab.ca().cert().to_pem()?].concat(),
            )?;
            let issued = between.issue(&lab.cert())?;
            Ok(
                verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])?
                    .forbids("tls.cert.portability"),
            )
        },
    ),
    Scenario::new(
        "tls-cert-portability-unverified-healthy",
        "nothing verifies the certificate, which lacks it all",
        PASS,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().tls(made_by_req(lab)?).start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .forbids("tls.cert.portability"))
        },
    ),
    Scenario::new(
        "tls-cert-portability-healthy",
        "an intermediate, and all extensions that anyone wants",
        PASS,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate("Lab CA 2")?;
            Ok(with_cert(lab, between.issue(&lab.cert())?)?.forbids("tls.cert.portability"))
        },
    ),
    // ---- What a certificate is for ----
    Scenario::new(
        "tls-cert-purpose",
        "a client's certificate on the server",
        PURPOSE,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    usage: Usage::Client,
                    ..lab.cert()
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-cert-any-purpose-healthy",
        "a certificate without extended key usage",
        PASS,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    usage: Usage::Any,
                    ..lab.cert()
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-cert-path-length",
        "more authorities follow than the first one allows",
        PURPOSE,
        &[Need::Postgres],
        |lab| {
            let short = lab.ca().intermediate_with(&CertSpec {
                path_len: Some(0),
                ..CertSpec::authority("Short CA")
            })?;
            with_cert(lab, short.intermediate("Too much CA")?.issue(&lab.cert())?)
        },
    ),
    Scenario::new(
        "tls-cert-name-constraint",
        "the authority may not issue for this domain",
        PURPOSE,
        &[Need::Postgres],
        |lab| {
            let narrow = lab.ca().intermediate_with(&CertSpec {
                permitted: "corp.example".into(),
                ..CertSpec::authority("Narrow CA")
            })?;
            with_cert(lab, narrow.issue(&lab.cert())?)
        },
    ),
    Scenario::new(
        "tls-cert-weak-key",
        "an RSA key of 1024 bits",
        WEAK,
        &[Need::Postgres],
        |lab| {
            Ok(weak(
                lab,
                CertSpec {
                    key: KeyKind::Rsa(1024),
                    ..lab.cert()
                },
            )?
            .assert(tells("tls.cert.weak", "key")))
        },
    ),
    Scenario::new(
        "tls-cert-weak-signature",
        "a signature with SHA-1",
        WEAK,
        &[Need::Postgres],
        |lab| {
            weak(
                lab,
                CertSpec {
                    digest: "sha1",
                    ..lab.cert()
                },
            )
        },
    ),
    Scenario::new(
        "tls-cert-weak-by-policy",
        "openssl.cnf asks for more than RSA 2048",
        WEAK,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec {
                key: KeyKind::Rsa(2048),
                ..lab.cert()
            })?;
            Ok(with_cert(lab, issued)?.env(
                "OPENSSL_CONF",
                openssl_cnf(lab, "CipherString = DEFAULT:@SECLEVEL=3")?,
            ))
        },
    ),
    Scenario::new(
        "tls-cert-ed25519-healthy",
        "an Ed25519 certificate, without channel binding",
        PASS,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(CertSpec {
                key: KeyKind::Ed25519,
                ..lab.cert()
            })?;
            verifying(lab, issued, &[("channel_binding", "disable")])
        },
    ),
    Scenario::new(
        "tls-cert-p521-healthy",
        "a P-521 certificate",
        PASS,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    key: KeyKind::P521,
                    ..lab.cert()
                })?,
            )
        },
    ),
];
