//! What the facts and evidence of a name hold.

use super::names::Kind;

/// What a value is, by the name of its fact, evidence or setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A name of this kind.
    Name(Kind),
    /// A machine: a name or an address, with a user, a port and several of them
    /// where there are; a folder of sockets.
    Endpoint,
    /// A role of the database; or what a server or a certificate is for, in a word.
    Role,
    /// A certificate's holder or issuer.
    Distinguished,
    /// The words of a command.
    Command,
    /// What a guard compares: a name, or a word for one of a list.
    Compared,
    /// What a peer or another program said: what stands in quotes is a name.
    Said,
    /// Free text by whoever runs a machine: any word may be a name.
    Banner,
    /// Neither of these: a setting that is none of a list.
    Setting,
    /// A text with names in it, or none.
    Text,
}

/// By the whole name, or its last part: `root_file` is as `file`.
const KEYS: &[(Holds, &[&str])] = &[
    (
        Holds::Endpoint,
        &[
            "host",
            "hosts",
            "hostname",
            "hostaddr",
            "via",
            "bastion",
            "hop",
            "hops",
            "endpoint",
            "destination",
            "upstream",
            "canonical_name",
            "cname",
            "cnames",
            "alias",
            "absolute",
            "search",
            "domain",
            "address",
            "addresses",
            "ip",
            "peer",
            "connect",
            "known_as",
            "server_name",
            "missing_name",
            "broken_name",
            "dotted_hop",
            "loopback",
            "ssh_alias",
            "queried",
            "name_servers",
            "url",
            "tcp",
            "reached_at",
            "ssh",
            "alias_end",
            "cluster_domain",
            "proxy",
            "backend",
            "remote",
            "unknown_place",
            "forbidden",
            "picked",
        ],
    ),
    (
        Holds::Name(Kind::User),
        &[
            "user",
            "owner",
            "username",
            "os_user",
            "upn",
            "account",
            "set_role",
            "principal",
            "principals",
            "member",
            "members",
            "requirepeer",
            "likely_owner",
            "runs_as",
            "session_authorization",
        ],
    ),
    (Holds::Role, &["role"]),
    (
        Holds::Name(Kind::Database),
        &["database", "databases", "dbname", "datname", "set_database"],
    ),
    (
        Holds::Name(Kind::Schema),
        &["schema", "schemas", "search_path"],
    ),
    (
        Holds::Name(Kind::Path),
        &[
            "file",
            "files",
            "path",
            "paths",
            "folder",
            "directory",
            "home",
            "cwd",
            "key_file",
            "certificate_file",
            "crl",
            "roots",
            "known_hosts",
            "socket",
            "socket_path",
            "passfile",
            "servicefile",
            "sslcert",
            "sslkey",
            "sslrootcert",
            "sslcrl",
            "sslcrldir",
            "writable_parents",
            "damaged_file",
            "repaired_to",
            "compose_file",
            "ssh_home",
            "default_files",
            "files_read",
            "destination_file",
            "source_file",
            "passwd",
        ],
    ),
    (Holds::Name(Kind::Program), &["process_name"]),
    (Holds::Name(Kind::Service), &["service", "services"]),
    (
        Holds::Name(Kind::Cluster),
        &[
            "cluster",
            "cluster_name",
            "namespace",
            "node_family",
            "pod",
            "project",
            "tenant",
        ],
    ),
    (
        Holds::Name(Kind::Application),
        &[
            "application",
            "application_name",
            "fallback_application_name",
        ],
    ),
    (
        Holds::Command,
        &[
            "program",
            "proxy_command",
            "known_hosts_command",
            "known_hosts_command_printed",
            "ssh_args",
            "arguments",
            "command_line",
            "match_exec",
        ],
    ),
    (
        Holds::Distinguished,
        &[
            "subject",
            "issuer",
            "authority",
            "authorities",
            "trusted",
            "client_authorities",
            "subject_alt_name",
            "covered",
            "names",
            "root",
            "certificate_names",
        ],
    ),
    (
        Holds::Name(Kind::Fingerprint),
        &["fingerprint", "fingerprints", "sha256", "thumbprint"],
    ),
    (
        Holds::Name(Kind::Serial),
        &["serial", "serials", "certificate_id"],
    ),
    (
        Holds::Name(Kind::Id),
        &[
            "system_identifier",
            "kid",
            "tid",
            "oid_tenant",
            "sub",
            "account_id",
            "inode_id",
        ],
    ),
    (Holds::Name(Kind::Name), &["comment", "key_id"]),
    (
        Holds::Banner,
        &["banner", "before_identification", "questions"],
    ),
    (Holds::Compared, &["expected", "actual"]),
    (
        Holds::Said,
        &[
            "error",
            "message",
            "said",
            "says",
            "detail",
            "hint",
            "notice",
            "notices",
            "context",
            "remark",
            "printed",
            "where",
            "drop",
            "first_connection",
            "meaning_said",
        ],
    ),
];

/// What a value is, by its name.
pub fn holds(name: &str) -> Holds {
    let find = |name: &str| {
        let row = KEYS.iter().find(|(_, names)| names.contains(&name));
        row.map(|(holds, _)| *holds)
    };
    let last = name.rsplit('_').next().unwrap_or_default();
    find(name).or_else(|| find(last)).unwrap_or(Holds::Text)
}

/// The whole name of a part of a value: the `name` of a process is that of a program.
pub fn part(of: &str, name: &str) -> String {
    let processes = [
        "process",
        "processes",
        "listener",
        "listening",
        "holders",
        "principals",
    ];
    match name {
        "name" if processes.contains(&of) => "process_name".to_owned(),
        name => name.to_owned(),
    }
}

/// What a setting of libpq holds, by its whole name.
pub fn setting_holds(name: &str) -> Holds {
    match name {
        "host" | "hostaddr" => Holds::Endpoint,
        "user" | "requirepeer" => Holds::Name(Kind::User),
        "dbname" => Holds::Name(Kind::Database),
        "service" => Holds::Name(Kind::Service),
        "application_name" | "fallback_application_name" => Holds::Name(Kind::Application),
        "passfile" | "servicefile" | "sslcert" | "sslkey" | "sslrootcert" | "sslcrl"
        | "sslcrldir" => Holds::Name(Kind::Path),
        "options" | "password" | "sslpassword" => Holds::Text,
        _ => Holds::Setting,
    }
}

/// Names under which there are no names but codes, versions and forms.
const CODES: &[&str] = &[
    "cause",
    "stage",
    "status",
    "sqlstate",
    "version",
    "outcome",
    "since",
    "severity",
    "routine",
    "format",
    "software",
    "started_at",
    "parameter",
    "keyword",
    "setting",
    "cipher",
    "ciphers",
    "macs",
    "kex",
    "sig_algs",
    "algorithm",
    "algorithms",
    "host_key_algorithms",
    "server_kex",
    "documentation",
    "mechanism",
    "mechanisms",
    "method",
    "driver",
    "provider",
    "pooler",
    "family",
    "key_type",
    "short_type",
];

/// Whether a value is one of ours, or of a protocol's list.
pub fn is_code(name: &str) -> bool {
    CODES.contains(&name)
}
