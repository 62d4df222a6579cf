//! Causes of the `ssh` stage.

use super::{Cause, Severity, fix, run};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "ssh.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The SSH session failed in a way that dbdoctor does not recognise: {error}.",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[
        run(
            "Compare with OpenSSH's own log of the same connection:",
            "ssh -vv -p {port} {user}@{host} true",
        ),
        fix("Report it with the output of the same command with --format json added."),
    ],
    seen_as: &[],
};

/// Closed before the identification.
pub static CLOSED: Cause = Cause {
    code: "ssh.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server closes the connection before identifying itself",
    summary: "{hop} accepts the connection and closes it before the SSH identification ({how}).",
    meaning: "TCP connects, but the connection is closed or reset before the server's first line. An SSH server does this when too many connections are waiting to log in (MaxStartups: it rejects some of them at random), when it blocks this address (PerSourcePenalties, fail2ban, TCP wrappers), or when it cannot start its child process. A port forward or load balancer with a dead target looks the same. If retrying sometimes helps, it is MaxStartups or a load balancer with one dead target. If it never helps from here but does from elsewhere, this address is blocked. Anything the server said before it closed the connection is in the evidence.",
    fixes: &[
        fix(
            "Try again in a minute. If that helps, raise MaxStartups in the server's sshd_config, or open fewer connections at once.",
        ),
        fix(
            "On the server, look for this address in the log of sshd and in fail2ban: fail2ban-client status sshd.",
        ),
        fix(
            "If there is a load balancer or port forward in front, check that the SSH server it leads to is running.",
        ),
    ],
    seen_as: &[
        "kex_exchange_identification: Connection closed by remote host",
        "kex_exchange_identification: read: Connection reset by peer",
        "ssh_exchange_identification: Connection closed by remote host",
        "Exceeded MaxStartups",
        "Not allowed at this time",
        "Error reading SSH protocol banner",
        "[Errno 54] Connection reset by peer",
        "Could not establish session to SSH gateway",
    ],
};

/// No identification in time.
pub static SILENT: Cause = Cause {
    code: "ssh.silent",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server accepts the connection but sends nothing",
    summary: "{hop} accepts the connection, but no SSH identification arrives in time.",
    meaning: "TCP connects, but the server's first line does not arrive. A port forward or load balancer accepts for a server that does not answer, the server is overloaded or stopped, it waits for a slow lookup first (UseDNS, TCP wrappers), or the port belongs to a service in which the client speaks first.",
    fixes: &[
        run(
            "Check whether the server ever sends anything:",
            "timeout 30 ssh-keyscan -T 30 -p {port} {host}",
        ),
        fix(
            "On the server, check that sshd is running and that the machine is not out of memory or processes.",
        ),
        fix("If there is a load balancer or port forward in front, check where it leads."),
    ],
    seen_as: &[
        "Connection timed out during banner exchange",
        "Error reading SSH protocol banner",
        "timed out waiting for the SSH banner",
    ],
};

/// Stalls after the identification.
pub static TIMEOUT: Cause = Cause {
    code: "ssh.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server stops answering during the handshake or login",
    summary: "{hop} identifies itself as an SSH server and then stops answering during {while}.",
    meaning: "The server's first line arrived, but a later answer did not. During the key exchange, small packets probably pass and larger ones are lost (path MTU). During authentication, a directory, a PAM module or a DNS lookup is slow. An overloaded server stops anywhere.",
    fixes: &[
        fix(
            "Try again with a longer --timeout. If that works, look for what is slow on the server: UseDNS, PAM, LDAP, AuthorizedKeysCommand.",
        ),
        run(
            "If it always stops in the key exchange, large packets are lost on the way. Send one of 1,472 bytes that must not be fragmented:",
            "ping -M do -s 1472 -c 3 {host}",
        ),
    ],
    seen_as: &[
        "Connection timed out during key exchange",
        "Timeout, server not responding",
        "Timeout opening channel",
        "Authentication timeout",
    ],
};

