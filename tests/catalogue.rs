//! The catalogue of causes, held to what is promised of every row.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use dbdoctor::cause::{self, Cause, Severity};
use dbdoctor::finding::Finding;
use dbdoctor::report::Stage;

/// Codes that no scenario of the lab provokes, and why. It only shrinks.
const NO_SCENARIO: &[(&str, &str)] = &[
    (
        "key.library",
        "told as a fact with -v, never a finding of a run",
    ),
    ("client.fork-tls", EXPLAIN),
    ("client.tunnel-library", EXPLAIN),
    ("client.key-library", EXPLAIN),
    ("client.cached-settings", EXPLAIN),
    ("client.pool-exhausted", EXPLAIN),
    ("client.scram-unsupported", EXPLAIN),
    ("client.concurrent-use", EXPLAIN),
    ("client.loop-closed", EXPLAIN),
    ("client.driver-missing", EXPLAIN),
    ("client.prepared-statement", EXPLAIN),
    ("client.portforward", EXPLAIN),
    ("client.portproxy", EXPLAIN),
    ("server.crash.ipc-removed", EXPLAIN),
    ("server.start.failed", EXPLAIN),
    ("server.start.init-script", EXPLAIN),
    ("server.start.password", EXPLAIN),
    ("server.start.volume-path", EXPLAIN),
];

/// Nothing on the wire shows it; `tests/explain.rs` has its texts.
const EXPLAIN: &str = "known to explain alone, which is tested on its texts";

/// A line of `tests/data/causes.txt`.
struct Promise {
    warning: bool,
    retryable: bool,
    since: String,
}

fn floor() -> BTreeMap<String, Promise> {
    include_str!("data/causes.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let code = words.next()?.to_owned();
            let marks: Vec<&str> = words.collect();
            let promise = Promise {
                warning: marks.contains(&"W"),
                retryable: marks.contains(&"R"),
                since: marks
                    .iter()
                    .find(|mark| mark.starts_with(|c: char| c.is_ascii_digit()))
                    .map_or("0.1.0", |version| version)
                    .to_owned(),
            };
            Some((code, promise))
        })
        .collect()
}

