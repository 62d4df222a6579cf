//! Causes of the `auth` stage: start-up, authentication, authorisation.

use super::{Cause, Severity, fix, run};

/// 28P01, or the SCRAM exchange fails.
pub static PASSWORD_WRONG: Cause = Cause {
    code: "auth.password.wrong",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not accept the password",
    summary: "The server does not accept the password for role {user} (from {password_from}). A missing role and a password past its VALID UNTIL produce the same error.",
    meaning: "The server checked the password and rejected it (SQLSTATE 28P01). It deliberately gives the same answer if the role does not exist, has no password, or has one whose VALID UNTIL has passed; only the server's log tells these apart. A password that works elsewhere but not here often comes from an unintended source (an old PGPASSWORD, another line of the password file), was percent-encoded twice in a URL, contains a line break, or belongs to another server listening on the same port.",
    fixes: &[
        fix(
            "Check that the password from {password_from|its source} is the one for {user|the role} at {endpoint|this server}: `dbdoctor config` shows every source and which one is used.",
        ),
        run(
            "Check the server's log, which gives the reason: no such role, an expired password, or a mismatch. As a superuser, check whether the role exists and how long its password is valid:",
            "psql -U postgres -d postgres -c '\\du+' -c 'select rolname, rolvaliduntil from pg_roles'",
        ),
        fix("Reset the password as a superuser, in psql: \\password followed by the role's name."),
    ],
    seen_as: &[
        "password authentication failed for user",
        "SASL authentication failed",
        "error received from server in SCRAM exchange: Wrong password",
        "The password that was provided for the role",
        "28P01",
    ],
};

/// The server asks for a password and no source has one.
pub static PASSWORD_MISSING: Cause = Cause {
    code: "auth.password.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The server asks for a password and none is configured",
    summary: "The server asks for the password of role {user}, and no source has one. Checked: {sources}.",
    meaning: "Nothing was rejected: there was no password to send. An empty password counts as none, as it does for libpq. libpq ignores a password file that others can read. Its lines must match host, port, database and role exactly as written in the target (for the default socket directory they begin with localhost, for another one with its path).",
    fixes: &[
        run(
            "Restrict the password file to its owner (with mode {ignored_mode|0644} libpq ignores it):",
            "chmod 600 {ignored_passfile?~/.pgpass}",
        ),
        run(
            "Add a line for this server to the password file, with the password in place of PASSWORD:",
            "( umask 077; echo {passfile_line?'HOST:PORT:DATABASE:USER:PASSWORD'} >> ~/.pgpass )",
        ),
        fix(
            "Or set PGPASSWORD in the environment of the program that connects, and check that it is set there and not only in your shell.",
        ),
        fix(
            "Or configure the server to authenticate this connection in another way: `peer` on a unix socket, or a client certificate.",
        ),
    ],
    seen_as: &[
        "fe_sendauth: no password supplied",
        "SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string",
        "The server requested SCRAM-based authentication, but no password was provided.",
        "No password has been provided but the backend requires one",
        "The server requested password-based authentication, but no password was provided",
        "empty password returned by client",
    ],
};

/// The server's SCRAM signature is wrong, or it says yes before giving one.
pub static SERVER_UNPROVEN: Cause = Cause {
    code: "auth.server.unproven",
    severity: Severity::Fail,
    retryable: false,
    title: "The server could not prove that it knows the password",
    summary: "The server at {endpoint} could not prove that it knows the password of {user}, so it is not the server it claims to be: {error}.",
    meaning: "With SCRAM both sides prove that they know the password. This server accepted the client's proof and sent a wrong one itself, or none: it is an impostor, a proxy that fakes authentication, or a pooler with an outdated copy of the password. The client sent no reusable form of the password, but the proof it sent can be used to guess a weak password.",
    fixes: &[
        fix(
            "Find out which program listens on {endpoint|this address}: the address may lead to another machine than you expect.",
        ),
        fix("Set sslmode=verify-full, so that the server proves its name before anything is sent."),
        fix(
            "If it is your own pooler, update its copy of the role's password (userlist.txt or auth_query).",
        ),
    ],
    seen_as: &[
        "incorrect server signature",
        "invalid SCRAM response (nonce mismatch)",
        "SCRAM verification error",
        "SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match",
    ],
};