/// Something else answers.
pub static NOT_SSH: Cause = Cause {
    code: "ssh.not-ssh",
    severity: Severity::Fail,
    retryable: false,
    title: "Something other than an SSH server answers",
    summary: "{host} port {port} is not an SSH server: {what} answers there.",
    meaning: "The first bytes are not an SSH identification (SSH-2.0-…). The port is wrong, or a proxy, a login page or another service uses it. The bytes are in the evidence.",
    fixes: &[
        fix(
            "Correct the port in --ssh, or Port in the SSH configuration; SSH servers listen on 22 by default.",
        ),
        run(
            "On the server, check which port sshd listens on:",
            "ss -tlnp | grep sshd",
        ),
    ],
    seen_as: &[
        "Bad remote protocol version identification",
        "banner line too long",
        "kex_exchange_identification: banner line contains invalid characters",
        "Protocol major versions differ",
        "Invalid SSH protocol version",
    ],
};

/// No common algorithm.
pub static ALGORITHMS: Cause = Cause {
    code: "ssh.algorithms",
    severity: Severity::Fail,
    retryable: false,
    title: "No common SSH algorithm",
    summary: "{hop} and {side} have no {kind} algorithm in common; the server offers {theirs}.",
    meaning: "Client and server must agree on one algorithm each for key exchange, host key, cipher and MAC, and for one of them there is none that both allow. Old servers offer only what OpenSSH has since disabled (ssh-rsa with SHA-1 since 8.8, diffie-hellman-group14-sha1 and CBC ciphers before that). Hardened servers may offer only what an old client lacks. Both lists are in the evidence. dbdoctor offers what OpenSSH 9.2 offers by default, or what the SSH configuration says (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs).",
    fixes: &[
        fix(
            "Update the SSH server, or allow one of this client's algorithms in its sshd_config (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs) and restart it.",
        ),
        fix(
            "If only the host key algorithm is missing, create Ed25519 and ECDSA host keys on the server: ssh-keygen -A.",
        ),
    ],
    seen_as: &[
        "Unable to negotiate with",
        "no matching key exchange method found",
        "no matching host key type found",
        "no matching cipher found",
        "no matching MAC found",
        "Incompatible ssh peer (no acceptable kex algorithm)",
        "Algorithm negotiation fail",
        "no common algorithm for key exchange",
    ],
};

/// OpenSSH has an algorithm in common with the server, dbdoctor has not.
pub static UNSUPPORTED: Cause = Cause {
    code: "ssh.unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "OpenSSH can connect to this SSH server, but dbdoctor cannot",
    summary: "{hop} allows only {kind} algorithms that OpenSSH has and dbdoctor lacks ({theirs}): no fault was found, but nothing after this server could be checked.",
    meaning: "This is a limitation of dbdoctor, not a fault of the server. The server allows only algorithms (sntrup761x25519 for the key exchange, or UMAC for the MAC) that are among OpenSSH's defaults but missing from dbdoctor's SSH library. ssh connects. Programs with their own SSH library (paramiko, JSch, libssh2, Go, russh) mostly lack the same algorithms and fail with messages such as 'no matching' or 'no common algorithm'. If your application uses one of these, this is the cause.",
    fixes: &[
        run(
            "Open the tunnel with ssh, and check the database through it:",
            "ssh -N -p {port} -L 127.0.0.1:15432:DATABASE_HOST:5432 {user}@{host}",
        ),
        fix(
            "If an application's own SSH library must connect, allow one more algorithm in the server's sshd_config: curve25519-sha256 in KexAlgorithms, hmac-sha2-256-etm@openssh.com in MACs (or an AEAD cipher, which needs no MAC: chacha20-poly1305@openssh.com, aes256-gcm@openssh.com).",
        ),
    ],
    seen_as: &[],
};

