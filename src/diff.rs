//! `diff`: what differs between two reports, starting with what explains the
//! different verdicts.
//!
//! Reports are read as plain JSON, so that reports of other versions can be compared
//! too: a missing key is null, and an unknown key is compared like any other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cause::{self, Cause, Family, family, server, tls};
use crate::finding::Observed;
use crate::report::{SCHEMA_VERSION, Stage, Tool};
use crate::secret::HIDDEN;
use crate::text::LONGEST;

/// What differs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Diff {
    /// The version of this shape.
    pub schema_version: u32,
    /// Which program wrote it.
    pub tool: Tool,
    /// Whether both reports come to the same verdict: status and cause.
    pub same_verdict: bool,
    /// The first report's verdict.
    pub a: Side,
    /// The second report's verdict.
    pub b: Side,
    /// What differs; what explains a difference in verdict comes first.
    pub differences: Vec<Difference>,
}

/// A report's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Side {
    /// Where it was made, in a few words.
    pub place: String,
    /// `pass`, `warn`, `fail`.
    pub status: Option<String>,
    /// The stage of the cause.
    pub stage: Option<String>,
    /// The cause.
    pub cause: Option<String>,
    /// One sentence.
    pub summary: Option<String>,
}

/// The parts of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A setting's value, or the way through SSH.
    Target,
    /// What a stage observed.
    Fact,
    /// What a stage found.
    Finding,
    /// Where a setting comes from.
    Origin,
    /// Where it ran.
    Environment,
}

/// One difference.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Difference {
    /// The part of the report.
    pub part: Part,
    /// The stage it belongs to, where it belongs to one.
    pub stage: Option<String>,
    /// What differs.
    pub name: String,
    /// The first report's value; null where it has none.
    pub a: Value,
    /// The second report's value; null where it has none.
    pub b: Value,
    /// Whether it may explain that the verdicts differ.
    pub explains: bool,
}

/// One of the two is no report: which, by its place in the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAReport(pub &'static str);

impl Diff {
    /// Compares two reports.
    ///
    /// # Errors
    /// One of them is not a report.
    pub fn of(a: &Value, b: &Value) -> Result<Self, NotAReport> {
        let a = ReadReport::read(a).ok_or(NotAReport("first"))?;
        let b = ReadReport::read(b).ok_or(NotAReport("second"))?;
        let (left, right) = (a.side(), b.side());
        let same_verdict = left.status == right.status && left.cause == right.cause;

        let mut found = Vec::new();
        settings(&a, &b, &mut found);
        environment(&a, &b, &mut found);
        for stage in stages(&a, &b) {
            facts(&a, &b, &stage, &mut found);
            findings(&a, &b, &stage, &mut found);
        }
        let first_failed = [&left, &right]
            .into_iter()
            .filter(|side| side.status.as_deref() == Some("fail"))
            .filter_map(|side| Some((rank(side.stage.as_deref()?)?, side.cause.as_deref())))
            .min_by_key(|(stage, _)| *stage);
        let until = first_failed.map(|(stage, _)| stage);
        let cause = first_failed
            .and_then(|(_, cause)| cause)
            .and_then(cause::find);
        if !same_verdict && cause.is_some_and(|cause| cause.is_of(family::AUTH_PASSWORD)) {
            found.extend(unseen_passwords(&a, &b));
        }
        for one in &mut found {
            one.explains = !same_verdict && (explains(one, until) || decides(one, cause).is_some());
        }
        found.sort_by_key(|one| {
            let stage = one.stage.as_deref().and_then(rank).unwrap_or(usize::MAX);
            (
                Reverse(one.explains),
                decides(one, cause).unwrap_or(usize::MAX),
                one.part,
                Reverse(identity(one)),
                stage,
            )
        });
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            same_verdict,
            a: left,
            b: right,
            differences: found,
        })
    }
}

/// A report, as far as it is one.
struct ReadReport<'a> {
    whole: &'a Map<String, Value>,
    stages: BTreeMap<String, &'a Map<String, Value>>,
}

