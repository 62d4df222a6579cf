//! Tunnels whose fixes are pasted commands.

use crate::{Case, Expect, Issued, Need, Oracle, Scenario};

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];

/// Tunnels whose fixes are pasted commands.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-unsupported-database",
        "the server exchanges keys with sntrup761 alone, and the database is behind it",
        Expect::Fail("ssh.unsupported"),
        BOTH,
        |lab| {
            let line = "KexAlgorithms sntrup761x25519-sha512@openssh.com";
            let sshd = lab.new_sshd().config(line).start()?;
            let case = Case::check(lab.postgres()?.conn()).ssh(sshd.route());
            Ok(case.password(lab.password()).keep(sshd))
        },
    )
    .oracle(Oracle::None(
        "the one known difference: OpenSSH gets in, and dbdoctor says so",
    )),
    Scenario::new(
        "ssh-self-signed",
        "a self-signed certificate behind an SSH server",
        Expect::Fail("tls.cert.self-signed"),
        BOTH,
        |lab| {
            let issued = Issued::self_signed(&lab.cert())?;
            let (pg, sshd) = (lab.new_postgres().tls(issued).start()?, lab.sshd()?);
            let conn = pg.conn().set("sslmode", "verify-full");
            let conn = conn.set("sslrootcert", lab.ca_file().display());
            let case = Case::check(conn).ssh(sshd.route());
            Ok(case.password(lab.password()).keep((sshd, pg)))
        },
    ),
];
