//! One run of the stages over one target: what `check` and the stage commands do, and what
//! `--targets` does for each of many.

use std::sync::Arc;
use std::time::Instant;

use crate::application::{self, Asked};
use crate::client::{Choice, Driver};
use crate::config::Target;
use crate::config::request::{Request, TimeLimits};
use crate::ctx::{Ctx, Detail};
use crate::host_kind;
use crate::idle::Stop;
use crate::pipeline::{self, Connected, Ended, NotApplicable};
use crate::progress::Progress;
use crate::redact;
use crate::report::{Report, Stage, StageRecord, TargetReport};
use crate::system::System;

/// What is looked at, and how far.
pub struct Look {
    /// The subcommand.
    pub command: &'static str,
    /// The last stage.
    pub until: Stage,
    /// The target, with whose settings it is.
    pub request: Request,
    /// How long it may take.
    pub limits: TimeLimits,
    /// How much is looked up beside what the stages need.
    pub detail: Detail,
    /// Whether an idle test comes after it.
    pub idle: bool,
    /// Which drivers judge it, where that may be another one than libpq.
    pub judges: Option<Judges>,
}

/// The drivers that may judge a run beside the one whose settings they are.
#[derive(Default)]
pub struct Judges {
    /// What `--as` says.
    pub asked: Option<Choice>,
    /// Those of the process that is looked from.
    pub found: Vec<Driver>,
}

impl Judges {
    /// The drivers that judge it one after another; none where it is one's own settings.
    fn several(&self) -> Vec<Driver> {
        match self.asked {
            Some(Choice::All) => application::drivers(),
            None if self.found.len() > 1 => self.found.clone(),
            _ => Vec::new(),
        }
    }
}

/// What one run left.
pub struct RunOutcome {
    /// What it found.
    pub report: Report,
    /// What it reached, where it passed.
    pub connected: Option<Connected>,
    /// How far it came, where it failed.
    pub left: Option<Connected>,
}

/// What is read only once, even if the run is repeated, so that a password is
/// prompted for only once.
pub struct Settled {
    target: Target,
    ctx: Ctx,
    /// What was found while the settings were read.
    records: Vec<StageRecord>,
    described: TargetReport,
}

impl Settled {
    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

impl Look {
    /// A report in which nothing has run yet.
    pub fn report(&self, around: &System) -> Report {
        let stages: Vec<Stage> = Stage::RUN
            .into_iter()
            .filter(|s| *s <= self.until)
            .collect();
        let mut report = Report::new(self.command, &stages, host_kind::detect(around));
        if self.until == Stage::Idle && !self.idle {
            report.stage(Stage::Idle).skip("not requested");
        }
        report
    }

    /// The settings, or none where the report says what is wrong with them.
    ///
    /// # Errors
    /// Where the last stage does not apply to the target.
    pub async fn settle(
        &self,
        report: &mut Report,
        around: &Arc<System>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Settled>, NotApplicable> {
        let around = Arc::clone(around);
        let read = pipeline::settings(report, &self.request, &self.limits, around, progress).await;
        let Some((target, ctx)) = read else {
            return Ok(None);
        };
        let ctx = Ctx {
            detail: self.detail,
            ..ctx
        };
        redact::active::learn(&report.target);
        pipeline::applicable(&target, self.until)?;
        let records = report.stages.iter().filter(|record| record.has_run());
        Ok(Some(Settled {
            target,
            ctx,
            records: records.cloned().collect(),
            described: report.target.clone(),
        }))
    }

    /// One run, shown while it goes on; it ends early at `stop`.
    ///
    /// # Errors
    /// Where the last stage does not apply to the target.
    pub async fn run(
        &self,
        settled: &mut Option<Settled>,
        around: &Arc<System>,
        progress: &mut dyn Progress,
        stop: Stop<'_>,
    ) -> Result<RunOutcome, NotApplicable> {
        let mut report = self.report(around);
        let outcome = tokio::select! {
            outcome = self.stages(settled, &mut report, around, progress) => Some(outcome),
            () = stop => None,
        };
        let interrupted = outcome.is_none();
        let (connected, left) = match outcome.transpose()?.flatten() {
            Some(Ended::Passed(connected)) => (Some(connected), None),
            Some(Ended::Failed(left)) => (None, Some(left)),
            None => (None, None),
        };
        report.finish(interrupted);
        Ok(RunOutcome {
            report,
            connected,
            left,
        })
    }

    async fn stages(
        &self,
        settled: &mut Option<Settled>,
        report: &mut Report,
        around: &Arc<System>,
        progress: &mut dyn Progress,
    ) -> Result<Option<Ended>, NotApplicable> {
        match settled {
            Some(settled) => {
                for record in &settled.records {
                    *report.stage(record.stage) = record.clone();
                    progress.ended(record);
                }
                report.target = settled.described.clone();
            }
            None => *settled = self.settle(report, around, progress).await?,
        }
        let Some(settled) = settled else {
            return Ok(None);
        };
        let ctx = Ctx {
            started: report.started,
            deadline: report.started + self.limits.deadline,
            ..settled.ctx.clone()
        };
        let target = settled.target.clone();
        Ok(Some(
            pipeline::connect_as_far(report, target, ctx, self.until, None, progress).await,
        ))
    }

    /// Judges the run as the application's driver, or as every driver.
    pub async fn through_application(
        &self,
        seen: &mut RunOutcome,
        around: &Arc<System>,
        stop: Stop<'_>,
    ) {
        let Some(judges) = self.judges.as_ref().filter(|_| !seen.report.interrupted) else {
            return;
        };
        let mut limits = self.limits;
        let end = seen.report.started + limits.deadline;
        limits.deadline = end.saturating_duration_since(Instant::now());
        if limits.deadline.is_zero() {
            // What psql would do cannot be found out any more.
            return;
        }
        let asked = Asked {
            request: &self.request,
            limits: &limits,
            around,
            until: self.until.min(Stage::Server),
        };
        let target = seen.connected.as_ref().or(seen.left.as_ref());
        let target = target.map(|connected| connected.target.clone());
        let several = judges.several();
        let driver = application::driver_of(&seen.report);
        if several.is_empty() && driver.is_none() {
            return;
        }
        let report = &mut seen.report;
        let interrupted = tokio::select! {
            () = async {
                let target = target.as_ref();
                match driver.filter(|_| several.is_empty()) {
                    Some(driver) => application::judge(report, driver, target, &asked).await,
                    None => application::every_driver(report, target, &asked, several).await,
                }
            } => false,
            () = stop => true,
        };
        seen.report.finish(interrupted);
    }
}

impl RunOutcome {
    /// Ends what the run left open, in order.
    pub async fn close(&mut self) {
        if let Some(connected) = self.connected.take()
            && let Some(session) = connected.session
        {
            let _ = connected.ctx.within(session.close()).await;
        }
    }
}
