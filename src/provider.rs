//! Providers, poolers and proxies: who runs what was reached, and what to do there.
//!
//! The rows are `knowledge/providers.tsv` and `knowledge/provider_fixes.tsv`, whose
//! heads explain the columns. What is not there has the fixes of its page.

use crate::cause::{self, Cause, FixRow};
use crate::config::ssh_config::pattern::pattern as glob;
use crate::finding::{Finding, shown};

include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// Who runs a server or a pooler.
#[derive(Debug)]
pub struct Provider {
    /// Its name.
    pub name: &'static str,
    /// The host names of its servers, with `*` and `?`.
    hosts: &'static [&'static str],
    /// Who issues or holds their certificates, with `*` and `?`.
    certificates: &'static [&'static str],
    /// As what it is known to the table of texts.
    speaks: &'static [&'static str],
    /// The names of its processes.
    listens: &'static [&'static str],
    /// Pieces of its answers over HTTP, in lower case.
    answers: &'static [&'static str],
    /// Whether it runs the server itself, so that its users have neither the machine
    /// nor its files.
    managed: bool,
    /// The token that only its servers accept as a password.
    token: Option<&'static str>,
    /// What else must be so.
    when: &'static [Condition],
    /// Where its connections are described.
    documentation: &'static str,
}

/// What stands for every provider in the fixes' table.
const MANAGED: &str = "managed";

/// What to do about some causes at some providers.
struct ProviderFix {
    providers: &'static [&'static str],
    causes: &'static [&'static Cause],
    when: &'static [Condition],
    fix: FixRow,
}

/// What a value of a finding must be or not be.
#[derive(Debug)]
pub struct Condition {
    /// The name of the value.
    pub name: &'static str,
    /// Whether it must match the pattern, or must not.
    pub is: bool,
    /// With `*` and `?`.
    pub pattern: &'static str,
}

impl Condition {
    fn holds(&self, finding: &Finding) -> bool {
        self.holds_for(finding.value(self.name).map(shown))
    }

    /// Whether this value fits; none is as good as an empty one.
    pub fn holds_for(&self, value: Option<String>) -> bool {
        glob(self.pattern, &value.unwrap_or_default()) == self.is
    }
}

/// Who runs this host, by its name, by the words it said, by its certificate, or by
/// the token that is the password for it.
fn of(host: &str, finding: &Finding) -> Option<&'static Provider> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let value = |name: &str| finding.evidence.get(name).map(shown);
    let certificate = ["issuer", "subject"].map(value);
    let matches = |globs: &[&str], text: &str| globs.iter().any(|pattern| glob(pattern, text));
    let find = |tells: &dyn Fn(&Provider) -> bool| {
        PROVIDERS
            .iter()
            .find(|row| tells(row) && row.when.iter().all(|condition| condition.holds(finding)))
    };
    find(&|row| matches(row.hosts, &host))
        .or_else(|| {
            let speaker = value("pooler")?;
            find(&|row| row.speaks.contains(&speaker.as_str()))
        })
        .or_else(|| {
            let names = certificate.iter().flatten();
            find(&|row| names.clone().any(|name| matches(row.certificates, name)))
        })
        .or_else(|| {
            let token = value("token")?;
            find(&|row| row.token == Some(token.as_str()))
        })
}

/// Who passes connections on, by the process of this machine that took this one, or by
/// its answer over HTTP.
fn forwarder(finding: &Finding) -> Option<&'static Provider> {
    let process = finding.evidence.get("listener").map(|one| &one["name"]);
    let process = process.and_then(|name| name.as_str());
    let product = finding.evidence.get("product").map(shown);
    PROVIDERS.iter().find(|row| {
        process.is_some_and(|name| row.listens.contains(&name))
            || product.as_deref() == Some(row.name)
    })
}

/// The end of a host name that tells its provider and nothing else, with its dot:
/// `.rds.amazonaws.com`. The longest that fits.
pub fn domain(host: &str) -> Option<&'static str> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let patterns = PROVIDERS.iter().flat_map(|row| row.hosts);
    let ends = patterns.filter_map(|pattern| {
        let end = &pattern[pattern.rfind(['*', '?'])? + 1..];
        let is_domain = end.starts_with('.') && end.matches('.').count() > 1;
        (is_domain && host.ends_with(end)).then_some(end)
    });
    ends.max_by_key(|end| end.len())
}