/// No line of pg_hba.conf matches.
pub static HBA_NO_ENTRY: Cause = Cause {
    code: "auth.hba.no-entry",
    severity: Severity::Fail,
    retryable: false,
    title: "No line of pg_hba.conf allows this connection",
    summary: "No line of the server's pg_hba.conf matches role {user}, database {database}, from {client} {encryption}.",
    meaning: "The server uses the first line of pg_hba.conf that matches the type of connection, database, role and address, and found none. The address is the one that the server sees: behind a NAT, a proxy or a container bridge it is not this machine's own. The password was not checked. `auth.hba.reject` is for a matching line that rejects the connection; `auth.hba.needs-tls` and `auth.hba.needs-plain` are for connections that only need the other encryption.",
    fixes: &[
        run(
            "On the server, add this line to pg_hba.conf and reload it:",
            "echo {hba_line?'host DATABASE ROLE ADDRESS scram-sha-256'} >> \"$(psql -U postgres -XAtc 'show hba_file')\" && psql -U postgres -c 'select pg_reload_conf()'",
        ),
        run(
            "If such a line is there already, it has an error or was not reloaded; check how the server reads the file:",
            "psql -U postgres -c 'select * from pg_hba_file_rules'",
        ),
    ],
    seen_as: &[
        "no pg_hba.conf entry for host",
        "no pg_hba.conf entry for replication connection from host",
        "address not in tenant allow_list",
    ],
};

/// A `reject` line matches.
pub static HBA_REJECT: Cause = Cause {
    code: "auth.hba.reject",
    severity: Severity::Fail,
    retryable: false,
    title: "A line of pg_hba.conf rejects this connection",
    summary: "A reject line of the server's pg_hba.conf matches role {user}, database {database}, from {client} {encryption}.",
    meaning: "The first line of pg_hba.conf that matches this connection has the method `reject`: the server administrator forbids this address, role, database or type of connection on purpose. A later line cannot override it. `auth.hba.no-entry` is for when no line matches.",
    fixes: &[
        fix(
            "If the connection should be allowed, add this line above the reject line in pg_hba.conf, and reload: {hba_line?host DATABASE ROLE ADDRESS scram-sha-256}",
        ),
        run(
            "On the server, show the lines in the order in which they are tried:",
            "psql -U postgres -c \"select line_number, type, database, user_name, address, auth_method from pg_hba_file_rules\"",
        ),
    ],
    seen_as: &[
        "pg_hba.conf rejects connection for host",
        "pg_hba.conf rejects replication connection for host",
        "host rejected",
    ],
};

/// The server would accept the connection with TLS.
pub static HBA_NEEDS_TLS: Cause = Cause {
    code: "auth.hba.needs-tls",
    severity: Severity::Fail,
    retryable: false,
    title: "The server accepts this connection only with TLS",
    summary: "The server accepts role {user} for database {database} from here only with TLS, and this connection had none.",
    meaning: "The server rejects the unencrypted connection, and accepts the same role, database and address with TLS (the matching lines of its pg_hba.conf are `hostssl`, or a pooler or proxy requires TLS). dbdoctor tested this on a second connection, without sending a password.",
    fixes: &[
        fix("Use TLS: sslmode=require, or better sslmode=verify-full with sslrootcert."),
        fix(
            "In drivers, set ssl=true or the equivalent; sslmode=disable in the URL or in PGSSLMODE turns TLS off.",
        ),
    ],
    seen_as: &[
        "no encryption",
        "SSL off",
        "SSL required",
        "SSL/TLS connection required",
        "This RDS Proxy requires TLS connections",
        "connection is insecure (try using sslmode=require)",
        "server requires encryption",
    ],
};

/// The server would accept the connection without TLS.
pub static HBA_NEEDS_PLAIN: Cause = Cause {
    code: "auth.hba.needs-plain",
    severity: Severity::Fail,
    retryable: false,
    title: "The server accepts this connection only without TLS",
    summary: "The server accepts role {user} for database {database} from here only without TLS, and sslmode is {sslmode}.",
    meaning: "The server rejects the connection with TLS, and accepts the same role, database and address unencrypted: the matching lines of its pg_hba.conf are `hostnossl`. dbdoctor tested this on a second connection.",
    fixes: &[
        fix(
            "On the server, change `hostnossl` to `host` (both) or `hostssl` in pg_hba.conf, and reload: {hba_line?hostssl DATABASE ROLE ADDRESS scram-sha-256}",
        ),
        fix("Or, if the network is trusted, connect with sslmode=disable."),
    ],
    seen_as: &["SSL encryption", "SSL on"],
};

