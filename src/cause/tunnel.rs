//! Causes of the `tunnel` stage; some are observed on the way to a later jump
//! host, which the evidence then names.

use super::{Cause, Severity, fix, run};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "tunnel.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The forward to {target} failed in a way that dbdoctor does not recognise: {error}.",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// Forwarding is forbidden.
pub static PROHIBITED: Cause = Cause {
    code: "tunnel.prohibited",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server forbids the forward",
    summary: "{via} accepted the login but refused the forward to {target}.",
    meaning: "The login worked, but the server's rules refuse the forward: AllowTcpForwarding no (or DisableForwarding), a PermitOpen list without this host and port, or restrict, no-port-forwarding or permitopen= in front of the key in authorized_keys. PermitOpen compares the host as text: db.test and its address are different entries. An expired password also blocks forwards until it is changed.",
    fixes: &[
        fix(
            "On the server, check which rule it is: sshd -T -C user=USER,host=HOST,addr=ADDRESS | grep -iE 'allowtcpforwarding|permitopen|disableforwarding'; and the options in front of the key in authorized_keys.",
        ),
        fix(
            "Allow it: set AllowTcpForwarding local, and PermitOpen {target?host:port} or permitopen=\"{target?host:port}\" in authorized_keys. Then reload sshd.",
        ),
        fix("If the list has another spelling of the same host, use that one here."),
    ],
    seen_as: &[
        "open failed: administratively prohibited",
        "administratively prohibited: open failed",
        "Administratively prohibited",
        "(1, 'Administratively prohibited')",
        "ssh: rejected: administratively prohibited",
    ],
};

/// The target refuses.
pub static TARGET_REFUSED: Cause = Cause {
    code: "tunnel.target.refused",
    severity: Severity::Fail,
    retryable: true,
    title: "The target refuses the SSH server's connection",
    summary: "{target} refuses the connection that {via} makes to it.",
    meaning: "The tunnel works up to its last step. The target machine answers the SSH server, but nothing listens on that port there, or a firewall rejects the connection. localhost is the SSH server itself, not this machine. A PostgreSQL that listens on localhost only (listen_addresses) refuses connections to its other addresses.",
    fixes: &[
        fix(
            "Check that the server is running and that host and port are right as seen from the SSH server.",
        ),
        run(
            "On {database_host?the database's machine}, check where PostgreSQL listens:",
            "ss -tlnp",
        ),
        fix(
            "If PostgreSQL on {database_host?that machine} listens on 127.0.0.1 only, set listen_addresses in postgresql.conf and restart it.",
        ),
    ],
    seen_as: &[
        "open failed: connect failed: Connection refused",
        "connect failed: Connection refused",
        "ssh: rejected: connect failed (Connection refused)",
        "ChannelException(2, 'Connect failed')",
        "Channel open failure (connect failed)",
    ],
};

/// The target's name is not known there.
pub static TARGET_UNRESOLVED: Cause = Cause {
    code: "tunnel.target.unresolved",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server cannot resolve the target's name",
    summary: "{via} cannot resolve {target_host}: {words}.",
    meaning: "Through a tunnel, the database's name is resolved on the SSH server. It is not known there, or the SSH server's name servers do not answer; sshd does nothing else until they do or until it gives up. Names of a container network, of /etc/hosts or of a VPN's resolver exist on one machine only.",
    fixes: &[
        run(
            "Use the name as the SSH server knows it; look it up there:",
            "getent ahosts {target_host}",
        ),
        fix(
            "Or set hostaddr to the address of {database_host?the database} as the SSH server reaches it.",
        ),
    ],
    seen_as: &[
        "open failed: connect failed: Name or service not known",
        "connect failed: Temporary failure in name resolution",
        "ssh: rejected: connect failed (Name or service not known)",
        "no such host",
    ],
};

/// The target does not answer.
pub static TARGET_TIMEOUT: Cause = Cause {
    code: "tunnel.target.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The target does not answer the SSH server",
    summary: "{via} gets no answer from {target}.",
    meaning: "The SSH server tries to connect to the target and nothing comes back: a firewall or security group between the two drops the packets, or the address is dead. The SSH server itself answers.",
    fixes: &[
        fix("Allow the SSH server's address in the firewall or security group of the database."),
        run(
            "Check that the address is right as seen from the SSH server; try it there:",
            "nc -zvw 5 {target_host} {target_port}",
        ),
    ],
    seen_as: &[
        "open failed: connect failed: Connection timed out",
        "ssh: rejected: connect failed (Connection timed out)",
        "connect failed: Operation timed out",
    ],
};

/// The target cannot be reached.
pub static TARGET_UNREACHABLE: Cause = Cause {
    code: "tunnel.target.unreachable",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server cannot reach the target",
    summary: "{via} cannot reach {target}: {words}.",
    meaning: "The SSH server has no route to the target's address, or a router or firewall reports that it is not allowed to reach it. A common case is an IPv6 address on a server without IPv6.",
    fixes: &[
        run(
            "On the SSH server, check that the address is right and which route leads to it:",
            "getent ahosts {target_host}; ip route get {target_host}",
        ),
        fix(
            "If only the IPv6 address of {database_host?the database} is the problem, set hostaddr to the IPv4 one.",
        ),
    ],
    seen_as: &[
        "open failed: connect failed: No route to host",
        "open failed: connect failed: Network is unreachable",
        "ssh: rejected: connect failed (No route to host)",
    ],
};

