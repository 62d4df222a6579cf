//! What a finding says about the SSH server that it is about.
//!
//! Pages have fixes for a database and fixes for an SSH server; the evidence
//! that only one of them has decides which are shown.

use crate::config::Hop;
use crate::finding::Finding;

/// The finding of a stage that also dials databases, for an SSH server: what
/// its fixes for a database need is taken away.
pub fn dialled(finding: Finding, hop: &Hop) -> Finding {
    let finding = finding.without(&["machine", "database_host"]);
    described(finding, hop)
}

/// The finding with who the SSH server is and where its port was set.
pub fn described(finding: Finding, hop: &Hop) -> Finding {
    finding
        .with("hop", hop.label())
        .word("hop_host", hop.host.clone())
        .word("hop_port", hop.port)
        .word("port_source", hop.port_source.to_string())
        .word("ssh_args", hop.ssh_args())
        .word("login", format!("{}@{}", hop.user, hop.written.host))
}