/// Collects what is wrong with each row, so that one run shows it all.
fn check(what: &str, wrong: impl Fn(&'static Cause) -> Option<String>) {
    let found: Vec<String> = cause::all()
        .filter_map(|row| Some(format!("{}: {}", row.code, wrong(row)?)))
        .collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_promised_code_is_there() {
    let there: BTreeSet<&str> = cause::all().map(|row| row.code).collect();
    let missing: Vec<String> = floor()
        .into_keys()
        .filter(|code| !there.contains(code.as_str()))
        .collect();
    assert!(missing.is_empty(), "missing: {}", missing.join(" "));
}

#[test]
fn every_code_is_promised_with_its_version() {
    let floor = floor();
    check("promises", |row| match floor.get(row.code) {
        None => Some("add it to tests/data/causes.txt, with the version that brings it".to_owned()),
        Some(promise) => (promise.since != row.since)
            .then(|| format!("since {}, not {}", row.since, promise.since)),
    });
}

#[test]
fn scenarios_are_named_once() {
    let mut seen = BTreeSet::new();
    for scenario in dbdoctor_lab::scenario::all() {
        assert!(
            seen.insert(scenario.name),
            "{} is there twice",
            scenario.name
        );
    }
}

#[test]
fn codes_are_unique_and_named_after_their_stage() {
    let mut seen = BTreeSet::new();
    check("codes", |row| {
        let (stage, rest) = row.code.split_once('.')?;
        let known = stage == "pooler" || Stage::RUN.iter().any(|s| s.name() == stage);
        let client = matches!(stage, "client" | "driver" | "stress" | "tap");
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if !(known || client) || rest.is_empty() || !row.code.chars().all(plain) {
            return Some("not of the form stage.what".to_owned());
        }
        None
    });
    for row in cause::all() {
        assert!(seen.insert(row.code), "{} is there twice", row.code);
        assert!(row.code.contains('.'), "{}", row.code);
    }
}

#[test]
fn severity_and_retryable_are_as_promised() {
    let floor = floor();
    check("marks", |row| {
        let promise = floor.get(row.code)?;
        if promise.warning && row.severity != Severity::Warn {
            return Some("is promised to be a warning".to_owned());
        }
        (promise.retryable != row.retryable)
            .then(|| format!("retryable is {}, not {}", row.retryable, promise.retryable))
    });
}

#[test]
fn every_row_is_worded() {
    check("words", |row| {
        let sentence = row.summary;
        let problem = match () {
            () if row.title.trim().is_empty() => "no title",
            () if row.title.contains(['{', '}', '!']) => {
                "the title has a value or an exclamation mark"
            }
            () if row.title.ends_with('.') => "the title ends with a full stop",
            () if sentence.trim().is_empty() => "no summary",
            () if !sentence.ends_with(['.', '}', ')', '?']) => "the summary is no sentence",
            () if sentence.contains('!') => "the summary shouts",
            () if sentence.contains('\n') || row.title.contains('\n') => "a line break",
            () if row.meaning.trim().len() < 40 => "hardly any meaning",
            () if row.fixes.is_empty() => "no fix",
            () if row.fixes.iter().any(|fix| fix.text.trim().is_empty()) => "an empty fix",
            () if row
                .fixes
                .iter()
                .any(|fix| fix.command.is_some() && !fix.text.ends_with(['.', ':', ')'])) =>
            {
                "the text above a command is no sentence"
            }
            () if row.seen_as.iter().any(|text| text.trim().len() < 4) => {
                "a seen_as that matches anything"
            }
            () => return None,
        };
        Some(problem.to_owned())
    });
}

#[test]
fn templates_can_be_filled() {
    check("templates", |row| {
        let commands = row.fixes.iter().filter_map(|fix| fix.command);
        let texts = row.fixes.iter().map(|fix| fix.text);
        [row.summary]
            .into_iter()
            .chain(texts)
            .chain(commands)
            .find_map(|template| placeholders(template).err())
    });
}

#[test]
fn no_text_has_a_run_of_blanks() {
    check("blanks", |row| {
        let texts = row.fixes.iter().map(|fix| fix.text);
        [row.title, row.summary, row.meaning]
            .into_iter()
            .chain(texts)
            .find(|text| text.contains("  "))
            .map(|text| format!("two blanks in a row in {text:?}"))
    });
}

#[test]
fn pages_have_fixes_and_no_holes() {
    check("pages", |row| {
        let fixes = Finding::new(row).fixes_in_general();
        if fixes.is_empty() {
            return Some("no fix is left without evidence: word one for the page".to_owned());
        }
        let holes: Vec<String> = row
            .fixes
            .iter()
            .flat_map(|fix| placeholders(fix.text).unwrap_or_default())
            .map(str::to_uppercase)
            .collect();
        fixes.iter().find_map(|fix| {
            let words = fix
                .text
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let hole = words
                .into_iter()
                .find(|word| holes.iter().any(|hole| hole == word))?;
            Some(format!("{hole} stands in {:?}", fix.text))
        })
    });
}

#[test]
fn every_code_has_a_scenario() {
    let folder = common::root().join("tests/lab/src/scenario");
    let text: String = sources(&folder)
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let provoked = |code: &str| text.contains(&format!("\"{code}\""));
    let excused: BTreeMap<&str, &str> = NO_SCENARIO.iter().copied().collect();
    check("scenarios", |row| {
        let own = row.code.ends_with(".unclassified");
        match (provoked(row.code), excused.contains_key(row.code)) {
            (true, true) => Some("has a scenario now: take it off the list".to_owned()),
            (false, false) if !own => Some("nothing in the lab provokes it".to_owned()),
            _ => None,
        }
    });
    for (code, reason) in NO_SCENARIO {
        assert!(cause::find(code).is_some(), "{code} is no code");
        assert!(reason.len() > 10, "{code}: a reason, please");
    }
}

/// Stages whose tables tell times or processes, which differ in every run.
const NO_SNAPSHOT: &[&str] = &["idle", "stress", "sockets", "tap"];

#[test]
fn every_cause_of_a_scenario_is_shown() {
    use dbdoctor_lab::Expect;
    let mut told: BTreeMap<&str, bool> = BTreeMap::new();
    for (stage, scenarios) in dbdoctor_lab::scenario::STAGES {
        for scenario in *scenarios {
            if let Expect::Fail(cause) | Expect::Warn(cause) = scenario.expect
                && !NO_SNAPSHOT.contains(stage)
            {
                let path = common::snapshot::path(stage, scenario.name);
                *told.entry(cause).or_default() |= common::root().join(path).exists();
            }
        }
    }
    let unseen: Vec<&str> = told
        .into_iter()
        .filter_map(|(cause, shown)| (!shown && !NO_FIXED_FORM.contains(&cause)).then_some(cause))
        .collect();
    assert!(
        unseen.is_empty(),
        "no snapshot shows {unseen:?}: make an empty file of a scenario's in \
         tests/snapshots and run it with UPDATE=1"
    );
}

/// Causes whose tables tell an offset, how a race ended, the length of a path.
const NO_FIXED_FORM: &[&str] = &["server.clock", "tcp.socket-path"];

#[test]
fn every_snapshot_has_its_scenario() {
    let known: BTreeSet<std::path::PathBuf> = dbdoctor_lab::scenario::STAGES
        .iter()
        .flat_map(|(stage, all)| {
            all.iter()
                .map(|scenario| common::snapshot::path(stage, scenario.name))
        })
        .collect();
    let root = common::root();
    for folder in std::fs::read_dir(root.join("tests/snapshots")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.ends_with("render") {
            continue;
        }
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let file = file.strip_prefix(root).unwrap().to_owned();
            assert!(
                known.contains(&file),
                "{} is of no scenario",
                file.display()
            );
            assert!(std::fs::metadata(root.join(&file)).unwrap().len() > 0);
        }
    }
}

/// Where a text looks like a code: a call of node-postgres.
const CODES_AS_TEXT: &[&str] = &["src/explain/refine.rs"];

/// The code steers by causes and families, which the compiler knows.
#[test]
fn no_code_is_compared_as_text() {
    let mut needles = BTreeSet::new();
    for cause in cause::all() {
        needles.insert(format!("\"{}\"", cause.code));
        for (at, _) in cause.code.match_indices('.') {
            needles.insert(format!("\"{}\"", &cause.code[..=at]));
        }
    }
    let comparison = regex::Regex::new(
        r"(cause|row)\.code\s*([!=]=|\.(starts|ends)_with|\.r?split)|match [a-z.]*(cause|row)\.code|[!=]= &?[a-z:]*[A-Z_]{3,}\.code",
    )
    .unwrap();
    let tests = regex::Regex::new(r"#\[cfg\(test\)\]\n(#\[.*\]\n)*(pub )?mod ").unwrap();
    let mut wrong = Vec::new();
    for path in sources(&common::root().join("src")) {
        let name = path.strip_prefix(common::root()).unwrap().display();
        let name = name.to_string();
        if name.ends_with("tests.rs") || CODES_AS_TEXT.iter().any(|data| name.starts_with(data)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = tests.splitn(&text, 2).next().unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            let literal = needles.iter().any(|needle| line.contains(needle.as_str()));
            let of_catalogue = name == "src/cause.rs";
            if literal || (!of_catalogue && comparison.is_match(line)) {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "compare causes:\n{}", wrong.join("\n"));
}

/// Every Rust file below a folder.
fn sources(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names in a template, or what is wrong with its braces.
fn placeholders(template: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            rest = after;
            continue;
        }
        let name = rest.split_once('}').filter(|_| brace == "{");
        let Some((name, after)) = name else {
            return Err(format!("unbalanced braces in {template:?}"));
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let (name, wording) = name.split_at(name.find(['|', '?']).unwrap_or(name.len()));
        if wording.contains(['{', '}']) {
            return Err(format!("braces within braces in {template:?}"));
        }
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("{{{name}}} is no name of evidence"));
        }
        names.push(name);
        rest = after;
    }
    Ok(names)
}

#[test]
fn every_provider_has_its_faults() {
    let rows = |table: &'static str| {
        let lines = table.lines();
        lines
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split('\t').collect::<Vec<_>>())
    };
    let mut faults: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows(include_str!("data/providers.tsv")) {
        faults.entry(row[0]).or_default().insert(row[4]);
    }
    for row in rows(include_str!("../knowledge/providers.tsv")) {
        // What only passes connections on has a scenario of its own.
        let (name, hosts, speaks) = (row[0], row[1], row[3]);
        if speaks == "-" && row[7] == "-" {
            continue;
        }
        let known = faults.get(name).cloned().unwrap_or_default();
        let wanted: &[&str] = match hosts {
            "-" => &["says"],
            _ => &["gone", "silent", "refused", "plain"],
        };
        for fault in wanted {
            assert!(known.contains(fault), "{name} has no row with {fault}");
        }
    }
}