/// The role does not exist.
pub static ROLE_MISSING: Cause = Cause {
    code: "auth.role.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The role does not exist",
    summary: "Role {user} does not exist on the server at {endpoint}.",
    meaning: "The connection passed the server's pg_hba.conf (trust, peer, certificate or an external authority), and then the server did not find the role. Quoted names are case-sensitive: \"App\" and app are two roles. Without an explicit role name, clients use the operating-system user (`root` in a container). A connection to the wrong server looks the same, for example to another PostgreSQL on the same port.",
    fixes: &[
        fix("Check the role's name in the target; `dbdoctor config` shows where it comes from."),
        run(
            "Or create the role, as a superuser:",
            "createuser -U postgres --pwprompt {user}",
        ),
    ],
    seen_as: &["role \"…\" does not exist"],
};

/// The role exists and has no LOGIN.
pub static ROLE_NOLOGIN: Cause = Cause {
    code: "auth.role.nologin",
    severity: Severity::Fail,
    retryable: false,
    title: "The role lacks the LOGIN attribute",
    summary: "Role {user} exists but is not permitted to log in.",
    meaning: "The role was created without the LOGIN attribute. Either it is a group role, which is granted to others and not used to connect, or the attribute was forgotten.",
    fixes: &[
        fix("Connect as a member of this role."),
        run(
            "Or allow it to log in, as a superuser:",
            "echo 'alter role :\"role\" login' | psql -U postgres -v role={user}",
        ),
    ],
    seen_as: &["is not permitted to log in"],
};

/// The role may not start replication.
pub static ROLE_REPLICATION: Cause = Cause {
    code: "auth.role.replication",
    severity: Severity::Fail,
    retryable: false,
    title: "The role is not allowed to open replication connections",
    summary: "Role {user} is not allowed to open replication connections, and the target asks for one (replication={replication}).",
    meaning: "A replication connection (`replication=true` or `database`) needs a role with the REPLICATION attribute or a superuser. An ordinary connection with the same role may work.",
    fixes: &[
        fix("Remove `replication` from the target if you want an ordinary connection."),
        run(
            "Or give the role the attribute, as a superuser:",
            "echo 'alter role :\"role\" replication' | psql -U postgres -v role={user}",
        ),
    ],
    seen_as: &[
        "must be superuser or replication role to start walsender",
        "permission denied to start WAL sender",
    ],
};

/// 3D000.
pub static DATABASE_MISSING: Cause = Cause {
    code: "auth.database.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The database does not exist",
    summary: "Database {database} does not exist on the server at {endpoint}.",
    meaning: "The role was accepted, but the database was not found (SQLSTATE 3D000). Without an explicit database name, clients use the role's name. Quoted names are case-sensitive. A connection to the wrong server, or to one that was recently set up again, looks the same.",
    fixes: &[
        run(
            "List the databases:",
            "psql -h {host} -p {port} -U {user} -d postgres -l",
        ),
        run(
            "Or create it:",
            "createdb -h {host} -p {port} -U {user} {database}",
        ),
    ],
    seen_as: &["database \"…\" does not exist", "3D000"],
};

/// No CONNECT privilege.
pub static DATABASE_DENIED: Cause = Cause {
    code: "auth.database.denied",
    severity: Severity::Fail,
    retryable: false,
    title: "The role is not allowed to connect to the database",
    summary: "Role {user} has no CONNECT privilege on database {database}.",
    meaning: "The role was accepted and the database exists, but CONNECT was revoked from PUBLIC and not granted to this role or to one that it is a member of (SQLSTATE 42501).",
    fixes: &[run(
        "Grant it, as the database's owner or a superuser:",
        "echo 'grant connect on database :\"db\" to :\"role\"' | psql -U postgres -v role={user} -v db={database}",
    )],
    seen_as: &[
        "permission denied for database",
        "User does not have CONNECT privilege.",
    ],
};

