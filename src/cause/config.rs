//! Causes of the `config` stage: what is wrong before any packet leaves.

use super::{Cause, Severity, fix, run};

/// A row that stops the run.
macro_rules! failure {
    ($(#[$about:meta])* $name:ident, $code:literal, $title:literal, $summary:literal, $meaning:literal, [$($fix:expr),+ $(,)?], [$($seen:literal),* $(,)?]) => {
        row!($(#[$about])* Fail $name, $code, $title, $summary, $meaning, [$($fix),+], [$($seen),*]);
    };
}

/// A row that is a warning.
macro_rules! warning {
    ($(#[$about:meta])* $name:ident, $code:literal, $title:literal, $summary:literal, $meaning:literal, [$($fix:expr),+ $(,)?], [$($seen:literal),* $(,)?]) => {
        row!($(#[$about])* Warn $name, $code, $title, $summary, $meaning, [$($fix),+], [$($seen),*]);
    };
}

macro_rules! row {
    ($(#[$about:meta])* $severity:ident $name:ident, $code:literal, $title:literal, $summary:literal, $meaning:literal, [$($fix:expr),+ $(,)?], [$($seen:literal),* $(,)?]) => {
        $(#[$about])*
        pub static $name: Cause = Cause {
            code: $code,
            severity: Severity::$severity,
            retryable: false,
            title: $title,
            summary: $summary,
            meaning: $meaning,
            fixes: &[$($fix),+],
            seen_as: &[$($seen),*],
        };
    };
}

failure!(
    /// The target cannot be parsed.
    URL_SYNTAX,
    "config.url.syntax",
    "The connection URL or string cannot be parsed",
    "{source} cannot be parsed: {problem}.",
    "libpq rejects it before it connects. The position is shown, but not the text itself, because it might contain a password. A reserved character in a password is `config.url.unescaped`, a template that was never filled in is `config.url.placeholder`.",
    [
        fix("Write it as {form}."),
        fix("Write a URL as postgresql://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE, or a string as host=HOST port=PORT user=USER dbname=DATABASE."),
    ],
    [
        "missing \"=\" after",
        "in connection info string",
        "unterminated quoted string in connection info string",
        "missing key/value separator \"=\" in URI query parameter",
        "extra key/value separator \"=\" in URI query parameter",
        "end of string reached when looking for matching \"]\" in IPv6 host address in URI",
        "IPv6 host address may not be empty in URI",
        "forbidden value %00 in percent-encoded value",
        "Could not parse rfc1738 URL from string",
        "Could not parse SQLAlchemy URL from",
        "invalid connection string",
        "The provided database string is invalid",
        "Invalid URL",
    ]
);

failure!(
    /// A reserved character shifts the split, or would in other drivers.
    URL_UNESCAPED,
    "config.url.unescaped",
    "A reserved character in the user name or password is not percent-encoded",
    "In {source}, {characters} in the {part} must be percent-encoded; as written, {effect}.",
    "The characters @ : / # ? % and space separate the parts of a URL. Unencoded in a user name or password, they shift the boundaries, and part of the password is taken as the host, the port or the database. Drivers differ in which of them they tolerate, so one program connects and another does not. As a warning: libpq reads this URL as intended, other drivers do not.",
    [
        fix("Write it as {form}, with {encodings}."),
        run("Encode the password (typed at a hidden prompt):", "python3 -c 'import getpass, urllib.parse; print(urllib.parse.quote(getpass.getpass(), safe=\"\"))'"),
        fix("Or leave the password out of the URL and set it in PGPASSWORD or ~/.pgpass, where it is not percent-encoded (in ~/.pgpass, put a backslash before : and \\)."),
    ],
    [
        "invalid percent-encoded token",
        "unexpected spaces found in",
        "invalid port \":",
        "invalid port number in database URL",
        "invalid integer value",
        "getaddrinfo ENOTFOUND",
        "Port could not be cast to integer value",
        "URI malformed",
    ]
);

failure!(
    /// A template was never filled in.
    URL_PLACEHOLDER,
    "config.url.placeholder",
    "A placeholder was never replaced with its value",
    "The {part} is still a placeholder: {placeholder} ({source}).",
    "A variable was not expanded, or a template was copied unchanged. The shell does not expand variables inside single quotes, no shell reads a dotenv file, and a CI system expands only its own syntax. As a warning: the placeholder is in a password, where it might be meant literally.",
    [
        fix("Set the variable where this value is written, or write the value itself."),
        fix("In a shell, use double quotes instead of single quotes. In CI, check that the secret exists and is passed to this job."),
    ],
    [
        "could not translate host name \"${",
        "could not translate host name \"$",
        "could not translate host name \"{{",
        "could not translate host name \"<",
        "invalid port number: \"$",
    ]
);

failure!(
    /// A URL, or host and port, where a host belongs.
    URL_IN_HOST,
    "config.url.in-host",
    "The host is a URL or host:port, not a host name",
    "The host ({source}) is {what}; it must be a host name, an IP address or a socket directory.",
    "libpq takes the whole value as a name and looks it up in DNS, which answers that it does not exist. The host name inside it might be correct.",
    [
        fix("Set the host to {host|the host name alone}, and the port to {port|its number} with --port, PGPORT or port=."),
        fix("Or pass {url?this value} as the target."),
    ],
    [
        "could not translate host name \"postgres://",
        "could not translate host name \"postgresql://",
        "could not translate host name \"http",
        "getaddrinfo ENOTFOUND postgres://",
    ]
);

failure!(
    /// A parameter that libpq does not know.
    PARAM_UNKNOWN,
    "config.param.unknown",
    "libpq does not know a connection parameter",
    "libpq does not know the parameter {parameter} ({source}){known}.",
    "libpq, and with it psql, psycopg and everything else built on it, rejects a connection string with a parameter that it does not know. As a warning: the parameter belongs to another driver, which is named; libpq would reject it.",
    [
        fix("Write {meant} instead of {parameter}."),
        fix("Remove {parameter} from the string for programs that use libpq; {driver} reads it as: {meaning}."),
        fix("Remove {parameter_name?the parameter}, or check its spelling (PostgreSQL documentation, \"Parameter Key Words\"). In a URL, & separates parameters; inside a value, write it as %26."),
    ],
    [
        "invalid URI query parameter",
        "invalid connection option",
        "invalid dsn: invalid connection option",
        "invalid dsn: invalid URI query parameter",
    ]
);

failure!(
    /// A known parameter with a bad value.
    PARAM_INVALID,
    "config.param.invalid",
    "A connection parameter has an invalid value",
    "{parameter} ({source}) cannot be {value}: {problem}.",
    "libpq checks its parameters before it connects, or when it gets to the host in question.",
    [
        fix("Set {parameter?the parameter} to {allowed|a valid value}, or remove it to use the default."),
    ],
    [
        "invalid port number",
        "invalid integer value",
        "invalid sslmode value",
        "invalid sslnegotiation value",
        "invalid sslcertmode value",
        "invalid channel_binding value",
        "invalid gssencmode value",
        "invalid target_session_attrs value",
        "invalid load_balance_hosts value",
        "invalid require_auth value",
        "invalid ssl_min_protocol_version value",
        "invalid ssl_max_protocol_version value",
        "could not parse network address",
        "Invalid port number",
    ]
);

failure!(
    /// Parameters that libpq rejects in combination.
    PARAM_CONFLICT,
    "config.param.conflict",
    "Two connection parameters conflict",
    "{first} conflicts with {second}: {problem}.",
    "libpq rejects the combination before it connects. The two values may come from different sources; each source is shown.",
    [
        fix("{remedy|Change one of the two settings.}"),
    ],
    [
        "may not be used with sslrootcert=system",
        "may not be used with sslnegotiation=direct",
        "invalid SSL protocol version range",
        "could not match",
        "is greater than \"max_protocol_version\"",
        "cannot be mixed with",
    ]
);

warning!(
    /// Whitespace or quotes around a value.
    WHITESPACE,
    "config.whitespace",
    "A value has leading or trailing whitespace or quotes",
    "The {parameter} ({source}) has {found}; {effect}.",
    "A secret read from a file often keeps the trailing newline. A value copied with its quotes keeps them where no shell removes them. libpq uses the value as it is. As a failure: libpq cannot read the value in this form.",
    [
        run("If the {item?value} is read from a file, strip the trailing newline, as $(...) does:", "printf %s \"$(cat SECRET-FILE)\""),
        fix("Remove the quotes and whitespace where the value is set. Docker's --env-file keeps quotes as part of the value."),
    ],
    [
        "password authentication failed for user",
        "could not translate host name \" ",
    ]
);

warning!(
    /// Two sources disagree.
    SOURCES_CONFLICT,
    "config.sources.conflict",
    "Two sources name different servers or databases",
    "{winner} says {used}, {loser} says {unused}; {winner} wins here.",
    "Programs differ in which source wins: libpq reads neither DATABASE_URL nor .env files, and frameworks read .env before or after the environment. A program started elsewhere may therefore connect to another database.",
    [
        fix("Remove the wrong one, or make both agree."),
        fix("Pass the target on the command line to make it unambiguous."),
    ],
    [
        "could not translate host name \"db\"",
    ]
);

warning!(
    /// A default decides where another source says something else.
    DEFAULT_USED,
    "config.default.used",
    "A default decides where to connect, but another source says otherwise",
    "No {parameter} was given, so the default {used} is used, but {loser} says {unused}.",
    "libpq fills in what is missing: the local socket directory as host, 5432 as port, the user name as database. A source that libpq does not read has another value, which is probably the intended one.",
    [
        run("Use that file as the source:", "dbdoctor check --env-file {file}"),
        fix("Set the {parameter?parameter} explicitly."),
    ],
    [
        "connection to server on socket",
    ]
);

failure!(
    /// The service or its file does not exist.
    SERVICE_MISSING,
    "config.service.missing",
    "The service is not defined",
    "The service {service} ({source}) is not defined: {problem}.",
    "A service is a named section of parameters in ~/.pg_service.conf (or the file that PGSERVICEFILE names) or in the system-wide pg_service.conf. libpq stops if it finds no section of that name.",
    [
        fix("Add a section [{service?name}] to {file?the service file}."),
        fix("Check HOME and PGSERVICEFILE: under sudo, in cron jobs and in containers they differ from those of your shell."),
    ],
    [
        "definition of service",
        "service file",
    ]
);

failure!(
    /// The service file cannot be read.
    SERVICE_SYNTAX,
    "config.service.syntax",
    "The service file has an error",
    "{file}, line {line}: {problem}.",
    "libpq reads the file up to the end of the service's section, allows no whitespace around the equals sign, and stops at the first line that it does not understand.",
    [
        fix("Write one parameter=value per line, without whitespace around the equals sign and without a nested service."),
    ],
    [
        "syntax error in service file",
        "nested service specifications not supported in service file",
        "too long in service file",
    ]
);

warning!(
    /// The password file is too open.
    PASSFILE_PERMISSIONS,
    "config.passfile.permissions",
    "The password file is ignored because others can read it",
    "{file} has mode {mode}, so libpq ignores it and the password in it is not used.",
    "libpq reads a password file only if neither its group nor others have any access to it.",
    [
        run("Restrict the password file to its owner:", "chmod 600 {file}"),
    ],
    [
        "has group or world access; permissions should be u=rw (0600) or less",
    ]
);

warning!(
    /// No line of the password file matches.
    PASSFILE_NOMATCH,
    "config.passfile.nomatch",
    "No line of the password file matches",
    "{file} has no line for {wanted}, and no password is set elsewhere.",
    "Each line is host:port:database:user:password, and each of the first four is either a literal value or *. The host is compared as written (a name does not match its address; the default socket directory counts as localhost), and the first matching line is used. If the server does not ask for a password, this is harmless.",
    [
        fix("Add a line {wanted?host:port:database:user}:PASSWORD to {file?the password file}."),
        fix("If line {line} is meant for this connection, correct it: {differs}."),
    ],
    ["fe_sendauth: no password supplied"]
);

failure!(
    /// A named file is not there.
    FILE_MISSING,
    "config.file.missing",
    "A file named in a setting cannot be read",
    "{parameter} ({source}) names {file}, which {problem}.",
    "The file does not exist, or this user is not allowed to read it. libpq takes a path literally: it does not expand ~ or variables, and resolves a relative path from the current directory. As a warning: the connection is attempted without the file.",
    [
        run("Check the file as this user:", "ls -l {file}"),
        fix("Use the full path; only a shell expands ~, and only at the beginning of a word."),
    ],
    [
        "root certificate file",
        "could not open certificate file",
        "certificate present, but not private key file",
    ]
);

failure!(
    /// The dotenv file cannot be read.
    ENV_FILE_SYNTAX,
    "config.env-file.syntax",
    "The dotenv file has an error",
    "{file}, line {line}: {problem}.",
    "The file is read as docker compose reads it: one NAME=value per line, every quote closed, comments after a #. Shell code (commands, if, functions) is not supported.",
    [
        fix("Correct that line of {file?the file}."),
    ],
    ["unexpected character", "unterminated quoted value"]
);

failure!(
    /// No user name is given and the system has none.
    USER_UNKNOWN,
    "config.user.unknown",
    "No user name is given, and the operating-system user has none",
    "No user name is given, and the operating-system user {uid} has no name to use instead.",
    "Without a user name, libpq uses the name of the operating-system user. In a container that runs under an arbitrary user ID, /etc/passwd has no entry for it.",
    [
        fix("Set the user name with -U, with PGUSER or in the URL."),
    ],
    ["local user with ID"]
);

failure!(
    /// OpenSSH rejects a line of its configuration.
    SSH_SYNTAX,
    "config.ssh.syntax",
    "The SSH configuration has an error",
    "{place}: {problem}.",
    "ssh stops at a line that it does not understand, even if the line applies to another host.",
    [
        run("Check what ssh says:", "ssh -G -F {file} {host}"),
        fix("Correct the line, or use another file with --ssh-config."),
    ],
    [
        "Bad configuration option",
        "bad configuration options",
        "keyword extra arguments at end of line",
        "missing argument",
    ]
);

failure!(
    /// OpenSSH refuses the file's owner or mode.
    SSH_PERMISSIONS,
    "config.ssh.permissions",
    "ssh refuses the SSH configuration because others can write to it",
    "{file} {problem}, so ssh refuses to use it.",
    "ssh requires that the user's configuration belongs to the user or to root and is not writable by group or others. In a container or on a mounted volume, the owner often has another user ID.",
    [
        run("Remove write access for group and others:", "chmod go-w {file}"),
        run("Make yourself the owner:", "chown \"$(id -u)\" {file}"),
    ],
    ["Bad owner or permissions on"]
);

warning!(
    /// A setting of the SSH configuration that dbdoctor does not support.
    SSH_UNSUPPORTED,
    "config.ssh.unsupported",
    "The SSH configuration has a setting that dbdoctor does not support",
    "{file}, line {line} sets {keyword} for {host}, which dbdoctor does not support.",
    "dbdoctor connects by itself and runs no other program, so it ignores such a setting. ssh may therefore get further, or connect somewhere else.",
    [
        fix("Use ProxyJump instead of ProxyCommand where possible."),
        run("Compare with ssh:", "ssh -v {host} true"),
    ],
    []
);

failure!(
    /// `RefuseConnection` holds for this host.
    SSH_REFUSED,
    "config.ssh.refused",
    "The SSH configuration refuses connections to this host",
    "{file}, line {line} refuses connections to {host}: \"{words}\".",
    "RefuseConnection (OpenSSH 10.1 and later) ends ssh with its text before anything is sent. Older versions do not know the keyword and stop at it as well. dbdoctor does not connect either.",
    [
        fix("Do what the text says, or connect to another host."),
        fix("If the line should not apply to {host}, correct the Host or Match block above it."),
    ],
    ["RefuseConnection:", "Bad configuration option: refuseconnection"]
);

failure!(
    /// A revocation list that ssh refuses every host key for.
    SSH_REVOKED_KEYS,
    "config.ssh.revoked-keys",
    "The file with revoked SSH host keys cannot be used",
    "RevokedHostKeys for {host} names {file}, which {problem}, so ssh refuses every host key.",
    "Without the list it is not known which host keys are revoked, so ssh accepts none, and dbdoctor does not connect. The file holds one public key a line (no host names), or it is a key revocation list made by ssh-keygen -k.",
    [
        run("Check whether the file exists and is readable:", "ls -l {file}"),
        fix("Restore the file from where it is maintained, or correct its path in the SSH configuration."),
        fix("If the line reported is one of known_hosts, remove the host name before the key."),
    ],
    [
        "Error checking host key",
        "in revoked keys file",
    ]
);

failure!(
    /// A restriction depends on a condition that dbdoctor does not evaluate.
    SSH_UNDECIDED,
    "config.ssh.undecided",
    "The SSH configuration may restrict trust, and dbdoctor cannot tell whether it does",
    "{file}, line {line}: {keyword} may apply to {host}; it depends on {condition}, which dbdoctor does not evaluate.",
    "{keyword} narrows which host keys are trusted, or whether to connect at all. Ignoring it could send a login to a server that the configuration rules out, so dbdoctor stops before it connects.",
    [
        fix("Check which settings ssh applies: ssh -G {host} (with -F FILE where --ssh-config names one)."),
        fix("Move {keyword} to a Host block, or to a Match block with host, originalhost, user or localuser only."),
        fix("If it does not apply, use --ssh-config with a configuration without it."),
    ],
    []
);

failure!(
    /// A jump host leads back to itself.
    SSH_LOOP,
    "config.ssh.loop",
    "The jump hosts form a loop",
    "ProxyJump leads from {host} back to {host}.",
    "Each jump host can have a ProxyJump of its own, often through Host *. Following them leads back to a host that is already in the chain.",
    [
        fix("Give the jump host its own block with ProxyJump none, above the pattern that matches it."),
    ],
    ["jumphost loop via"]
);

failure!(
    /// Something went wrong here that no other row describes.
    UNCLASSIFIED,
    "config.unclassified",
    "A failure that dbdoctor does not recognise",
    "The config stage failed in a way that dbdoctor does not recognise: {error}.",
    "The evidence contains the raw error. Please report it.",
    [
        fix("Report it with the output of the same command with --format json added."),
    ],
    []
);

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &URL_SYNTAX,
    &URL_UNESCAPED,
    &URL_PLACEHOLDER,
    &URL_IN_HOST,
    &PARAM_UNKNOWN,
    &PARAM_INVALID,
    &PARAM_CONFLICT,
    &WHITESPACE,
    &SOURCES_CONFLICT,
    &DEFAULT_USED,
    &SERVICE_MISSING,
    &SERVICE_SYNTAX,
    &PASSFILE_PERMISSIONS,
    &PASSFILE_NOMATCH,
    &FILE_MISSING,
    &ENV_FILE_SYNTAX,
    &USER_UNKNOWN,
    &SSH_SYNTAX,
    &SSH_PERMISSIONS,
    &SSH_UNSUPPORTED,
    &SSH_REFUSED,
    &SSH_REVOKED_KEYS,
    &SSH_UNDECIDED,
    &SSH_LOOP,
    &UNCLASSIFIED,
];
