//! The verdict of an application's driver: what it does with the settings is what the
//! pipeline did; here libpq is asked for the same, as far as its way is another one, and
//! the difference is said in the driver's words.

mod all;
mod differ;
mod form;
mod holes;

use std::sync::Arc;

use serde_json::json;

use crate::cause::driver as codes;
use crate::client::pooler::{Mode, Pooler};
use crate::client::{self, Driver, Profile};
use crate::config::as_driver::view::View;
use crate::config::request::{Request, TimeLimits, Whose};
use crate::config::{Endpoint, SslMode, Target};
use crate::ctx::Ctx;
use crate::finding::{Finding, Status};
use crate::pipeline::{self, Ended};
use crate::report::{Presented, Report, Stage, StageRecord};
use crate::system::System;

pub use all::{Row, drivers, every_driver};

/// What was asked for, to ask libpq the same.
pub struct Asked<'a> {
    /// The target.
    pub request: &'a Request,
    /// The time for it.
    pub limits: &'a TimeLimits,
    /// The outside world.
    pub around: &'a Arc<System>,
    /// The last stage.
    pub until: Stage,
}

/// How a client fared.
#[derive(Clone, Debug)]
pub struct Fared {
    /// Whether it got as far as was asked.
    pub status: Status,
    /// Why not.
    pub failure: Option<(Stage, Finding)>,
    /// What it made of the settings.
    pub target: Option<Target>,
    /// The server's certificates, where TLS was used.
    pub presented: Option<Presented>,
    /// Whether the server asked for a certificate of the client.
    pub certificate_asked: bool,
    /// The pooler that answered.
    pub pooler: Option<Pooler>,
}

impl Fared {
    /// The same of another client that went the same way.
    fn with(&self, target: Target) -> Self {
        Self {
            target: Some(target),
            ..self.clone()
        }
    }

    /// From a report of a run.
    fn of(report: &Report, target: Option<Target>) -> Self {
        let failure = first_failure(report);
        let tls = report.find(Stage::Tls);
        let asked = tls.and_then(|record| record.facts.get("client_certificate_asked"));
        Self {
            status: match failure {
                Some(_) => Status::Fail,
                None => Status::Pass,
            },
            failure,
            target,
            presented: tls.and_then(|record| record.presented.clone()),
            certificate_asked: asked == Some(&json!(true)),
            pooler: pooler_of(report),
        }
    }
}

/// The pooler that the server's facts tell of.
fn pooler_of(report: &Report) -> Option<Pooler> {
    let facts = &report.find(Stage::Server)?.facts;
    let word = |name: &str| facts.get(name).and_then(serde_json::Value::as_str);
    (facts.get("pooler") == Some(&json!(true))).then(|| Pooler {
        product: word("pooler_name").and_then(client::pooler::product),
        mode: word("pooler_mode").and_then(Mode::of),
    })
}

fn first_failure(report: &Report) -> Option<(Stage, Finding)> {
    report.stages.iter().find_map(|record| {
        let mut findings = record.all_findings();
        let failed = findings.find(|finding| finding.status == Status::Fail)?;
        Some((record.stage, failed))
    })
}

/// The driver whose way the run went that `report` tells of; none where it is libpq's.
pub fn driver_of(report: &Report) -> Option<Driver> {
    let facts = &report.find(Stage::Client)?.facts;
    let text = |name: &str| facts.get(name).and_then(serde_json::Value::as_str);
    let driver = Driver::parse(text("driver")?).ok()?;
    let version = text("version").and_then(crate::client::Version::parse);
    Some(version.map_or(driver, |version| driver.at(version)))
}

/// Judges the run of a driver that `report` tells of: `target` is what the driver made of
/// the settings, where it read them.
pub async fn judge(
    report: &mut Report,
    driver: Driver,
    target: Option<&Target>,
    asked: &Asked<'_>,
) {
    if let Some(finding) = form::refused(driver, &Fared::of(report, target.cloned())) {
        for stage in [Stage::Auth, Stage::Server] {
            if report.find(stage).is_some_and(StageRecord::has_run) {
                *report.stage(stage) = StageRecord::new(stage);
            }
        }
        report.stage(Stage::Tls).end(Some(finding));
    }
    if let Some(target) = target
        && let Some(finding) = without_tls(report, driver, target)
    {
        report.stage(Stage::Tls).end(Some(finding));
    }
    let fared = Fared::of(report, target.cloned());
    let psql = libpq(asked, &fared).await;
    conclude(report, driver, &fared, &psql);
}

/// A driver built without TLS that insists on it ends where the server offers it.
fn without_tls(report: &Report, driver: Driver, target: &Target) -> Option<Finding> {
    let insists = target.tls.mode >= SslMode::Require;
    let tls = report.find(Stage::Tls)?;
    let offered = tls.has_run() && tls.all_findings().all(|it| it.status != Status::Fail);
    let ends = driver.connector == Some("no-tls") && insists && offered;
    ends.then(|| {
        Finding::new(&codes::TLS_REQUIRED)
            .with("endpoint", target.endpoints.first().map(Endpoint::label))
            .with("problem", differ::NO_TLS)
            .with("error", differ::NO_TLS)
    })
}