/// ALLOW_CONNECTIONS false.
pub static DATABASE_CLOSED: Cause = Cause {
    code: "auth.database.closed",
    severity: Severity::Fail,
    retryable: false,
    title: "The database does not accept connections",
    summary: "Database {database} does not accept connections: {why}.",
    meaning: "The database exists and is closed to everyone, including superusers (SQLSTATE 55000). This is the default for template0, and is set elsewhere on purpose: during a migration, before a drop, or by a provider that paused the database. A database whose DROP DATABASE was interrupted does not accept connections either.",
    fixes: &[
        fix("Check that {database|the database} is the one you want."),
        run(
            "Or open it, as a superuser connected to another database:",
            "echo 'alter database :\"db\" allow_connections true' | psql -U postgres -d postgres -v db={database}",
        ),
    ],
    seen_as: &[
        "is not currently accepting connections",
        "cannot connect to invalid database",
    ],
};

/// `peer` failed.
pub static PEER: Cause = Cause {
    code: "auth.peer",
    severity: Severity::Fail,
    retryable: false,
    title: "The operating-system user does not match the role",
    summary: "The server uses peer authentication on {socket}: operating-system user {os_user} is not allowed to log in as role {user}.",
    meaning: "With `peer` the server asks the kernel which user opened the unix socket, and that user's name must equal the role's, or be mapped to it in pg_ident.conf. No password is requested, and none would help.",
    fixes: &[
        run(
            "Run the client as the operating-system user of that name:",
            "sudo -u {user} psql -h {host} -p {port} -d {database}",
        ),
        fix("Or connect over TCP (-h localhost), where another line of pg_hba.conf applies."),
        fix(
            "Or, on the server, add this line above the peer line in pg_hba.conf, and reload: {hba_line?local DATABASE ROLE scram-sha-256}",
        ),
    ],
    seen_as: &["Peer authentication failed for user"],
};

/// `ident` failed.
pub static IDENT: Cause = Cause {
    code: "auth.ident",
    severity: Severity::Fail,
    retryable: false,
    title: "The ident server did not confirm the role",
    summary: "The server uses ident authentication for role {user}, and an ident server on this machine (port 113) did not confirm it.",
    meaning: "With `ident` the server asks an ident server at the client's address which user owns the connection. Hardly any machine runs one. Usually the method is in pg_hba.conf as the default of an old distribution, or was set where `scram-sha-256` was intended. No password is requested, and none would help.",
    fixes: &[fix(
        "On the server, replace `ident` with scram-sha-256 in pg_hba.conf, and reload: {hba_line?host DATABASE ROLE ADDRESS scram-sha-256}",
    )],
    seen_as: &["Ident authentication failed for user"],
};

/// `cert` failed.
pub static CERT: Cause = Cause {
    code: "auth.cert",
    severity: Severity::Fail,
    retryable: false,
    title: "The client certificate does not match the role",
    summary: "The server trusts the client certificate but does not accept it for role {user}{certificate_note}.",
    meaning: "The server trusts the certificate, but its common name (or distinguished name) is not the role's name and is not mapped to it in pg_ident.conf. `tls.client.required` is for when no certificate was sent, `tls.client.rejected` for one that the server does not trust.",
    fixes: &[
        run(
            "Check whose certificate it is; its CN must be {user|the role's name}:",
            "openssl x509 -noout -subject -dates -in {certificate}",
        ),
        fix(
            "Log in as the role that the certificate was issued for, or map its CN to {user|the role}: a line `certmap CN {user|ROLE}` in pg_ident.conf, and map=certmap in the line of pg_hba.conf.",
        ),
    ],
    seen_as: &["certificate authentication failed for user"],
};

/// `pam` failed.
pub static PAM: Cause = Cause {
    code: "auth.pam",
    severity: Severity::Fail,
    retryable: false,
    title: "PAM on the server rejects the password",
    summary: "The server asked PAM about role {user}, and PAM rejected the login.",
    meaning: "The server passes the password to the PAM modules of its operating system (method `pam`); they rejected the account or the password, or failed themselves. The role's own password in PostgreSQL is not used. On Amazon RDS this is IAM authentication: the password is a token that is valid for 15 minutes and signed for one host name and port.",
    fixes: &[
        fix(
            "Check that the password is that of the operating system (or the directory), not the role's password in PostgreSQL.",
        ),
        fix(
            "On Amazon RDS, create a new token for exactly the host name and port in use: a token for another name (a CNAME, a tunnel's localhost) is rejected.",
        ),
        fix(
            "On the server, check PAM's own log and the service named in pg_hba.conf (pamservice, otherwise postgresql).",
        ),
    ],
    seen_as: &["PAM authentication failed for user"],
};