/// Whether a certificate's holder or issuer, as it is written, is a provider's own
/// authority.
pub fn has_authority(name: &str) -> bool {
    let mut patterns = PROVIDERS.iter().flat_map(|row| row.certificates);
    patterns.any(|pattern| glob(pattern, name))
}

/// The name of the program that gives this answer over HTTP.
pub fn of_answer(answer: &str) -> Option<&'static str> {
    let answer = answer.to_lowercase();
    let gives = |row: &&Provider| row.answers.iter().any(|piece| answer.contains(piece));
    PROVIDERS.iter().find(gives).map(|row| row.name)
}

/// The provider of the server that the finding is about, where that is known; a pooler
/// that anyone may run is none.
pub fn named(host: &str, finding: &Finding) -> Option<&'static str> {
    let provider = of(host, finding)?;
    provider.managed.then_some(provider.name)
}

/// The fixes that are known for this cause at this provider.
fn fixes_of(provider: &str, finding: &Finding) -> Vec<&'static FixRow> {
    rows_of(provider, finding).map(|row| &row.fix).collect()
}

fn rows_of(provider: &str, finding: &Finding) -> impl Iterator<Item = &'static ProviderFix> {
    FIXES.iter().filter(move |row| {
        row.providers.contains(&provider)
            && finding.cause.is_any(row.causes)
            && row.when.iter().all(|condition| condition.holds(finding))
    })
}

