//! Poolers that cannot log in with what they store of a user, or cannot look the user up.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{Case, Conn, Expect, Lab, Need, Pgpool, Postgres, Scenario};

/// A case with the lab's password.
fn case(lab: &Lab, conn: Conn) -> Case {
    Case::check(conn).password(lab.password())
}

/// The first fix must hold these words.
fn first_fix(case: Case, words: &'static [&'static str]) -> Case {
    case.assert(move |report| {
        let first = report["verdict"]["fixes"][0]["text"]
            .as_str()
            .unwrap_or_default();
        for word in words {
            ensure!(first.contains(word), "{word:?} is not in {first:?}");
        }
        Ok(())
    })
}

/// The MD5 hash of `app`'s password, as PostgreSQL and the poolers store it.
fn md5_secret(lab: &Lab, pg: &Postgres) -> Result<String> {
    let hash = pg.sql(&format!("select md5('{}app')", lab.password()))?;
    Ok(format!("md5{}", hash.trim()))
}

/// A PgBouncer with this secret of `app`, which asks clients in this way.
fn storing(lab: &Lab, pg: &Postgres, auth_type: &str, secret: &str, retry: u32) -> Result<Case> {
    let users = lab.file("users.txt", format!("\"app\" \"{secret}\"\n"), 0o644)?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
        .set("auth_type", auth_type)
        .set("auth_file", users.display())
        .set("server_login_retry", retry)
        .start()?;
    Ok(case(lab, bouncer.conn()).keep(bouncer))
}

/// A PgBouncer that looks its users up with this query, as this user with this password.
fn looking_up(lab: &Lab, sql: &str, query: &str, password: &str) -> Result<Case> {
    let pg = lab
        .new_postgres()
        .sql("create role lookup login superuser password 'lookup-secret'")
        .sql(sql)
        .start()?;
    let users = lab.file("users.txt", format!("\"lookup\" \"{password}\"\n"), 0o644)?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
        .set("auth_file", users.display())
        .set("auth_user", "lookup")
        .set("auth_query", query)
        .set("server_login_retry", 1)
        .start()?;
    Ok(case(lab, bouncer.conn()).keep((bouncer, pg)))
}

/// A query that finds every user.
const SHADOW: &str = "select usename, passwd from pg_shadow where usename = $1";

/// A Pgpool-II with this method in `pool_hba.conf` and this entry of `pool_passwd`.
fn pooled(lab: &Lab, method: &str, entry: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let hba = format!("host all all 127.0.0.1/32 {method}");
    let pool = Pgpool::start(lab, pg.port(), &hba, entry)?;
    Ok(case(lab, pool.conn()).keep(pool))
}

const BOUNCER: &[Need] = &[Need::Postgres, Need::PgBouncer];
const PGPOOL: &[Need] = &[Need::Postgres, Need::Pgpool];

