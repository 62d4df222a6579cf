//! TLS that cannot be agreed on, and certificates that do not hold.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::X509;
use serde_json::{Value, json};

use crate::process::{Service, Tool};
use crate::{
    Ca, Case, CertSpec, Conn, Expect, Fault, HaProxy, Issued, KeyKind, Lab, Need, Oracle, Peer,
    Postgres, Scenario, Usage,
};

/// A server with this certificate, and a client that verifies it in full against the lab's CA.
fn with_cert(lab: &Lab, issued: Issued) -> Result<Case> {
    let pg = lab.new_postgres().tls(issued).start()?;
    Ok(Case::check(verified(lab, pg.conn()))
        .password(lab.password())
        .keep(pg))
}

fn verified(lab: &Lab, conn: Conn) -> Conn {
    conn.set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

/// What a client asks before TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A case against a server with this certificate, verified with these settings.
fn verifying(lab: &Lab, issued: Issued, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.new_postgres().tls(issued).start()?;
    let conn = set(verified(lab, pg.conn()), settings);
    Ok(Case::check(conn).password(lab.password()).keep(pg))
}

/// A connection with further settings.
fn set(conn: Conn, settings: &[(&str, &str)]) -> Conn {
    settings
        .iter()
        .fold(conn, |conn, (name, value)| conn.set(name, value))
}

/// The shared server, verified, with further settings.
fn shared(lab: &Lab, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.postgres()?;
    let conn = set(verified(lab, pg.conn()), settings);
    Ok(Case::check(conn).password(lab.password()).keep(pg))
}

/// The shared server with the settings of the caller alone.
fn plainly(lab: &Lab, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.postgres()?;
    let conn = set(pg.conn(), settings);
    Ok(Case::check(conn).password(lab.password()).keep(pg))
}

/// A root file of this content in place of the real one.
fn with_root_file(lab: &Lab, content: &[u8], sslmode: &str) -> Result<Case> {
    let file = lab.file("root.crt", content, 0o644)?;
    shared(
        lab,
        &[
            ("sslrootcert", &file.to_string_lossy()),
            ("sslmode", sslmode),
        ],
    )
}

/// A pipe that is written to over and over, as `<(cat FILE)` of a shell is once.
fn piped(lab: &Lab, file: &Path) -> Result<(PathBuf, Service)> {
    let dir = lab.dir("piped")?;
    let pipe = dir.join("pipe");
    Tool::new("mkfifo").arg(pipe.display()).succeed()?;
    let writing = "while cat \"$0\" > \"$1\"; do sleep 0.1; done";
    let writer = Tool::new("sh").args(["-c", writing]);
    let writer = writer.arg(file.display()).arg(pipe.display());
    Ok((pipe, writer.serve(dir.join("log"), "KILL")?))
}

/// A server whose certificate is the authority's, with this revocation list.
fn with_crl(lab: &Lab, make: impl Fn(&Ca, &Issued, &Path) -> Result<()>) -> Result<Case> {
    let issued = lab.issue(lab.cert())?;
    let file = lab.dir("crl")?.join("root.crl");
    make(lab.ca(), &issued, &file)?;
    verifying(lab, issued, &[("sslcrl", &file.to_string_lossy())])
}

/// The bytes of a finding's evidence by name, in the finding of this cause.
fn evidence(report: &Value, cause: &str, name: &str) -> Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .flat_map(|stage| stage["findings"].as_array().into_iter().flatten())
        .find(|finding| finding["cause"] == cause)
        .map_or(Value::Null, |finding| finding["evidence"][name].clone())
}

/// Evidence of this name must be there.
fn tells(cause: &'static str, name: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let value = evidence(report, cause, name);
        ensure!(!value.is_null(), "{cause} does not tell its {name}");
        Ok(())
    }
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

/// This finding must be there too.
fn also(cause: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let stages = report["stages"].as_array().into_iter().flatten();
        let mut all = stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten());
        ensure!(
            all.any(|finding| finding["cause"] == cause),
            "{cause} is not told"
        );
        Ok(())
    }
}

/// A fact of the `tls` stage must have this value.
fn fact(name: &'static str, value: Value) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let stages = report["stages"].as_array().into_iter().flatten();
        let mut tls = stages.filter(|stage| stage["stage"] == "tls");
        let is = tls.next().map_or(Value::Null, |s| s["facts"][name].clone());
        ensure!(is == value, "{name} is {is}, not {value}");
        Ok(())
    }
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

