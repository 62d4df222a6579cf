//! What the manual pages say beside the flags, by topic.

/// A row of a table that concerns the commands with a certain argument.
#[derive(Debug)]
pub struct Row {
    /// The argument.
    pub needs: &'static str,
    /// What it is about.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn row(needs: &'static str, name: &'static str, meaning: &'static str) -> Row {
    Row {
        needs,
        name,
        meaning,
    }
}

/// The commands, by what they are for.
pub(super) const COMMANDS: &[(&str, &[&str])] = &[
    ("The whole connection", &["check", "stress", "idle"]),
    (
        "One step of it",
        &["config", "key", "dns", "tcp", "tunnel", "tls", "auth"],
    ),
    ("The application", &["tap", "sockets"]),
    ("Errors and reports", &["explain", "diff", "schema"]),
    ("Set-up", &["completions", "man"]),
];

/// The exit statuses of a run.
pub(super) const STATUSES: &[(&str, &str)] = &[
    (
        "0",
        "No stage failed. Warnings are allowed unless --fail-on warn.",
    ),
    ("1", "A cause was found."),
    ("2", "Usage error, or the report could not be written."),
    ("3", "Internal error in dbdoctor."),
    ("130", "Interrupted. The partial report was printed."),
];

/// The variables that are read.
pub const VARIABLES: &[Row] = &[
    row(
        "target",
        "DATABASE_URL",
        "The target, where the command line gives none: no TARGET, --url, -h, -p or -d.",
    ),
    row(
        "target",
        "PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSERVICE, PGSSLMODE, ...",
        "Connection parameters. Every variable of libpq 18 is read as libpq reads it; dbdoctor \
         config shows which ones are in effect.",
    ),
    row(
        "target",
        "PGPASSFILE, PGSERVICEFILE, PGSYSCONFDIR",
        "The password file, the service file, and the directory of the system's service file.",
    ),
    row(
        "target",
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The certificates of sslrootcert=system, as OpenSSL reads them.",
    ),
    row(
        "ssh",
        "DBDOCTOR_SSH_PASSPHRASE",
        "The passphrase for SSH keys. If it is empty, keys have none and no prompt appears.",
    ),
    row(
        "target",
        "DBDOCTOR_SSH_PASSWORD",
        "The password for SSH servers.",
    ),
    row("ssh", "SSH_AUTH_SOCK", "The socket of the SSH agent."),
    row(
        "color",
        "NO_COLOR, CLICOLOR, CLICOLOR_FORCE",
        "With --color auto: NO_COLOR or CLICOLOR=0 turns colour off, CLICOLOR_FORCE turns it on \
         even without a terminal. NO_COLOR wins.",
    ),
];

/// The files that are read.
pub const FILES: &[Row] = &[
    row("target", "~/.pgpass", "Passwords."),
    row(
        "target",
        "~/.pg_service.conf, /etc/postgresql-common/pg_service.conf",
        "Services: named sets of connection parameters.",
    ),
    row(
        "target",
        "~/.postgresql/root.crt, root.crl, postgresql.crt, postgresql.key",
        "The certificates that the server is verified against, revoked certificates, and the \
         client's certificate and key, where no parameter names others.",
    ),
    row(
        "ssh",
        "~/.ssh/config, /etc/ssh/ssh_config",
        "The SSH configuration. --ssh-config replaces both.",
    ),
    row(
        "ssh",
        "~/.ssh/known_hosts, known_hosts2, /etc/ssh/ssh_known_hosts, ssh_known_hosts2",
        "Known host keys. They are never written. --ssh-known-hosts replaces them.",
    ),
    row(
        "ssh",
        "~/.ssh/id_rsa, id_ecdsa, id_ecdsa_sk, id_ed25519, id_ed25519_sk, id_xmss, id_dsa",
        "Private keys that are offered where neither --ssh-key nor the configuration names one.",
    ),
];