/// Poolers and what they store.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "pooler-secret-md5",
        "PgBouncer has an MD5 hash, and its server wants SCRAM",
        Expect::Fail("pooler.secret"),
        BOUNCER,
        |lab| {
            let pg = lab.postgres()?;
            let case = storing(lab, &pg, "md5", &md5_secret(lab, &pg)?, 1)?;
            Ok(first_fix(case, &["userlist.txt", "SCRAM"]).keep(pg))
        },
    ),
    Scenario::new(
        "pooler-secret-md5-cached",
        "the same, and PgBouncer waits before it tries again and says so",
        Expect::Fail("pooler.secret"),
        BOUNCER,
        |lab| {
            let pg = lab.postgres()?;
            let case = storing(lab, &pg, "md5", &md5_secret(lab, &pg)?, 7)?;
            let conn = case.conn.clone().unwrap_or_default();
            let conn = conn.set("password", lab.password());
            crate::Tool::new("psql")
                .args(["-XAtqw", "-c", "select 1", "-d"])
                .arg(conn)
                .run(Duration::from_secs(5))?;
            Ok(case)
        },
    ),
    Scenario::new(
        "pooler-secret-md5-bounded",
        "the same with --timeout, which is kept: the reason does not come in time",
        Expect::Fail("pooler.backend"),
        BOUNCER,
        |lab| {
            let pg = lab.postgres()?;
            let case = storing(lab, &pg, "md5", &md5_secret(lab, &pg)?, 9)?;
            let conn = case.conn.clone().unwrap_or_default();
            let conn = conn.set("password", lab.password());
            crate::Tool::new("psql")
                .args(["-XAtqw", "-c", "select 1", "-d"])
                .arg(conn)
                .run(Duration::from_secs(5))?;
            Ok(case.args(&["--timeout", "2s"]))
        },
    ),
    Scenario::new(
        "pooler-secret-scram",
        "PgBouncer has the server's own SCRAM secret",
        Expect::Pass,
        BOUNCER,
        |lab| {
            let pg = lab.postgres()?;
            let secret = pg.sql("select rolpassword from pg_authid where rolname = 'app'")?;
            storing(lab, &pg, "scram-sha-256", secret.trim(), 1)
        },
    ),
    Scenario::new(
        "pooler-auth-query",
        "PgBouncer looks the user up on the server",
        Expect::Pass,
        BOUNCER,
        |lab| looking_up(lab, "select 1", SHADOW, "lookup-secret"),
    ),
    Scenario::new(
        "pooler-auth-query-missing",
        "the function that PgBouncer's auth_query calls does not exist",
        Expect::Fail("pooler.user"),
        BOUNCER,
        |lab| {
            let query = "select uname, phash from public.user_lookup($1)";
            let case = looking_up(lab, "select 1", query, "lookup-secret")?;
            Ok(first_fix(case, &["auth_query", "auth_user", "app for $1"]))
        },
    ),
    Scenario::new(
        "pooler-auth-query-denied",
        "PgBouncer's auth_user has no right to the secrets",
        Expect::Fail("pooler.user"),
        BOUNCER,
        |lab| {
            let sql = "alter role lookup nosuperuser";
            let case = looking_up(lab, sql, SHADOW, "lookup-secret")?;
            Ok(first_fix(case, &["auth_query", "has no right"]))
        },
    ),
    Scenario::new(
        "pooler-auth-query-columns",
        "PgBouncer's auth_query returns one column",
        Expect::Fail("pooler.user"),
        BOUNCER,
        |lab| {
            let query = "select passwd from pg_shadow where usename = $1";
            let case = looking_up(lab, "select 1", query, "lookup-secret")?;
            Ok(first_fix(case, &["auth_query", "two columns"]))
        },
    ),
    Scenario::new(
        "pooler-auth-query-password",
        "the server does not accept the password of PgBouncer's auth_user; 1.18 keeps that to its log",
        Expect::Fail("pooler.backend"),
        BOUNCER,
        |lab| {
            let case = looking_up(lab, "select 1", SHADOW, "another")?;
            Ok(case.args(&["--timeout", "2s"]).patience(4))
        },
    ),
    Scenario::new(
        "pgpool-healthy",
        "through Pgpool-II",
        Expect::Pass,
        PGPOOL,
        |lab| pooled(lab, "scram-sha-256", &format!("app:TEXT{}", lab.password())),
    ),
    Scenario::new(
        "pgpool-user",
        "pool_passwd does not have the user",
        Expect::Fail("pooler.user"),
        PGPOOL,
        |lab| {
            let case = pooled(lab, "scram-sha-256", "other:TEXTx")?;
            Ok(first_fix(case, &["pool_passwd", "pg_enc"]))
        },
    ),
    Scenario::new(
        "pgpool-user-md5",
        "the same, with an MD5 password",
        Expect::Fail("pooler.user"),
        PGPOOL,
        |lab| pooled(lab, "md5", "other:TEXTx"),
    ),
    Scenario::new(
        "pgpool-secret-md5",
        "pool_passwd has an MD5 hash, and the server wants SCRAM",
        Expect::Fail("pooler.secret"),
        PGPOOL,
        |lab| {
            let entry = format!("app:{}", md5_secret(lab, lab.postgres()?.as_ref())?);
            let case = pooled(lab, "md5", &entry)?;
            Ok(first_fix(case, &["pool_passwd", "pg_enc"]))
        },
    ),
    Scenario::new(
        "pgpool-secret-scram",
        "pool_passwd has an MD5 hash, and pool_hba.conf wants SCRAM",
        Expect::Fail("pooler.secret"),
        PGPOOL,
        |lab| {
            let entry = format!("app:{}", md5_secret(lab, lab.postgres()?.as_ref())?);
            pooled(lab, "scram-sha-256", &entry)
        },
    ),
    Scenario::new(
        "pgpool-secret-trust",
        "Pgpool-II asks for no password, and has none for its server",
        Expect::Fail("pooler.secret"),
        PGPOOL,
        |lab| pooled(lab, "trust", "other:TEXTx"),
    ),
    Scenario::new(
        "pgpool-secret-key",
        "pool_passwd is encrypted, and its key file is missing",
        Expect::Fail("pooler.secret"),
        PGPOOL,
        |lab| {
            let case = pooled(lab, "scram-sha-256", "app:AESabcdefabcdefabcdefabcd==")?;
            Ok(first_fix(case, &[".pgpoolkey"]))
        },
    ),
    Scenario::new(
        "pgpool-password",
        "a password that Pgpool-II does not accept",
        Expect::Fail("auth.password.wrong"),
        PGPOOL,
        |lab| {
            let case = pooled(lab, "scram-sha-256", "app:TEXTanother")?;
            Ok(first_fix(case, &["pool_passwd"]))
        },
    ),
    Scenario::new(
        "pgpool-password-md5",
        "the same, as MD5",
        Expect::Fail("auth.password.wrong"),
        PGPOOL,
        |lab| pooled(lab, "md5", "app:TEXTanother"),
    ),
    Scenario::new(
        "pgpool-backend-password",
        "the server does not accept the password of pool_passwd",
        Expect::Fail("pooler.backend"),
        PGPOOL,
        |lab| {
            let pg = lab.postgres()?;
            let hba = "host all all 127.0.0.1/32 scram-sha-256";
            let pool = Pgpool::start(lab, pg.port(), hba, "app:TEXTanother")?;
            let case = Case::check(pool.conn()).password("another").keep(pool);
            Ok(first_fix(case, &["pool_passwd"]))
        },
    ),
    Scenario::new(
        "pgpool-hba",
        "pool_hba.conf has no line for the client",
        Expect::Fail("auth.hba.no-entry"),
        PGPOOL,
        |lab| {
            let pg = lab.postgres()?;
            let entry = format!("app:TEXT{}", lab.password());
            let hba = "host all all 192.0.2.0/24 scram-sha-256";
            let pool = Pgpool::start(lab, pg.port(), hba, &entry)?;
            let case = case(lab, pool.conn()).keep(pool);
            Ok(first_fix(case, &["pool_hba.conf"]))
        },
    ),
];
