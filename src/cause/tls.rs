//! Causes of the `tls` stage.

use super::{Cause, Severity, fix, run};

/// `N`, and TLS is demanded.
pub static UNSUPPORTED: Cause = Cause {
    code: "tls.unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not offer TLS",
    summary: "{endpoint} does not offer TLS, and sslmode={sslmode} demands it.",
    meaning: "The server answered the request for TLS with no: `ssl` is off there, or a pooler or \
        proxy without TLS answers in its place. It is no fault of certificates; none was looked at.",
    fixes: &[
        fix(
            "Switch TLS on at the server: ssl = on, with ssl_cert_file and ssl_key_file, in postgresql.conf (PgBouncer: client_tls_sslmode).",
        ),
        run(
            "On the server, see whether TLS is on and where the certificate is looked for.",
            "psql -c \"select name, setting from pg_settings where name like 'ssl%'\"",
        ),
        fix("Check host and port: this may be another server or a pooler than the one you mean."),
        fix("Only on a network you trust, sslmode=prefer goes on without encryption."),
    ],
    seen_as: &[
        "server does not support SSL, but SSL was required",
        "The server does not support SSL connections",
        "SSL is not enabled on the server",
        "PostgreSQL server at",
        "rejected SSL upgrade",
        "server does not support TLS",
    ],
};

/// Past its end.
pub static EXPIRED: Cause = Cause {
    code: "tls.cert.expired",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate of the server has expired",
    summary: "{certificate} expired on {not_after}, {ago} ago.",
    meaning: "The end of validity of the server's certificate, or of one that it stands on, has \
        passed. If this machine's clock is wrong, a good certificate looks expired; compare it \
        with another clock. libpq says only `certificate verify failed`.",
    fixes: &[
        fix("Renew the certificate on the server ({subject}), then reload it."),
        run(
            "Reload the server after the file was replaced; connections that are open stay.",
            "psql -c 'select pg_reload_conf()'",
        ),
        run("Compare this machine's clock.", "date -u"),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "certificate has expired",
        "CERT_HAS_EXPIRED",
        "tlsv1 alert certificate expired",
        "x509: certificate has expired or is not yet valid",
        "NotAfter:",
    ],
};

