//! Providers' servers and poolers: an end of the lab that has the provider's name and says
//! what the provider says. [`Oracle::Psql`](crate::Oracle::Psql) is refused by all of them.

use anyhow::{Result, ensure};

use super::findings;
use crate::impostor::{SASL_FINAL, impostor};
use crate::{Case, CertSpec, Conn, Expect, Lab, Need, Postgres, Scenario};

/// Who refuses, where, and in which words.
struct Refusal {
    /// The host name; the address is the lab's own.
    host: &'static str,
    user: &'static str,
    dbname: &'static str,
    sqlstate: &'static str,
    message: &'static str,
    /// Whether PostgreSQL itself says it, with file and routine.
    by_server: bool,
}

impl Refusal {
    const fn of(host: &'static str, sqlstate: &'static str, message: &'static str) -> Self {
        Refusal {
            host,
            user: "app",
            dbname: "appdb",
            sqlstate,
            message,
            by_server: false,
        }
    }

    /// PostgreSQL behind the provider's name, which finds no line for this client.
    const fn no_entry(host: &'static str) -> Self {
        let message = "no pg_hba.conf entry for host \"203.0.113.7\", user \"app\", \
                       database \"appdb\", no encryption";
        let refusal = Refusal::of(host, "28000", message);
        Refusal {
            by_server: true,
            ..refusal
        }
    }

    const fn user(self, user: &'static str) -> Self {
        Refusal { user, ..self }
    }

    const fn dbname(self, dbname: &'static str) -> Self {
        Refusal { dbname, ..self }
    }

    /// A case in which the first fix holds these words, and none is about a file that only a
    /// server of one's own has.
    fn case(self, words: &'static str) -> Result<Case> {
        let Refusal {
            host,
            user,
            dbname,
            sqlstate,
            message,
            by_server,
        } = self;
        let peer = impostor(move |client| {
            let mut fields = vec![('S', "FATAL"), ('C', sqlstate), ('M', message)];
            if by_server {
                fields.extend([
                    ('V', "FATAL"),
                    ('F', "auth.c"),
                    ('R', "ClientAuthentication"),
                ]);
            }
            client.error(&fields)
        })?;
        let conn = Conn::new()
            .set("host", host)
            .set("hostaddr", "127.0.0.1")
            .set("port", peer.port())
            .set("user", user)
            .set("dbname", dbname)
            .set("sslmode", "disable");
        let case = Case::check(conn).password("a-password").keep(peer);
        Ok(advised(case, words))
    }
}

/// The provider's advice comes first, and the server's own files are not the user's.
fn advised(case: Case, words: &'static str) -> Case {
    case.assert(move |report| {
        let fixes = report["verdict"]["fixes"].as_array();
        let fixes = fixes.map(Vec::as_slice).unwrap_or_default();
        let first = fixes.first().and_then(|fix| fix["text"].as_str());
        let first = first.unwrap_or_default();
        ensure!(first.contains(words), "{words:?} is not in {first:?}");
        for fix in fixes {
            let command = fix["command"].as_str().unwrap_or_default();
            ensure!(!command.contains("hba"), "{command}");
            ensure!(!command.contains("-U postgres"), "{command}");
        }
        Ok(())
    })
}

/// A pooler that refuses inside SCRAM, with this server-error-value.
fn in_scram(word: &'static str) -> Result<Case> {
    let peer = impostor(move |client| {
        client.scram()?;
        client.ask(SASL_FINAL, format!("e={word}").as_bytes())
    })?;
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", peer.port())
        .set("user", "app")
        .set("dbname", "appdb")
        .set("sslmode", "disable");
    let case = Case::check(conn).password("a-password").keep(peer);
    Ok(case.assert(move |report| {
        let told: Vec<&str> = findings(report)
            .filter_map(|finding| finding["evidence"]["error"].as_str())
            .collect();
        ensure!(
            told.iter().any(|error| error.contains(word)),
            "{word:?} is not in {told:?}"
        );
        Ok(())
    }))
}

