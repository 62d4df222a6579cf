//! Providers and poolers: who runs what was reached, and what to do there.
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
    /// What else must be so.
    when: &'static [Condition],
    /// Where its connections are described.
    documentation: &'static str,
}

/// What to do about some causes at some providers.
struct ProviderFix {
    providers: &'static [&'static str],
    causes: &'static [&'static Cause],
    when: &'static [Condition],
    fix: FixRow,
}

/// What a value of a finding must be or not be.
#[derive(Debug)]
struct Condition {
    name: &'static str,
    is: bool,
    pattern: &'static str,
}

impl Condition {
    fn holds(&self, finding: &Finding) -> bool {
        let value = finding.evidence.get(self.name).map(shown);
        glob(self.pattern, &value.unwrap_or_default()) == self.is
    }
}

/// Who runs this host, by its name, by the words it said, or by its certificate.
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
}

/// The finding about this host, with its provider and with the fixes that are known
/// for it there.
pub fn advise(finding: Finding, host: &str) -> Finding {
    let Some(provider) = of(host, &finding) else {
        return finding;
    };
    let fixes: Vec<&FixRow> = FIXES
        .iter()
        .filter(|row| {
            row.providers.contains(&provider.name)
                && finding.cause.is_any(row.causes)
                && row.when.iter().all(|condition| condition.holds(&finding))
        })
        .map(|row| &row.fix)
        .collect();
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