/// Before its beginning.
pub static NOT_YET_VALID: Cause = Cause {
    code: "tls.cert.not-yet-valid",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate of the server is not valid yet",
    summary: "{certificate} is valid only from {not_before} on, {ahead} from now.",
    meaning: "The certificate's validity begins in the future. That is rarely meant: most often \
        this machine's clock is behind, or the clock of the machine that issued the certificate \
        was ahead, or a time zone was taken for UTC.",
    fixes: &[
        run("Compare this machine's clock.", "date -u"),
        fix(
            "If the clock is right, issue the certificate ({subject}) anew with a beginning in the past.",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "certificate is not yet valid",
        "CERT_NOT_YET_VALID",
        "NotBefore:",
    ],
};

/// Another name.
pub static HOSTNAME: Cause = Cause {
    code: "tls.cert.hostname",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate is for another name",
    summary: "The server's certificate is for {names}, not for {asked}.",
    meaning: "The chain holds, and none of the certificate's names is the host name that was asked \
        for. libpq compares the `host` setting, not the address: DNS names first, the common name \
        only where the certificate has no DNS name (for an address: no IP address), one `*` for \
        exactly one label. Through a tunnel or a forward the host is often localhost; give the real \
        name as host and the way there as hostaddr.",
    fixes: &[
        fix("Connect by a name that the certificate carries: {carried}."),
        run(
            "Keep the certificate's name and give the address apart.",
            "psql \"host={name} hostaddr={address_only} port={port} sslmode=verify-full\"",
        ),
        fix("Or issue the certificate anew with {asked} among its subject alternative names."),
    ],
    seen_as: &[
        "does not match host name",
        "x509: certificate is valid for",
        "doesn't contain any IP SANs",
        "certificate relies on legacy Common Name field",
        "Hostname/IP does not match certificate's altnames",
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "could not be verified by hostnameverifier",
        "NotValidForName",
        "certificate verify failed: Hostname mismatch",
        "host name must be specified for a verified SSL connection",
    ],
};

/// The issuer is unknown.
pub static UNKNOWN_CA: Cause = Cause {
    code: "tls.cert.unknown-ca",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate comes from an authority that is not trusted",
    summary: "The server's certificate leads to {issuer}, which is not among the trusted roots ({roots}).",
    meaning: "The chain that the server sent ends at an issuer that the root file does not contain. \
        Either the root file is the wrong one (another provider's, an old one after a change of \
        authority), or somebody else answers, or an intermediate certificate is missing and cannot \
        be told from that: `tls.cert.incomplete-chain` is used where something ties the issuer to a \
        trusted root. `tls.cert.self-signed` is a server certificate without any authority.",
    fixes: &[
        fix(
            "Get the root certificate of {issuer} from whoever runs the server, and name its file in sslrootcert.",
        ),
        run(
            "See the chain that the server sends.",
            "openssl s_client -starttls postgres -connect {connect} -showcerts </dev/null",
        ),
        fix(
            "If the certificate is from a public authority, sslrootcert=system (with sslmode=verify-full) uses this system's roots.",
        ),
        fix("If an intermediate is missing, append it to the server's ssl_cert_file."),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "unable to get local issuer certificate",
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "self-signed certificate in certificate chain",
        "SELF_SIGNED_CERT_IN_CHAIN",
        "x509: certificate signed by unknown authority",
        "PKIX path building failed",
        "unable to find valid certification path to requested target",
        "invalid peer certificate: UnknownIssuer",
        "unable to verify the first certificate",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "tlsv1 alert unknown ca",
    ],
};

/// It signs itself.
pub static SELF_SIGNED: Cause = Cause {
    code: "tls.cert.self-signed",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate signs itself",
    summary: "The server's certificate ({subject}) signs itself, and is not among the trusted roots ({roots}).",
    meaning: "Nobody vouches for it but itself: the certificate that Debian's package makes \
        (`snakeoil`), one made by hand, or that of somebody in between. It can be trusted by \
        putting this very certificate into the root file, once it is known to be the server's.",
    fixes: &[
        run(
            "Fetch the certificate, and compare its fingerprint with the server's own before trusting it.",
            "openssl s_client -starttls postgres -connect {connect} </dev/null | openssl x509 -fingerprint -sha256",
        ),
        fix(
            "Put that certificate into the file named by sslrootcert, or have the server's certificate issued by an authority you trust.",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "self-signed certificate",
        "self signed certificate",
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "CaUsedAsEndEntity",
        "x509: certificate signed by unknown authority",
        "PKIX path building failed",
    ],
};

/// A link is missing.
pub static INCOMPLETE_CHAIN: Cause = Cause {
    code: "tls.cert.incomplete-chain",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not send its intermediate certificate",
    summary: "The server does not send the certificate of {issuer}, which links its own to a trusted root.",
    meaning: "The server's certificate was issued by an intermediate authority, and the server \
        sends only its own certificate. Browsers often fetch or remember the missing link; libpq \
        and most drivers do not. What points to an intermediate here is in the evidence; where \
        nothing does, the cause is `tls.cert.unknown-ca`.",
    fixes: &[
        fix(
            "On the server, append the certificate of {issuer} to the file that ssl_cert_file names, below the server's own, and reload.",
        ),
        run(
            "The issuer's certificate can be fetched from the address that the certificate names.",
            "curl -O {issuer_url}",
        ),
        fix(
            "Until then, the intermediate can be put into the file named by sslrootcert, beside the root.",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "unable to get local issuer certificate",
        "unable to verify the first certificate",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "x509: certificate signed by unknown authority",
        "PKIX path building failed",
    ],
};

/// On the list.
pub static REVOKED: Cause = Cause {
    code: "tls.cert.revoked",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate of the server has been revoked",
    summary: "{certificate} has been revoked by its authority ({issuer}).",
    meaning: "It stands on the revocation list that sslcrl or sslcrldir names (default \
        ~/.postgresql/root.crl). An authority revokes what was lost, replaced or issued by mistake.",
    fixes: &[
        fix(
            "Install a certificate on the server that is not revoked (this one has serial {serial}), and reload it.",
        ),
        fix("If it was revoked by mistake, have the authority issue a new list: {crl}."),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "certificate revoked",
        "sslv3 alert certificate revoked",
        "CERT_REVOKED",
    ],
};

/// Not for servers.
pub static PURPOSE: Cause = Cause {
    code: "tls.cert.purpose",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate is used for what it was not issued for",
    summary: "{certificate} may not be used here: {reason}.",
    meaning: "Its extensions say what a certificate is for: a server's needs `serverAuth` among its \
        extended key usages (or none at all), an authority's needs to be marked as one, may be \
        limited in names and in how many authorities follow. One of these limits is broken here; \
        a client's certificate installed on a server is the common case.",
    fixes: &[
        run(
            "See what it may be used for.",
            "openssl s_client -starttls postgres -connect {connect} </dev/null | openssl x509 -noout -purpose -ext extendedKeyUsage,keyUsage,basicConstraints",
        ),
        fix(
            "Issue it anew with extendedKeyUsage = serverAuth, or install the one that was meant for the server.",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "unsupported certificate purpose",
        "unsuitable certificate purpose",
        "INVALID_PURPOSE",
        "invalid CA certificate",
        "x509: certificate specifies an incompatible key usage",
        "InvalidPurpose",
    ],
};

/// Too weak.
pub static WEAK: Cause = Cause {
    code: "tls.cert.weak",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate's key or signature is too weak",
    summary: "{certificate} is too weak for this system's security level: {reason}.",
    meaning: "OpenSSL refuses keys and signatures below its security level (level 2 on Debian and \
        Ubuntu: RSA under 2048 bits, SHA-1 and MD5 signatures). The level comes from openssl.cnf, \
        so the same server is accepted on one machine and refused on another.",
    fixes: &[
        fix(
            "Issue the certificate anew with a key of at least 2048 bits (RSA) or 256 bits (EC) and a SHA-256 signature.",
        ),
        run(
            "See the security level in force here.",
            "openssl ciphers -v -s | head -1; grep -n SECLEVEL \"$(openssl version -d | cut -d'\"' -f2)/openssl.cnf\"",
        ),
    ],
    seen_as: &[
        "SSL error: ca md too weak",
        "ee key too small",
        "ca key too small",
        "EE_KEY_TOO_SMALL",
        "SSL error: certificate verify failed",
        "SSL error: dh key too small",
        "x509: cannot verify signature: insecure algorithm SHA1-RSA",
    ],
};

/// The list itself.
pub static CRL: Cause = Cause {
    code: "tls.crl",
    severity: Severity::Fail,
    retryable: false,
    title: "The revocation list cannot be used",
    summary: "The server's certificate cannot be checked for revocation: {reason}.",
    meaning: "sslcrl or sslcrldir (default ~/.postgresql/root.crl) gives a revocation list, so libpq \
        demands a valid one for every authority of the chain: in date, signed, and by that very \
        authority. The server's certificate itself may be good.",
    fixes: &[
        fix(
            "Fetch the current list of {issuer} and put it into {crl_file}, in place of an older one of the same authority. With intermediates, the file must hold a list of each authority of the chain, one after the other.",
        ),
        run(
            "See which lists the file holds, and until when they are valid.",
            "openssl storeutl -noout -text -crls {crl_file} | grep -E 'Issuer|Update'",
        ),
        run(
            "Fetch the current list of {issuer}, put it into {crl_directory}, and have it found by its hash.",
            "openssl rehash {crl_directory}",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "unable to get certificate CRL",
        "CRL has expired",
        "CRL is not yet valid",
        "CRL_HAS_EXPIRED",
        "UNABLE_TO_GET_CRL",
    ],
};

/// The end is near.
pub static EXPIRES_SOON: Cause = Cause {
    code: "tls.cert.expires-soon",
    severity: Severity::Warn,
    retryable: false,
    title: "A certificate of the server expires soon",
    summary: "{certificate} expires on {not_after}, in {left}.",
    meaning: "It still holds, and within 30 days clients that verify it will be refused. Many \
        certificates are renewed by a machine shortly before the end; if this one is, watch that \
        the server is reloaded afterwards, too.",
    fixes: &[
        fix("Renew the certificate ({subject}) on the server."),
        run(
            "Reload the server after the file was replaced.",
            "psql -c 'select pg_reload_conf()'",
        ),
    ],
    seen_as: &[],
};

/// No root file.
pub static ROOT_MISSING: Cause = Cause {
    code: "tls.root.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "There are no root certificates to verify the server with",
    summary: "sslmode={sslmode} verifies the server's certificate, and there is no root certificate: {file} does not exist.",
    meaning: "libpq does not use the system's root certificates on its own: it looks for the file \
        that sslrootcert names, else for ~/.postgresql/root.crt. `config.file.missing` is the case \
        of a file that was named. `tls.root.invalid` is a file that is there and holds nothing of use.",
    fixes: &[
        fix(
            "Get the root certificate from whoever runs the server, and name its file in sslrootcert, or put it at {file}.",
        ),
        fix(
            "If the server's certificate is from a public authority, use sslrootcert=system with sslmode=verify-full (libpq 16 and later).",
        ),
    ],
    seen_as: &[
        "root certificate file",
        "could not get home directory to locate root certificate file",
        "Either provide the file, use the system's trusted roots with sslrootcert=system",
        "could not open SSL root certificate file",
    ],
};

/// A root file of no use.
pub static ROOT_INVALID: Cause = Cause {
    code: "tls.root.invalid",
    severity: Severity::Fail,
    retryable: false,
    title: "The root certificate file holds no usable certificate",
    summary: "{file} holds no usable root certificate: {reason}.",
    meaning: "The file is there and libpq cannot take a certificate from it: it is empty, a \
        directory, in another format (DER, PKCS#7, PKCS#12), a private key or a certificate \
        request, or was damaged on its way. libpq reads it whenever it exists, whatever sslmode \
        says, and fails.",
    fixes: &[
        run(
            "See what the file is.",
            "openssl x509 -in {file} -noout -subject -dates",
        ),
        run(
            "If it is a DER file, turn it into PEM, and name that file.",
            "openssl x509 -inform DER -in {file} -out {file}.pem",
        ),
        fix(
            "Get the file anew: it must hold one or more blocks that begin with -----BEGIN CERTIFICATE-----.",
        ),
    ],
    seen_as: &[
        "could not read root certificate file",
        "no certificate or crl found",
        "could not load root certificate file",
        "PEM lib",
        "no start line",
    ],
};

/// A client certificate is wanted.
pub static CLIENT_REQUIRED: Cause = Cause {
    code: "tls.client.required",
    severity: Severity::Fail,
    retryable: false,
    title: "The server wants a client certificate and got none",
    summary: "{endpoint} wants a client certificate, and none was sent: {why}.",
    meaning: "The server ended the connection because the client showed no certificate: its line in \
        pg_hba.conf says `cert` or `clientcert=verify-full` (or verify-ca), or a proxy in front \
        demands one. `tls.client.rejected` is a certificate that was sent and refused; `auth.cert` \
        is one that was taken and does not fit the role.",
    fixes: &[
        fix(
            "Name a client certificate and its key in sslcert and sslkey (default ~/.postgresql/postgresql.crt and postgresql.key), for the role that logs in.",
        ),
        fix(
            "It has to be issued by an authority that the server trusts, which are: {authorities}.",
        ),
        fix("Or ask whoever runs the server for another way to log in from here."),
    ],
    seen_as: &[
        "connection requires a valid client certificate",
        "tlsv13 alert certificate required",
        "server did not request an SSL certificate",
        "server accepted connection without a valid SSL certificate",
        "peer did not return a certificate",
        "certificate required",
    ],
};

/// The client certificate is refused.
pub static CLIENT_REJECTED: Cause = Cause {
    code: "tls.client.rejected",
    severity: Severity::Fail,
    retryable: false,
    title: "The server refuses the client certificate",
    summary: "{endpoint} refuses the client certificate {certificate}: {reason}.",
    meaning: "The certificate was sent and the server's TLS turned it down with an alert: it was \
        issued by an authority that the server's ssl_ca_file does not contain, has expired, was \
        revoked, or is not for clients. Under TLS 1.3 the alert comes after the handshake, and many \
        drivers show it as a lost connection.",
    fixes: &[
        fix(
            "Compare its issuer ({issuer}) with the authorities that the server trusts: {authorities}.",
        ),
        run(
            "See its issuer, dates and purpose.",
            "openssl x509 -in {file} -noout -subject -issuer -dates -ext extendedKeyUsage",
        ),
        fix(
            "Have it issued anew by the authority in the server's ssl_ca_file, or add its authority there. Where an intermediate authority issued it, append that one's certificate to {file}.",
        ),
        fix("If the server asks for no certificate of this role, sslcertmode=disable sends none."),
    ],
    seen_as: &[
        "tlsv1 alert unknown ca",
        "sslv3 alert bad certificate",
        "sslv3 alert certificate expired",
        "sslv3 alert certificate revoked",
        "sslv3 alert certificate unknown",
        "sslv3 alert unsupported certificate",
        "tlsv1 alert decrypt error",
        "received fatal alert: UnknownCA",
        "received fatal alert: BadCertificate",
        "remote error: tls: unknown certificate authority",
        "remote error: tls: bad certificate",
    ],
};

/// The client key.
pub static CLIENT_KEY: Cause = Cause {
    code: "tls.client.key",
    severity: Severity::Fail,
    retryable: false,
    title: "The client certificate or its key cannot be used",
    summary: "The client certificate cannot be used: {reason}.",
    meaning: "A client certificate is there (sslcert, or ~/.postgresql/postgresql.crt), so libpq \
        insists on its key: it must exist, be a regular file, be closed to others (0600; 0640 is \
        enough for one owned by root), open with sslpassword if it is encrypted, and belong to the \
        certificate. Nothing was sent to the server yet.",
    fixes: &[
        run(
            "See which public key each holds: the two lines must agree.",
            "openssl x509 -in {certificate_file} -noout -pubkey | sha256sum; openssl pkey -in {file} -pubout | sha256sum",
        ),
        fix(
            "If the server does not need a client certificate, sslcertmode=disable leaves it aside.",
        ),
    ],
    seen_as: &[
        "has group or world access; file must have permissions u=rw (0600) or less",
        "private key file",
        "certificate present, but not private key file",
        "certificate does not match private key file",
        "could not load private key file",
        "could not read certificate file",
        "key values mismatch",
        "bad decrypt",
    ],
};

/// No common version.
pub static VERSION: Cause = Cause {
    code: "tls.version",
    severity: Severity::Fail,
    retryable: false,
    title: "No TLS version that both sides allow",
    summary: "No TLS version suits both sides: here {ours} allowed, and {endpoint} {theirs}.",
    meaning: "Each side has a range of TLS versions, and they do not overlap. Ours comes from \
        ssl_min_protocol_version (TLSv1.2 unless it is set), ssl_max_protocol_version and \
        openssl.cnf; the server's from the settings of the same names, its age, and its openssl.cnf.",
    fixes: &[
        fix(
            "Raise the older side: a server that only speaks TLS 1.0 or 1.1 needs a newer OpenSSL or ssl_min_protocol_version = 'TLSv1.2'.",
        ),
        fix(
            "If our range was narrowed, widen it: ssl_min_protocol_version, ssl_max_protocol_version, MinProtocol in openssl.cnf.",
        ),
        run(
            "See which version the server takes.",
            "openssl s_client -starttls postgres -connect {connect} -tls1_2 </dev/null",
        ),
    ],
    seen_as: &[
        "SSL error: unsupported protocol",
        "tlsv1 alert protocol version",
        "This may indicate that the server does not support any SSL protocol version between",
        "wrong version number",
        "no protocols available",
        "SSL error: version too low",
        "tls: server selected unsupported protocol version",
        "received fatal alert: ProtocolVersion",
        "peer is incompatible",
    ],
};

/// No common cipher.
pub static CIPHER: Cause = Cause {
    code: "tls.cipher",
    severity: Severity::Fail,
    retryable: false,
    title: "No cipher, group or signature that both sides allow",
    summary: "{endpoint} broke off the TLS handshake: it shares no {what} with this side.",
    meaning: "The versions fit and the algorithms do not: a restricted ssl_ciphers, \
        ssl_groups or ssl_ecdh_curve on the server, a CipherString in openssl.cnf on either side, \
        or a certificate whose key suits none of the allowed ciphers. A server that has no \
        certificate to use at all ends the same way.",
    fixes: &[
        run(
            "On the server, see what it allows.",
            "psql -c \"select name, setting from pg_settings where name in ('ssl_ciphers', 'ssl_tls13_ciphers', 'ssl_groups', 'ssl_ecdh_curve', 'ssl_min_protocol_version', 'ssl_max_protocol_version')\"",
        ),
        run("See what this side allows.", "openssl ciphers -s -v"),
        fix(
            "Allow one of ours on the server, or take the restriction out of openssl.cnf here. Ours: {ours}.",
        ),
    ],
    seen_as: &[
        "sslv3 alert handshake failure",
        "received fatal alert: HandshakeFailure",
        "no shared cipher",
        "no ciphers available",
        "unsupported elliptic curve",
        "wrong curve",
        "remote error: tls: handshake failure",
        "no cipher suites in common",
    ],
};

/// Only direct TLS.
pub static DIRECT_ONLY: Cause = Cause {
    code: "tls.direct-only",
    severity: Severity::Fail,
    retryable: false,
    title: "The server speaks only direct TLS",
    summary: "{endpoint} speaks PostgreSQL only inside TLS from the first byte, and was asked for TLS in the usual way.",
    meaning: "A proxy that takes TLS at once (and knows the protocol name `postgresql`) hangs up on \
        PostgreSQL's own request for TLS. Clients must begin TLS directly, which libpq knows since \
        version 17.",
    fixes: &[
        fix("Set sslnegotiation=direct, with sslmode=require or stronger."),
        fix(
            "With a client older than libpq 17, use a port of the server or proxy that takes the usual request.",
        ),
    ],
    seen_as: &[
        "server closed the connection unexpectedly",
        "SSL SYSCALL error: EOF detected",
        "received invalid response to SSL negotiation",
    ],
};

/// Direct TLS is not understood.
pub static DIRECT_UNSUPPORTED: Cause = Cause {
    code: "tls.direct-unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not understand direct TLS",
    summary: "{endpoint} does not take TLS from the first byte, which sslnegotiation=direct asks for: {reason}.",
    meaning: "Direct TLS needs PostgreSQL 17 or a proxy that knows it, and the agreement on the \
        protocol name `postgresql` (ALPN). An older server, or PgBouncer before 1.23, takes the \
        first bytes of TLS for a broken start-up message and hangs up.",
    fixes: &[
        fix(
            "Leave sslnegotiation out (or set it to postgres): the usual request for TLS works with every version.",
        ),
        fix("Or upgrade the server or proxy to one that takes direct TLS."),
    ],
    seen_as: &[
        "SSL SYSCALL error: EOF detected",
        "SSL SYSCALL error: Connection reset by peer",
        "direct SSL connection was established without ALPN protocol negotiation extension",
        "SSL connection was established with unexpected ALPN protocol",
        "invalid length of startup packet",
    ],
};

/// The server name is refused.
pub static SNI: Cause = Cause {
    code: "tls.sni",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not know the name it was asked for",
    summary: "{endpoint} refuses the server name {server_name} in the TLS handshake (alert unrecognized_name).",
    meaning: "A proxy that picks its backend by the server name (SNI) has none for this one. The         name is the `host` setting; through a tunnel or with an alias it is often not the one the         proxy knows.",
    fixes: &[
        fix(
            "Use the host name that the provider gives for this database, and give the address apart as hostaddr if need be.",
        ),
        fix("sslsni=0 sends no name, where the proxy has a default."),
    ],
    seen_as: &[
        "tlsv1 unrecognized name",
        "tlsv1 alert unrecognized name",
        "unrecognized_name",
    ],
};

/// Closed in the middle.
pub static CLOSED: Cause = Cause {
    code: "tls.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection was closed during the TLS handshake",
    summary: "{endpoint} agreed to TLS and then closed the connection in the middle of the handshake, after {received} bytes.",
    meaning: "The server, or something in between, hung up without a TLS alert while the handshake \
        was under way. A proxy that passes on the request for TLS and cannot do TLS itself, a \
        backend that died, or a filter that looks into TLS (server name, version) does that. \
        `protocol.closed` is the case where nothing was answered at all.",
    fixes: &[
        fix(
            "Read the server's log for this moment: it says `could not accept SSL connection` and why.",
        ),
        fix(
            "Connect without the proxy, tunnel or filter in between, to see which of them hangs up.",
        ),
        fix(
            "If a filter looks at the server name, try sslsni=0, or a host name in place of an address.",
        ),
    ],
    seen_as: &[
        "SSL SYSCALL error: EOF detected",
        "EOF occurred in violation of protocol",
        "Client network socket disconnected before secure TLS connection was established",
        "unexpected eof while reading",
        "tls handshake eof",
        "Remote host terminated the handshake",
    ],
};

/// Reset in the middle.
pub static RESET: Cause = Cause {
    code: "tls.reset",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection was reset during the TLS handshake",
    summary: "{endpoint} agreed to TLS and then the connection was reset in the middle of the handshake, after {received} bytes.",
    meaning: "A reset in the middle of the handshake comes from a firewall or an inspecting filter \
        that does not like what it sees, from a port forward whose other side died, or from a \
        server process that crashed. `protocol.reset` is the case where nothing was answered at all.",
    fixes: &[
        fix("Connect from another network, or past the forward, to see who resets."),
        fix(
            "If a filter looks at the server name, try sslsni=0, or a host name in place of an address.",
        ),
        fix("Read the server's log for this moment."),
    ],
    seen_as: &[
        "SSL SYSCALL error: Connection reset by peer",
        "ECONNRESET",
        "read: connection reset by peer",
        "Connection reset by peer",
    ],
};

/// No end of it.
pub static TIMEOUT: Cause = Cause {
    code: "tls.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The TLS handshake is not completed in time",
    summary: "{endpoint} agreed to TLS and did not complete the handshake within {waited}, after {received} bytes.",
    meaning: "The server said yes to TLS and then nothing more, or not enough. A small question \
        put to it in the same place is not answered either, so it is not the size of its messages \
        (`protocol.stall`): the server is stuck or overloaded, or a proxy answers yes on its own \
        and has nobody behind it.",
    fixes: &[
        fix(
            "Look at the server's load, and at what stands between: a proxy may answer for a backend that is gone.",
        ),
        fix("Raise --timeout if the server is known to be slow."),
    ],
    seen_as: &[
        "timeout expired",
        "TLS handshake timeout",
        "SSL handshake timed out",
        "ssl handshake timeout",
        "The read operation timed out",
    ],
};

/// Channel binding.
pub static CHANNEL_BINDING: Cause = Cause {
    code: "tls.channel-binding",
    severity: Severity::Fail,
    retryable: false,
    title: "Channel binding is wanted and not possible",
    summary: "Channel binding (channel_binding={wanted}) is not possible: {reason}.",
    meaning: "Channel binding ties the login to this very TLS connection, so that nobody in between \
        can pass it on. It needs TLS, SCRAM authentication that offers SCRAM-SHA-256-PLUS, and a \
        server certificate whose signature has a digest (Ed25519 has none). With such a certificate libpq \
        fails under `prefer` too, since it begins what it cannot end.",
    fixes: &[
        fix("See that TLS is used: sslmode=require or stronger, and a server that offers it."),
        fix(
            "Issue the server's certificate with an RSA or ECDSA signature; let the role log in by scram-sha-256.",
        ),
        fix(
            "If a pooler or proxy ends TLS, it must offer SCRAM-SHA-256-PLUS itself; else set channel_binding=prefer (channel_binding=disable where the certificate has no digest).",
        ),
    ],
    seen_as: &[
        "channel binding required, but SSL not in use",
        "channel binding is required, but server did not offer an authentication method that supports channel binding",
        "channel binding required, but server authenticated client without channel binding",
        "channel binding required but not supported by server's authentication request",
        "could not find digest for NID",
        "could not determine server certificate signature algorithm",
    ],
};

/// Somebody in between.
pub static INTERCEPTED: Cause = Cause {
    code: "tls.intercepted",
    severity: Severity::Fail,
    retryable: false,
    title: "Somebody terminates TLS between here and the server",
    summary: "The server rejects our proof of the TLS connection: the certificate we see ({subject}) is not the one the server uses.",
    meaning: "With channel binding the login includes a digest of the certificate that we were \
        shown, and the server compared it with its own. They differ, so TLS ends somewhere in \
        between: a proxy or load balancer that re-encrypts, an inspecting firewall, or an attacker. \
        A wrong password is told differently.",
    fixes: &[
        run(
            "Compare the certificate that is shown here with the one on the server.",
            "openssl s_client -starttls postgres -connect {connect} </dev/null | openssl x509 -noout -fingerprint -sha256 -subject -issuer",
        ),
        fix(
            "If the proxy in between is yours and meant to be there, channel_binding=disable lets the login through; else treat the password as known to others.",
        ),
    ],
    seen_as: &[
        "SCRAM channel binding check failed",
        "channel binding check failed",
    ],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "tls.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The TLS handshake failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &UNSUPPORTED,
    &EXPIRED,
    &NOT_YET_VALID,
    &HOSTNAME,
    &UNKNOWN_CA,
    &SELF_SIGNED,
    &INCOMPLETE_CHAIN,
    &REVOKED,
    &PURPOSE,
    &WEAK,
    &CRL,
    &EXPIRES_SOON,
    &ROOT_MISSING,
    &ROOT_INVALID,
    &CLIENT_REQUIRED,
    &CLIENT_REJECTED,
    &CLIENT_KEY,
    &VERSION,
    &CIPHER,
    &DIRECT_ONLY,
    &DIRECT_UNSUPPORTED,
    &SNI,
    &CLOSED,
    &RESET,
    &TIMEOUT,
    &CHANNEL_BINDING,
    &INTERCEPTED,
    &UNCLASSIFIED,
];