impl<'a> ReadReport<'a> {
    fn read(value: &'a Value) -> Option<Self> {
        let whole = value.as_object()?;
        whole.get("verdict")?.as_object()?;
        let stages = whole.get("stages")?.as_array()?.iter();
        let stages = stages
            .filter_map(|stage| {
                let stage = stage.as_object()?;
                Some((stage.get("stage")?.as_str()?.to_owned(), stage))
            })
            .collect();
        Some(Self { whole, stages })
    }

    /// The value at a path of keys.
    fn at(&self, path: &[&str]) -> &'a Value {
        let (first, rest) = match path.split_first() {
            Some((first, rest)) => (*first, rest),
            None => return &Value::Null,
        };
        let start = self.whole.get(first).unwrap_or(&Value::Null);
        rest.iter()
            .fold(start, |value, key| value.get(key).unwrap_or(&Value::Null))
    }

    fn side(&self) -> Side {
        let text = |path: &[&str]| self.at(path).as_str().map(crate::text::clean);
        let environment = |key: &str| text(&["run", "environment", key]);
        let mut place = text(&["run", "started_at"]).unwrap_or_default();
        for (key, word) in [
            ("os", ""),
            ("arch", ""),
            ("container", "in "),
            ("ci", "in "),
        ] {
            if let Some(value) = environment(key) {
                place = format!("{place} {word}{value}");
            }
        }
        Side {
            place: place.trim().to_owned(),
            status: text(&["verdict", "status"]),
            stage: text(&["verdict", "stage"]),
            cause: text(&["verdict", "cause"]),
            summary: text(&["verdict", "summary"]),
        }
    }

    fn stage(&self, stage: &str, key: &str) -> &'a Value {
        let record = self.stages.get(stage);
        record
            .and_then(|record| record.get(key))
            .unwrap_or(&Value::Null)
    }
}

/// The place of a stage in the run.
fn rank(stage: &str) -> Option<usize> {
    Stage::RUN.iter().position(|known| known.name() == stage)
}

/// The stages of both, in the order of the run; unknown ones last.
fn stages(a: &ReadReport<'_>, b: &ReadReport<'_>) -> Vec<String> {
    let names: BTreeSet<&String> = a.stages.keys().chain(b.stages.keys()).collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    names.sort_by_key(|name| rank(name).unwrap_or(usize::MAX));
    names
}

fn settings(a: &ReadReport<'_>, b: &ReadReport<'_>, found: &mut Vec<Difference>) {
    let way = |report: &ReadReport<'_>| match report.at(&["target", "ssh"]) {
        Value::Array(hops) if !hops.is_empty() => Value::Array(hops.clone()),
        _ => Value::Null,
    };
    push(
        found,
        Part::Target,
        Some("ssh"),
        "way through SSH",
        &way(a),
        &way(b),
    );
    let empty = Map::new();
    let parameters = |report: &ReadReport<'_>| {
        let parameters = report.at(&["target", "parameters"]).as_object();
        parameters.cloned().unwrap_or_else(|| empty.clone())
    };
    let (left, right) = (parameters(a), parameters(b));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for name in names {
        let get = |from: &Map<String, Value>, key: &str| {
            let parameter = from.get(name.as_str());
            parameter
                .and_then(|it| it.get(key))
                .cloned()
                .unwrap_or_default()
        };
        let stage = stage_of(name);
        push(
            found,
            Part::Target,
            stage,
            name,
            &get(&left, "value"),
            &get(&right, "value"),
        );
        let origin = |from| origin(&get(from, "origin"));
        let what = format!("{name} comes from");
        push(
            found,
            Part::Origin,
            stage,
            &what,
            &origin(&left),
            &origin(&right),
        );
    }
}