/// What is said of all commands, on the main page.
pub(super) const TOPICS: &[(&str, &[&str])] = &[
    (
        "TARGET",
        &[
            "The target is what libpq accepts: a postgres:// URI, a key=value connection string, \
             flags as in psql, PG* variables, a service; or a bare host[:port]. The URLs of \
             drivers (postgresql+asyncpg://, jdbc:postgresql://) are understood too. A flag wins \
             over TARGET, then come the service file, the environment and the defaults.",
            "--ssh goes through SSH servers as ssh -J does, with the configuration, keys, agent \
             and known hosts that ssh would use.",
        ],
    ),
    (
        "TIME",
        &[
            "Nothing hangs: --timeout limits each stage, per address, and --deadline the whole \
             run. What idle, stress, tap, --wait and tunnel --listen are told to take comes on top. A \
             DURATION is a number with ms, s, m or h; a bare number is seconds.",
        ],
    ),
    (
        "SECURITY",
        &[
            "dbdoctor is read-only: it runs SELECT queries and changes nothing on a server, and \
             it writes no file but the one that -o or --repair names. A password is never the \
             value of a flag, is never shown, and is never sent to a server that has failed a \
             verification that the target requires.",
        ],
    ),
];

/// What a command is for and how it goes about it; of the main page for `""`.
pub(super) fn description(command: &str) -> &'static [&'static str] {
    match command {
        "" => &[
            "dbdoctor finds out why a PostgreSQL connection fails and says how to fix it.",
            "It checks the path of a connection step by step: settings, SSH key, DNS, TCP, SSH \
             tunnel, protocol, TLS, authentication, server. It stops where libpq or ssh would \
             fail, and reports the cause with its evidence and with commands to paste. Where \
             libpq connects, dbdoctor passes.",
        ],
        "check" => &[
            "Runs every stage in order over one connection, stops at the first failure and \
             reports its cause, its evidence and what to do.",
            "With --as the settings are judged by the rules of an application's driver, and with \
             --pid from where a running process stands. Guards (--expect-*, --not-host) make the \
             run fail where it reaches the wrong environment. --wait repeats the run until it \
             passes, then executes COMMAND in its place.",
            "With --targets many targets are checked at once, each as if it were the only one: \
             --timeout and --deadline count for each, from when its check starts. On each line of \
             the file stands a target, or a JSON object with the key target and, where wanted, \
             name, ssh, ssh_key (a string or a list), env_file, as, expect_database, expect_role, \
             expect_server_version, expect_cluster_name and expect_writable, which count more \
             than the flags. The exit status is 1 if any target failed.",
        ],
        "config" => &[
            "Shows each connection parameter that is in effect, where it comes from and what it \
             overrides, and finds mistakes in URLs, files and variables. Nothing is sent.",
            "Use it first where the application and psql seem to reach different servers.",
        ],
        "dns" => &[
            "Looks the host up through the system's resolver, which is what applications use, and \
             asks each configured name server directly. Names from /etc/hosts, search domains, \
             containers and Kubernetes are told apart.",
        ],
        "tcp" => &[
            "Resolves the host and connects to every address, where applications often try only \
             the first. Refused, filtered and unreachable are different causes.",
        ],
        "key" => &[
            "Reads private keys as OpenSSH does: format, damage, file mode, passphrase, and \
             whether the .pub file and the certificate beside a key belong to it. No key leaves \
             this machine.",
            "--repair writes what can be saved of a damaged key to a new file, which must not \
             exist yet. The original is left alone.",
        ],
        "tunnel" => &[
            "Connects through each SSH server, checks its host key, logs in, and has the last one \
             open the forward to the database. The SSH server's own words are reported.",
            "--listen holds the proven tunnel open on a local port, so that an application can be \
             pointed at it, and prints one line per connection with how it ended.",
        ],
        "tls" => &[
            "Negotiates TLS as libpq would and verifies the chain, the validity, the host name \
             and the revocation lists that the target demands. With -v, each certificate of the \
             chain is shown.",
        ],
        "auth" => &[
            "Starts a session and authenticates: role, database, pg_hba.conf rule, method, \
             password, channel binding, and whether a connection slot is free. With a guard, it \
             goes on to ask the server.",
        ],
        "idle" => &[
            "Leaves several connections alone for different times, to bracket the time after \
             which something drops them, and says who does: the server, a pooler, the SSH server \
             or a device on the way. Beside them stand one connection with TCP keepalives, one \
             with a query as heartbeat, and one exactly as the target configures it, which \
             decides the verdict.",
            "The report's advice has the setting for each common driver and pool.",
        ],
        "stress" => &[
            "Connects many times, several at once, and reports how many attempts failed, with \
             which cause, and how long each stage took. It tells a failure that happens sometimes \
             from one that has been fixed.",
        ],
        "tap" => &[
            "Listens on a local port, forwards every connection to the target unchanged, and \
             prints what the application and the server do: TLS, startup parameters, \
             authentication, errors, and who ended each connection. dbdoctor itself does not log \
             in.",
            "With --stand-in no target is contacted: dbdoctor answers as a server up to the \
             login, and finds out whether the client verifies certificates.",
        ],
        "schema" => &[
            "Prints the JSON Schema of a report, of the reports of many targets, or of the output \
             of explain or diff.",
        ],
        "sockets" => &[
            "Looks for database connections that several processes hold, as after a fork in a \
             pre-forking server. Such processes take each other's answers and break TLS. It reads \
             /proc and needs no target.",
        ],
        "explain" => &[
            "Explains a cause code; or finds the causes in a pasted error message, a traceback or \
             a whole log, best first, each with what it means, what to do, and the command that \
             confirms it. Works offline.",
        ],
        "diff" => &[
            "Compares two JSON reports, for \"it works on my laptop and fails in CI\": target, \
             environment, facts and findings. What explains the different verdicts comes first.",
        ],
        "completions" => &[
            "Prints a script that registers dbdoctor with the completion of a shell. The script \
             calls dbdoctor at every TAB, so that it knows the flags of the installed version, \
             cause codes, drivers, services, key files, and the hosts of the SSH configuration. \
             Nothing is contacted.",
        ],
        "man" => &["Prints a manual page in roff."],
        _ => &[],
    }
}

