//! Which product an SSH server is, by its identification, and what its refusals
//! mean there: the rows of `knowledge/ssh_servers.tsv`.

use crate::cause::{FixRow, ssh, tunnel};
use crate::config::Hop;
use crate::config::ssh_config::pattern;
use crate::finding::Finding;

include!(concat!(env!("OUT_DIR"), "/ssh_servers.rs"));

/// A product, and what mends its refusals.
#[derive(Debug)]
struct Product {
    /// A pattern for the software's name and version, in small letters.
    software: &'static str,
    name: &'static str,
    /// No key was accepted.
    login: &'static [FixRow],
    /// The forward was refused.
    forward: &'static [FixRow],
    /// The same for the user `root`.
    root_login: &'static [FixRow],
    root_forward: &'static [FixRow],
}

/// The product of this software (`OpenSSH_9.2p1 Debian-2`).
fn product(software: &str) -> Option<&'static Product> {
    let software = software.to_lowercase();
    PRODUCTS
        .iter()
        .find(|product| pattern(product.software, &software))
}

/// The finding about a refusal of this hop, with who it is and what helps there.
pub fn advised(finding: Finding, hop: &Hop, software: &str) -> Finding {
    let login = finding.cause == &ssh::AUTH_PUBLICKEY;
    let forward = finding.cause == &tunnel::PROHIBITED;
    let finding = finding
        .with("software", software.to_owned())
        .word("server_host", hop.host.clone())
        .word("server_user", hop.user.clone())
        .word("ssh_args", hop.ssh_args());
    let Some(product) = product(software) else {
        return finding;
    };
    let (rows, root) = match (login, forward) {
        (true, _) => (product.login, product.root_login),
        (_, true) => (product.forward, product.root_forward),
        _ => (&[][..], &[][..]),
    };
    let finding = finding.with("server", product.name);
    let finding = match hop.user == "root" {
        true => finding.with_fixes_of(root),
        false => finding,
    };
    match rows {
        [] => finding,
        rows => finding.with_fixes_of(rows).off_page(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_identification() {
        for (software, name) in [
            ("OpenSSH_for_Windows_9.5", Some("OpenSSH for Windows")),
            (
                "OpenSSH_9.6p1 Ubuntu-3ubuntu13.5",
                Some("OpenSSH on Ubuntu"),
            ),
            ("OpenSSH_9.2p1 Debian-2+deb12u3", Some("OpenSSH on Debian")),
            ("OpenSSH_8.7", Some("OpenSSH")),
            ("dropbear_2022.83", Some("Dropbear")),
            ("dropbear", Some("Dropbear")),
            ("Teleport 1.5.1-beta", Some("Teleport")),
            ("Tailscale", Some("Tailscale SSH")),
            ("Go", Some("a server written in Go")),
            ("GoAnywhere7.4", None),
            ("mod_sftp", Some("ProFTPD (mod_sftp)")),
            ("babeld-4f04c79d", Some("GitHub")),
            (
                "9.31 FlowSsh: Bitvise SSH Server (WinSSHD) 9.31",
                Some("Bitvise SSH Server"),
            ),
            ("somebody_1.0", None),
        ] {
            let known = product(software).map(|product| product.name);
            assert_eq!(known, name, "{software}");
        }
    }

    /// The evidence that every refusal has.
    const KNOWN: [&str; 3] = ["{server_host}", "{server_user}", "{ssh_args}"];

    #[test]
    fn every_fix_can_be_filled() {
        for product in PRODUCTS {
            let rows = [
                product.login,
                product.forward,
                product.root_login,
                product.root_forward,
            ];
            for row in rows.into_iter().flatten() {
                for template in [row.text, row.command.unwrap_or_default()] {
                    let known = |text: String, name: &&str| text.replace(name, "");
                    let rest = KNOWN.iter().fold(template.to_owned(), known);
                    assert!(!rest.contains('{'), "{}: {template}", product.name);
                }
            }
        }
    }
}
