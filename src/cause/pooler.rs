//! What a pooler says in place of the server, observed in `auth` or `server`.

use super::{Cause, Severity, fix, run};

/// The pooler has no such database.
pub static DATABASE: Cause = Cause {
    code: "pooler.database",
    severity: Severity::Fail,
    retryable: false,
    title: "The pooler does not know the database",
    summary: "The pooler at {endpoint} {refuses} database {database}.",
    meaning: "A pooler such as PgBouncer answers instead of the server and has its own list of databases; this name is not on it (or is disabled there). The server behind it may still have a database of that name.",
    fixes: &[
        run(
            "If it was disabled there, enable it again as an administrator of PgBouncer:",
            "psql -h {host} -p {port} -U pgbouncer -d pgbouncer -c {enable?'enable DATABASE'}",
        ),
        fix("Check the name: it must be one of the pooler's [databases] entries."),
        fix(
            "Or add an entry there and reload the pooler: {database?NAME} = host=… port=… dbname=… (or a line beginning with * for all names).",
        ),
        run(
            "As an administrator of PgBouncer, list the databases it knows:",
            "psql -h {host} -p {port} -U pgbouncer -d pgbouncer -c 'show databases'",
        ),
    ],
    seen_as: &["no such database", "database does not allow connections"],
};

/// The pooler has no such user.
pub static USER: Cause = Cause {
    code: "pooler.user",
    severity: Severity::Fail,
    retryable: false,
    title: "The pooler does not know the user",
    summary: "The pooler at {endpoint} {refuses} user {user}: {error}.",
    meaning: "A pooler authenticates clients itself and must know the user: from its file of users, a query on the server, or a secret store. It does not know this one, or does not allow it. The server behind it may still have the role.",
    fixes: &[
        fix(
            "Add the user where the pooler looks it up: auth_file (userlist.txt) or auth_query of PgBouncer, or the proxy's secret at a provider; then reload the pooler.",
        ),
        fix(
            "Check the user's spelling: some providers require the tenant in it (postgres.PROJECT).",
        ),
    ],
    seen_as: &[
        "no such user",
        "This RDS proxy has no credentials for the role",
        "not allowed",
        "login rejected",
    ],
};

/// The server behind the pooler fails.
pub static BACKEND: Cause = Cause {
    code: "pooler.backend",
    severity: Severity::Fail,
    retryable: true,
    title: "The pooler cannot connect to the server behind it",
    summary: "The pooler at {endpoint} answers but cannot connect to the server behind it: {error}.",
    meaning: "The connection to the pooler works, but the pooler's own connection to the database does not: the server is down or refuses it, the pooler cannot resolve its name, or the pooler's login fails. If the pooler quotes the server's own error, dbdoctor reports that error's cause instead.",
    fixes: &[
        fix(
            "Run dbdoctor on the pooler's machine against the address in the pooler's configuration: that is the connection that fails.",
        ),
        fix(
            "Check the pooler's log. PgBouncer repeats the last error for server_login_retry seconds (15 by default) after the problem is fixed.",
        ),
    ],
    seen_as: &[
        "server login has been failing",
        "server conn crashed",
        "client_login_timeout (server down)",
        "Couldn't connect to compute node",
        "Failed to connect to database",
        "(EDBHANDLEREXITED)",
        "(ECHECKOUTRETRIES)",
    ],
};

/// The pooler takes no more clients.
pub static FULL: Cause = Cause {
    code: "pooler.full",
    severity: Severity::Fail,
    retryable: true,
    title: "The pooler accepts no more clients",
    summary: "The pooler at {endpoint} accepts no more clients: {error}.",
    meaning: "The pooler already has as many clients as it allows (max_client_conn, max_db_connections or a provider's quota). The server behind it may have free slots.",
    fixes: &[
        fix("Make the applications' own pools smaller, or close idle clients."),
        fix(
            "Or raise the pooler's limit: max_client_conn of PgBouncer (and its limit of open files).",
        ),
    ],
    seen_as: &[
        "no more connections allowed (max_client_conn)",
        "(EMAXCONNSESSION) max clients reached in session mode",
        "Max client connections reached",
        "(ECIRCUITBREAKER) too many authentication failures",
    ],
};