/// The host key is not known.
pub static HOSTKEY_UNKNOWN: Cause = Cause {
    code: "ssh.hostkey.unknown",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server's host key is not known",
    summary: "No known_hosts file has a key for {known_as}, which presents {key_type} {fingerprint}.",
    meaning: "The server identifies itself by its host key, and no line of the known_hosts files applies to it (the name that was looked up and the files that were read are in the evidence). In a container or a CI job, the file is often missing or not the one used by hand. A line for the bare name also applies to other ports; a line for another port does not apply to this one. Nothing is wrong with the server, but accept the key only after comparing its fingerprint with one from a source that you trust.",
    fixes: &[
        run(
            "Ask the server administrator for the fingerprint (on the server: ssh-keygen -lf /etc/ssh/ssh_host_{short_type?ed25519}_key.pub). If it is {fingerprint?the same}, add the key:",
            "printf '%s\\n' {entry} >> {known_hosts}",
        ),
        run(
            "List all of the server's keys as seen from here:",
            "ssh-keyscan -p {port} {reachable_host} | ssh-keygen -lf -",
        ),
        fix("If another file knows the host, pass it with --ssh-known-hosts."),
        fix(
            "To accept any unknown key (never a changed one), use --ssh-host-key-check accept-new: it is only as trustworthy as the network at that moment.",
        ),
    ],
    seen_as: &[
        "Host key verification failed",
        "The authenticity of host",
        "host key is known for",
        "and you have requested strict checking",
        "not found in known_hosts",
        "UnknownHostKey",
        "knownhosts: key is unknown",
        "reject HostKey",
    ],
};

/// The host key has changed.
pub static HOSTKEY_CHANGED: Cause = Cause {
    code: "ssh.hostkey.changed",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server's host key has changed",
    summary: "{known_as} presents {key_type} {fingerprint}, but known_hosts has {expected} for it ({lines}).",
    meaning: "known_hosts has lines for this server, but none of them has the key that it presents. Another machine answers under this name or address (reinstalled, replaced, a reused address or port, a load balancer in front of several servers), or this is a man-in-the-middle attack. OpenSSH refuses the connection, even if the known key is of another type than the one presented.",
    fixes: &[
        fix(
            "Find out which it is: compare {fingerprint?the fingerprint} with the one on the server itself (ssh-keygen -lf /etc/ssh/ssh_host_{short_type?ed25519}_key.pub).",
        ),
        run(
            "If it is the right machine, remove the old key from the file:",
            "ssh-keygen -R {known_as} -f {file}",
        ),
        run("Then add the new key:", "printf '%s\\n' {entry} >> {file}"),
        fix(
            "If several machines answer under one name, give them the same host key or sign their keys (@cert-authority).",
        ),
    ],
    seen_as: &[
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "Host key verification failed",
        "does not match: got",
        "knownhosts: key mismatch",
        "Offending",
        "HostKey has been changed",
    ],
};

/// The host key is revoked.
pub static HOSTKEY_REVOKED: Cause = Cause {
    code: "ssh.hostkey.revoked",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server's host key is revoked",
    summary: "{known_as} presents {key_type} {fingerprint}, which {line} marks as revoked.",
    meaning: "A line with @revoked in known_hosts, or a file named by RevokedHostKeys, forbids this key (or the authority that signed it), because it is considered compromised. A server that still presents it was not given a new key, or is not the server that it claims to be.",
    fixes: &[
        fix("Create a new host key on the server, and publish its fingerprint."),
        fix("Only if the line is a mistake, remove it from the file."),
    ],
    seen_as: &[
        "REVOKED HOST KEY DETECTED",
        "is marked as revoked",
        "revoked by file",
        "Host key verification failed",
        "HostKey has been revoked",
    ],
};

/// The host certificate is not valid.
pub static HOSTKEY_CERTIFICATE: Cause = Cause {
    code: "ssh.hostkey.certificate",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server's host certificate is not valid",
    summary: "The host certificate of {known_as} is signed by the known authority, but it is not valid: {fault}.",
    meaning: "A line with @cert-authority trusts the authority that signed the server's certificate, but the certificate is expired, not yet valid, issued for another name, or signed with an algorithm that CASignatureAlgorithms does not allow, and the plain key in it is not known either. If only this machine's clock is wrong, the certificate is fine.",
    fixes: &[
        fix(
            "Sign the host key again with the authority's key, for the name in use and with a new validity period (ssh-keygen -s CA -h -I NAME -n HOST -V +52w /etc/ssh/ssh_host_ed25519_key.pub), then reload sshd.",
        ),
        fix(
            "If the name is the problem, connect by a name that the certificate has, or set HostKeyAlias to one.",
        ),
        fix(
            "If the signature's algorithm is the problem, sign the host key again with an allowed one (ssh-keygen -t rsa-sha2-512 -s CA for an RSA authority), or add it to CASignatureAlgorithms.",
        ),
        run("Check that this machine's clock is right:", "date -u"),
    ],
    seen_as: &[
        "Certificate invalid: expired",
        "Certificate invalid: not yet valid",
        "Certificate invalid: name is not a listed principal",
        "Host key verification failed",
    ],
};

