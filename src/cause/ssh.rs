//! Causes of the `ssh` stage.

use super::{Cause, Severity, fix, run};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "ssh.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The SSH session failed in a way that dbdoctor does not recognise: {error}.",
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[
        run(
            "Compare with OpenSSH's own log of the same connection.",
            "ssh -vv -p {port} {user}@{host} true",
        ),
        fix("Report it with the output of the same command and --format json."),
    ],
    seen_as: &[],
};

/// Closed before the identification.
pub static CLOSED: Cause = Cause {
    code: "ssh.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The SSH server hangs up before it says who it is",
    summary: "{hop} accepts the connection and ends it before the SSH identification ({how}).",
    meaning: "TCP connects, and the connection is closed or reset before the server's first line. An SSH server does this when it has too many connections that are not logged in (MaxStartups: some of them are turned away at random), when it punishes this address (PerSourcePenalties, fail2ban, TCP wrappers), or when it cannot start its child process. A port forward or load balancer whose target is down looks the same. If trying again helps sometimes, it is MaxStartups or a load balancer with one dead target; if it never helps from here and does from elsewhere, this address is blocked. What the server said before hanging up, if anything, is in the evidence.",
    fixes: &[
        fix(
            "Try again in a minute. If that helps, raise MaxStartups in the server's sshd_config, or open fewer connections at once.",
        ),
        fix(
            "On the server, look for this address in the log of sshd and in fail2ban: fail2ban-client status sshd.",
        ),
        fix(
            "If a load balancer or port forward is in between, see that the SSH server behind it runs.",
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
    title: "The SSH server accepts the connection and says nothing",
    summary: "{hop} accepts the connection, and no SSH identification comes in time.",
    meaning: "TCP connects, but the server's first line does not come. A port forward or load balancer accepts in place of a server that does not answer; or the server is overloaded or stopped; or it waits for a slow look-up (UseDNS, TCP wrappers) before it speaks; or the port belongs to a service that waits for the client to speak first.",
    fixes: &[
        run(
            "See whether anything is ever said there.",
            "timeout 30 ssh-keyscan -T 30 -p {port} {host}",
        ),
        fix(
            "On the server, see that sshd runs and that the machine is not out of memory or processes.",
        ),
        fix("If a load balancer or port forward is in between, see where it leads."),
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
    title: "The SSH server stops answering half-way",
    summary: "{hop} identifies itself as an SSH server and then stops answering during {while}.",
    meaning: "The server's first line came and a later answer did not. Small packets that pass and larger ones that do not (path MTU) stop the key exchange; a slow directory, PAM module or DNS look-up stops authentication; an overloaded server stops anywhere.",
    fixes: &[
        fix(
            "Try again with a longer --timeout. If that passes, look for what is slow on the server: UseDNS, PAM, LDAP, AuthorizedKeysCommand.",
        ),
        run(
            "If it always stops in the key exchange, large packets are lost on the way: send one of 1,472 bytes that must not be fragmented.",
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
    meaning: "The first bytes are not an SSH identification (SSH-2.0-…). The port is wrong, or a proxy, login page or another service has it. The bytes are in the evidence.",
    fixes: &[
        fix(
            "Correct the port of --ssh, or Port in the SSH configuration; SSH servers listen on 22 unless told otherwise.",
        ),
        run(
            "On the server, see on which port sshd listens.",
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
    meaning: "Client and server agree on one algorithm for key exchange, host key, cipher and MAC each; for one of them there is none that both allow. Old servers offer only what OpenSSH has since turned off (ssh-rsa with SHA-1 since 8.8, diffie-hellman-group14-sha1 and CBC ciphers before it); hardened ones may offer only what an old client lacks. Both lists are in the evidence. dbdoctor offers what OpenSSH 9.2 offers by default, or what the SSH configuration says (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs).",
    fixes: &[
        fix(
            "Update the SSH server, or allow one of our algorithms in its sshd_config (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs), then restart it.",
        ),
        fix(
            "If only the host key's algorithm is missing, give the server an Ed25519 or ECDSA host key: ssh-keygen -A.",
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

/// OpenSSH could agree with the server, and dbdoctor cannot.
pub static UNSUPPORTED: Cause = Cause {
    code: "ssh.unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server is fine for OpenSSH, and dbdoctor cannot talk to it",
    summary: "{hop} takes only {kind} algorithms that OpenSSH has and dbdoctor lacks ({theirs}): nothing is known to be wrong, and nothing behind it could be looked at.",
    meaning: "This is a limit of dbdoctor and no fault of the server. The server allows only algorithms (sntrup761x25519 for the key exchange, or UMAC for the MAC) that are among OpenSSH's defaults and that the SSH library of dbdoctor does not have. ssh gets in; programs that bring an SSH library of their own (paramiko, JSch, libssh2, Go, russh) mostly lack the same algorithms and fail, with words like 'no matching' or 'no common algorithm'. If your application uses one of these, that is the cause.",
    fixes: &[
        run(
            "Let ssh hold the tunnel, and check the database through it.",
            "ssh -N -p {port} -L 127.0.0.1:15432:DATABASE_HOST:5432 {user}@{host}",
        ),
        fix(
            "Where an application's own SSH library must get in, allow one more algorithm in the server's sshd_config: curve25519-sha256 in KexAlgorithms, hmac-sha2-256-etm@openssh.com in MACs (or an AEAD cipher, which needs no MAC: chacha20-poly1305@openssh.com, aes256-gcm@openssh.com).",
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
    summary: "No known_hosts file has a key for {known_as}, which shows {key_type} {fingerprint}.",
    meaning: "The server proves who it is by its host key, and no line of the known_hosts files applies to it (the name looked up and the files read are in the evidence). In a container or a CI job the file is often missing or not the one that is used by hand. A line for the bare name also counts for another port, a line for another port does not count for this one. Nothing is wrong with the server; but accept the key only after comparing its fingerprint with one from a source that you trust.",
    fixes: &[
        run(
            "Ask the server's administrator for its fingerprint (on the server: ssh-keygen -lf /etc/ssh/ssh_host_{short_type}_key.pub). If it is {fingerprint}, add the key.",
            "printf '%s\\n' {entry} >> {known_hosts}",
        ),
        run(
            "See all of the server's keys as they look from here.",
            "ssh-keyscan -p {port} {reachable_host} | ssh-keygen -lf -",
        ),
        fix("If the file that knows the host is elsewhere, name it with --ssh-known-hosts."),
        fix(
            "To accept any unknown key (never a changed one), use --ssh-host-key-check accept-new: it is as good as the network at that moment.",
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

/// The host key is another one.
pub static HOSTKEY_CHANGED: Cause = Cause {
    code: "ssh.hostkey.changed",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server's host key is not the one that is known",
    summary: "{known_as} shows {key_type} {fingerprint}, and known_hosts has {expected} for it ({lines}).",
    meaning: "Lines of known_hosts apply to this server, and none of them has the key that it shows: another machine answers under this name or address (reinstalled, replaced, a reused address or port, a load balancer over several servers), or somebody sits in between. OpenSSH refuses, also where the known key is of another type than the one shown.",
    fixes: &[
        fix(
            "Find out which it is: compare {fingerprint} with the one on the server itself (ssh-keygen -lf /etc/ssh/ssh_host_{short_type}_key.pub).",
        ),
        run(
            "If the machine is the right one, remove the old key from the file.",
            "ssh-keygen -R {known_as} -f {file}",
        ),
        run("Then add the new one.", "printf '%s\\n' {entry} >> {file}"),
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
    summary: "{known_as} shows {key_type} {fingerprint}, which {line} marks as revoked.",
    meaning: "A line with @revoked forbids this key (or the authority that signed it): somebody declared it compromised. A server that still shows it has not been given a new key, or is not the server that it claims to be.",
    fixes: &[
        fix("Give the server a new host key, and publish its fingerprint."),
        fix("Only if the line is a mistake, remove it from the file."),
    ],
    seen_as: &[
        "REVOKED HOST KEY DETECTED",
        "is marked as revoked",
        "Host key verification failed",
        "HostKey has been revoked",
    ],
};

/// The host certificate does not hold.
pub static HOSTKEY_CERTIFICATE: Cause = Cause {
    code: "ssh.hostkey.certificate",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server's host certificate does not hold",
    summary: "The host certificate of {known_as} is signed by the authority that is known, and does not hold: {fault}.",
    meaning: "A line with @cert-authority trusts the authority that signed the server's certificate, but the certificate is expired, not yet valid, or made out to another name; and the plain key within it is not known either. If only this machine's clock is wrong, the certificate is fine.",
    fixes: &[
        fix(
            "Sign the host key again with the authority's key, for the name in use and a new term (ssh-keygen -s CA -h -I NAME -n HOST -V +52w /etc/ssh/ssh_host_ed25519_key.pub), then reload sshd.",
        ),
        fix(
            "If the name is the fault, connect by a name that the certificate has, or set HostKeyAlias to one.",
        ),
        run("See that this machine's clock is right.", "date -u"),
    ],
    seen_as: &[
        "Certificate invalid: expired",
        "Certificate invalid: not yet valid",
        "Certificate invalid: name is not a listed principal",
        "Host key verification failed",
    ],
};

/// None of the keys is taken.
pub static AUTH_PUBLICKEY: Cause = Cause {
    code: "ssh.auth.publickey",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server takes none of the keys",
    summary: "{hop} refuses the login: {why} (offered: {offered}).",
    meaning: "The keys in the evidence were offered and none was accepted. The server does not say why, and from outside these look the same: the key is not in this user's authorized_keys; the user does not exist, is locked or not allowed (AllowUsers, AllowGroups); authorized_keys, ~/.ssh or the home directory is writable by others (StrictModes); the line is bound to another address (from=); the server does not allow the key's algorithm. The server's log names the reason.",
    fixes: &[
        fix(
            "See that the user is right, and that one of the offered keys is the one that the server knows.",
        ),
        run(
            "On the server, read the log while trying again.",
            "journalctl -u ssh -u sshd -n 50",
        ),
        fix(
            "On the server, see that the public half is in ~/.ssh/authorized_keys of that user, and that neither the file nor a directory above it is writable by others.",
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

/// The certificate does not hold.
pub static AUTH_CERTIFICATE: Cause = Cause {
    code: "ssh.auth.certificate",
    severity: Severity::Fail,
    retryable: false,
    title: "The user certificate does not hold",
    summary: "{hop} refuses the login, and the user certificate {fault}.",
    meaning: "A certificate was offered and refused, and its own content says why: it is expired, not yet valid, or made out to other principals than the user to log in as. The server does not confirm the reason. A server with a list of principals of its own (AuthorizedPrincipalsFile) may accept other names.",
    fixes: &[
        fix(
            "Get a new certificate from the authority that issues them (vault, step, teleport, or ssh-keygen -s), for this user and a term that is not past.",
        ),
        run(
            "See what a certificate says.",
            "ssh-keygen -L -f KEY-cert.pub",
        ),
        run("See that this machine's clock is right.", "date -u"),
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
    meaning: "The password was sent (as password or keyboard-interactive) and refused. The password is wrong, the user does not exist or is locked, or it may log in with a key only; a server does not say which. What it says beside its questions is in the evidence: through PAM an account that has expired or is locked is refused like a wrong password. Keys that were offered before were refused as well; they are in the evidence.",
    fixes: &[
        fix(
            "See that the user is right and that DBDOCTOR_SSH_PASSWORD has no stray newline or quote.",
        ),
        run(
            "On the server, read the log while trying again.",
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

/// The server wants something else.
pub static AUTH_METHOD: Cause = Cause {
    code: "ssh.auth.method",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server wants a way to log in that is not available",
    summary: "{hop} wants {wanted} to log {user} in, and nothing is at hand for it.",
    meaning: "The server names the methods that it takes, and none of them could be served: it wants a password where only keys are given, a second factor after the key or the password, a new password in place of one that is past its term, or a key where none was found; or the SSH configuration switches that method off (PubkeyAuthentication, PasswordAuthentication, PreferredAuthentications). What it wants, and what was passed before, is in the evidence.",
    fixes: &[
        fix("For a key, name it with --ssh-key or add it to the agent."),
        fix("For a password, set DBDOCTOR_SSH_PASSWORD, or run in a terminal and type it."),
        fix(
            "A second factor cannot be given without a person: run in a terminal, or ask for a user who needs none.",
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
    title: "The key can only sign in a way that one side refuses",
    summary: "{hop} {reason}, so {key} cannot be used with it.",
    meaning: "An RSA key signs as ssh-rsa (SHA-1), rsa-sha2-256 or rsa-sha2-512. OpenSSH makes no SHA-1 signatures since 8.8 and otherwise the best that the server announces. This server announces nothing better than SHA-1 (before OpenSSH 7.2, or an appliance), or its PubkeyAcceptedAlgorithms leaves out what it announces. That it knows the key was found out by asking; nothing was signed. On this side, PubkeyAcceptedAlgorithms in the SSH configuration decides the same.",
    fixes: &[
        run(
            "Use an Ed25519 key: make one, and add its public half to authorized_keys on the server.",
            "ssh-keygen -t ed25519",
        ),
        fix(
            "Or update the SSH server; or add rsa-sha2-512 and rsa-sha2-256 to its PubkeyAcceptedAlgorithms.",
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
    title: "The SSH server hangs up after too many keys",
    summary: "{hop} ended the login after {offered_count} refused keys.",
    meaning: "Every key that is offered counts as an attempt, and the server allows only some (MaxAuthTries, 6 unless set). An agent with many keys uses them up before the right one comes. The keys that were offered, and those that were not, are in the evidence.",
    fixes: &[
        fix(
            "Offer only the right key: name it with --ssh-key (or IdentityFile) and set IdentitiesOnly yes for the host in the SSH configuration.",
        ),
        run("Or remove the other keys from the agent.", "ssh-add -D"),
    ],
    seen_as: &["Too many authentication failures"],
};

/// The agent does not help.
pub static AUTH_AGENT: Cause = Cause {
    code: "ssh.auth.agent",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH agent does not help",
    summary: "No key opens {hop}, and the SSH agent {problem}.",
    meaning: "The key was to come from an SSH agent (SSH_AUTH_SOCK or IdentityAgent), and the agent cannot be reached, is empty or locked (ssh-add -x; it then says that it has no keys), does not answer (ssh itself then waits for ever), or refuses to sign: its socket is from an earlier session, it was restarted and lost its keys, its user must confirm each use, or a hardware key is not plugged in.",
    fixes: &[
        run("See what the agent has.", "ssh-add -l"),
        fix("If it has no keys, add one: ssh-add ~/.ssh/id_ed25519."),
        fix(
            "If it cannot be reached, start one (eval \"$(ssh-agent)\") or point SSH_AUTH_SOCK at the one that runs; or name the key's file with --ssh-key.",
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

/// The agent does not answer, and another key opens the server.
pub static AUTH_AGENT_MUTE: Cause = Cause {
    code: "ssh.auth.agent-mute",
    severity: Severity::Warn,
    retryable: false,
    title: "The SSH agent does not answer, and ssh would wait for it for ever",
    summary: "The SSH agent at {agent} takes the question for its keys and does not answer; {hop} let us in with a key from a file, and ssh itself would hang.",
    meaning: "SSH_AUTH_SOCK (or IdentityAgent) leads to a socket that accepts connections and says nothing: an agent that hangs, a forwarded agent whose far end is gone, or a wallet that waits for its owner. dbdoctor goes on without it after two seconds. ssh does not, and neither do most programs that ask the agent.",
    fixes: &[
        run(
            "See whether it answers you.",
            "SSH_AUTH_SOCK={agent} timeout 5 ssh-add -l",
        ),
        fix(
            "Unlock or restart the agent; or go without: IdentityAgent none in the SSH configuration, or SSH_AUTH_SOCK unset.",
        ),
    ],
    seen_as: &[],
};

/// The server hung up.
pub static DISCONNECTED: Cause = Cause {
    code: "ssh.disconnected",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server ended the session",
    summary: "{hop} ended the session during {while}: {words}.",
    meaning: "The server identified itself and then ended the session before anybody was logged in, with the words in the evidence if it gave any. Without words it is often a server that cannot start its child (out of memory or processes, no privilege separation directory), an intrusion prevention system that resets SSH, or a server restarting. With words about the account, the key or password was right and the account is shut: expired, locked, or kept out by a rule of PAM.",
    fixes: &[
        run(
            "The key or password may well be right: on the server, see whether the account {account} has expired or is locked, as the server's words say, and have it opened again.",
            "chage -l {account}",
        ),
        fix("On the server, read its log of that moment: journalctl -u ssh -u sshd -n 50."),
        fix(
            "If the connection to {peer} is reset from some networks only, something on the way blocks SSH: try another port or network.",
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

/// The server breaks the protocol.
pub static MALFORMED: Cause = Cause {
    code: "ssh.malformed",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server breaks the protocol",
    summary: "{hop} identifies itself as an SSH server and then breaks the protocol during {while}: {error}.",
    meaning: "After a proper identification came bytes that are no SSH packets, a packet that was damaged on the way, or a signature that does not fit. A proxy or firewall that rewrites what passes, a faulty network card or tunnel, a server that only pretends, or one with a defect. What the library says is in the evidence.",
    fixes: &[
        run(
            "Compare with OpenSSH's own log of the same connection.",
            "ssh -vv -p {port} {user}@{host} true",
        ),
        fix("Try from another network: if it works there, something on the way changes the bytes."),
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