/// A server under a provider's name, with a certificate that this authority issued; a client
/// that verifies has other roots.
fn certified(lab: &Lab, host: &'static str, authority: &str, words: &'static str) -> Result<Case> {
    let ca = crate::Ca::new(authority)?;
    let pg: Postgres = lab
        .new_postgres()
        .tls(ca.issue(&CertSpec::server(host, &[host], &[]))?)
        .start()?;
    let conn = pg
        .conn()
        .set("host", host)
        .set("hostaddr", "127.0.0.1")
        .set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display());
    let case = Case::check(conn).password(lab.password()).keep(pg);
    Ok(advised(case, words))
}

/// A refusal in a provider's words.
macro_rules! refuses {
    ($name:literal, $cause:literal, $words:literal, $refusal:expr) => {
        Scenario::new(
            concat!("provider-", $name),
            concat!("a provider's refusal: ", $name),
            Expect::Fail($cause),
            &[],
            |_| $refusal.case($words),
        )
    };
}

/// A refusal inside SCRAM.
macro_rules! scram {
    ($name:literal, $word:literal, $cause:literal) => {
        Scenario::new(
            concat!("scram-refusal-", $name),
            concat!("a pooler ends SCRAM with e=", $word),
            Expect::Fail($cause),
            &[],
            |_| in_scram($word),
        )
    };
}

const POOLER: &str = "aws-0-eu-central-1.pooler.supabase.com";
const NEON: &str = "ep-cool-night-123456.eu-central-1.aws.neon.tech";
const COCKROACH: &str = "free-tier.gcp-europe-west1.cockroachlabs.cloud";
const DSQL: &str = "abcdefghijkl.dsql.us-east-1.on.aws";
const RDS: &str = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com";
const RDS_PROXY: &str = "orders.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com";
const AZURE: &str = "orders.postgres.database.azure.com";

