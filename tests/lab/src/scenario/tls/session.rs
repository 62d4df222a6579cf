//! Whether there is TLS, its versions and algorithms, who stands in the middle, direct TLS.

use super::*;

const CIPHER: Expect = Expect::Fail("tls.cipher");
const VERSION: Expect = Expect::Fail("tls.version");

/// The same without the somebody: TLS from the first byte.
fn direct(lab: &Lab, bind: &str) -> Result<Case> {
    let pg = lab.new_postgres().start()?;
    let proxy = HaProxy::ending_tls(lab, bind, &pg.addr())?;
    let conn = pg
        .conn()
        .set("port", proxy.port())
        .set("sslmode", "require")
        .set("sslnegotiation", "direct");
    Ok(Case::check(conn).password(lab.password()).keep((proxy, pg)))
}

/// A certificate in place of which somebody ends the connection.
fn spoilt(lab: &Lab, fault: Fault) -> Result<Case> {
    let pg = lab.postgres()?;
    let forward = Peer::forward(pg.addr(), fault)?;
    let conn = pg
        .conn()
        .set("port", forward.port())
        .set("sslmode", "require")
        .set("connect_timeout", 2);
    Ok(Case::check(conn)
        .password(lab.password())
        .keep((forward, pg)))
}

/// What a client asks before TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Whether there is TLS, its versions and algorithms, who stands in the middle, direct TLS.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tls-unsupported",
        "the server has no TLS and sslmode demands it",
        Expect::Fail("tls.unsupported"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let conn = pg.conn().set("sslmode", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "tls-cert-expired",
        "expired three days ago",
        Expect::Fail("tls.cert.expired"),
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    not_after: -3,
                    ..lab.cert()
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-cert-not-yet-valid",
        "valid from tomorrow",
        Expect::Fail("tls.cert.not-yet-valid"),
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    not_before: 1,
                    ..lab.cert()
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-cert-expires-soon",
        "expires in ten days",
        Expect::Warn("tls.cert.expires-soon"),
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    not_after: 10,
                    ..lab.cert()
                })?,
            )
        },
    ),
    Scenario::new(
        "tls-cert-hostname",
        "a good certificate for other names",
        Expect::Fail("tls.cert.hostname"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let conn = conn.set("host", "other.test").set("hostaddr", "127.0.0.1");
            Ok(Case::check(verified(lab, conn)).password(lab.password()))
        },
    ),
    Scenario::new(
        "tls-cert-unknown-ca",
        "issued by an authority that is not in sslrootcert",
        Expect::Fail("tls.cert.unknown-ca"),
        &[Need::Postgres],
        |lab| with_cert(lab, Ca::new("Other CA")?.issue(&lab.cert())?),
    ),
    Scenario::new(
        "tls-cert-self-signed",
        "the certificate signs itself",
        Expect::Fail("tls.cert.self-signed"),
        &[Need::Postgres],
        |lab| with_cert(lab, Issued::self_signed(&lab.cert())?),
    ),
    Scenario::new(
        "tls-intermediate",
        "a complete chain through an intermediate",
        Expect::Pass,
        &[Need::Postgres],
        |lab| with_cert(lab, lab.ca().intermediate("Lab CA 2")?.issue(&lab.cert())?),
    ),
    Scenario::new(
        "tls-cert-revoked",
        "on the revocation list",
        Expect::Fail("tls.cert.revoked"),
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let crl = lab
                .ca()
                .crl(&lab.dir("crl")?.join("lab.crl"), &[&issued], -1, 30)?;
            let pg = lab.new_postgres().tls(issued).start()?;
            let conn = verified(lab, pg.conn()).set("sslcrl", crl.display());
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "tls-direct-only",
        "an end that speaks TLS from the first byte",
        Expect::Fail("tls.direct-only"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::ending_tls(lab, "alpn postgresql", &pg.addr())?;
            let conn = pg
                .conn()
                .set("port", proxy.port())
                .set("sslmode", "require");
            Ok(Case::check(conn).password(lab.password()).keep(proxy))
        },
    ),
    Scenario::new(
        "tls-direct-only-without-alpn",
        "a proxy that ends TLS and agrees to no protocol name, PostgreSQL behind it",
        Expect::Fail("tls.direct-only"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::ending_tls(lab, "", &pg.addr())?;
            let conn = pg.conn().set("port", proxy.port());
            let conn = conn.set("sslmode", "require");
            Ok(Case::check(conn).password(lab.password()).keep(proxy))
        },
    ),
    Scenario::new(
        "tls-intercepted",
        "somebody terminates TLS in between, with a certificate of the same authority",
        Expect::Fail("tls.intercepted"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            // HAProxy does the TLS on both sides; the request for it is dealt with around it.
            let far = Peer::forward_after(pg.addr(), |_, server| {
                server.write_all(&SSL_REQUEST)?;
                server.read_exact(&mut [0])
            })?;
            let server = format!("{} ssl verify none", far.addr());
            let proxy = HaProxy::ending_tls(lab, "", &server)?;
            let near = Peer::forward_after(format!("127.0.0.1:{}", proxy.port()), |client, _| {
                client.read_exact(&mut [0; 8])?;
                client.write_all(b"S")
            })?;
            let conn = verified(lab, pg.conn().set("port", near.port()));
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((near, proxy, far)))
        },
    ),
    Scenario::new(
        "tls-rsa-pss-healthy",
        "channel binding with an RSA-PSS certificate",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let spec = CertSpec {
                key: KeyKind::RsaPss(2048),
                digest: "sha384",
                ..lab.cert()
            };
            let pg = lab
                .new_postgres()
                .tls(Issued::self_signed(&spec)?)
                .start()?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("channel_binding", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "tls-channel-binding-plain",
        "channel binding required of a server without TLS",
        Expect::Fail("tls.channel-binding"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let conn = pg.conn().set("channel_binding", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    // ---- Versions and algorithms ----
    Scenario::new(
        "tls-version-server-newer",
        "the server wants TLS 1.3 and we allow up to 1.2",
        VERSION,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_min_protocol_version", "TLSv1.3")
                .start()?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("ssl_max_protocol_version", "TLSv1.2");
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .assert(tells("tls.version", "server_versions")))
        },
    ),
    Scenario::new(
        "tls-version-server-older",
        "the server speaks TLS 1.0 and 1.1 alone",
        VERSION,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let pg = lab
                .new_postgres()
                .tls(issued)
                .env(
                    "OPENSSL_CONF",
                    openssl_cnf(lab, "CipherString = ALL:@SECLEVEL=0\nMinProtocol = TLSv1")?,
                )
                .conf("ssl_ciphers", "ALL:@SECLEVEL=0")
                .conf("ssl_min_protocol_version", "TLSv1")
                .conf("ssl_max_protocol_version", "TLSv1.1")
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .assert(|report| {
                    let told = evidence(report, "tls.version", "server_versions");
                    ensure!(told == json!(["TLSv1", "TLSv1.1"]), "{told}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tls-version-policy",
        "openssl.cnf allows up to TLS 1.2 and the server wants 1.3",
        VERSION,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_min_protocol_version", "TLSv1.3")
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .env("OPENSSL_CONF", openssl_cnf(lab, "MaxProtocol = TLSv1.2")?))
        },
    ),
    Scenario::new(
        "tls-version-1.2-healthy",
        "a server that knows TLS 1.2 at most",
        PASS,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_max_protocol_version", "TLSv1.2")
                .start()?;
            Ok(Case::check(verified(lab, pg.conn()))
                .password(lab.password())
                .keep(pg)
                .assert(fact("version", json!("TLSv1.2"))))
        },
    ),
    Scenario::new(
        "tls-cipher",
        "no common cipher under TLS 1.2",
        CIPHER,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_max_protocol_version", "TLSv1.2")
                .conf("ssl_ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .env(
                    "OPENSSL_CONF",
                    openssl_cnf(lab, "CipherString = ECDHE-ECDSA-AES256-GCM-SHA384")?,
                )
                .assert(tells("tls.cipher", "server_takes")))
        },
    ),
    Scenario::new(
        "tls-cipher-group",
        "no common key-exchange group",
        CIPHER,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_ecdh_curve", "secp521r1")
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .env("OPENSSL_CONF", openssl_cnf(lab, "Groups = X25519")?))
        },
    ),
    Scenario::new(
        "tls-cipher-prefer",
        "no common cipher, and prefer goes on in clear",
        Expect::Warn("tls.cipher"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_max_protocol_version", "TLSv1.2")
                .conf("ssl_ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")
                .start()?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .keep(pg)
                .env(
                    "OPENSSL_CONF",
                    openssl_cnf(lab, "CipherString = ECDHE-ECDSA-AES256-GCM-SHA384")?,
                ))
        },
    ),
    // ---- In the middle ----
    Scenario::new(
        "tls-closed",
        "closed in the middle of the handshake",
        Expect::Fail("tls.closed"),
        &[Need::Postgres],
        |lab| spoilt(lab, Fault::CloseAfter(200)),
    ),
    Scenario::new(
        "tls-reset",
        "reset in the middle of the handshake",
        Expect::Fail("tls.reset"),
        &[Need::Postgres],
        |lab| spoilt(lab, Fault::ResetAfter(200)),
    ),
    Scenario::new(
        "tls-timeout",
        "agrees to TLS and says nothing more",
        Expect::Fail("tls.timeout"),
        &[],
        |_| {
            let peer = Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"S")?;
                stream.ignore()
            })?;
            let conn = Conn::new()
                .set("host", "127.0.0.1")
                .set("port", peer.port())
                .set("user", "app")
                .set("sslmode", "require")
                .set("connect_timeout", 2);
            Ok(Case::check(conn).keep(peer))
        },
    ),
    Scenario::new(
        "tls-sni",
        "a proxy that knows no such server name",
        Expect::Fail("tls.sni"),
        PROXY,
        |lab| {
            terminating(
                lab,
                "crt {bundle} strict-sni",
                &[
                    ("sslmode", "require"),
                    ("host", "elsewhere.example"),
                    ("hostaddr", "127.0.0.1"),
                ],
            )
        },
    ),
    Scenario::new(
        "tls-sni-healthy",
        "a proxy that wants a server name and gets it",
        PASS,
        PROXY,
        |lab| {
            terminating(
                lab,
                "crt {bundle} strict-sni",
                &[
                    ("sslmode", "require"),
                    ("host", "db.test"),
                    ("hostaddr", "127.0.0.1"),
                    ("channel_binding", "disable"),
                ],
            )
        },
    ),
    // ---- Direct TLS ----
    Scenario::new(
        "tls-direct-healthy",
        "direct TLS to an end that knows it",
        PASS,
        PROXY,
        |lab| Ok(direct(lab, "alpn postgresql")?.assert(fact("alpn", json!("postgresql")))),
    )
    .oracle(NEWER),
    Scenario::new(
        "tls-direct-unsupported",
        "direct TLS to a server that does not know it",
        Expect::Fail("tls.direct-unsupported"),
        &[Need::Postgres],
        |lab| shared(lab, &[("sslnegotiation", "direct")]),
    )
    .oracle(NEWER),
    Scenario::new(
        "tls-direct-without-alpn",
        "direct TLS to an end that agrees on no protocol name",
        Expect::Fail("tls.direct-unsupported"),
        PROXY,
        |lab| direct(lab, ""),
    )
    .oracle(NEWER),
    Scenario::new(
        "tls-incomplete-chain-key-id",
        "an intermediate is missing, and the key identifier names the trusted root above it",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let spec = CertSpec {
                names_upper_issuer: true,
                ..lab.cert()
            };
            with_cert(
                lab,
                lab.ca()
                    .intermediate("Lab CA 2")?
                    .issue(&spec)?
                    .without_chain(),
            )
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-untold",
        "an intermediate is missing, and nothing tells that it is one",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            with_cert(
                lab,
                lab.ca()
                    .intermediate("Lab CA 2")?
                    .issue(&lab.cert())?
                    .without_chain(),
            )
        },
    ),
    Scenario::new(
        "tls-new-root-same-organisation",
        "another root of the trusted one's organisation",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let of = |cn| CertSpec {
                org: "Corp".into(),
                ..CertSpec::authority(cn)
            };
            let file = Ca::with(&of("Corp Root G1"))?.write(&lab.dir("corp")?.join("root.crt"))?;
            let issued = Ca::with(&of("Corp Root G2"))?.issue(&lab.cert())?;
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-leftover-expired",
        "another name, and an expired certificate that nobody needs is sent along",
        HOSTNAME,
        &[Need::Postgres],
        |lab| {
            let mut issued = lab.issue(lab.cert())?;
            let old = Ca::with(&CertSpec {
                not_after: -1,
                ..CertSpec::authority("Old Root")
            })?;
            issued.chain.push(old.cert().clone());
            Ok(verifying(
                lab,
                issued,
                &[("host", "other.test"), ("hostaddr", "127.0.0.1")],
            )?
            .forbids("tls.cert.expired"))
        },
    ),
    Scenario::new(
        "tls-leftover-expired-healthy",
        "an expired certificate that nobody needs is sent along",
        PASS,
        &[Need::Postgres],
        |lab| {
            let mut issued = lab.issue(lab.cert())?;
            let old = Ca::with(&CertSpec {
                not_after: -1,
                ..CertSpec::authority("Old Root")
            })?;
            issued.chain.push(old.cert().clone());
            Ok(with_cert(lab, issued)?
                .forbids("tls.cert.expired")
                .forbids("tls.cert.expires-soon"))
        },
    ),
    Scenario::new(
        "tls-channel-binding-ed25519",
        "channel binding with a certificate that has no digest for it",
        Expect::Fail("tls.channel-binding"),
        &[Need::Postgres],
        |lab| {
            let issued = Issued::self_signed(&CertSpec {
                key: KeyKind::Ed25519,
                ..lab.cert()
            })?;
            let pg = lab.new_postgres().tls(issued).start()?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("channel_binding", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "tls-direct-only-tunnel",
        "through SSH: an end that speaks TLS from the first byte",
        Expect::Fail("tls.direct-only"),
        &[Need::Postgres, Need::HaProxy, Need::Sshd],
        |lab| {
            let case = direct(lab, "alpn postgresql")?;
            let conn = case
                .conn
                .clone()
                .unwrap_or_default()
                .without("sslnegotiation");
            let sshd = lab.sshd()?;
            Ok(Case {
                guard: case.guard,
                ..Case::check(conn).password(lab.password())
            }
            .ssh(sshd.route())
            .keep(sshd))
        },
    ),
];