/// What may differ though it looks the same: a report holds no password.
fn unseen_passwords(a: &ReadReport<'_>, b: &ReadReport<'_>) -> Option<Difference> {
    let set = |report: &ReadReport<'_>| {
        let password = report.at(&["target", "parameters", "password"]);
        let from = origin(password.get("origin")?);
        (password.get("value")?.as_str()? == HIDDEN).then_some(from)
    };
    // Of two sources it is told already that they differ.
    let source = set(a).filter(|from| set(b).as_ref() == Some(from))?;
    let source = source.as_str().unwrap_or_default();
    let unseen = json!(format!("from {source}, which the report does not show"));
    Some(Difference {
        part: Part::Target,
        stage: Some(Stage::Auth.name().to_owned()),
        name: "password".to_owned(),
        a: unseen.clone(),
        b: unseen,
        explains: true,
    })
}

/// Where a value comes from, in words; the line may move without meaning.
fn origin(origin: &Value) -> Value {
    let part = |key: &str| origin.get(key).and_then(Value::as_str);
    match (part("name").or(part("kind")), part("file")) {
        (Some(name), Some(file)) => json!(format!("{name} in {file}")),
        (Some(name), None) => json!(name),
        _ => Value::Null,
    }
}

/// The stage that a parameter is first felt in.
fn stage_of(parameter: &str) -> Option<&'static str> {
    Some(match parameter {
        "host" | "hostaddr" | "port" | "load_balance_hosts" => "dns",
        name if name.starts_with("ssh") => "ssh",
        name if name.starts_with("ssl") || name.starts_with("gss") => "tls",
        "channel_binding" | "require_auth" | "user" | "password" | "passfile" | "dbname" => "auth",
        "options" | "target_session_attrs" | "replication" => "server",
        name if name.starts_with("keepalive") || name == "tcp_user_timeout" => "idle",
        _ => return None,
    })
}

fn environment(a: &ReadReport<'_>, b: &ReadReport<'_>, found: &mut Vec<Difference>) {
    for key in ["os", "arch", "container", "wsl", "ci"] {
        let path = ["run", "environment", key];
        push(
            found,
            Part::Environment,
            None,
            key,
            a.at(&path),
            b.at(&path),
        );
    }
    let path = ["tool", "version"];
    push(
        found,
        Part::Environment,
        None,
        "dbdoctor",
        a.at(&path),
        b.at(&path),
    );
    // Reports of older versions do not name it.
    let path = ["tool", "openssl", "version"];
    let (a, b) = (a.at(&path), b.at(&path));
    if !a.is_null() && !b.is_null() {
        push(found, Part::Environment, None, "OpenSSL", a, b);
    }
}

fn facts(a: &ReadReport<'_>, b: &ReadReport<'_>, stage: &str, found: &mut Vec<Difference>) {
    // A stage that did not run has nothing to compare.
    let ran = |report: &ReadReport<'_>| {
        let status = report.stage(stage, "status").as_str();
        status.is_some_and(|status| status != "skip")
    };
    if ran(a) && ran(b) {
        let (left, right) = (a.stage(stage, "facts"), b.stage(stage, "facts"));
        compare(found, stage, "", left, right);
    }
}

/// Compares two facts part by part.
fn compare(found: &mut Vec<Difference>, stage: &str, name: &str, a: &Value, b: &Value) {
    if is_fleeting(name) {
        return;
    }
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let differs = left.get("fingerprint") != right.get("fingerprint");
            if !name.is_empty() && left.contains_key("fingerprint") && differs {
                return push(
                    found,
                    Part::Fact,
                    Some(stage),
                    name,
                    &identified(left),
                    &identified(right),
                );
            }
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let get = |from: &Map<String, Value>| from.get(key).cloned().unwrap_or_default();
                let name = bounded(match name {
                    "" => key.replace('_', " "),
                    name => format!("{name}, {}", key.replace('_', " ")),
                });
                compare(found, stage, &name, &get(left), &get(right));
            }
        }
        (Value::Array(left), Value::Array(right)) if has_parts(left) && has_parts(right) => {
            let (left, right) = (sorted(left), sorted(right));
            let most = left.len().max(right.len());
            for n in 0..most {
                let name = match most {
                    1 => name.to_owned(),
                    _ => format!("{name} {}", n + 1),
                };
                let get = |from: &[Value]| from.get(n).cloned().unwrap_or_default();
                compare(found, stage, &name, &get(&left), &get(&right));
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let (left, right) = (sorted(left), sorted(right));
            push(
                found,
                Part::Fact,
                Some(stage),
                name,
                &Value::Array(left),
                &Value::Array(right),
            );
        }
        (a, b) => push(found, Part::Fact, Some(stage), name, a, b),
    }
}

