//! Causes of the `auth` stage: start-up, authentication, authorisation.

use super::{Cause, Severity, fix, run};

/// 28P01, or the SCRAM exchange fails.
pub static PASSWORD_WRONG: Cause = Cause {
    code: "auth.password.wrong",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not accept the password",
    summary: "The server does not accept the password for role {user} (from {password_from}); a role that does not exist and a password past its VALID UNTIL look the same from outside.",
    meaning: "The server compared the password and said no (SQLSTATE 28P01). On purpose it gives the same answer when the role does not exist, has no password, or has one whose VALID UNTIL is past; only the server's log tells them apart. A password that works elsewhere and not here often comes from a source that was not meant (an old PGPASSWORD, another line of the password file), was percent-encoded twice in a URL, carries a line break, or belongs to another server that listens on the same port.",
    fixes: &[
        fix(
            "Check that the password from {password_from} is the one meant for {user} at {endpoint}: `dbdoctor config` shows every source and which one won.",
        ),
        run(
            "Look in the server's log, which says which it was: no such role, an expired password, or a mismatch. As a superuser, see whether the role exists and until when its password is valid.",
            "psql -U postgres -d postgres -c '\\du+' -c 'select rolname, rolvaliduntil from pg_roles'",
        ),
        fix(
            "Set the password anew, as a superuser in psql: \\password, followed by the role's name.",
        ),
    ],
    seen_as: &[
        "password authentication failed for user",
        "SASL authentication failed",
        "error received from server in SCRAM exchange: Wrong password",
        "The password that was provided for the role",
        "28P01",
    ],
};