/// The server rejected every key.
pub static AUTH_PUBLICKEY: Cause = Cause {
    code: "ssh.auth.publickey",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server rejected every key",
    summary: "{hop} refuses the login: {why} (offered: {offered}).",
    meaning: "The keys in the evidence were offered, and none was accepted. The server does not say why, and these look the same from outside: the key is not in this user's authorized_keys; the user does not exist, is locked or is not allowed to log in (AllowUsers, AllowGroups); authorized_keys, ~/.ssh or the home directory is writable by others (StrictModes); the key's line is restricted to another address (from=); the server does not allow the key's algorithm. The server's log names the reason.",
    fixes: &[
        fix("Check the user name, and that an offered key is in authorized_keys."),
        run(
            "On the server, read the log while trying again:",
            "journalctl -u ssh -u sshd -n 50",
        ),
        fix(
            "On the server, check that neither ~/.ssh/authorized_keys of that user nor a directory above it is writable by others.",
        ),
        fix("To offer another key, name it with --ssh-key."),
    ],
    seen_as: &[
        "Permission denied (publickey",
        "All configured authentication methods failed",
        "Authentication failed.",
        "no more authentication methods available",
        "Auth fail",
        "unable to authenticate, attempted methods",
        "Could not establish session to SSH gateway",
    ],
};

/// The user certificate is not valid.
pub static AUTH_CERTIFICATE: Cause = Cause {
    code: "ssh.auth.certificate",
    severity: Severity::Fail,
    retryable: false,
    title: "The user certificate is not valid",
    summary: "{hop} refuses the login, and the user certificate {fault}.",
    meaning: "A certificate was offered and refused, and its own content explains why: it is expired, not yet valid, or issued for principals other than the user to log in as. The server does not confirm the reason. A server with its own list of principals (AuthorizedPrincipalsFile) may accept other names.",
    fixes: &[
        fix(
            "Get a new certificate from its issuing authority (vault, step, teleport, or ssh-keygen -s), for this user and with a validity period that has not expired.",
        ),
        run(
            "Check the certificate's content:",
            "ssh-keygen -L -f KEY-cert.pub",
        ),
        run("Check that this machine's clock is right:", "date -u"),
    ],
    seen_as: &[
        "Certificate invalid: expired",
        "Certificate invalid: name is not a listed principal",
        "Permission denied (publickey",
        "certificate has expired",
    ],
};

/// The password is refused.
pub static AUTH_PASSWORD: Cause = Cause {
    code: "ssh.auth.password",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server refuses the password",
    summary: "{hop} refuses the password for {user}{remark}.",
    meaning: "The password was sent (as password or keyboard-interactive) and refused: it is wrong, the user does not exist or is locked, or the user is allowed to log in only with a key. The server does not say which. What it said along with its prompts is in the evidence: through PAM, an expired or locked account is refused like a wrong password. Keys that were offered before were refused as well; they are in the evidence.",
    fixes: &[
        fix("Check the user name, and that DBDOCTOR_SSH_PASSWORD has no stray newline or quote."),
        run(
            "On the server, read the log while trying again:",
            "journalctl -u ssh -u sshd -n 50",
        ),
    ],
    seen_as: &[
        "Permission denied, please try again.",
        "Permission denied (publickey,password",
        "Authentication failed.",
        "Auth fail for methods",
    ],
};