/// A name no longer than is shown: those of the parts all begin with it.
fn bounded(mut name: String) -> String {
    if let Some((at, _)) = name.char_indices().nth(LONGEST) {
        name.truncate(at);
    }
    name
}

/// A certificate or key by what identifies it.
fn identified(fields: &Map<String, Value>) -> Value {
    let keys = [
        "type",
        "subject",
        "issuer",
        "serial",
        "not_after",
        "fingerprint",
    ];
    let kept = keys.iter().filter_map(|key| {
        let value = fields.get(*key)?;
        (!value.is_null()).then(|| ((*key).to_owned(), value.clone()))
    });
    Value::Object(kept.collect())
}

fn has_parts(items: &[Value]) -> bool {
    items.iter().any(Value::is_object)
}

/// The items in an order that does not depend on the order of answers. A
/// chain or a way has an order of its own, which is kept.
fn sorted(items: &[Value]) -> Vec<Value> {
    let mut items = items.to_vec();
    let key = |item: &Value| match item {
        Value::Object(fields) => ["address", "server", "name"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_str().map(str::to_owned)),
        other => Some(other.to_string()),
    };
    if items.iter().all(|item| key(item).is_some()) {
        items.sort_by_cached_key(key);
    }
    items
}

/// Whether a fact changes from run to run by itself: times, process ids,
/// our own port, how busy the server is.
fn is_fleeting(name: &str) -> bool {
    let last = name.rsplit(", ").next().unwrap_or_default();
    let words: Vec<&str> = last.split(' ').collect();
    let ends = |word: &str| words.last() == Some(&word);
    ends("ms")
        || ends("pid")
        || ends("used")
        || ends("free")
        || ends("ttl")
        || matches!(
            last,
            "client address" | "our clock" | "clock offset s" | "days left"
        )
        || last.starts_with("clock offset")
}

fn findings(a: &ReadReport<'_>, b: &ReadReport<'_>, stage: &str, found: &mut Vec<Difference>) {
    let causes = |report: &ReadReport<'_>| -> BTreeMap<String, Value> {
        let findings = report.stage(stage, "findings").as_array();
        findings
            .into_iter()
            .flatten()
            .filter_map(|finding| {
                let cause = finding.get("cause")?.as_str()?.to_owned();
                Some((cause, finding.get("summary").cloned().unwrap_or_default()))
            })
            .collect()
    };
    let (left, right) = (causes(a), causes(b));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for cause in names {
        // The same cause with other values is told by the facts.
        if left.contains_key(cause) != right.contains_key(cause) {
            let get = |from: &BTreeMap<String, Value>| from.get(cause).cloned().unwrap_or_default();
            push(
                found,
                Part::Finding,
                Some(stage),
                cause,
                &get(&left),
                &get(&right),
            );
        }
    }
}

fn push(
    found: &mut Vec<Difference>,
    part: Part,
    stage: Option<&str>,
    name: &str,
    a: &Value,
    b: &Value,
) {
    if a != b {
        found.push(Difference {
            part,
            stage: stage.map(str::to_owned),
            name: crate::text::clean(name),
            a: a.clone().into_shown(),
            b: b.clone().into_shown(),
            explains: false,
        });
    }
}

/// Whether a difference may explain why the run ended otherwise: a setting or a
/// finding that is felt no later than in the stage that failed first, a fact of
/// that stage, or another end that was spoken to before. What an earlier stage
/// observed of an end that it was content with, explains nothing.
fn explains(one: &Difference, until: Option<usize>) -> bool {
    let Some(until) = until else {
        return one.part == Part::Finding;
    };
    let stage = one.stage.as_deref().and_then(rank);
    match one.part {
        // What only one of them came to see is a consequence.
        Part::Fact if one.a.is_null() || one.b.is_null() => false,
        Part::Fact => stage.is_some_and(|stage| match stage == until {
            true => !is_from_login(one),
            false => stage < until && identity(one),
        }),
        Part::Target | Part::Finding => stage.is_some_and(|stage| stage <= until),
        Part::Origin => false,
        Part::Environment => matches!(one.name.as_str(), "container" | "wsl" | "ci"),
    }
}