/// Providers.
pub const SCENARIOS: &[Scenario] = &[
    scram!("wrong-password", "Wrong password", "auth.password.wrong"),
    scram!("invalid-proof", "invalid-proof", "auth.password.wrong"),
    scram!("unknown-user", "unknown-user", "auth.password.wrong"),
    scram!(
        "words",
        "password authentication failed for user \"app\"",
        "auth.password.wrong"
    ),
    scram!("tenant", "Tenant or user not found", "pooler.tenant"),
    scram!("bindings", "channel-bindings-dont-match", "tls.intercepted"),
    scram!(
        "binding-type",
        "unsupported-channel-binding-type",
        "tls.channel-binding"
    ),
    scram!("no-resources", "no-resources", "server.resources"),
    scram!("other", "other-error", "auth.unclassified"),
    scram!(
        "stranger",
        "Quota of proofs is used up",
        "auth.unclassified"
    ),
    refuses!(
        "supabase-tenant",
        "pooler.tenant",
        "app.PROJECT_REF",
        Refusal::of(POOLER, "XX000", "Tenant or user not found")
    ),
    refuses!(
        "supabase-region",
        "pooler.tenant",
        "the region",
        Refusal::of(POOLER, "XX000", "Tenant or user not found").user("postgres.abcdefghij")
    ),
    refuses!(
        "supabase-address",
        "pooler.address",
        "Network Restrictions",
        Refusal::of(
            POOLER,
            "XX000",
            "(EADDRNOTALLOWED) Address not in tenant allow_list: 203.0.113.7"
        )
    ),
    refuses!(
        "supabase-secret",
        "pooler.secret",
        "scram-sha-256",
        Refusal::of(
            POOLER,
            "XX000",
            "(EAUTHQUERY) unsupported or invalid secret format"
        )
    ),
    refuses!(
        "supabase-direct",
        "auth.hba.no-entry",
        "Network Restrictions",
        Refusal::no_entry("db.abcdefghijklmnopqrst.supabase.co")
    ),
    refuses!(
        "neon-permit",
        "pooler.full",
        "back-off",
        Refusal::of(
            NEON,
            "53300",
            "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing."
        )
    ),
    refuses!(
        "neon-disabled",
        "pooler.suspended",
        "Enable the endpoint",
        Refusal::of(
            NEON,
            "XX000",
            "The endpoint has been disabled. Enable it using Neon API and retry."
        )
    ),
    refuses!(
        "neon-quota",
        "pooler.suspended",
        "Upgrade the plan",
        Refusal::of(
            NEON,
            "XX000",
            "Your project has exceeded the data transfer quota. Upgrade your plan to increase limits."
        )
    ),
    refuses!(
        "neon-compute-quota",
        "pooler.suspended",
        "Upgrade the plan",
        Refusal::of(
            NEON,
            "XX000",
            "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits."
        )
    ),
    refuses!(
        "neon-address",
        "pooler.address",
        "IP Allow",
        Refusal::of(
            NEON,
            "08P01",
            "This IP address 203.0.113.7 is not allowed to connect to this endpoint."
        )
    ),
    refuses!(
        "neon-endpoint",
        "pooler.tenant",
        "Neon console",
        Refusal::of(
            NEON,
            "XX000",
            "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and try again."
        )
    ),
    refuses!(
        "rds-pam",
        "auth.pam",
        "IAM token",
        Refusal::of(RDS, "28000", "PAM authentication failed for user \"app\"")
    ),
    refuses!(
        "rds-tls",
        "auth.hba.no-entry",
        "sslmode=require",
        Refusal::no_entry(RDS)
    ),
    refuses!(
        "rds-proxy-wait",
        "pooler.wait",
        "transactions",
        Refusal::of(
            RDS_PROXY,
            "53300",
            "Timed-out waiting to acquire database connection"
        )
    ),
    refuses!(
        "rds-proxy-user",
        "pooler.user",
        "Secrets Manager",
        Refusal::of(
            RDS_PROXY,
            "28P01",
            "This RDS proxy has no credentials for the role app. Check the credentials for this role and try again."
        )
    ),
    refuses!(
        "dsql-denied",
        "auth.password.wrong",
        "generate-db-connect",
        Refusal::of(DSQL, "08006", "unable to accept connection, access denied")
    ),
    refuses!(
        "azure-username",
        "pooler.tenant",
        "app@SERVERNAME",
        Refusal::of(
            AZURE,
            "28000",
            "Please check the Username and retry connection. The Username should be in <username@hostname> format."
        )
    ),
    refuses!(
        "azure-firewall",
        "auth.hba.no-entry",
        "firewall rule",
        Refusal::no_entry(AZURE)
    ),
    refuses!(
        "azure-cosmos",
        "auth.hba.no-entry",
        "firewall rule",
        Refusal::no_entry("c-orders.abcdef.postgres.cosmos.azure.com")
    ),
    refuses!(
        "cloud-sql-iam",
        "auth.password.wrong",
        "access token",
        Refusal::of(
            "abcdef.europe-west1.sql.goog",
            "28000",
            "Cloud SQL IAM user authentication failed for user \"app\""
        )
    ),
    refuses!(
        "cloud-sql-network",
        "auth.hba.no-entry",
        "authorized networks",
        Refusal::no_entry("abcdef.europe-west1.sql.goog")
    ),
    refuses!(
        "alloydb-network",
        "auth.hba.no-entry",
        "AlloyDB Auth Proxy",
        Refusal::no_entry("abc.alloydb-psc.goog")
    ),
    refuses!(
        "heroku-tls",
        "auth.hba.no-entry",
        "sslmode=require",
        Refusal::no_entry("ec2-203-0-113-7.compute-1.amazonaws.com").dbname("d1a2b3c4d5e6f7")
    ),
    refuses!(
        "render-tls",
        "auth.hba.no-entry",
        "Access Control",
        Refusal::no_entry("dpg-cabcdefghijklmnopqrs-a.frankfurt-postgres.render.com")
    ),
    refuses!(
        "railway-password",
        "auth.password.wrong",
        "PGPASSWORD",
        Refusal::of(
            "roundhouse.proxy.rlwy.net",
            "28P01",
            "password authentication failed for user \"app\""
        )
    ),
    refuses!(
        "fly-entry",
        "auth.hba.no-entry",
        "fly proxy",
        Refusal::no_entry("orders.fly.dev")
    ),
    refuses!(
        "digitalocean-sources",
        "auth.hba.no-entry",
        "trusted sources",
        Refusal::no_entry("orders-do-user-1-0.b.db.ondigitalocean.com")
    ),
    refuses!(
        "aiven-addresses",
        "auth.hba.no-entry",
        "allowed IP addresses",
        Refusal::no_entry("pg-orders.aivencloud.com")
    ),
    refuses!(
        "timescale-list",
        "auth.hba.no-entry",
        "IP allow list",
        Refusal::no_entry("abc.def.tsdb.cloud.timescale.com")
    ),
    refuses!(
        "crunchy-firewall",
        "auth.hba.no-entry",
        "firewall rule",
        Refusal::no_entry("p.abcdef.db.postgresbridge.com")
    ),
    refuses!(
        "cockroach-cluster",
        "pooler.tenant",
        "options=--cluster",
        Refusal::of(
            COCKROACH,
            "08004",
            "codeParamsRoutingFailed: missing cluster identifier"
        )
    ),
    refuses!(
        "cockroach-address",
        "pooler.address",
        "IP allowlist",
        Refusal::of(
            COCKROACH,
            "08004",
            "codeProxyRefusedConnection: connection refused"
        )
    ),
    refuses!(
        "yugabyte-list",
        "auth.hba.no-entry",
        "IP allow list",
        Refusal::no_entry("eu-west-1.abcdef.aws.ybdb.io")
    ),
    refuses!(
        "pgcat-database",
        "pooler.database",
        "pgcat.toml",
        Refusal::of(
            "db.test",
            "58000",
            "No pool configured for database: \"appdb\", user: \"app\""
        )
    ),
    refuses!(
        "pgcat-servers",
        "pooler.backend",
        "pgcat.toml",
        Refusal::of(
            "db.test",
            "58000",
            "could not get connection from the pool - AllServersDown"
        )
    ),
    refuses!(
        "odyssey-rule",
        "pooler.database",
        "odyssey.conf",
        Refusal::of(
            "db.test",
            "08P01",
            "odyssey: c1234: route for 'appdb.app' is not found"
        )
    ),
    refuses!(
        "odyssey-server",
        "pooler.backend",
        "odyssey.conf",
        Refusal::of(
            "db.test",
            "08006",
            "odyssey: c1234: failed to connect to remote server s5678"
        )
    ),
    Scenario::new(
        "provider-supabase-healthy",
        "a server under a provider's name works as any other",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let conn = conn.set("host", POOLER).set("hostaddr", "127.0.0.1");
            Ok(Case::check(conn).password(lab.password()))
        },
    ),
    Scenario::new(
        "provider-rds-ca",
        "the certificate of Amazon RDS, and not its authorities",
        Expect::Fail("tls.cert.unknown-ca"),
        &[Need::Postgres],
        |lab| {
            certified(
                lab,
                RDS,
                "Amazon RDS eu-west-1 Root CA RSA2048 G1",
                "global-bundle.pem",
            )
        },
    ),
    Scenario::new(
        "provider-rds-ca-tunnel",
        "the same under a name that says nothing",
        Expect::Fail("tls.cert.unknown-ca"),
        &[Need::Postgres],
        |lab| {
            let authority = "Amazon RDS eu-west-1 Root CA RSA2048 G1";
            certified(lab, "orders.db.test", authority, "global-bundle.pem")
        },
    ),
    Scenario::new(
        "provider-aiven-ca",
        "the certificate of Aiven, and not the project's authority",
        Expect::Fail("tls.cert.unknown-ca"),
        &[Need::Postgres],
        |lab| certified(lab, "pg-orders.aivencloud.com", "Project CA", "ca.pem"),
    ),
];
