//! Causes of the `tls` stage.

use super::{Cause, Severity, fix, run};

/// The server answers `N`, and TLS is required.
pub static UNSUPPORTED: Cause = Cause {
    code: "tls.unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not offer TLS",
    summary: "{endpoint} does not offer TLS, but sslmode={sslmode} insists on it.",
    meaning: "The server declined the request for TLS: `ssl` is off there, or a pooler or proxy without TLS answered in its place. Certificates are not involved: none was exchanged.",
    fixes: &[
        fix(
            "Enable TLS on the server: ssl = on, with ssl_cert_file and ssl_key_file, in postgresql.conf (PgBouncer: client_tls_sslmode).",
        ),
        run(
            "On the server, check whether TLS is on and which certificate file it uses:",
            "psql -c \"select name, setting from pg_settings where name like 'ssl%'\"",
        ),
        fix("Check host and port: they may lead to another server, or to a pooler."),
        fix("On a trusted network only, set sslmode=prefer to connect without encryption."),
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

/// The certificate has expired.
pub static EXPIRED: Cause = Cause {
    code: "tls.cert.expired",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate has expired",
    summary: "{certificate} expired on {not_after}, {ago} ago.",
    meaning: "The server's certificate, or one in its chain, has expired. If this machine's clock is wrong, a valid certificate looks expired; compare it with another clock. libpq reports only `certificate verify failed`.",
    fixes: &[
        run(
            "Renew the certificate for {subject|the server's host name} and reload the server (open connections are kept):",
            "psql -c 'select pg_reload_conf()'",
        ),
        run("Check that this machine's clock is right:", "date -u"),
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

/// The certificate is not valid yet.
pub static NOT_YET_VALID: Cause = Cause {
    code: "tls.cert.not-yet-valid",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate is not valid yet",
    summary: "{certificate} is not valid until {not_before}, {ahead} from now.",
    meaning: "The certificate's validity begins in the future. This is rarely intended. Usually this machine's clock is behind, the clock of the machine that issued the certificate was ahead, or local time was mistaken for UTC.",
    fixes: &[
        run("Check that this machine's clock is right:", "date -u"),
        fix(
            "If the clock is right, reissue the certificate for {subject|the server's host name} with a notBefore date in the past.",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "certificate is not yet valid",
        "CERT_NOT_YET_VALID",
        "NotBefore:",
    ],
};

/// The certificate does not match the host name.
pub static HOSTNAME: Cause = Cause {
    code: "tls.cert.hostname",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate does not match the host name",
    summary: "The server's certificate is for {names}, not for {asked}.",
    meaning: "The chain is valid, but none of the certificate's names is the requested host name. libpq compares the `host` setting, not the address: DNS names first, the common name only if the certificate has no DNS name (for an address: no IP address), and one `*` matches exactly one label. Through a tunnel or a port forward the host is often localhost; set host to the real name and hostaddr to the address to connect to.",
    fixes: &[
        fix("Connect by a name that the certificate contains: {carried?dbdoctor lists them}."),
        run(
            "Keep the certificate's name as host and set the address separately:",
            "psql \"host={name} hostaddr={address_only?ADDRESS} port={port} sslmode=verify-full\"",
        ),
        fix(
            "Or reissue the certificate with {missing_name?the host name} among its subject alternative names.",
        ),
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
    title: "The server's certificate was issued by an untrusted authority",
    summary: "The server's certificate chain ends at {issuer}, which is not among the trusted roots ({roots}).",
    meaning: "The chain that the server sent ends at an issuer that the root file does not contain. Either the root file is the wrong one (another provider's, or an old one after a change of authority), or another server or an attacker answered, or an intermediate certificate is missing. The last two cannot always be told apart: `tls.cert.incomplete-chain` is used where something ties the issuer to a trusted root. `tls.cert.self-signed` is a server certificate that no authority has signed.",
    fixes: &[
        fix(
            "Get the root certificate of {issuer|the issuer} from the server's administrator or provider, and set sslrootcert to its file.",
        ),
        run(
            "Show the chain that the server sends:",
            "openssl s_client -starttls postgres -connect {connect?HOST:PORT} -showcerts </dev/null",
        ),
        fix(
            "If a public authority issued the certificate, set sslrootcert=system (with sslmode=verify-full) to use this system's roots.",
        ),
        fix("If an intermediate certificate is missing, append it to the server's ssl_cert_file."),
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

/// The certificate is self-signed.
pub static SELF_SIGNED: Cause = Cause {
    code: "tls.cert.self-signed",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate is self-signed",
    summary: "The server's certificate ({subject}) is self-signed and not among the trusted roots ({roots}).",
    meaning: "No authority has signed it. It may be the certificate that Debian's package creates (`snakeoil`), have been made by hand, or belong to an attacker. To trust it, put this very certificate into the root file, once you have confirmed that it is the server's.",
    fixes: &[
        run(
            "Fetch the certificate, and compare its fingerprint with the server's own before you trust it:",
            "openssl s_client -starttls postgres -connect {connect?HOST:PORT} </dev/null | openssl x509 -fingerprint -sha256",
        ),
        fix(
            "Put that certificate into the file named by sslrootcert, or install a server certificate from an authority you trust.",
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

/// An intermediate certificate is missing.
pub static INCOMPLETE_CHAIN: Cause = Cause {
    code: "tls.cert.incomplete-chain",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not send its intermediate certificate",
    summary: "The server does not send the certificate of {issuer}, which links its own certificate to a trusted root.",
    meaning: "An intermediate authority issued the server's certificate, and the server sends only its own certificate. Browsers often fetch or remember the missing one; libpq and most drivers do not. The evidence says what points to an intermediate here; without any such sign the cause is `tls.cert.unknown-ca`.",
    fixes: &[
        fix(
            "On the server, append the certificate of {issuer|the intermediate authority} to the file in ssl_cert_file, below the server's own, and reload.",
        ),
        run(
            "Fetch the issuer's certificate from the address given in the server's certificate:",
            "curl -O {issuer_url?URL}",
        ),
        fix(
            "Until then, add the intermediate certificate to the file named by sslrootcert, next to the root.",
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

/// The certificate is revoked.
pub static REVOKED: Cause = Cause {
    code: "tls.cert.revoked",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's certificate has been revoked",
    summary: "{certificate} has been revoked by its authority ({issuer}).",
    meaning: "The certificate is listed in the CRL configured with sslcrl or sslcrldir (default ~/.postgresql/root.crl). An authority revokes certificates that were lost, replaced or issued by mistake.",
    fixes: &[
        fix("Install a new certificate on the server and reload it."),
        fix(
            "If it was revoked by mistake, ask the authority for a new revocation list and install it as {crl|the file of sslcrl}.",
        ),
    ],
    seen_as: &[
        "SSL error: certificate verify failed",
        "certificate revoked",
        "sslv3 alert certificate revoked",
        "CERT_REVOKED",
    ],
};

/// The certificate is for another purpose.
pub static PURPOSE: Cause = Cause {
    code: "tls.cert.purpose",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate is used for a purpose it was not issued for",
    summary: "{certificate} is not allowed here: {reason}.",
    meaning: "A certificate's extensions limit its use. A server's certificate needs `serverAuth` among its extended key usages (or no such list), and an authority's must be marked as one and can be limited in names and in the number of authorities below it. One of these limits is violated here; a client certificate installed on a server is the most common case.",
    fixes: &[
        run(
            "Show the purposes the certificate allows:",
            "openssl s_client -starttls postgres -connect {connect?HOST:PORT} </dev/null | openssl x509 -noout -purpose -ext extendedKeyUsage,keyUsage,basicConstraints",
        ),
        fix(
            "Reissue it with extendedKeyUsage = serverAuth, or install the one that was issued for the server.",
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

/// The key or signature is too weak.
pub static WEAK: Cause = Cause {
    code: "tls.cert.weak",
    severity: Severity::Fail,
    retryable: false,
    title: "A certificate's key or signature is too weak",
    summary: "{certificate} is too weak for this system's security level: {reason}.",
    meaning: "OpenSSL refuses keys and signatures below its security level (level 2 on Debian and Ubuntu: RSA keys under 2048 bits, SHA-1 and MD5 signatures). The level is set in openssl.cnf, so one machine may accept the server and another refuse it.",
    fixes: &[
        fix(
            "Reissue the certificate with a key of at least 2048 bits (RSA) or 256 bits (EC) and a SHA-256 signature.",
        ),
        run(
            "Show this machine's security level:",
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

/// The revocation list is unusable.
pub static CRL: Cause = Cause {
    code: "tls.crl",
    severity: Severity::Fail,
    retryable: false,
    title: "The revocation list cannot be used",
    summary: "The server's certificate cannot be checked for revocation: {reason}.",
    meaning: "sslcrl or sslcrldir (default ~/.postgresql/root.crl) configures a revocation list, so libpq requires a valid one for every authority in the chain: current, and signed by that authority. The server's certificate itself may be valid.",
    fixes: &[
        fix(
            "Fetch the current list of {issuer|the authority} and put it into {crl_file?the file of sslcrl}, replacing the older list of that authority. With intermediates, the file must contain one list for each authority in the chain.",
        ),
        run(
            "Show which lists the file contains and when they expire:",
            "openssl storeutl -noout -text -crls {crl_file?FILE} | grep -E 'Issuer|Update'",
        ),
        run(
            "Fetch the current list of {issuer|the authority}, put it into {crl_directory?the directory of sslcrldir}, and rebuild the hash links:",
            "openssl rehash {crl_directory?DIRECTORY}",
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

/// The certificate expires soon.
pub static EXPIRES_SOON: Cause = Cause {
    code: "tls.cert.expires-soon",
    severity: Severity::Warn,
    retryable: false,
    title: "The server's certificate expires soon",
    summary: "{certificate} expires on {not_after}, in {left}.",
    meaning: "The certificate is still valid, and clients that verify it will be refused once it expires (the warning starts 30 days before). Many certificates are renewed automatically shortly before they expire; in that case make sure that the server is also reloaded afterwards.",
    fixes: &[run(
        "Renew the certificate for {subject|the server's host name} and reload the server:",
        "psql -c 'select pg_reload_conf()'",
    )],
    seen_as: &[],
};

/// No root file.
pub static ROOT_MISSING: Cause = Cause {
    code: "tls.root.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "There is no root certificate to verify the server with",
    summary: "sslmode={sslmode} verifies the server's certificate, but there is no root certificate: {file} does not exist.",
    meaning: "libpq does not use the system's root certificates by default: it reads the file named by sslrootcert, or ~/.postgresql/root.crt. `config.file.missing` is for a file that was set explicitly. `tls.root.invalid` is for a file that exists but contains no usable certificate.",
    fixes: &[
        fix(
            "Get the root certificate from the server's administrator or provider, and set sslrootcert to its file, or save it as {file|~/.postgresql/root.crt}.",
        ),
        fix(
            "If a public authority issued the server's certificate, set sslrootcert=system with sslmode=verify-full (libpq 16 and later).",
        ),
    ],
    seen_as: &[
        "root certificate file",
        "could not get home directory to locate root certificate file",
        "Either provide the file, use the system's trusted roots with sslrootcert=system",
        "could not open SSL root certificate file",
    ],
};

/// The root file contains no usable certificate.
pub static ROOT_INVALID: Cause = Cause {
    code: "tls.root.invalid",
    severity: Severity::Fail,
    retryable: false,
    title: "The root certificate file contains no usable certificate",
    summary: "{file} contains no usable root certificate: {reason}.",
    meaning: "The file exists, but libpq cannot read a certificate from it: it is empty, a directory, in another format (DER, PKCS#7, PKCS#12), a private key, a certificate request, or was damaged in transit. libpq reads it whenever it exists, whatever sslmode is set to, and fails.",
    fixes: &[
        run(
            "Check what the file contains:",
            "openssl x509 -in {file} -noout -subject -dates",
        ),
        run(
            "If it is a DER file, convert it to PEM and use the converted file:",
            "openssl x509 -inform DER -in {file} -out {file}.pem",
        ),
        fix(
            "Download the file again: it must contain one or more blocks that begin with -----BEGIN CERTIFICATE-----.",
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

/// A client certificate is required.
pub static CLIENT_REQUIRED: Cause = Cause {
    code: "tls.client.required",
    severity: Severity::Fail,
    retryable: false,
    title: "The server requires a client certificate and received none",
    summary: "{endpoint} requires a client certificate, and none was sent: {why}.",
    meaning: "The server ended the connection because the client sent no certificate: the matching line in pg_hba.conf says `cert` or `clientcert=verify-full` (or verify-ca), or a proxy in front of it requires one. `tls.client.rejected` is a certificate that was sent and rejected; `auth.cert` is one that was accepted but does not match the role.",
    fixes: &[
        fix(
            "Set sslcert and sslkey to a client certificate and its key for the role that logs in (default ~/.postgresql/postgresql.crt and postgresql.key).",
        ),
        fix(
            "Use a certificate issued by an authority that the server trusts: {authorities?one in its ssl_ca_file}.",
        ),
        fix("Or ask the server's administrator for another way to log in from here."),
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
    title: "The server rejects the client certificate",
    summary: "{endpoint} rejects the client certificate {certificate}: {reason}.",
    meaning: "The client sent the certificate and the server's TLS library rejected it with an alert: its authority is not in the server's ssl_ca_file, it has expired, it was revoked, or it is not for clients. With TLS 1.3 the alert arrives after the handshake, and many drivers report a lost connection.",
    fixes: &[
        fix(
            "Compare its issuer ({issuer}) with the authorities that the server trusts: {authorities}.",
        ),
        run(
            "Show its issuer, dates and purpose:",
            "openssl x509 -in {file} -noout -subject -issuer -dates -ext extendedKeyUsage",
        ),
        fix(
            "Have it reissued by the authority in the server's ssl_ca_file, or add its authority there. If an intermediate authority issued it, append the intermediate certificate to {file|the certificate file}.",
        ),
        fix(
            "If the server does not require a certificate for this role, set sslcertmode=disable to send none.",
        ),
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
    meaning: "A client certificate is configured (sslcert, or ~/.postgresql/postgresql.crt), so libpq requires its key. The key must exist, be a regular file, be inaccessible to others (0600; 0640 is enough for one owned by root), be opened by sslpassword if it is encrypted, and match the certificate. Nothing was sent to the server yet.",
    fixes: &[
        run(
            "Compare the public keys of both files: the two lines must be equal:",
            "openssl x509 -in {certificate_file?CERTIFICATE} -noout -pubkey | sha256sum; openssl pkey -in {file?KEY} -pubout | sha256sum",
        ),
        fix(
            "If the server does not need a client certificate, set sslcertmode=disable to ignore it.",
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
    title: "No TLS version in common",
    summary: "No TLS version in common: this client allows {ours}, {endpoint} {theirs}.",
    meaning: "The ranges of TLS versions of client and server do not overlap. The client's range comes from ssl_min_protocol_version (TLSv1.2 unless it is set), ssl_max_protocol_version and openssl.cnf; the server's from its settings of the same names, the age of its OpenSSL, and its openssl.cnf.",
    fixes: &[
        fix(
            "Upgrade the older side: a server that supports only TLS 1.0 or 1.1 needs a newer OpenSSL or ssl_min_protocol_version = 'TLSv1.2'.",
        ),
        fix(
            "If the client's range was narrowed, widen it: ssl_min_protocol_version, ssl_max_protocol_version, MinProtocol in openssl.cnf.",
        ),
        run(
            "Check whether the server accepts TLS 1.2:",
            "openssl s_client -starttls postgres -connect {connect?HOST:PORT} -tls1_2 </dev/null",
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
    title: "No cipher, group or signature algorithm in common",
    summary: "{endpoint} aborted the TLS handshake: it has no {what} in common with this client.",
    meaning: "The TLS versions match and the algorithms do not. Possible reasons are a restricted ssl_ciphers, ssl_groups or ssl_ecdh_curve on the server, a CipherString in openssl.cnf on either side, and a certificate whose key does not fit any of the allowed ciphers. A server without any usable certificate fails the same way.",
    fixes: &[
        run(
            "On the server, show what it allows:",
            "psql -c \"select name, setting from pg_settings where name in ('ssl_ciphers', 'ssl_tls13_ciphers', 'ssl_groups', 'ssl_ecdh_curve', 'ssl_min_protocol_version', 'ssl_max_protocol_version')\"",
        ),
        run("Show what this client allows:", "openssl ciphers -s -v"),
        fix(
            "Allow one of the client's algorithms on the server, or remove the restriction from openssl.cnf here. The client allows: {ours?what the previous command shows}.",
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

/// The server supports only direct TLS.
pub static DIRECT_ONLY: Cause = Cause {
    code: "tls.direct-only",
    severity: Severity::Fail,
    retryable: false,
    title: "The server accepts only direct TLS",
    summary: "{endpoint} accepts PostgreSQL only inside TLS from the first byte, and the client asked for TLS in the usual way.",
    meaning: "A proxy that expects TLS from the first byte (and knows the protocol name `postgresql`) closes the connection on PostgreSQL's own request for TLS. Clients must start TLS directly, which libpq supports since version 17.",
    fixes: &[
        fix("Set sslnegotiation=direct, with sslmode=require or stronger."),
        fix(
            "With a client older than libpq 17, use a port of the server or proxy that accepts the usual request.",
        ),
    ],
    seen_as: &[
        "server closed the connection unexpectedly",
        "SSL SYSCALL error: EOF detected",
        "received invalid response to SSL negotiation",
    ],
};

/// The server does not support direct TLS.
pub static DIRECT_UNSUPPORTED: Cause = Cause {
    code: "tls.direct-unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not support direct TLS",
    summary: "{endpoint} does not accept TLS from the first byte, which sslnegotiation=direct requires: {reason}.",
    meaning: "Direct TLS needs PostgreSQL 17 or a proxy that supports it, and agreement on the protocol name `postgresql` (ALPN). An older server, or PgBouncer before 1.23, reads the first bytes of TLS as an invalid start-up message and closes the connection.",
    fixes: &[
        fix(
            "Remove sslnegotiation (or set it to postgres): the usual request for TLS works with every version.",
        ),
        fix("Or upgrade the server or proxy to a version that supports direct TLS."),
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
    title: "The server does not know the requested host name",
    summary: "{endpoint} rejects the server name {server_name} in the TLS handshake (alert unrecognized_name).",
    meaning: "A proxy that picks its backend by the server name (SNI) has none for this one. The name is the `host` setting; through a tunnel or with an alias it is often not the name that the proxy knows.",
    fixes: &[
        fix(
            "Use the host name that the provider gives for this database, and set the address separately with hostaddr if needed.",
        ),
        fix("Set sslsni=0 to send no name, if the proxy has a default backend."),
    ],
    seen_as: &[
        "tlsv1 unrecognized name",
        "tlsv1 alert unrecognized name",
        "unrecognized_name",
    ],
};

/// Closed during the handshake.
pub static CLOSED: Cause = Cause {
    code: "tls.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection was closed during the TLS handshake",
    summary: "{endpoint} accepted TLS and then closed the connection in the middle of the handshake, after {received} bytes.",
    meaning: "The server, or a device on the path, closed the connection during the handshake without a TLS alert. Typical reasons are a proxy that forwards the request for TLS but cannot do TLS itself, a backend that died, and a filter that inspects TLS (server name, version). `protocol.closed` is for a connection that was closed before any answer.",
    fixes: &[
        fix(
            "Check the server's log for this moment: it says `could not accept SSL connection` and why.",
        ),
        fix(
            "Connect without the proxy, tunnel or filter, to find out which of them closes the connection.",
        ),
        fix(
            "If a filter inspects the server name, try sslsni=0, or a host name instead of an address.",
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

/// Reset during the handshake.
pub static RESET: Cause = Cause {
    code: "tls.reset",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection was reset during the TLS handshake",
    summary: "{endpoint} accepted TLS and then the connection was reset in the middle of the handshake, after {received} bytes.",
    meaning: "A reset in the middle of the handshake comes from a firewall or filter that inspects and blocks the connection, from a port forward whose other side died, or from a server process that crashed. `protocol.reset` is for a connection that was reset before any answer.",
    fixes: &[
        fix(
            "Connect from another network, or without the port forward, to find out what resets the connection.",
        ),
        fix(
            "If a filter inspects the server name, try sslsni=0, or a host name instead of an address.",
        ),
        fix("Check the server's log for this moment."),
    ],
    seen_as: &[
        "SSL SYSCALL error: Connection reset by peer",
        "ECONNRESET",
        "read: connection reset by peer",
        "Connection reset by peer",
    ],
};

/// The handshake timed out.
pub static TIMEOUT: Cause = Cause {
    code: "tls.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The TLS handshake timed out",
    summary: "{endpoint} accepted TLS and did not complete the handshake within {waited}, after {received} bytes.",
    meaning: "The server accepted TLS and then sent nothing more, or too little. A small request in the same place is not answered either, so the size of the messages is not the reason (`protocol.stall`). The server is stuck or overloaded, or a proxy accepted TLS itself and has no backend to connect to.",
    fixes: &[
        fix(
            "Check the server's load, and any proxy on the path: it may answer for a backend that is gone.",
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

/// Channel binding is required and not available.
pub static CHANNEL_BINDING: Cause = Cause {
    code: "tls.channel-binding",
    severity: Severity::Fail,
    retryable: false,
    title: "Channel binding is required but not available",
    summary: "Channel binding (channel_binding={wanted}) is not available: {reason}.",
    meaning: "Channel binding ties the login to this TLS connection, so that an attacker cannot relay it. It needs TLS, SCRAM authentication that offers SCRAM-SHA-256-PLUS, and a server certificate whose signature uses a digest (Ed25519 does not). With such a certificate libpq fails with `prefer` too, because it starts a SCRAM exchange it cannot complete.",
    fixes: &[
        fix(
            "Make sure that TLS is used: sslmode=require or stronger, and a server that offers it.",
        ),
        fix(
            "Issue the server's certificate with an RSA or ECDSA signature, and let the role log in with scram-sha-256.",
        ),
        fix(
            "If a pooler or proxy terminates TLS, it must offer SCRAM-SHA-256-PLUS itself; otherwise set channel_binding=prefer (channel_binding=disable if the certificate's signature has no digest).",
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

/// TLS is terminated between client and server.
pub static INTERCEPTED: Cause = Cause {
    code: "tls.intercepted",
    severity: Severity::Fail,
    retryable: false,
    title: "TLS is terminated between client and server",
    summary: "The server rejects the client's channel binding: the certificate seen here ({subject}) is not the one the server uses.",
    meaning: "With channel binding the login includes a digest of the certificate that the client received, and the server compares it with its own. They differ, so TLS is terminated between client and server: by a proxy or load balancer that re-encrypts, an inspecting firewall, or an attacker. A wrong password is reported differently.",
    fixes: &[
        run(
            "Compare the certificate seen here with the one on the server:",
            "openssl s_client -starttls postgres -connect {connect?HOST:PORT} </dev/null | openssl x509 -noout -fingerprint -sha256 -subject -issuer",
        ),
        fix(
            "If the proxy on the path is yours and intended, set channel_binding=disable to log in through it; otherwise consider the password compromised.",
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
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
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