/// Causes that depend on the same things.
enum Causes {
    These(&'static [&'static Cause]),
    AllOf(Family),
}

impl Causes {
    fn include(&self, cause: &Cause) -> bool {
        match self {
            Causes::These(causes) => cause.is_any(causes),
            Causes::AllOf(family) => cause.is_of(*family),
        }
    }
}

/// What a cause depends on more than on anything else: settings and facts, the
/// likeliest first. The first row with the cause counts.
static DECISIVE: &[(Causes, &[&str])] = {
    use Causes::{AllOf, These};
    &[
        (These(&[&tls::CERT_HOSTNAME]), &["host", "chain"]),
        (
            These(&[
                &tls::CERT_UNKNOWN_CA,
                &tls::CERT_INCOMPLETE_CHAIN,
                &tls::CERT_SELF_SIGNED,
            ]),
            &["sslrootcert", "chain"],
        ),
        (AllOf(family::TLS_CERT), &["chain"]),
        (AllOf(family::TLS_ROOT), &["sslrootcert"]),
        (These(&[&tls::CRL]), &["sslcrl", "sslcrldir"]),
        (AllOf(family::TLS_CLIENT), &["sslcert", "sslkey"]),
        (
            These(&[&tls::VERSION]),
            &["ssl_min_protocol_version", "ssl_max_protocol_version"],
        ),
        (These(&[&tls::UNSUPPORTED]), &["sslmode"]),
        (These(&[&tls::CHANNEL_BINDING]), &["channel_binding"]),
        (AllOf(family::AUTH_PASSWORD), &["password", "user"]),
        (AllOf(family::AUTH_DATABASE), &["dbname", "user"]),
        (AllOf(family::AUTH_ROLE), &["user"]),
        (AllOf(family::AUTH_HBA), &["sslmode", "user", "dbname"]),
        (AllOf(family::AUTH), &["user"]),
        (
            AllOf(family::SSH_AUTH),
            &["way through SSH", "path", "fingerprint"],
        ),
        (AllOf(family::KEY), &["mode", "path"]),
        (AllOf(family::DNS), &["host"]),
        (These(&[&server::OPTION]), &["options", "server version"]),
        (
            These(&[&server::READ_ONLY]),
            &[
                "target_session_attrs",
                "in recovery",
                "read only",
                "read only by default",
                "parameters, in hot standby",
                "parameters, default transaction read only",
            ],
        ),
        (These(&[&tls::TIMEOUT]), &["path mtu", "mss"]),
    ]
};

/// How directly a cause depends on what differs here, 0 most; none where it is
/// not known to. Where a setting comes from counts as the setting: of a
/// password nothing else is shown.
fn decides(one: &Difference, cause: Option<&Cause>) -> Option<usize> {
    if one.part == Part::Finding {
        return None;
    }
    let cause = cause?;
    let (_, names) = DECISIVE.iter().find(|(causes, _)| causes.include(cause))?;
    names.iter().position(|name| {
        let rest = one.name.strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest, "" | " comes from"))
    })
}

/// Whether a fact says who is spoken to rather than how.
fn identity(one: &Difference) -> bool {
    let signs = ["address", "chain", "certificate", "host key", "hop"];
    !is_from_login(one) && signs.iter().any(|sign| one.name.contains(sign))
}