/// How `app` comes with this certificate and key.
fn coming_with(lab: &Lab, pg: Postgres, cert: &Path, key: &Path) -> Case {
    let conn = pg
        .conn()
        .set("sslmode", "require")
        .set("sslcert", cert.display())
        .set("sslkey", key.display());
    Case::check(conn).password(lab.password()).keep(pg)
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

/// A key file in the hands of `app`, whose certificate is good.
fn with_key(lab: &Lab, key: impl FnOnce(&PKey<Private>) -> Result<(Vec<u8>, u32)>) -> Result<Case> {
    let pg = wanting(lab, WANTS_ANY)?;
    let client = lab.issue(CertSpec::client("app"))?;
    let (cert, _) = client.write(&lab.dir("client")?, "app")?;
    let (bytes, mode) = key(&client.key)?;
    let key = lab.file("app.key", bytes, mode)?;
    Ok(coming_with(lab, pg, &cert, &key))
}

/// Any certificate that the authority issued, and the password.
const WANTS_ANY: &str = "hostssl all all all scram-sha-256 clientcert=verify-ca";
/// The certificate alone, for the role of its name.
const WANTS_CERT: &str = "hostssl all all all cert";
/// No certificate.
const WANTS_NONE: &str = "hostssl all all all scram-sha-256";

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

/// An HAProxy that ends TLS with these words on its `bind` line, in front of a server without,
/// and behind somebody who answers the request for TLS in its place.
fn terminating(lab: &Lab, bind: &str, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.new_postgres().start()?;
    let bundle = lab.dir("tls")?.join("server.pem");
    lab.issue(lab.cert())?.write_bundle(&bundle)?;
    let bind = bind
        .replace("{bundle}", &bundle.to_string_lossy())
        .replace("{ca}", &lab.ca_file().to_string_lossy());
    let proxy = HaProxy::start(
        lab,
        &format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
             listen database\n bind 127.0.0.1:{{port}} ssl {bind}\n server one {}\n",
            pg.addr()
        ),
    )?;
    let near = Peer::forward_after(format!("127.0.0.1:{}", proxy.port()), |client, _| {
        client.read_exact(&mut [0; 8])?;
        client.write_all(b"S")
    })?;
    let conn = set(pg.conn().set("port", near.port()), settings);
    Ok(Case::check(conn)
        .password(lab.password())
        .keep((near, proxy, pg)))
}

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

/// An openssl.cnf with these lines in its section for TLS, for one of the sides.
fn openssl_cnf(lab: &Lab, lines: &str) -> Result<String> {
    let text = format!(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = policy\n[policy]\n{lines}\n"
    );
    let file = lab.file("openssl.cnf", text, 0o644)?;
    Ok(file.to_string_lossy().into_owned())
}

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

/// A weak certificate on a lenient server.
fn weak(lab: &Lab, spec: CertSpec) -> Result<Case> {
    let pg = lenient(lab, lab.issue(spec)?)?;
    Ok(Case::check(verified(lab, pg.conn()))
        .password(lab.password())
        .keep(pg))
}

/// libpq 15 has no say where newer settings are asked for.
const NEWER: Oracle = Oracle::None("the installed psql does not know this setting");
const PROXY: &[Need] = &[Need::Postgres, Need::HaProxy];
const PASS: Expect = Expect::Pass;
const HOSTNAME: Expect = Expect::Fail("tls.cert.hostname");
const EXPIRED: Expect = Expect::Fail("tls.cert.expired");
const UNKNOWN_CA: Expect = Expect::Fail("tls.cert.unknown-ca");
const INCOMPLETE: Expect = Expect::Fail("tls.cert.incomplete-chain");
const PURPOSE: Expect = Expect::Fail("tls.cert.purpose");
const REVOKED: Expect = Expect::Fail("tls.cert.revoked");
const WEAK: Expect = Expect::Fail("tls.cert.weak");
const CRL: Expect = Expect::Fail("tls.crl");
const ROOT_INVALID: Expect = Expect::Fail("tls.root.invalid");
const CLIENT_KEY: Expect = Expect::Fail("tls.client.key");
const REQUIRED: Expect = Expect::Fail("tls.client.required");
const REJECTED: Expect = Expect::Fail("tls.client.rejected");
const VERSION: Expect = Expect::Fail("tls.version");
const CIPHER: Expect = Expect::Fail("tls.cipher");
const SOON: Expect = Expect::Warn("tls.cert.expires-soon");
const PORTABILITY: Expect = Expect::Warn("tls.cert.portability");

