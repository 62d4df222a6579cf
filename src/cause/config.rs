//! Causes of the `config` stage: what is wrong before any packet leaves.

use super::{Cause, Severity, fix, run};

/// A row that stops the run.
macro_rules! failure {
    ($(#[$about:meta])* $name:ident, $code:literal, $title:literal, $summary:literal, $meaning:literal, [$($fix:expr),+ $(,)?], [$($seen:literal),* $(,)?]) => {
        row!($(#[$about])* Fail $name, $code, $title, $summary, $meaning, [$($fix),+], [$($seen),*]);
    };
}

/// A row that rides along.
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
    "The connection URL or string cannot be read",
    "{source} cannot be read: {problem}.",
    "libpq stops before it connects. The place is given; the text itself is not shown, since a password may stand there. A password with a reserved character is config.url.unescaped, a template that was never filled in is config.url.placeholder.",
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
    "In {source}, {characters} in the {part} must be percent-encoded; as it stands, {effect}.",
    "The characters @ : / # ? % and a space separate the parts of a URL. Unencoded in a user name or password they shift the split, and a piece of the password is taken for the host, the port or the database. Drivers differ in which of them they forgive, so that one program connects and another does not. As a warning: libpq reads this URL as it was meant, other drivers do not.",
    [
        fix("Write it as {form}, with {encodings}."),
        run(
            "Have the password encoded (it is read from the keyboard and not shown).",
            "python3 -c 'import getpass, urllib.parse; print(urllib.parse.quote(getpass.getpass(), safe=\"\"))'"
        ),
        fix("Or leave the password out of the URL and give it in PGPASSWORD or ~/.pgpass, where nothing needs encoding (in ~/.pgpass only : and \\ do)."),
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
    "A placeholder was never replaced by its value",
    "The {part} is still a placeholder: {placeholder} ({source}).",
    "A variable was not expanded, or a template was copied as it stood: the shell does not expand variables within single quotes, a dotenv file is not read by a shell, a CI system expands only its own syntax. As a warning: it stands in a password, where it may be meant literally.",
    [
        fix("Set the variable where this value is written, or write the value itself."),
        fix("In a shell, use double quotes instead of single ones; in CI, check that the secret exists and is passed to this job."),
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
    "Something longer than a host name was given as the host",
    "The host ({source}) is {what}; only a host name, an address or a socket directory belongs there.",
    "libpq takes the whole value for a name and asks DNS for it, which then says that it does not exist. The name itself may be fine.",
    [
        fix("Give host {host} and port {port} separately."),
        fix("Or give {url} as the target: dbdoctor check URL."),
        fix("Give the host name alone, and the port in --port, PGPORT or port=."),
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
    "A connection parameter that libpq does not know",
    "libpq does not know the parameter {parameter} ({source}){known}.",
    "libpq, and with it psql, psycopg and everything else built on it, refuses a connection string with a parameter that it does not know. As a warning: the parameter belongs to another driver, which is named; libpq would refuse it.",
    [
        fix("Write {meant} instead of {parameter}."),
        fix("Take {parameter} out of the string for programs that use libpq; {driver} reads it as: {meaning}."),
        fix("Take {parameter_name} out, or write the parameter that was meant (PostgreSQL documentation, \"Parameter Key Words\"). In a URL, & stands between parameters and is written %26 within a value."),
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
    "A connection parameter has a value that libpq refuses",
    "{parameter} ({source}) cannot be {value}: {problem}.",
    "libpq checks its parameters before it connects, or when it comes to the host in question.",
    [
        fix("Set {parameter} to {allowed}."),
        fix("Correct {parameter}, or take it out where the default will do."),
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
    /// Settings that libpq refuses together.
    PARAM_CONFLICT,
    "config.param.conflict",
    "Two connection parameters do not go together",
    "{first} and {second} do not go together: {problem}.",
    "libpq refuses the combination before it connects. The two values may come from different places; where each comes from is given.",
    [
        fix("{remedy}"),
        fix("Change one of the two where it is set."),
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
    /// Blanks or quotes around a value.
    WHITESPACE,
    "config.whitespace",
    "Blanks, line ends or quotes stand around a value",
    "The {parameter} ({source}) has {found}; {effect}.",
    "A secret that was read from a file often keeps the file's last line end; a value copied with its quotes keeps them where no shell takes them away. libpq uses the value as it stands. As a failure: libpq cannot read it at all like this.",
    [
        run("If the {item} is read from a file, read it without the last line end, which $(...) drops.", "printf %s \"$(cat SECRET-FILE)\""),
        fix("Take the quotes and blanks away where the value is set; Docker's --env-file keeps quotes as part of the value."),
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
    "Which of them wins differs between programs: libpq does not read DATABASE_URL or .env files at all, frameworks read .env before or after the environment. A program that was started elsewhere may therefore talk to another database.",
    [
        fix("Take the one that is wrong away, or make both say the same."),
        fix("Name the target on the command line to leave no doubt."),
    ],
    [
        "could not translate host name \"db\"",
    ]
);

warning!(
    /// A default decides where another source says something else.
    DEFAULT_USED,
    "config.default.used",
    "A default decides where to connect, and another source says otherwise",
    "No {parameter} was given, so the default {used} is used, while {loser} says {unused}.",
    "libpq fills in what is missing: the local socket directory as host, 5432 as port, the user's name as database. A source that libpq does not read names something else, which is probably what was meant.",
    [
        run("Read that file as the source.", "dbdoctor check --env-file {file}"),
        fix("Give the {parameter} explicitly."),
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
    "A service is a named group of parameters in ~/.pg_service.conf (or the file that PGSERVICEFILE names) or in the system's pg_service.conf. libpq stops if it finds no group of that name.",
    [
        fix("Add a group [{service}] to {file}."),
        fix("Check HOME and PGSERVICEFILE: under sudo, cron or in a container they differ from those of a shell."),
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
    "libpq reads the file up to the end of the service's group, without blanks around the equals sign, and stops at a line that it does not understand.",
    [
        fix("Write one parameter=value a line, without blanks around the equals sign and without a nested service."),
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
    "The password file is ignored, since others may read it",
    "{file} has mode {mode}, so libpq ignores it and the password in it is not used.",
    "libpq reads a password file only if neither the group nor the world has any access to it.",
    [run("Take the access away.", "chmod 600 {file}")],
    [
        "has group or world access; permissions should be u=rw (0600) or less",
    ]
);

warning!(
    /// No line of the password file matches.
    PASSFILE_NOMATCH,
    "config.passfile.nomatch",
    "No line of the password file matches",
    "{file} has no line for {wanted}, and no password is given elsewhere.",
    "A line is host:port:database:user:password, each of the first four literally or *. The host is compared as it was written (a name does not match its address; the default socket directory counts as localhost), and the first line that matches counts. If the server wants no password, this does no harm.",
    [
        fix("Add a line {wanted}:PASSWORD to {file}."),
        fix("If line {line} is the one that is meant for it, correct that: {differs}."),
    ],
    ["fe_sendauth: no password supplied"]
);

failure!(
    /// A named file is not there.
    FILE_MISSING,
    "config.file.missing",
    "A file that a setting names cannot be read",
    "{parameter} ({source}) names {file}, which {problem}.",
    "The file does not exist, or this user cannot read it. libpq takes a path as it stands: ~ and variables are not expanded, and a relative path counts from the current directory. As a warning: the connection is attempted without it.",
    [
        run("Look at it as this user.", "ls -l {file}"),
        fix("Name the file with its full path; ~ is expanded by the shell, and only at the beginning of a word."),
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
    "The file is read as docker compose reads it: NAME=value a line, quotes around a value closed again, comments behind a #. What is meant for a shell (commands, if, functions) does not belong there.",
    [
        fix("Correct line {line} of {file}."),
    ],
    ["unexpected character", "unterminated quoted value"]
);

failure!(
    /// No user name is given and the system has none.
    USER_UNKNOWN,
    "config.user.unknown",
    "No user name is given, and this system user has none",
    "No user name is given, and the system user with number {uid} has no name to take instead.",
    "Without a user name libpq takes that of the operating-system user. In a container that runs under an arbitrary number, /etc/passwd has no entry for it.",
    [
        fix("Give the user name: -U NAME, PGUSER, or in the URL."),
    ],
    ["local user with ID"]
);

failure!(
    /// OpenSSH rejects a line of its configuration.
    SSH_SYNTAX,
    "config.ssh.syntax",
    "The SSH configuration has an error",
    "{place}: {problem}.",
    "ssh stops at a line that it does not understand, even if the line is about another host.",
    [
        run("See what ssh says.", "ssh -G -F {file} {host}"),
        fix("Correct the line, or name another file with --ssh-config."),
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
    "The SSH configuration may be written by others, so ssh refuses it",
    "{file} {problem}, so ssh refuses to use it.",
    "ssh demands that the user's configuration belongs to the user or to root and is not writable by group or world. In a container or on a mounted volume the owner is often another number.",
    [
        run("Take the others' access away.", "chmod go-w {file}"),
        run("Make it your own.", "chown \"$(id -u)\" {file}"),
    ],
    ["Bad owner or permissions on"]
);

warning!(
    /// A setting of the SSH configuration that dbdoctor does not follow.
    SSH_UNSUPPORTED,
    "config.ssh.unsupported",
    "The SSH configuration has a setting that dbdoctor does not follow",
    "{file}, line {line} sets {keyword} for {host}, which dbdoctor does not follow.",
    "dbdoctor connects by itself and runs no other program, so that what such a setting does is missing here. ssh may therefore get further, or elsewhere.",
    [
        fix("Use ProxyJump in place of ProxyCommand where that is possible."),
        run("Compare with what ssh does.", "ssh -v {host} true"),
    ],
    []
);

failure!(
    /// A jump host leads back to itself.
    SSH_LOOP,
    "config.ssh.loop",
    "The jump hosts lead in a circle",
    "ProxyJump leads from {host} back to {host}.",
    "Each jump host may have a ProxyJump of its own, often through Host *, and following them comes back to a host that is already on the way.",
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
    "The raw error is in the evidence. Every sighting is a gap to close.",
    [fix(
        "Report it with the output of the same command and --format json."
    )],
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
    &SSH_LOOP,
    &UNCLASSIFIED,
];