/// Whether it is only learnt from a server that has let the client in: its
/// version, the settings of the session, and that it knows the password.
fn is_from_login(one: &Difference) -> bool {
    let name = one.name.as_str();
    name.starts_with("parameters, ")
        || matches!(
            name,
            "notices" | "notice fields" | "server version" | "server proved itself"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: &str, stage: &str, cause: &str, parameters: Value, facts: Value) -> Value {
        let cause = (!cause.is_empty()).then_some(cause);
        let stages: Vec<Value> = facts
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, facts)| {
                let findings = match cause {
                    Some(cause) if stage == name => json!([{"cause": cause, "summary": "x"}]),
                    _ => json!([]),
                };
                json!({"stage": name, "status": "pass", "facts": facts, "findings": findings})
            })
            .collect();
        json!({
            "run": {"environment": {"os": "linux", "ci": null}},
            "target": {"parameters": parameters},
            "verdict": {"status": status, "stage": stage, "cause": cause},
            "stages": stages,
        })
    }

    fn set(value: &str, origin: &str) -> Value {
        json!({"value": value, "origin": {"kind": "environment", "name": origin}})
    }

    #[test]
    fn what_explains_comes_first() {
        let a = report(
            "pass",
            "",
            "",
            json!({"host": set("db", "PGHOST"), "application_name": set("a", "PGAPPNAME")}),
            json!({"dns": {"addresses": ["10.0.0.1"]}, "tls": {"version": "TLSv1.3", "handshake_ms": 3}}),
        );
        let b = report(
            "fail",
            "tls",
            "tls.version",
            json!({"host": set("db", "DATABASE_URL"), "application_name": set("b", "PGAPPNAME")}),
            json!({"dns": {"addresses": ["10.0.0.2"]}, "tls": {"version": "TLSv1.2", "handshake_ms": 9}}),
        );
        let diff = Diff::of(&a, &b).unwrap();
        assert!(!diff.same_verdict);
        let names: Vec<(&str, bool)> = diff
            .differences
            .iter()
            .map(|one| (one.name.as_str(), one.explains))
            .collect();
        assert_eq!(
            names,
            [
                ("addresses", true),
                ("version", true),
                ("tls.version", true),
                ("application_name", false),
                ("host comes from", false),
            ]
        );
    }

    #[test]
    fn what_the_cause_depends_on_comes_before_the_rest() {
        let first = |cause: &str, a: Value, b: Value| {
            let stage = cause.split('.').next().unwrap();
            let a = report("pass", "", "", a, json!({}));
            let b = report("fail", stage, cause, b, json!({stage: {}}));
            let diff = Diff::of(&a, &b).unwrap();
            let first = &diff.differences[0];
            assert!(first.explains, "{first:?}");
            first.name.clone()
        };
        let hidden = |origin: &str| json!({"password": set("(hidden)", origin)});
        assert_eq!(
            first(
                "auth.password.wrong",
                hidden("PGPASSWORD"),
                hidden("passfile")
            ),
            "password comes from"
        );
        assert_eq!(
            first(
                "auth.password.wrong",
                hidden("PGPASSWORD"),
                hidden("PGPASSWORD")
            ),
            "password"
        );
        let both =
            |port: &str, dbname: &str| json!({"port": set(port, "x"), "dbname": set(dbname, "x")});
        assert_eq!(
            first("auth.database.missing", both("1", "a"), both("2", "b")),
            "dbname"
        );
        assert_eq!(first("tcp.refused", both("1", "a"), both("2", "b")), "port");
    }

    #[test]
    fn what_cannot_explain_it_comes_after_what_can() {
        let facts = |n: u32| {
            json!({
                "dns": {"addresses": [format!("10.0.0.{n}")], "resolver": format!("r{n}")},
                "tcp": {"mss": 1400 + n, "path_mtu": 1440 + n, "link": format!("eth{n}")},
                "tls": {"cipher": format!("c{n}"), "version": format!("TLSv1.{n}"),
                    "chain": [{"subject": format!("CN={n}"), "fingerprint": format!("{n}")}]},
                "auth": {"method": format!("m{n}"), "server_proved_itself": n == 2, "parameters": {
                    "server_version": format!("1{n}"), "TimeZone": format!("UTC{n}"),
                    "application_name": format!("dbdoctor{n}"),
                    "default_transaction_read_only": format!("{n}")}},
                "server": {"server_version": format!("1{n}"), "read_only": n == 3},
            })
        };
        let explaining = |stage: &str, cause: &str| {
            let parameters = |n: u32| {
                json!({"user": set(&format!("u{n}"), "PGUSER"),
                    "application_name": set(&format!("a{n}"), "PGAPPNAME")})
            };
            let a = report("pass", "", "", parameters(2), facts(2));
            let b = report("fail", stage, cause, parameters(3), facts(3));
            let diff = Diff::of(&a, &b).unwrap();
            let explains = diff.differences.iter().take_while(|one| one.explains);
            let facts = explains.filter(|one| one.part != Part::Finding);
            let names: Vec<String> = facts.map(|one| one.name.clone()).collect();
            assert!(diff.differences.len() > names.len() + 5);
            names
        };
        let who = ["addresses", "chain"];
        assert_eq!(
            explaining("auth", "auth.password.wrong"),
            [["user"].as_slice(), &who, &["method"]].concat()
        );
        assert_eq!(
            explaining("server", "server.read-only"),
            [
                [
                    "read only",
                    "parameters, default transaction read only",
                    "user"
                ]
                .as_slice(),
                &who
            ]
            .concat()
        );
        assert_eq!(
            explaining("tls", "tls.timeout"),
            [["path mtu", "mss"].as_slice(), &who, &["cipher", "version"]].concat()
        );
    }

    #[test]
    fn the_same_report_does_not_differ() {
        let a = report(
            "pass",
            "",
            "",
            json!({}),
            json!({"tcp": {"addresses": [
            {"address": "b", "ms": 1}, {"address": "a", "ms": 2}]}}),
        );
        let b = report(
            "pass",
            "",
            "",
            json!({}),
            json!({"tcp": {"addresses": [
            {"address": "a", "ms": 7}, {"address": "b", "ms": 8}]}}),
        );
        let diff = Diff::of(&a, &b).unwrap();
        assert!(diff.same_verdict);
        assert!(diff.differences.is_empty(), "{:?}", diff.differences);
    }

    #[test]
    fn openssl_differs_only_between_reports_that_name_it() {
        let with = |openssl: Option<&str>| {
            let mut report = report("pass", "", "", json!({}), json!({}));
            report["tool"] = json!({"version": "1"});
            if let Some(version) = openssl {
                report["tool"]["openssl"] = json!({"version": version, "built_in": true});
            }
            report
        };
        let differ = |a: Option<&str>, b: Option<&str>| {
            let diff = Diff::of(&with(a), &with(b)).unwrap();
            diff.differences
                .iter()
                .map(|one| one.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(differ(Some("3.0"), Some("3.6")), ["OpenSSL"]);
        assert!(differ(Some("3.0"), Some("3.0")).is_empty());
        assert!(differ(None, Some("3.6")).is_empty());
    }

    #[test]
    fn a_certificate_is_one_difference() {
        let facts = |fingerprint: &str| {
            json!({"tls": {"chain": [{"subject": "CN=a", "serial": fingerprint,
                "fingerprint": fingerprint, "key": fingerprint}]}})
        };
        let a = report("pass", "", "", json!({}), facts("01"));
        let b = report("fail", "tls", "tls.cert.expired", json!({}), facts("02"));
        let diff = Diff::of(&a, &b).unwrap();
        assert_eq!(diff.differences[0].name, "chain");
        assert_eq!(diff.differences[0].a["fingerprint"], "01");
    }

    #[test]
    fn anything_else_is_no_report() {
        let good = report("pass", "", "", json!({}), json!({}));
        for bad in [
            json!(null),
            json!([]),
            json!({}),
            json!({"stages": [], "verdict": 1}),
        ] {
            assert_eq!(Diff::of(&bad, &good).unwrap_err(), NotAReport("first"));
            assert_eq!(Diff::of(&good, &bad).unwrap_err(), NotAReport("second"));
        }
        let odd = json!({"verdict": {}, "stages": [1, {}, {"stage": "new", "facts": 3, "findings": "x"}]});
        assert!(Diff::of(&odd, &good).is_ok());
    }
}