/// TLS.
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
    // ---- Chains ----
    Scenario::new(
        "tls-root-sent-healthy",
        "the server sends its root as well",
        PASS,
        &[Need::Postgres],
        |lab| {
            let mut issued = lab.ca().intermediate("Lab CA 2")?.issue(&lab.cert())?;
            issued.chain.push(lab.ca().cert().clone());
            with_cert(lab, issued)
        },
    ),
    Scenario::new(
        "tls-root-sent-untrusted",
        "the server sends its root, which nobody trusts",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let other = Ca::new("Other CA")?;
            let mut issued = other.issue(&lab.cert())?;
            issued.chain.push(other.cert().clone());
            with_cert(lab, issued)
        },
    ),
    Scenario::new(
        "tls-same-name-other-key",
        "an authority set up anew under its old name",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let cn = "Lab CA";
            let (old, new) = (Ca::new(cn)?, Ca::new(cn)?);
            let file = old.write(&lab.dir("old")?.join("root.crt"))?;
            verifying(
                lab,
                new.issue(&lab.cert())?,
                &[("sslrootcert", &file.to_string_lossy())],
            )
        },
    ),
    Scenario::new(
        "tls-unknown-ca-require",
        "require verifies too once a root file is there",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            verifying(
                lab,
                Ca::new("Other CA")?.issue(&lab.cert())?,
                &[("sslmode", "require")],
            )
        },
    ),
    Scenario::new(
        "tls-unknown-ca-verify-ca",
        "unknown authority under verify-ca",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            verifying(
                lab,
                Ca::new("Other CA")?.issue(&lab.cert())?,
                &[("sslmode", "verify-ca")],
            )
        },
    ),
    Scenario::new(
        "tls-unknown-ca-prefer",
        "the root file does not fit, and prefer goes on in clear",
        Expect::Warn("tls.cert.unknown-ca"),
        &[Need::Postgres],
        |lab| {
            verifying(
                lab,
                Ca::new("Other CA")?.issue(&lab.cert())?,
                &[("sslmode", "prefer")],
            )
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-url",
        "an intermediate is missing, and the certificate says where it is",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate("Lab CA 2")?;
            let spec = CertSpec {
                issuer_url: "http://ca.test/2.crt".into(),
                ..lab.cert()
            };
            Ok(with_cert(lab, between.issue(&spec)?.without_chain())?
                .assert(tells("tls.cert.incomplete-chain", "issuer_url")))
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-org",
        "an intermediate of the trusted root's organisation is missing",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let of = |cn| CertSpec {
                org: "Corp".into(),
                ..CertSpec::authority(cn)
            };
            let root = Ca::with(&of("Corp Root"))?;
            let file = root.write(&lab.dir("corp")?.join("root.crt"))?;
            let issued = root
                .intermediate_with(&of("Corp CA 2"))?
                .issue(&lab.cert())?
                .without_chain();
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-deep",
        "the upper of two intermediates is missing",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let of = |cn| CertSpec {
                org: "Corp".into(),
                ..CertSpec::authority(cn)
            };
            let root = Ca::with(&of("Corp Root"))?;
            let file = root.write(&lab.dir("corp")?.join("root.crt"))?;
            let mut issued = root
                .intermediate_with(&of("Corp CA 2"))?
                .intermediate_with(&of("Corp CA 3"))?
                .issue(&lab.cert())?;
            issued.chain.truncate(1);
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-other-organisation",
        "another organisation's authority, and its intermediate is sent",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let other = Ca::with(&CertSpec {
                org: "Other".into(),
                ..CertSpec::authority("Other Root")
            })?;
            with_cert(lab, other.intermediate("Other CA 2")?.issue(&lab.cert())?)
        },
    ),
    Scenario::new(
        "tls-intermediate-in-root-file-healthy",
        "the missing intermediate is in the root file",
        PASS,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate("Lab CA 2")?;
            let file = lab.dir("both")?.join("root.crt");
            fs::write(
                &file,
                [between.cert().to_pem()?, lab.ca().cert().to_pem()?].concat(),
            )?;
            let issued = between.issue(&lab.cert())?.without_chain();
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-self-signed-trusted-healthy",
        "the self-signed certificate is the root file",
        PASS,
        &[Need::Postgres],
        |lab| {
            let issued = Issued::self_signed(&lab.cert())?;
            let file = lab.file("root.crt", issued.cert.to_pem()?, 0o644)?;
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-self-signed-require-healthy",
        "self-signed, and nothing verifies it",
        PASS,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(Issued::self_signed(&lab.cert())?)
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .forbids("tls.cert.self-signed"))
        },
    ),
    Scenario::new(
        "tls-root-default-healthy",
        "the root file in its default place",
        PASS,
        &[Need::Postgres],
        |lab| {
            let home = lab.dir("home")?;
            fs::create_dir(home.join(".postgresql"))?;
            fs::copy(lab.ca_file(), home.join(".postgresql/root.crt"))?;
            Ok(plainly(lab, &[("sslmode", "verify-full")])?.home(home))
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
    // ---- Revocation ----
    Scenario::new(
        "tls-crl-fresh-healthy",
        "a fresh revocation list that revokes another",
        PASS,
        &[Need::Postgres],
        |lab| {
            let other = lab.issue(lab.cert())?;
            with_crl(lab, |ca, _, file| ca.crl(file, &[&other], -1, 30).map(drop))
        },
    ),
    Scenario::new(
        "tls-crl-piped",
        "the server's certificate is revoked, by a list that is a pipe",
        REVOKED,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let file = lab.dir("crl")?.join("root.crl");
            lab.ca().crl(&file, &[&issued], -1, 30)?;
            let (pipe, writer) = piped(lab, &file)?;
            Ok(verifying(lab, issued, &[("sslcrl", &pipe.to_string_lossy())])?.keep(writer))
        },
    ),
    Scenario::new(
        "tls-crl-missing-file-healthy",
        "a revocation list that is not there is left out",
        PASS,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslcrl", "/nonexistent/root.crl")]),
    ),
    Scenario::new(
        "tls-crl-default",
        "revoked by the list in its default place",
        REVOKED,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let home = lab.dir("home")?;
            fs::create_dir(home.join(".postgresql"))?;
            lab.ca()
                .crl(&home.join(".postgresql/root.crl"), &[&issued], -1, 30)?;
            Ok(verifying(lab, issued, &[])?.home(home))
        },
    ),
    Scenario::new(
        "tls-crl-stale",
        "the revocation list ended yesterday",
        CRL,
        &[Need::Postgres],
        |lab| with_crl(lab, |ca, _, file| ca.crl(file, &[], -10, -1).map(drop)),
    ),
    Scenario::new(
        "tls-crl-future",
        "the revocation list begins tomorrow",
        CRL,
        &[Need::Postgres],
        |lab| with_crl(lab, |ca, _, file| ca.crl(file, &[], 1, 30).map(drop)),
    ),
    Scenario::new(
        "tls-crl-other-authority",
        "a revocation list of another authority",
        CRL,
        &[Need::Postgres],
        |lab| {
            with_crl(lab, |_, _, file| {
                Ca::new("Other CA")?.crl(file, &[], -1, 30).map(drop)
            })
        },
    ),
    Scenario::new(
        "tls-crl-intermediate",
        "no revocation list for the intermediate's certificates",
        CRL,
        &[Need::Postgres],
        |lab| {
            let issued = lab.ca().intermediate("Lab CA 2")?.issue(&lab.cert())?;
            let file = lab
                .ca()
                .crl(&lab.dir("crl")?.join("root.crl"), &[], -1, 30)?;
            verifying(lab, issued, &[("sslcrl", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-crl-stale-and-revoked",
        "an old list, and the certificate is on it",
        CRL,
        &[Need::Postgres],
        |lab| {
            Ok(with_crl(lab, |ca, issued, file| {
                ca.crl(file, &[issued], -10, -1).map(drop)
            })?
            .assert(also("tls.cert.revoked")))
        },
    ),
    Scenario::new(
        "tls-crl-directory-empty",
        "a directory without revocation lists",
        CRL,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslcrldir", &lab.dir("crls")?.to_string_lossy())]),
    ),
    Scenario::new(
        "tls-crl-directory-missing",
        "a directory of revocation lists that is not there",
        CRL,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslcrldir", "/nonexistent/crls")]),
    ),
    // ---- Roots ----
    Scenario::new(
        "tls-root-missing",
        "verification without a root file",
        Expect::Fail("tls.root.missing"),
        &[Need::Postgres],
        |lab| plainly(lab, &[("sslmode", "verify-full")]),
    ),
    Scenario::new(
        "tls-root-missing-verify-ca",
        "verify-ca without a root file",
        Expect::Fail("tls.root.missing"),
        &[Need::Postgres],
        |lab| plainly(lab, &[("sslmode", "verify-ca")]),
    ),
    Scenario::new(
        "tls-root-named-missing",
        "the named root file is not there",
        Expect::Fail("config.file.missing"),
        &[Need::Postgres],
        |lab| shared(lab, &[("sslrootcert", "/nonexistent/root.crt")]),
    ),
    Scenario::new(
        "tls-root-named-missing-require",
        "the named root file is not there, and require goes on without",
        Expect::Warn("config.file.missing"),
        &[Need::Postgres],
        |lab| {
            shared(
                lab,
                &[
                    ("sslrootcert", "/nonexistent/root.crt"),
                    ("sslmode", "require"),
                ],
            )
        },
    ),
    Scenario::new(
        "tls-root-missing-require-healthy",
        "require without a root file",
        PASS,
        &[Need::Postgres],
        |lab| {
            Ok(plainly(lab, &[("sslmode", "require")])?
                .forbids("tls.root.missing")
                .forbids("config.file.missing"))
        },
    ),
    Scenario::new(
        "tls-root-empty",
        "an empty root file",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| with_root_file(lab, b"", "verify-full"),
    ),
    Scenario::new(
        "tls-root-empty-require",
        "an empty root file under require",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| with_root_file(lab, b"", "require"),
    ),
    Scenario::new(
        "tls-root-empty-prefer",
        "an empty root file, and prefer goes on in clear",
        Expect::Warn("tls.root.invalid"),
        &[Need::Postgres],
        |lab| with_root_file(lab, b"", "prefer"),
    ),
    Scenario::new(
        "tls-root-piped-healthy",
        "the root file is a pipe, and all of it is read at once",
        PASS,
        &[Need::Postgres],
        |lab| {
            let file = lab.file("root.crt", lab.ca().cert().to_pem()?, 0o644)?;
            let (pipe, writer) = piped(lab, &file)?;
            Ok(shared(lab, &[("sslrootcert", &pipe.to_string_lossy())])?.keep(writer))
        },
    ),
    Scenario::new(
        "tls-root-pipe",
        "the root file is a pipe that nobody writes to",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            let pipe = lab.dir("pipe")?.join("root.crt");
            Tool::new("mkfifo").arg(pipe.display()).succeed()?;
            shared(lab, &[("sslrootcert", &pipe.to_string_lossy())])
        },
    )
    .oracle(Oracle::None("psql waits for ever")),
    Scenario::new(
        "tls-root-endless",
        "the root file is a device without an end",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslrootcert", "/dev/zero")]),
    )
    .oracle(Oracle::None("psql reads for ever")),
    Scenario::new(
        "tls-root-der",
        "a root file in DER",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| with_root_file(lab, &lab.ca().cert().to_der()?, "verify-ca"),
    ),
    Scenario::new(
        "tls-root-key",
        "a private key as root file",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            with_root_file(
                lab,
                &KeyKind::P256.generate()?.private_key_to_pem_pkcs8()?,
                "verify-full",
            )
        },
    ),
    Scenario::new(
        "tls-root-directory",
        "a directory as root file",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            shared(
                lab,
                &[("sslrootcert", &lab.dir("roots")?.to_string_lossy())],
            )
        },
    ),
    Scenario::new(
        "tls-root-damaged",
        "a root file cut in half",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            let pem = lab.ca().cert().to_pem()?;
            with_root_file(lab, &pem[..pem.len() / 2], "verify-full")
        },
    ),
    Scenario::new(
        "tls-root-system",
        "a public root is asked for and the authority is private",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslrootcert", "system")]),
    )
    .oracle(NEWER),
    Scenario::new(
        "tls-root-system-healthy",
        "the authority is among the system's roots",
        PASS,
        &[Need::Postgres],
        |lab| {
            Ok(shared(lab, &[("sslrootcert", "system")])?
                .env("SSL_CERT_FILE", lab.ca_file().display()))
        },
    )
    .oracle(NEWER),
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