/// The server asks and no source has one.
pub static PASSWORD_MISSING: Cause = Cause {
    code: "auth.password.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The server asks for a password and there is none",
    summary: "The server asks for the password of role {user} and no source has one; looked at: {sources}.",
    meaning: "Nothing was refused yet: there was nothing to send. An empty password counts as none, as it does for libpq. A password file is ignored when others may read it, and its lines must match host, port, database and role as they are written in the target (for the default socket directory they begin with localhost, for another one with its path).",
    fixes: &[
        run(
            "Take the others' access to the password file away: with mode {ignored_mode} libpq does not read it.",
            "chmod 600 {ignored_passfile}",
        ),
        run(
            "Put a line for this server into the password file, with the password in place of PASSWORD.",
            "( umask 077; echo {passfile_line} >> ~/.pgpass )",
        ),
        fix(
            "Or set PGPASSWORD in the environment of the program that connects; check that it is set there and not only in your shell.",
        ),
        fix(
            "Or have the server trust this connection by other means: `peer` on a unix socket, or a client certificate.",
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
    summary: "What answers at {endpoint} could not prove that it knows the password of {user}, so it is not the server it claims to be: {error}.",
    meaning: "With SCRAM both sides prove that they know the password. This end accepted our proof and gave a wrong one itself, or none: it is an impostor, a proxy that pretends to authenticate, or a pooler with a stale copy of the password. No password was sent to it in a form that can be reused; the proof it received can be used to guess a weak password.",
    fixes: &[
        fix(
            "Find out who listens at {endpoint}: the address may lead to another machine than you think.",
        ),
        fix("Use sslmode=verify-full, so that the server proves its name before anything is sent."),
        fix(
            "If the end is a pooler of yours, renew its copy of the role's password (userlist.txt or auth_query).",
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
    meaning: "The server looks for the first line of pg_hba.conf that matches the kind of connection, database, role and address, and found none. The address is the one that the server sees: behind a NAT, a proxy or a container bridge it is not this machine's own. The password was not looked at. `auth.hba.reject` is a line that matches and says no; `auth.hba.needs-tls` and `auth.hba.needs-plain` are for when only the encryption is at fault.",
    fixes: &[
        run(
            "On the server, add this line to pg_hba.conf and reload it.",
            "echo {hba_line} >> \"$(psql -U postgres -XAtc 'show hba_file')\" && psql -U postgres -c 'select pg_reload_conf()'",
        ),
        run(
            "If such a line is there already, it has an error or was not reloaded; see how the server reads the file.",
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
    meaning: "The first line of pg_hba.conf that matches this connection has the method `reject`: somebody forbids it on purpose, for this address, role, database or kind of connection. A later line cannot overrule it. `auth.hba.no-entry` is for when no line matches at all.",
    fixes: &[
        fix(
            "If the connection is meant to be allowed, put this line above the one that rejects it, then reload: {hba_line}",
        ),
        run(
            "On the server, see the lines in the order in which they are tried.",
            "psql -U postgres -c \"select line_number, type, database, user_name, address, auth_method from pg_hba_file_rules\"",
        ),
    ],
    seen_as: &[
        "pg_hba.conf rejects connection for host",
        "pg_hba.conf rejects replication connection for host",
        "host rejected",
    ],
};

/// Only TLS is missing.
pub static HBA_NEEDS_TLS: Cause = Cause {
    code: "auth.hba.needs-tls",
    severity: Severity::Fail,
    retryable: false,
    title: "The server accepts this connection only with TLS",
    summary: "The server accepts role {user} for database {database} from here only with TLS, and this connection had none.",
    meaning: "The server refuses the connection in clear and is ready to go on when the same role, database and address come with TLS (the lines of its pg_hba.conf are `hostssl`, or a pooler or proxy demands TLS). This was tried, without sending a password.",
    fixes: &[
        fix("Use TLS: sslmode=require, or better sslmode=verify-full with sslrootcert."),
        fix(
            "In drivers: ssl=true or the like; sslmode=disable anywhere in the URL or in PGSSLMODE switches it off.",
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

/// Only TLS is too much.
pub static HBA_NEEDS_PLAIN: Cause = Cause {
    code: "auth.hba.needs-plain",
    severity: Severity::Fail,
    retryable: false,
    title: "The server accepts this connection only without TLS",
    summary: "The server accepts role {user} for database {database} from here only without TLS, and sslmode is {sslmode}.",
    meaning: "The server refuses the connection with TLS and is ready to go on when the same role, database and address come in clear: the lines of its pg_hba.conf are `hostnossl`. This was tried.",
    fixes: &[
        fix(
            "On the server, change `hostnossl` to `host` (both) or `hostssl` in pg_hba.conf, and reload: {hba_line}",
        ),
        fix("Or, where the network in between is trusted, connect with sslmode=disable."),
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
    meaning: "The server let the connection pass its pg_hba.conf (trust, peer, certificate or an outside authority) and then did not find the role. Names are case-sensitive once they are quoted: \"App\" and app are two roles. Where nobody chose the name, it is the operating system's user (`root` in a container). It is also what a connection to the wrong server looks like: another PostgreSQL on the same port.",
    fixes: &[
        fix("Check the role's name in the target; `dbdoctor config` shows where it comes from."),
        run(
            "Or create the role, as a superuser.",
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
    title: "The role may not log in",
    summary: "Role {user} exists and is not permitted to log in.",
    meaning: "The role was made as a group, without the LOGIN attribute. It is meant to be granted to others and not to be connected as, unless the attribute was forgotten.",
    fixes: &[
        fix("Connect as a member of this role."),
        run(
            "Or let it log in, as a superuser.",
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
    title: "The role may not open replication connections",
    summary: "Role {user} may not open replication connections, and the target asks for one (replication={replication}).",
    meaning: "A replication connection (`replication=true` or `database`) needs a role with the REPLICATION attribute or a superuser. An ordinary connection of the same role may well work.",
    fixes: &[
        fix("Leave `replication` out of the target if an ordinary connection is meant."),
        run(
            "Or give the role the attribute, as a superuser.",
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
    meaning: "The role was accepted; the database was not found (SQLSTATE 3D000). Where nobody names a database, it is the role's name. Names are case-sensitive once they are quoted. It is also what a connection to the wrong server, or to one that was set up anew, looks like.",
    fixes: &[
        run(
            "See which databases there are.",
            "psql -h {host} -p {port} -U {user} -d postgres -l",
        ),
        run(
            "Or create it.",
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
    title: "The role may not connect to the database",
    summary: "Role {user} has no CONNECT privilege on database {database}.",
    meaning: "The role was accepted and the database exists, but CONNECT was revoked from PUBLIC and not granted to this role or to one that it is a member of (SQLSTATE 42501).",
    fixes: &[run(
        "Grant it, as the database's owner or a superuser.",
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
    title: "The database does not take connections",
    summary: "Database {database} does not take connections: {why}.",
    meaning: "The database exists and was closed to everybody, superusers included (SQLSTATE 55000). That is so for template0, and is set on purpose elsewhere: during a migration, before a drop, or by a provider that paused it. One whose DROP DATABASE was interrupted takes none any more either.",
    fixes: &[
        fix("Check that {database} is the database you mean."),
        run(
            "Or open it, as a superuser from another database.",
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
    summary: "The server uses peer authentication on {socket}: operating-system user {os_user} may not be role {user}.",
    meaning: "With `peer` the server asks the kernel who is at the other end of the unix socket, and that user's name must be the role's, or be mapped to it in pg_ident.conf. No password is asked for or would help.",
    fixes: &[
        run(
            "Run the client as the operating-system user of that name.",
            "sudo -u {user} psql -h {host} -p {port} -d {database}",
        ),
        fix("Or connect over TCP (-h localhost), where another line of pg_hba.conf applies."),
        fix(
            "Or, on the server, put this line above the peer line in pg_hba.conf, and reload: {hba_line}",
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
    meaning: "With `ident` the server asks an ident server at the client's address which user owns the connection. Hardly any machine runs one; the method is most often in pg_hba.conf by default of an old distribution, or written where `scram-sha-256` was meant. No password is asked for or would help.",
    fixes: &[fix(
        "On the server, replace `ident` in pg_hba.conf by scram-sha-256, and reload: {hba_line}",
    )],
    seen_as: &["Ident authentication failed for user"],
};

/// `cert` failed.
pub static CERT: Cause = Cause {
    code: "auth.cert",
    severity: Severity::Fail,
    retryable: false,
    title: "The client certificate does not fit the role",
    summary: "The server took the client certificate and does not accept it for role {user}{certificate_note}.",
    meaning: "The server trusts the certificate, and its common name (or distinguished name) is not the role's and is not mapped to it in pg_ident.conf. `tls.client.required` is for when no certificate was sent, `tls.client.rejected` for one that the server does not trust.",
    fixes: &[
        run(
            "See whose certificate it is; its CN must be {user}.",
            "openssl x509 -noout -subject -dates -in {certificate}",
        ),
        fix(
            "Name the role that the certificate is for, or map the name to {user}: a line `certmap  CN  {user}` in pg_ident.conf and map=certmap in the line of pg_hba.conf.",
        ),
    ],
    seen_as: &["certificate authentication failed for user"],
};

/// `pam` failed.
pub static PAM: Cause = Cause {
    code: "auth.pam",
    severity: Severity::Fail,
    retryable: false,
    title: "PAM on the server refuses the password",
    summary: "The server asks PAM about role {user}, and PAM says no.",
    meaning: "The server hands the password to the PAM modules of its operating system (method `pam`), and they refused the account or the password, or did not work. The role's own password in PostgreSQL plays no part. On Amazon RDS this is IAM authentication: the password is a token that is valid for 15 minutes and signed for one host name and port.",
    fixes: &[
        fix(
            "Check that the password is the operating system's (or the directory's), not the role's in PostgreSQL.",
        ),
        fix(
            "On Amazon RDS make a new token for exactly the host name and port in use: a token made for another name (a CNAME, a tunnel's localhost) is refused.",
        ),
        fix(
            "On the server, look at PAM's own log and at the service named in pg_hba.conf (pamservice, else postgresql).",
        ),
    ],
    seen_as: &["PAM authentication failed for user"],
};

/// `ldap` failed.
pub static LDAP: Cause = Cause {
    code: "auth.ldap",
    severity: Severity::Fail,
    retryable: false,
    title: "The LDAP server behind the database refuses the password",
    summary: "The server asks an LDAP server about role {user}, and that failed.",
    meaning: "The server hands the password to an LDAP server (method `ldap`). It was refused, or the LDAP server could not be reached or searched; only the database server's log tells which. The role's own password in PostgreSQL plays no part.",
    fixes: &[
        fix(
            "Check that the password is the directory's, and that the account is neither locked nor expired there.",
        ),
        fix("On the server, look at the log: it quotes the LDAP server's answer."),
    ],
    seen_as: &["LDAP authentication failed for user"],
};

/// `radius` failed.
pub static RADIUS: Cause = Cause {
    code: "auth.radius",
    severity: Severity::Fail,
    retryable: false,
    title: "The RADIUS server behind the database refuses the password",
    summary: "The server asks a RADIUS server about role {user}, and that failed.",
    meaning: "The server hands the password to a RADIUS server (method `radius`). It was refused, or none of the RADIUS servers answered; only the database server's log tells which.",
    fixes: &[
        fix(
            "Check that the password (and the second factor, where there is one) is the one RADIUS knows.",
        ),
        fix(
            "On the server, look at the log, and at radiusservers and radiussecrets in pg_hba.conf.",
        ),
    ],
    seen_as: &["RADIUS authentication failed for user"],
};

/// GSSAPI or SSPI.
pub static GSS: Cause = Cause {
    code: "auth.gss",
    severity: Severity::Fail,
    retryable: false,
    title: "The server demands Kerberos",
    summary: "The server demands {method} authentication (Kerberos) for role {user}, which {why}.",
    meaning: "The line of pg_hba.conf that matches has the method `gss` or `sspi`. A client needs a Kerberos ticket for it and a library built with GSSAPI; no password is asked for or would help. dbdoctor does not speak Kerberos, so it cannot tell more.",
    fixes: &[
        run(
            "Look whether there is a valid ticket, and get one.",
            "klist; kinit",
        ),
        run(
            "See what a client with GSSAPI says.",
            "psql -h {host} -p {port} -U {user} -d {database}",
        ),
        fix("Or have another method in pg_hba.conf for this client, and reload: {hba_line}"),
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
    title: "The target forbids what the server asks for",
    summary: "The server {asks}, and the target forbids it ({rule}){sent}.",
    meaning: "`require_auth` (and `sslcertmode=require`) say what the client insists on. The server asked for another method, or let the client in without any. That is a server configured differently from what the target expects, or somebody in between who asks for a weaker method to get at the password.",
    fixes: &[
        fix(
            "Find out whether the server is the right one and is meant to use {method}: look at its pg_hba.conf and password_encryption.",
        ),
        fix("If it is, change the target: {rule} has to allow {method}."),
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
    title: "The server does not speak the protocol version that the target wants",
    summary: "The server at {endpoint} speaks protocol {theirs} at most, and the target wants {wanted} (min_protocol_version).",
    meaning: "PostgreSQL 17 and older, and most poolers, speak version 3.0 of the protocol; 3.2 came with PostgreSQL 18. Nothing but min_protocol_version asks for it.",
    fixes: &[fix(
        "Leave min_protocol_version out of the target, unless an older protocol must not be used.",
    )],
    seen_as: &["server only supports protocol version"],
};

/// A method that dbdoctor does not speak.
pub static METHOD_UNSUPPORTED: Cause = Cause {
    code: "auth.method.unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The server asks for a method that is not spoken here",
    summary: "The server asks for {method}, which neither dbdoctor nor an ordinary libpq can serve.",
    meaning: "The server offers only authentication methods that this client does not know: an OAuth bearer token, an obsolete request, or something of its own.",
    fixes: &[
        fix("Use a client that speaks {method}, as the server's operator describes it."),
        fix("Or have another method in pg_hba.conf for this client, and reload: {hba_line}"),
    ],
    seen_as: &[
        "none of the server's SASL authentication mechanisms are supported",
        "The authentication type 10 is not supported.",
        "unknown authenticationOk message type",
        "SCRAM authentication requires libpq version 10 or above",
    ],
};

/// The password travels weakly.
pub static METHOD_WEAK: Cause = Cause {
    code: "auth.method.weak",
    severity: Severity::Warn,
    retryable: false,
    title: "The password is poorly protected on its way",
    summary: "The server had the password sent {how}.",
    meaning: "A password sent in clear without TLS can be read by everybody on the way. An MD5 hash can be used in place of the password by whoever reads the server's catalogue, is broken by trying, and support for it is being removed from PostgreSQL.",
    fixes: &[
        fix(
            "Store the password as SCRAM: set password_encryption = 'scram-sha-256', set the role's password anew, and have scram-sha-256 in pg_hba.conf.",
        ),
        fix("Until then, use TLS, which this connection has not: {insist_on_tls}."),
        fix("The target can insist: require_auth=scram-sha-256."),
    ],
    seen_as: &[],
};

/// Authentication took too long.
pub static TIMEOUT: Cause = Cause {
    code: "auth.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "Authentication is not finished in time",
    summary: "The server did not finish to authenticate role {user} within {waited}: {how}.",
    meaning: "The server answers and is waiting for something behind it: an LDAP, PAM or RADIUS server, an ident server, a name server for host names in pg_hba.conf, or a lock. After authentication_timeout (60 s as delivered) it closes the connection without a word.",
    fixes: &[
        fix(
            "On the server, look at the log for this moment, and at whatever the method in pg_hba.conf asks: LDAP, PAM, RADIUS, ident, or the name server.",
        ),
        fix("If it is only slow, give it more time: --timeout, connect_timeout."),
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
    title: "The connection was cut in the middle of the login",
    summary: "{endpoint} asked for {method} and then cut the connection without a word: {error}.",
    meaning: "It began as a server does, and ended before it let the role in or refused it. A server gives its reasons; one that says nothing did not end the connection by itself: its process was killed or crashed (out of memory), authentication_timeout was over, a proxy or load balancer in between gave up, or the one that asks is no server. A wrong password looks different: that is said.",
    fixes: &[
        fix(
            "Try again: if it passes, or the server is recovering then, one of its processes has crashed.",
        ),
        fix(
            "Look at the server's log for this moment, for `terminated by signal` and `canceling authentication due to timeout`, and at the kernel's log for the out-of-memory killer.",
        ),
        fix(
            "If nothing of this connection is in the server's log, something in between answers: connect without the proxy.",
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
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
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