/// The pooler refuses a start-up parameter.
pub static PARAMETER: Cause = Cause {
    code: "pooler.parameter",
    severity: Severity::Fail,
    retryable: false,
    title: "The pooler rejects a start-up parameter",
    summary: "The pooler at {endpoint} rejects the start-up parameter {parameter}.",
    meaning: "A pooler shares server connections between clients and passes on only a few parameters. It rejects a client that sends another one (`options`, search_path in the URL, extra_float_digits by a driver), unless it is configured to ignore it.",
    fixes: &[
        fix(
            "Remove {parameter|the parameter} from the target or the driver's settings; set it for the role instead: ALTER ROLE … SET ….",
        ),
        fix(
            "Or configure PgBouncer to ignore it and reload: ignore_startup_parameters = {ignorable?extra_float_digits, search_path}",
        ),
    ],
    seen_as: &["unsupported startup parameter"],
};

/// The pooler has no free server connection.
pub static WAIT: Cause = Cause {
    code: "pooler.wait",
    severity: Severity::Fail,
    retryable: true,
    title: "The pooler has no free server connection",
    summary: "The pooler at {endpoint} accepted the login but had no free server connection in time: {error}.",
    meaning: "All server connections of this pool are in use (default_pool_size), or none could be opened, and the client waited in the pooler's queue. They are held by long transactions, or by idle clients in session mode.",
    fixes: &[
        run(
            "As an administrator of PgBouncer, check the queue (cl_waiting) and which clients hold the server connections:",
            "psql -h {host} -p {port} -U pgbouncer -d pgbouncer -c 'show pools' -c 'show servers'",
        ),
        fix("Use transaction pooling, shorter transactions, or a larger default_pool_size."),
        fix(
            "Run dbdoctor on the pooler's machine to check that it can reach the server: while it tries to connect, clients wait in the same queue.",
        ),
    ],
    seen_as: &["query_wait_timeout", "client_login_timeout"],
};

/// The tenant is unknown.
pub static TENANT: Cause = Cause {
    code: "pooler.tenant",
    severity: Severity::Fail,
    retryable: false,
    title: "The provider's pooler does not know the project",
    summary: "The provider's pooler at {endpoint} cannot tell which project the database belongs to: {error}.",
    meaning: "A pooler shared by many customers takes the project from the user name (postgres.PROJECT) or from the host name. The project is missing there, misspelt, in another region, paused or deleted.",
    fixes: &[
        fix(
            "Copy the connection string again from the provider's console: user name, host and region belong together.",
        ),
        fix("Check in the console whether the project is paused."),
    ],
    seen_as: &[
        "Tenant or user not found",
        "(ENOTFOUND) tenant/user",
        "(ENOIDENTIFIER) no tenant identifier provided",
        "exceeded the compute time quota",
        "connection not allowed for branch",
    ],
};

/// The proxy needs the host name in TLS.
pub static SNI: Cause = Cause {
    code: "pooler.sni",
    severity: Severity::Fail,
    retryable: false,
    title: "The provider's proxy needs the host name in the TLS handshake",
    summary: "The provider's proxy at {endpoint} selects the database by the host name in the TLS handshake (SNI), and received none that it knows: {error}.",
    meaning: "The client connected by IP address, without TLS, with sslsni=0, or with a library that is too old to send the name. A tunnel to localhost has the same effect.",
    fixes: &[
        fix(
            "Connect by the provider's host name, with TLS (sslmode=require or better); through a tunnel set host to that name and hostaddr to the tunnel's address.",
        ),
        fix("Or set the endpoint in the options: options=endpoint%3DENDPOINT_ID."),
    ],
    seen_as: &[
        "Endpoint ID is not specified",
        "this server requires connecting via",
    ],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &DATABASE, &USER, &BACKEND, &FULL, &PARAMETER, &WAIT, &TENANT, &SNI,
];