/// The server requires another login method.
pub static AUTH_METHOD: Cause = Cause {
    code: "ssh.auth.method",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server requires a login method that is not available",
    summary: "{hop} requires {wanted} to log {user} in, which is not available.",
    meaning: "The server names the methods that it accepts, and none of them could be used. It requires a password where only keys are given, a second factor after the key or the password, a new password instead of an expired one, or a key where none was found; or the SSH configuration disables that method (PubkeyAuthentication, PasswordAuthentication, PreferredAuthentications). The required method, and those that already succeeded, are in the evidence.",
    fixes: &[
        fix("If a key is required, name it with --ssh-key or add it to the agent."),
        fix(
            "If a password is required, set DBDOCTOR_SSH_PASSWORD, or run in a terminal and type it.",
        ),
        fix(
            "A second factor needs a person: run in a terminal, or ask for a user that does not need one.",
        ),
    ],
    seen_as: &[
        "Permission denied (keyboard-interactive)",
        "Permission denied (password)",
        "Permission denied (publickey,keyboard-interactive)",
        "Bad authentication type",
        "Authenticated using \"publickey\" with partial success",
        "partial success",
    ],
};

/// The signature algorithm is refused.
pub static AUTH_ALGORITHM: Cause = Cause {
    code: "ssh.auth.algorithm",
    severity: Severity::Fail,
    retryable: false,
    title: "The key's signature algorithms are not accepted",
    summary: "{hop} {reason}, so {key} cannot be used with it.",
    meaning: "An RSA key signs as ssh-rsa (SHA-1), rsa-sha2-256 or rsa-sha2-512. Since 8.8, OpenSSH makes no SHA-1 signatures, and otherwise it uses the best one that the server announces. This server announces nothing better than SHA-1 (before OpenSSH 7.2, or an appliance), or its PubkeyAcceptedAlgorithms excludes what it announces. It was asked whether it knows the key and said yes; nothing was signed. On the client, PubkeyAcceptedAlgorithms in the SSH configuration has the same effect.",
    fixes: &[
        run(
            "Create an Ed25519 key, and add its public key to authorized_keys on the server:",
            "ssh-keygen -t ed25519",
        ),
        fix(
            "Or update the SSH server, or add rsa-sha2-512 and rsa-sha2-256 to its PubkeyAcceptedAlgorithms.",
        ),
    ],
    seen_as: &[
        "no mutual signature supported",
        "no mutual signature algorithm",
        "send_pubkey_test: no mutual signature algorithm",
        "key type ssh-rsa not in PubkeyAcceptedAlgorithms",
        "signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms",
        "Auth fail for methods 'publickey",
    ],
};

/// Too many keys.
pub static AUTH_TOO_MANY: Cause = Cause {
    code: "ssh.auth.too-many",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server closes the connection after too many keys",
    summary: "{hop} ended the login after {offered_count} refused keys.",
    meaning: "Every offered key counts as an attempt, and the server limits attempts (MaxAuthTries, 6 by default). An agent with many keys uses them up before it gets to the right one. The keys that were offered, and those that were not, are in the evidence.",
    fixes: &[
        fix(
            "Offer only the right key: name it with --ssh-key (or IdentityFile) and set IdentitiesOnly yes for the host in the SSH configuration.",
        ),
        run("Or remove the other keys from the agent:", "ssh-add -D"),
    ],
    seen_as: &["Too many authentication failures"],
};

/// The agent cannot provide a key.
pub static AUTH_AGENT: Cause = Cause {
    code: "ssh.auth.agent",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH agent cannot provide a key",
    summary: "No key was accepted by {hop}, and the SSH agent {problem}.",
    meaning: "The key should come from an SSH agent (SSH_AUTH_SOCK or IdentityAgent), but the agent cannot be reached, is empty or locked (ssh-add -x; it then reports no keys), does not answer (ssh itself then waits forever), or refuses to sign. Its socket is from an earlier session, it was restarted and lost its keys, its user must confirm each use, or a hardware key is not plugged in.",
    fixes: &[
        run("List the agent's keys:", "ssh-add -l"),
        fix("If it has no keys, add one: ssh-add ~/.ssh/id_ed25519."),
        fix(
            "If it cannot be reached, start one (eval \"$(ssh-agent)\") or set SSH_AUTH_SOCK to the running one; or name the key file with --ssh-key.",
        ),
    ],
    seen_as: &[
        "agent refused operation",
        "communication with agent failed",
        "agent contains no identities",
        "Could not open a connection to your authentication agent",
        "Error connecting to agent",
        "The agent has no identities",
    ],
};