/// The target cannot be reached, for an unknown reason.
pub static TARGET_FAILED: Cause = Cause {
    code: "tunnel.target.failed",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server cannot connect to the target and does not say why",
    summary: "{via} cannot connect to {target}, and reported only: {error}.",
    meaning: "The SSH server allows the forward, but its connection to the target fails. It may be a refusal, a missing route or a name that does not resolve: some servers do not say. OpenSSH never does for a unix socket, whether it is missing, closed to that user, or forbidden by AllowStreamLocalForwarding or AllowTcpForwarding.",
    fixes: &[
        run(
            "On the SSH server, check that the socket exists and is open to the user that logs in, and that sshd forwards to sockets (AllowStreamLocalForwarding, AllowTcpForwarding):",
            "ls -l {socket}; sudo sshd -T | grep -i forwarding",
        ),
        run(
            "On the SSH server, try the same connection:",
            "nc -zvw 5 {target_host} {target_port}",
        ),
        run(
            "On the SSH server, read the log of that moment:",
            "journalctl -u ssh -u sshd -n 50",
        ),
    ],
    seen_as: &[
        "open failed: connect failed: open failed",
        "Channel open failure (connect failed)",
    ],
};

/// No more channels.
pub static LIMIT: Cause = Cause {
    code: "tunnel.limit",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server has no more channels",
    summary: "{via} opens no more forwards: it reports a resource shortage.",
    meaning: "The server refuses another channel for lack of resources: it limits forwards, or it is out of file descriptors or memory. It is not OpenSSH's MaxSessions, which does not count forwards.",
    fixes: &[
        fix("Open fewer connections through one tunnel, or use several tunnels."),
        fix("Raise the server's limit on channels or open files."),
    ],
    seen_as: &["open failed: resource shortage", "Resource shortage"],
};

/// The local port is taken.
pub static LISTEN: Cause = Cause {
    code: "tunnel.listen",
    severity: Severity::Fail,
    retryable: false,
    title: "The local port for the tunnel cannot be opened",
    summary: "dbdoctor cannot listen on {address}: {error}.",
    meaning: "The tunnel is up, but its local end could not be opened. Another program uses the port (an earlier tunnel, a local PostgreSQL), the port is below 1024, or the address does not belong to this machine.",
    fixes: &[
        run("Check which program uses the port:", "ss -tlnp"),
        fix("Use another port with --listen; 0 lets the system choose one."),
    ],
    seen_as: &[
        "bind: Address already in use",
        "bind [127.0.0.1]:5432: Address already in use",
        "Could not request local forwarding.",
        "cannot listen to port",
        "[Errno 98] Address already in use",
    ],
};

/// Others can reach the local end.
pub static EXPOSED: Cause = Cause {
    code: "tunnel.exposed",
    severity: Severity::Warn,
    retryable: false,
    title: "Other machines can use the tunnel too",
    summary: "The tunnel to {target} listens on {address}, where other machines can reach it.",
    meaning: "With an address other than loopback, anyone who can reach this machine's port reaches the database, bypassing the SSH server's rules. The database still asks for its own password.",
    fixes: &[fix(
        "Leave the address out of --listen, so that only this machine can connect, or protect the port with a firewall.",
    )],
    seen_as: &[],
};

/// The session ended while in use.
pub static LOST: Cause = Cause {
    code: "tunnel.lost",
    severity: Severity::Fail,
    retryable: false,
    title: "The tunnel died while it was in use",
    summary: "The SSH session with {via} ended {when}: {error}.",
    meaning: "The login worked, but the session ended during the connection through it: the SSH server was restarted or stopped, an administrator ended the session, or a device on the way dropped it. Programs that use the tunnel then see a closed or reset connection and blame the database.",
    fixes: &[
        fix("On the SSH server, read its log of that moment: journalctl -u ssh -u sshd -n 50."),
        fix(
            "If it ends after some time without traffic, set ServerAliveInterval 30 for {bastion?the SSH server} in the SSH configuration, and test it with dbdoctor idle.",
        ),
    ],
    seen_as: &[
        "Timeout, server",
        "closed by remote host.",
        "client_loop: send disconnect: Broken pipe",
        "packet_write_wait: Connection to",
        "server closed the connection unexpectedly",
        "Connection terminated unexpectedly",
        "Socket exception: Connection reset by peer",
    ],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &PROHIBITED,
    &TARGET_REFUSED,
    &TARGET_UNRESOLVED,
    &TARGET_TIMEOUT,
    &TARGET_UNREACHABLE,
    &TARGET_FAILED,
    &LIMIT,
    &LISTEN,
    &EXPOSED,
    &LOST,
    &UNCLASSIFIED,
];
