//! What another client must be told to see the same certificate: the negotiation and the name.

use super::*;

const SELF_SIGNED: Expect = Expect::Fail("tls.cert.self-signed");

/// The file of a self-signed certificate for `named.test`, with its key.
fn self_signed(lab: &Lab) -> Result<String> {
    let bundle = lab.dir("tls")?.join("self-signed.pem");
    let spec = CertSpec::server("named.test", &["named.test"], &[]);
    Issued::self_signed(&spec)?.write_bundle(&bundle)?;
    Ok(bundle.to_string_lossy().into_owned())
}

/// Asks for that name, whatever it resolves to.
fn by_name(lab: &Lab, conn: Conn) -> Conn {
    let conn = conn.set("host", "named.test").set("hostaddr", "127.0.0.1");
    verified(lab, conn)
}

/// What another client must be told to see the same certificate.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tls-cert-self-signed-direct",
        "direct TLS: self-signed for one name, good for whoever names none",
        SELF_SIGNED,
        PROXY,
        |lab| {
            let bind = format!("crt {} alpn postgresql", self_signed(lab)?);
            let pg = lab.postgres()?;
            let proxy = HaProxy::ending_tls(lab, &bind, &pg.addr())?;
            let conn = pg.conn().set("port", proxy.port());
            let conn = by_name(lab, conn).set("sslnegotiation", "direct");
            Ok(Case::check(conn).password(lab.password()).keep(proxy))
        },
    )
    .oracle(NEWER),
    Scenario::new(
        "tls-cert-self-signed-by-name",
        "self-signed for one name, good for whoever names none",
        SELF_SIGNED,
        PROXY,
        |lab| {
            let bind = format!("crt {{bundle}} crt {}", self_signed(lab)?);
            let mut case = terminating(lab, &bind, &[])?;
            let conn = case.conn.take().unwrap_or_default();
            let conn = by_name(lab, conn);
            Ok(Case {
                guard: case.guard,
                ..Case::check(conn).password(lab.password())
            })
        },
    ),
];