/// The agent does not answer, and another key was accepted.
pub static AUTH_AGENT_MUTE: Cause = Cause {
    code: "ssh.auth.agent-mute",
    severity: Severity::Warn,
    retryable: false,
    title: "The SSH agent does not answer, and ssh would wait for it forever",
    summary: "The SSH agent at {agent} accepts the request for its keys but does not answer; {hop} accepted a key from a file, but ssh itself would hang.",
    meaning: "SSH_AUTH_SOCK (or IdentityAgent) leads to a socket that accepts connections and sends nothing: an agent that hangs, a forwarded agent whose other end is gone, or a wallet that waits for its owner. dbdoctor goes on without it after two seconds. ssh and most programs that use the agent do not.",
    fixes: &[
        run(
            "Check whether it answers you:",
            "SSH_AUTH_SOCK={agent} timeout 5 ssh-add -l",
        ),
        fix(
            "Unlock or restart the agent, or do without it: set IdentityAgent none in the SSH configuration, or unset SSH_AUTH_SOCK.",
        ),
    ],
    seen_as: &[],
};

/// The server ended the session.
pub static DISCONNECTED: Cause = Cause {
    code: "ssh.disconnected",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server ended the session",
    summary: "{hop} ended the session during {while}: {words}.",
    meaning: "The server identified itself and then ended the session before the login was complete. Its message, if any, is in the evidence. Without a message it is often a server that cannot start its child process (out of memory or processes, no privilege separation directory), an intrusion prevention system that resets SSH, or a server that is restarting. With a message about the account, the key or password was right but the account is closed: expired, locked, or excluded by a PAM rule.",
    fixes: &[
        run(
            "The key or password may well be right. On the server, check whether the account {account?of the user} has expired or is locked, as the server's message says, and have it unlocked:",
            "chage -l {account}",
        ),
        fix("On the server, read its log of that moment: journalctl -u ssh -u sshd -n 50."),
        fix(
            "If the connection to {peer?the server} is reset from some networks only, a device on the way blocks SSH: try another port or network.",
        ),
    ],
    seen_as: &[
        "Received disconnect from",
        "Disconnected from",
        "Connection closed by authenticating user",
        "Connection reset by",
        "Connection closed by",
        "Server unexpectedly closed network connection",
    ],
};

/// The server violates the protocol.
pub static MALFORMED: Cause = Cause {
    code: "ssh.malformed",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server violates the protocol",
    summary: "{hop} identifies itself as an SSH server and then violates the protocol during {while}: {error}.",
    meaning: "After a valid identification came bytes that are not SSH packets, a packet that was damaged on the way, or a signature that does not match. Possible causes are a proxy or firewall that rewrites the traffic, a faulty network card or tunnel, a service that only imitates SSH, or a bug in the server. The SSH library's error is in the evidence.",
    fixes: &[
        run(
            "Compare with OpenSSH's own log of the same connection:",
            "ssh -vv -p {port} {user}@{host} true",
        ),
        fix("Try from another network: if it works there, a device on the way changes the bytes."),
    ],
    seen_as: &[
        "Bad packet length",
        "Corrupted MAC on input",
        "message authentication code incorrect",
        "incorrect signature",
        "Packet corrupt",
        "ssh_dispatch_run_fatal",
    ],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &CLOSED,
    &SILENT,
    &TIMEOUT,
    &NOT_SSH,
    &ALGORITHMS,
    &UNSUPPORTED,
    &HOSTKEY_UNKNOWN,
    &HOSTKEY_CHANGED,
    &HOSTKEY_REVOKED,
    &HOSTKEY_CERTIFICATE,
    &AUTH_PUBLICKEY,
    &AUTH_CERTIFICATE,
    &AUTH_PASSWORD,
    &AUTH_METHOD,
    &AUTH_ALGORITHM,
    &AUTH_TOO_MANY,
    &AUTH_AGENT,
    &AUTH_AGENT_MUTE,
    &DISCONNECTED,
    &MALFORMED,
    &UNCLASSIFIED,
];