/// `ldap` failed.
pub static LDAP: Cause = Cause {
    code: "auth.ldap",
    severity: Severity::Fail,
    retryable: false,
    title: "The LDAP server behind the database rejects the password",
    summary: "The server asked an LDAP server about role {user}, and that failed.",
    meaning: "The server passes the password to an LDAP server (method `ldap`). The LDAP server rejected it, or could not be reached or searched; only the database server's log tells which. The role's own password in PostgreSQL is not used.",
    fixes: &[
        fix(
            "Check that the password is the one in the directory, and that the account is neither locked nor expired there.",
        ),
        fix("Check the database server's log: it quotes the LDAP server's answer."),
    ],
    seen_as: &["LDAP authentication failed for user"],
};

/// `radius` failed.
pub static RADIUS: Cause = Cause {
    code: "auth.radius",
    severity: Severity::Fail,
    retryable: false,
    title: "The RADIUS server behind the database rejects the password",
    summary: "The server asked a RADIUS server about role {user}, and that failed.",
    meaning: "The server passes the password to a RADIUS server (method `radius`). It was rejected, or none of the RADIUS servers answered; only the database server's log tells which.",
    fixes: &[
        fix(
            "Check that the password (and the second factor, if there is one) is the one that RADIUS knows.",
        ),
        fix("On the server, check the log, and radiusservers and radiussecrets in pg_hba.conf."),
    ],
    seen_as: &["RADIUS authentication failed for user"],
};

/// GSSAPI or SSPI.
pub static GSS: Cause = Cause {
    code: "auth.gss",
    severity: Severity::Fail,
    retryable: false,
    title: "The server requires Kerberos",
    summary: "The server requires {method} authentication (Kerberos) for role {user}, which {why}.",
    meaning: "The matching line of pg_hba.conf has the method `gss` or `sspi`. The client needs a Kerberos ticket and a library built with GSSAPI; no password is requested, and none would help. dbdoctor does not support Kerberos, so it cannot say more.",
    fixes: &[
        run(
            "Check for a valid ticket, and get one if needed:",
            "klist; kinit",
        ),
        run(
            "Try a client with GSSAPI support:",
            "psql -h {host} -p {port} -U {user} -d {database}",
        ),
        fix(
            "Or configure another method for this client in pg_hba.conf, and reload: {hba_line?host DATABASE ROLE ADDRESS scram-sha-256}",
        ),
    ],
    seen_as: &[
        "GSSAPI authentication failed for user",
        "SSPI authentication failed for user",
        "received invalid response to GSSAPI negotiation",
        "GSSAPI continuation error",
    ],
};

/// `require_auth` forbids it.
pub static METHOD_REFUSED: Cause = Cause {
    code: "auth.method.refused",
    severity: Severity::Fail,
    retryable: false,
    title: "The target forbids the authentication method that the server uses",
    summary: "The server {asks}, and the target forbids it ({rule}){sent}.",
    meaning: "`require_auth` (and `sslcertmode=require`) define what the client insists on. The server asked for another method, or accepted the client without any. Either the server is configured differently from what the target expects, or an attacker between client and server asks for a weaker method to obtain the password.",
    fixes: &[
        fix(
            "Check that this is the right server and that it is meant to use {method|this method}: see its pg_hba.conf and password_encryption.",
        ),
        fix("If it is, change the target so that {rule|require_auth} allows {method|the method}."),
    ],
    seen_as: &[
        "authentication method requirement",
        "server requested a cleartext password",
        "server requested a hashed password",
        "server did not complete authentication",
        "server did not request an SSL certificate",
        "server accepted connection without a valid SSL certificate",
    ],
};

/// `min_protocol_version` is not met.
pub static PROTOCOL_VERSION: Cause = Cause {
    code: "auth.protocol-version",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not support the required protocol version",
    summary: "The server at {endpoint} supports protocol {theirs} at most, and the target requires {wanted} (min_protocol_version).",
    meaning: "PostgreSQL 17 and older, and most poolers, support protocol version 3.0; version 3.2 came with PostgreSQL 18. Only min_protocol_version requires it.",
    fixes: &[fix(
        "Remove min_protocol_version from the target, unless an older protocol must not be used.",
    )],
    seen_as: &["server only supports protocol version"],
};

