//! What the help says after the flags. Every line under "Examples:" that begins with a
//! command is parsed by `tests/documents.rs`, and run where it needs no server.

pub(super) const AFTER_HELP: &str = "\
Examples:
  dbdoctor check postgres://app@db.example.com/orders
  dbdoctor check --ssh ops@bastion -h db.internal -U app -d orders
  dbdoctor config                 Settings from DATABASE_URL and PG*
  dbdoctor key ~/.ssh/id_ed25519
  dbdoctor explain 'could not translate host name \"db\" to address'

Start with check. dbdoctor COMMAND --help shows the options of a command, and
dbdoctor man COMMAND its manual page.

Exit status: 0 nothing failed, 1 a cause was found, 2 usage error,
3 internal error, 130 interrupted.";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  dbdoctor check 'postgres://app@db.example.com/orders?sslmode=verify-full'
  dbdoctor check -h db.example.com -U app -d orders
  dbdoctor check                  Target from DATABASE_URL or PG*
  dbdoctor check --env-file .env --not-host '*.prod.example.com'
  dbdoctor check --ssh ops@bastion,ops@inner 'host=10.0.4.7 dbname=orders'
  dbdoctor check --json | jq .verdict
  dbdoctor check --as node-postgres
                                  Judge as the application's driver does
  dbdoctor check --pid 812        From where process 812 stands (Linux)
  dbdoctor check --wait 30s -h db -U app -d orders -- ./migrate.sh
  dbdoctor check --targets fleet.txt --concurrency 32
                                  Many targets at once

The password comes from the same places as in psql: the target, PGPASSWORD,
the password file, or a prompt with -W.";

pub(super) const CONFIG_EXAMPLES: &str = "\
Examples:
  dbdoctor config                 Settings from DATABASE_URL and PG*
  dbdoctor config -v service=orders
  dbdoctor config --env-file .env
  dbdoctor config --as pgjdbc 'jdbc:postgresql://db.example.com/orders?ssl=true'
                                  What a driver makes of each parameter
  dbdoctor config --pid 812       Settings of process 812 (Linux)";

pub(super) const DNS_EXAMPLES: &str = "\
Examples:
  dbdoctor dns db.example.com
  dbdoctor dns --ssh ops@bastion  Check the name of the first hop

With a tunnel, the last hop resolves the database's name: see dbdoctor tunnel.";

pub(super) const TCP_EXAMPLES: &str = "\
Examples:
  dbdoctor tcp db.example.com:5432
  dbdoctor tcp --timeout 2s postgres://db1,db2/orders
  dbdoctor tcp --wait 1m db.example.com
                                  Until the port is open, for up to a minute";

pub(super) const KEY_EXAMPLES: &str = "\
Examples:
  dbdoctor key ~/.ssh/id_ed25519
  dbdoctor key --ssh ops@bastion  Check the keys offered to this server
  dbdoctor key deploy_key --repair deploy_key.repaired
  DBDOCTOR_SSH_PASSPHRASE=... dbdoctor key deploy_key

No target and no network are needed. The passphrase is prompted for on a
terminal, unless DBDOCTOR_SSH_PASSPHRASE is set.";

pub(super) const TUNNEL_EXAMPLES: &str = "\
Examples:
  dbdoctor tunnel --ssh ops@bastion -h db.internal
  dbdoctor tunnel --ssh ops@bastion --ssh-key deploy_key -h db.internal
  dbdoctor tunnel --ssh ops@bastion -h db.internal --listen 15432
                                  Then: psql -h 127.0.0.1 -p 15432";

pub(super) const TLS_EXAMPLES: &str = "\
Examples:
  dbdoctor tls 'host=db.example.com sslmode=verify-full sslrootcert=ca.crt'
  dbdoctor tls -v 'host=db.example.com sslmode=verify-full sslrootcert=system'
  dbdoctor tls db.example.com --format nagios --fail-cert-days 7
  dbdoctor tls db.example.com --format prometheus -o dbdoctor.prom
                                  Watch the certificate's expiry
  dbdoctor tls --as pgjdbc 'jdbc:postgresql://db.example.com/orders?ssl=true'

No user, password or database is sent.";

pub(super) const AUTH_EXAMPLES: &str = "\
Examples:
  dbdoctor auth -h db.example.com -U app -d orders
  dbdoctor auth --expect-role primary --expect-database orders";

pub(super) const SOCKETS_EXAMPLES: &str = "\
Examples:
  dbdoctor sockets                Run it while the application runs
  dbdoctor sockets --pid 812      Check this process and its children
  dbdoctor sockets --port 6432    Check connections to a pooler

Run it as the application's user, or as root to see every process.";

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  dbdoctor explain tls.cert.expired
  dbdoctor explain 'could not translate host name \"db\" to address'
  kubectl logs app | dbdoctor explain -
  dbdoctor explain --list

Exit status: 0 something was recognised, 1 nothing was, 2 usage error.";

pub(super) const IDLE_EXAMPLES: &str = "\
Examples:
  dbdoctor idle -h db.example.com -U app -d orders
  dbdoctor idle --for 20m --keepalive-interval 1m service=orders
  dbdoctor idle --in-transaction --for 2m service=orders
  dbdoctor idle --ssh ops@bastion -h db.internal -U app -d orders

Ctrl-C stops the test and reports the results so far.";

pub(super) const STRESS_EXAMPLES: &str = "\
Examples:
  dbdoctor stress -h db.example.com -U app -d orders
  dbdoctor stress --attempts 200 --concurrency 8 service=orders
  dbdoctor stress --attempts 60 --rate 1 --ssh ops@bastion -h db.internal -U app";

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  dbdoctor check -o laptop.json; ssh ci dbdoctor check --json > ci.json
  dbdoctor diff laptop.json ci.json

Exit status: 0 same verdict, 1 different verdicts, 2 not reports.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(dbdoctor completions bash)
  dbdoctor completions bash > /etc/bash_completion.d/dbdoctor
  dbdoctor completions zsh > ~/.zfunc/_dbdoctor
  dbdoctor completions fish > ~/.config/fish/completions/dbdoctor.fish

The script calls dbdoctor at every TAB, so it also completes cause codes,
drivers, services, key files, and the hosts of the SSH configuration.";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  dbdoctor man | man -l -
  dbdoctor man check > dbdoctor-check.1";

pub(super) const TAP_EXAMPLES: &str = "\
Examples:
  dbdoctor tap --listen 5433 postgres://app@db.corp.test/orders
                                  Then point the application at localhost:5433
  dbdoctor tap --ssh ops@bastion --for 10m postgres://db.corp.test
  dbdoctor tap --stand-in         Find out whether a client verifies certificates

Exit status: 0 whatever the application did, 1 the tap could not start or its SSH
session ended (or a finding with --fail-on warn), 2 usage error.";

pub(super) const SCHEMA_EXAMPLES: &str = "\
Examples:
  dbdoctor schema > report.schema.json
  dbdoctor schema explain

A report of an older version fits the schema of a newer one: within a
schema_version, keys are added and never removed.";