/// What else to read.
pub(super) fn see_also(command: &str) -> &'static str {
    match command {
        "" => "psql(1), pg_isready(1), ssh(1), ssh_config(5), openssl-s_client(1)",
        "check" => {
            "dbdoctor(1), dbdoctor-config(1), dbdoctor-explain(1), dbdoctor-stress(1), \
             dbdoctor-idle(1), psql(1), pg_isready(1)"
        }
        "config" => "dbdoctor(1), dbdoctor-check(1), psql(1)",
        "dns" => "dbdoctor(1), dbdoctor-tcp(1), resolv.conf(5), nsswitch.conf(5), getent(1)",
        "tcp" => "dbdoctor(1), dbdoctor-dns(1), dbdoctor-tls(1), pg_isready(1)",
        "key" => "dbdoctor(1), dbdoctor-tunnel(1), ssh-keygen(1), ssh_config(5)",
        "tunnel" => "dbdoctor(1), dbdoctor-key(1), dbdoctor-idle(1), ssh(1), ssh_config(5)",
        "tls" => "dbdoctor(1), dbdoctor-auth(1), openssl-s_client(1)",
        "auth" => "dbdoctor(1), dbdoctor-tls(1), psql(1)",
        "idle" => "dbdoctor(1), dbdoctor-stress(1), dbdoctor-sockets(1), tcp(7)",
        "stress" => "dbdoctor(1), dbdoctor-idle(1), dbdoctor-check(1)",
        "tap" => "dbdoctor(1), dbdoctor-tunnel(1), dbdoctor-sockets(1), psql(1)",
        "sockets" => "dbdoctor(1), dbdoctor-explain(1), ss(8), proc(5)",
        "explain" => "dbdoctor(1), dbdoctor-check(1)",
        "diff" => "dbdoctor(1), dbdoctor-check(1)",
        _ => "dbdoctor(1)",
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;
    use crate::config::catalog::PARAMS;
    use crate::config::ssh::DEFAULT_KEYS;

    #[test]
    fn every_command_is_described_and_in_one_topic() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(!description(name).is_empty(), "{name} has no description");
            let topics = COMMANDS.iter().filter(|(_, names)| names.contains(&name));
            assert_eq!(topics.count(), 1, "{name}");
        }
    }

    #[test]
    fn the_tables_say_what_is_read() {
        let of_libpq = |name: &str| PARAMS.iter().any(|param| param.variable == Some(name));
        let variables = VARIABLES.iter().flat_map(|row| row.name.split(", "));
        for name in variables.filter(|name| name.starts_with("PG")) {
            let files = ["PGSERVICEFILE", "PGSYSCONFDIR"];
            assert!(of_libpq(name) || files.contains(&name), "{name}");
        }
        let keys = DEFAULT_KEYS.join(", ");
        assert!(FILES.iter().any(|row| row.name == format!("~/.ssh/{keys}")));
    }
}