/// What libpq does with the same: no connection where its way is the driver's.
async fn libpq(asked: &Asked<'_>, driver: &Fared) -> Fared {
    let request = Request {
        // Where the scheme is a driver's own, psql is asked what it stands for.
        whose: match asked.request.whose {
            Whose::As(..) => Whose::As(Driver::libpq(), "psql"),
            Whose::Implied | Whose::Libpq => Whose::Libpq,
        },
        password: false,
        ..asked.request.clone()
    };
    let ready = match settings(&request, asked).await {
        Ok(ready) => ready,
        Err(stopped) => return *stopped,
    };
    let theirs = driver.target.as_ref();
    let passed = driver.status == Status::Pass;
    match theirs.is_some_and(|theirs| differ::same_way(theirs, &ready.target, passed)) {
        true => driver.with(ready.target),
        false => ready.connect(asked.until).await,
    }
}

/// A client that knows where to connect.
struct Ready {
    report: Report,
    target: Target,
    ctx: Ctx,
}

/// What a client makes of the settings, in a run of its own, or how it stops at them.
async fn settings(request: &Request, asked: &Asked<'_>) -> Result<Box<Ready>, Box<Fared>> {
    let environment = crate::host_kind::detect(asked.around);
    let mut report = Report::new("check", &Stage::RUN, environment);
    let around = Arc::new(System {
        interactive: false,
        ..asked.around.as_ref().clone()
    });
    match pipeline::settings(&mut report, request, asked.limits, around, &mut ()).await {
        Some((target, ctx)) => Ok(Box::new(Ready {
            report,
            target,
            ctx,
        })),
        None => {
            report.finish(false);
            Err(Box::new(Fared::of(&report, None)))
        }
    }
}

impl Ready {
    async fn connect(mut self, until: Stage) -> Fared {
        let (report, ctx) = (&mut self.report, self.ctx);
        let ended = pipeline::connect_as_far(report, self.target, ctx, until, None, &mut ()).await;
        let (Ended::Passed(connected) | Ended::Failed(connected)) = ended;
        if let Some(session) = connected.session {
            let _ = connected.ctx.within(session.close()).await;
        }
        self.report.finish(false);
        Fared::of(&self.report, Some(connected.target))
    }
}

/// Says what is different, in the report.
fn conclude(report: &mut Report, driver: Driver, fared: &Fared, psql: &Fared) {
    let cause = psql.failure.as_ref().map(|(_, finding)| finding.cause.code);
    let client = report.stage(Stage::Client);
    client.reason = None;
    client.begin();
    client.fact("psql", json!({"status": psql.status, "cause": cause}));
    client.summary = summary(driver, fared, psql);
    if let Some((stage, failed)) = &fared.failure {
        let record = report.stage(*stage);
        let at = record
            .findings
            .iter()
            .position(|finding| finding.status == Status::Fail && finding.cause == failed.cause);
        let told = differ::explain(failed.clone(), *stage, driver, fared, psql);
        match at {
            Some(at) => record.findings[at] = told,
            None => record.findings.insert(0, told),
        }
    }
    for hole in holes::of(driver, fared, psql) {
        report.stage(Stage::Client).warn(hole);
    }
    report.stage(Stage::Client).end(None);
}

/// How the two fared, in one line.
fn summary(driver: Driver, fared: &Fared, psql: &Fared) -> String {
    match (fared.status == Status::Fail, psql.status == Status::Fail) {
        (false, false) => format!("{driver} connects, and so does psql"),
        (false, true) => format!("{driver} connects, but psql does not"),
        (true, false) => format!("{driver} does not connect, but psql does"),
        (true, true) => format!("{driver} does not connect, nor does psql"),
    }
}

/// What psql does, as the end of a sentence.
fn said_of_psql(psql: &Fared) -> String {
    match &psql.failure {
        None => "psql connects with the same settings".to_owned(),
        Some((_, finding)) => format!("psql fails too ({})", finding.cause.code),
    }
}

/// What the driver prints for a cause, with its values, where that is known.
fn text_of(driver: Driver, finding: &Finding, target: Option<&Target>) -> Option<String> {
    let texts = driver.profile.texts;
    let mut code = finding.cause.code;
    let template = loop {
        if let Some(text) = Profile::row(texts, code) {
            break Some(text);
        }
        match code.rsplit_once('.') {
            Some((shorter, _)) => code = shorter,
            None => break None,
        }
    };
    let host = target.and_then(|target| target.endpoints.first());
    let filled = finding
        .clone()
        .word("host", host.map(|it| it.host.clone()))
        .word("endpoint", host.map(crate::config::Endpoint::label));
    template
        .and_then(|template| filled.filled_text(template))
        .or_else(|| {
            let said = ["error", "message"]
                .iter()
                .find_map(|name| finding.value(name));
            said.map(crate::finding::shown)
        })
}

/// The view of a target.
fn view(fared: &Fared) -> Option<&View> {
    fared.target.as_ref()?.view.as_ref()
}