/// The finding about this host, with its provider and with the fixes that are known
/// for it there.
pub fn advise(finding: Finding, host: &str) -> Finding {
    let Some(provider) = of(host, &finding) else {
        // The page's fixes, and those of the stage, are of use all the same.
        return match forwarder(&finding) {
            Some(forwarder) => {
                let rows: Vec<&ProviderFix> = rows_of(forwarder.name, &finding).collect();
                let of_early = |condition: &Condition| condition.name == "early" && condition.is;
                // The page's fix for any proxy would repeat the one for this proxy.
                let finding = match rows.iter().any(|row| row.when.iter().any(of_early)) {
                    true => finding.without(&["early"]),
                    false => finding,
                };
                finding.with_fixes_of(rows.into_iter().map(|row| &row.fix))
            }
            None => finding,
        };
    };
    let fixes = match fixes_of(provider.name, &finding) {
        none if none.is_empty() && provider.managed => fixes_of(MANAGED, &finding),
        fixes => fixes,
    };
    // A pooler that was told by its words is in the evidence already.
    let known = finding
        .evidence
        .get("pooler")
        .is_some_and(|p| p == provider.name);
    let finding = match known {
        true => finding,
        false => finding
            .with("provider", provider.name)
            .with("documentation", provider.documentation),
    };
    match fixes.is_empty() {
        true => finding,
        false => finding.fix_instead(fixes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::{auth, pooler, tls};

    fn told(host: &str, evidence: &[(&str, &str)]) -> Option<&'static str> {
        let finding = evidence.iter().fold(
            Finding::new(&auth::HBA_NO_ENTRY),
            |finding, (name, value)| finding.with(name, (*value).to_owned()),
        );
        of(host, &finding).map(|provider| provider.name)
    }

    #[test]
    fn providers_are_told_by_name_words_and_certificate() {
        for (host, name) in [
            ("aws-1-eu-west-3.pooler.supabase.com", "Supabase pooler"),
            ("DB.abc.supabase.co.", "Supabase"),
            ("ep-a-1-pooler.eu-central-1.aws.neon.tech", "Neon"),
            (
                "x.proxy-abc.eu-west-1.rds.amazonaws.com",
                "Amazon RDS Proxy",
            ),
            ("x.abc.eu-west-1.rds.amazonaws.com", "Amazon RDS"),
            ("/cloudsql/p:r:i", "Google Cloud SQL"),
            ("postgres.railway.internal", "Railway"),
        ] {
            assert_eq!(told(host, &[]), Some(name), "{host}");
        }
        for host in [
            "db.corp.internal",
            "neon.tech.corp.test",
            "10.0.0.1",
            "",
            "localhost",
        ] {
            assert_eq!(told(host, &[]), None, "{host}");
        }
        // An EC2 machine is Heroku's only with a database of Heroku's.
        let ec2 = "ec2-203-0-113-7.compute-1.amazonaws.com";
        assert_eq!(told(ec2, &[("database", "orders")]), None);
        let heroku = [("database", "d1a2b3c4d5e6f7")];
        assert_eq!(told(ec2, &heroku), Some("Heroku Postgres"));
        let supavisor = [("pooler", "Supavisor")];
        assert_eq!(told("localhost", &supavisor), Some("Supabase pooler"));
        let issuer = [("issuer", "CN=Amazon RDS eu-west-1 Root CA RSA2048 G1")];
        assert_eq!(told("localhost", &issuer), Some("Amazon RDS"));
        let token = [("token", "RDS IAM token")];
        assert_eq!(told("localhost", &token), Some("Amazon RDS"));
    }

    /// What only someone can do who has the machine or its files.
    const OWN_MACHINE: &[&str] = &[
        "in pg_hba.conf",
        "to pg_hba.conf",
        "line of pg_hba.conf",
        "see its pg_hba.conf",
        "pg_ident.conf",
        "postgresql.conf",
        "hba_file",
        "pg_hba_file_rules",
        "listen_addresses",
        "hot_standby",
        "ssl_ca_file",
        "systemctl",
        "journalctl",
        "pg_lsclusters",
        "sudo",
        "ss -",
        "df -h",
        "free -h",
        "-U postgres",
        "On the server",
        "on the server,",
        "the server's log",
        "the kernel's log",
        "userlist",
        "pgbouncer.ini",
        "as a superuser",
        "docker",
    ];

    /// Causes whose fixes are about the machine that dbdoctor runs on, or about a finding
    /// that no managed server can give, or that only a text has.
    fn is_ours(cause: &Cause) -> bool {
        let told_by_logs = ["server.start.", "server.crash."];
        if told_by_logs.iter().any(|of| cause.code.starts_with(of)) {
            return true;
        }
        [
            "auth.bsd",
            "server.disk-full",
            "server.shared-memory",
            "server.replication.publication",
            "server.replication.slot-active",
            "server.replication.slot-exists",
            "server.replication.slot-lost",
            "server.replication.slot-missing",
            "server.replication.timeout",
            "dns.no-resolver",
            "dns.container-name",
            "dns.ipv6-only",
            "tcp.local",
            "tcp.rejected",
            "tcp.unreachable",
            "auth.server.unproven",
            // The administrator of a pooler of one's own, told by its words.
            "pooler.wait",
            "pooler.database",
        ]
        .contains(&cause.code)
    }

    /// What a fix says, with every hole filled.
    fn said(fix: &FixRow) -> String {
        format!("{} {}", fix.text, fix.command.unwrap_or_default())
    }

    fn needs_own_machine(fix: &FixRow) -> Option<&'static str> {
        let said = said(fix);
        OWN_MACHINE
            .iter()
            .find(|words| said.contains(*words))
            .copied()
    }

    /// Whether it is shown whatever the evidence.
    fn always_shown(row: &ProviderFix) -> bool {
        let holes = row.fix.text.split('{').skip(1);
        let hole = |hole: &str| {
            hole.split('}')
                .next()
                .is_some_and(|hole| hole.contains('|'))
        };
        row.when.is_empty() && row.fix.command.is_none() && holes.clone().all(hole)
    }

    #[test]
    fn no_fix_at_a_provider_needs_its_machine() {
        let mut wrong = std::collections::BTreeSet::new();
        let families = [
            cause::tcp::ALL,
            cause::dns::ALL,
            cause::protocol::ALL,
            cause::tls::ALL,
            cause::auth::ALL,
            cause::server::ALL,
            cause::pooler::ALL,
        ];
        let causes = families.into_iter().flatten();
        for cause in causes.filter(|cause| !is_ours(cause)) {
            let rows = |name: &'static str| {
                FIXES
                    .iter()
                    .filter(move |row| row.providers.contains(&name) && cause.is_any(row.causes))
            };
            for provider in PROVIDERS.iter().filter(|row| row.managed) {
                let known = rows(provider.name).chain(rows(MANAGED));
                for words in known.clone().filter_map(|row| needs_own_machine(&row.fix)) {
                    wrong.insert(format!("{} at {}: {words}", cause.code, provider.name));
                }
                let page = cause.fixes.iter().find_map(needs_own_machine);
                let falls_back = !known.clone().any(always_shown);
                if let (Some(words), true) = (page, falls_back) {
                    wrong.insert(format!("{}, of the page: {words}", cause.code));
                }
            }
        }
        let wrong: Vec<String> = wrong.into_iter().collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn addresses_are_allowed_in_the_providers_own_terms() {
        for provider in PROVIDERS.iter().filter(|row| row.managed) {
            for cause in [
                &auth::HBA_NO_ENTRY,
                &auth::HBA_REJECT,
                &crate::cause::tcp::TIMEOUT,
            ] {
                let own = FIXES.iter().any(|row| {
                    row.providers.contains(&provider.name) && row.causes.contains(&cause)
                });
                assert!(own, "{}: {cause:?}", provider.name);
            }
        }
    }

    #[test]
    fn a_proxy_is_told_by_its_process_or_its_answer() {
        let closed = Finding::new(&crate::cause::protocol::CLOSED).with("port", 5432);
        let listener = serde_json::json!({"name": "haproxy"});
        let fixes = advise(closed.clone().with("listener", listener), "127.0.0.1").fixes();
        assert!(fixes[0].text.contains("HAProxy"), "{fixes:?}");
        // The page's come behind.
        assert!(fixes.len() > 2, "{fixes:?}");
        let unknown = serde_json::json!({"name": "python3"});
        let other = advise(closed.clone().with("listener", unknown), "127.0.0.1");
        assert_eq!(other.fixes(), closed.fixes());
        assert_eq!(
            of_answer("HTTP/1.1 400\r\nServer: nginx/1.22"),
            Some("nginx")
        );
        assert_eq!(of_answer("HTTP/1.1 400\r\n\r\n"), None);
        // A load balancer's host is nobody's managed server.
        let balancer = "db-0123456789abcdef.elb.eu-west-1.amazonaws.com";
        let finding = advise(Finding::new(&auth::ROLE_NOLOGIN), balancer);
        assert_eq!(finding.fixes(), Finding::new(&auth::ROLE_NOLOGIN).fixes());
        assert!(named(balancer, &finding).is_none());
    }

    #[test]
    fn a_managed_server_has_general_fixes() {
        let finding = advise(Finding::new(&auth::ROLE_NOLOGIN), "ep-a.neon.tech");
        let fixes = finding.fixes();
        assert!(fixes.iter().all(|fix| fix.command.is_none()), "{fixes:?}");
        assert!(fixes[1].text.contains("ALTER ROLE ROLE LOGIN"), "{fixes:?}");
        // A pooler that anyone may run is not managed.
        let pgbouncer = Finding::new(&auth::ROLE_NOLOGIN).with("pooler", "PgBouncer");
        let fixes = advise(pgbouncer, "10.0.0.1").fixes();
        assert_ne!(fixes, finding.fixes());
    }

    #[test]
    fn a_stranger_has_the_fixes_of_the_page() {
        let finding = || Finding::new(&pooler::ADDRESS).with("endpoint", "db.test:5432".to_owned());
        let texts = |finding: &Finding| {
            let fixes = finding.fixes().into_iter();
            fixes.map(|fix| fix.text).collect::<Vec<_>>()
        };
        let stranger = advise(finding(), "db.test");
        assert_eq!(texts(&stranger), texts(&finding()));
        assert!(!stranger.evidence.contains_key("provider"));
        let neon = advise(finding(), "ep-a.neon.tech");
        assert!(texts(&neon)[0].contains("IP Allow"));
        // Where nothing is known for a cause, the page's own stay.
        let other = advise(Finding::new(&tls::CERT_WEAK), "ep-a.neon.tech");
        assert_eq!(texts(&other), texts(&Finding::new(&tls::CERT_WEAK)));
    }
}