/// A method that dbdoctor does not support.
pub static METHOD_UNSUPPORTED: Cause = Cause {
    code: "auth.method.unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The server asks for an unsupported authentication method",
    summary: "The server asks for {method}, which neither dbdoctor nor an ordinary libpq supports.",
    meaning: "The server offers only authentication methods that this client does not support: an OAuth bearer token, an obsolete method, or a proprietary one.",
    fixes: &[
        fix("Use a client that supports {method|the method}; the server's operator can say which."),
        fix(
            "Or configure another method for this client in pg_hba.conf, and reload: {hba_line?host DATABASE ROLE ADDRESS scram-sha-256}",
        ),
    ],
    seen_as: &[
        "none of the server's SASL authentication mechanisms are supported",
        "The authentication type 10 is not supported.",
        "unknown authenticationOk message type",
        "SCRAM authentication requires libpq version 10 or above",
    ],
};

/// The password is sent in a weak form.
pub static METHOD_WEAK: Cause = Cause {
    code: "auth.method.weak",
    severity: Severity::Warn,
    retryable: false,
    title: "The password is weakly protected in transit",
    summary: "The server requested the password {how}.",
    meaning: "A cleartext password without TLS can be read by anyone on the network path. An MD5 hash can be used in place of the password by anyone who reads the server's catalogue, can be cracked by guessing, and is being removed from PostgreSQL.",
    fixes: &[
        fix(
            "Store the password as SCRAM: set password_encryption = 'scram-sha-256', reset the role's password, and set scram-sha-256 in pg_hba.conf.",
        ),
        fix(
            "Until then, use TLS (this connection is unencrypted): {insist_on_tls?sslmode=verify-full}.",
        ),
        fix(
            "To refuse weaker methods on the client, set require_auth=scram-sha-256 in the target.",
        ),
    ],
    seen_as: &[],
};

/// Authentication took too long.
pub static TIMEOUT: Cause = Cause {
    code: "auth.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "Authentication timed out",
    summary: "Authentication of role {user} did not complete within {waited}: {how}.",
    meaning: "The server responds but is waiting for something itself: an LDAP, PAM or RADIUS server, an ident server, a name server for host names in pg_hba.conf, or a lock. After authentication_timeout (60 s by default) it closes the connection without an error.",
    fixes: &[
        fix(
            "On the server, check the log for this moment, and the service that the method in pg_hba.conf depends on: LDAP, PAM, RADIUS, ident, or the name server.",
        ),
        fix("If it is only slow, raise --timeout or connect_timeout."),
    ],
    seen_as: &[
        "canceling authentication due to timeout",
        "authentication did not complete within",
        "timeout expired",
    ],
};

/// The connection ends in the middle of the login.
pub static CLOSED: Cause = Cause {
    code: "auth.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection was closed during the login",
    summary: "{endpoint} asked for {method} authentication and then ended the connection without an error message ({error}).",
    meaning: "PostgreSQL always sends an error before it closes a login. A close without one means that the server process was killed or crashed (out of memory), that authentication_timeout expired, that a proxy or load balancer gave up, or that the peer is not PostgreSQL. (A wrong password produces an explicit error.)",
    fixes: &[
        fix(
            "Try again: if the login works, or the server is recovering then, one of its processes has crashed.",
        ),
        fix(
            "Check the server's log for this moment, for `terminated by signal` and `canceling authentication due to timeout`, and the kernel's log for the out-of-memory killer.",
        ),
        fix(
            "If the server's log has no trace of this connection, a proxy answered: connect without it.",
        ),
    ],
    seen_as: &[],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "auth.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The auth stage failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &PASSWORD_WRONG,
    &PASSWORD_MISSING,
    &SERVER_UNPROVEN,
    &HBA_NO_ENTRY,
    &HBA_REJECT,
    &HBA_NEEDS_TLS,
    &HBA_NEEDS_PLAIN,
    &ROLE_MISSING,
    &ROLE_NOLOGIN,
    &ROLE_REPLICATION,
    &DATABASE_MISSING,
    &DATABASE_DENIED,
    &DATABASE_CLOSED,
    &PEER,
    &IDENT,
    &CERT,
    &PAM,
    &LDAP,
    &RADIUS,
    &GSS,
    &METHOD_REFUSED,
    &METHOD_UNSUPPORTED,
    &PROTOCOL_VERSION,
    &METHOD_WEAK,
    &TIMEOUT,
    &CLOSED,
    &UNCLASSIFIED,
];
