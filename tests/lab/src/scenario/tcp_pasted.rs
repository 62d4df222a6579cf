//! Connections whose fixes are pasted commands.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::{Case, Conn, Expect, Need, Oracle, Scenario, SshRoute, free_port};

/// Takes the link away that the command makes.
struct LinkTo(PathBuf);

impl Drop for LinkTo {
    fn drop(&mut self) {
        let link = Path::new("/tmp/pg");
        if fs::read_link(link).is_ok_and(|to| to == self.0) {
            let _ = fs::remove_file(link);
        }
    }
}

/// Connections whose fixes are pasted commands.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-refused-other-port",
        "nothing listens on the bastion's port, and sshd on another",
        Expect::Fail("tcp.refused"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let route = SshRoute::new(&format!("ops@127.0.0.1:{}", free_port()));
            let conn = Conn::new().set("host", "127.0.0.1").set("user", "app");
            Ok(Case::check(conn)
                .ssh(route.key(lab.client_key()?))
                .keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tcp-socket-path-server",
        "a server's socket, in a directory of too long a path",
        Expect::Fail("tcp.socket-path"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            // As a volume of a container is seen from outside.
            let long = lab.dir("volume")?.join("long".repeat(25));
            symlink(pg.socket_dir(), &long)?;
            let conn = pg.conn().set("host", long.display());
            let case = Case::check(conn).password(lab.password());
            Ok(case.keep(LinkTo(long)))
        },
    ),
];
