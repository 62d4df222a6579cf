//! `idle` and `check --idle`: the run, then the idle test on what it reached.

use super::{Exit, check, spare_slots};
use crate::cli::{IdleArgs, OutputArgs};
use crate::idle::{self, Plan, Stop};
use crate::pipeline::Connected;
use crate::render::idle_progress::Board;
use crate::report::{Report, Stage, StageRecord};
use crate::system::System;

/// `idle`.
pub async fn run(args: &IdleArgs) -> Exit {
    check::run(check::Job {
        wait: Some(&args.wait),
        idle: Some(Plan {
            interval: args.keepalive_interval,
            in_transaction: args.in_transaction,
            ..Plan::new(args.longest)
        }),
        ..check::Job::new("idle", Stage::Idle, &args.run)
    })
    .await
}

/// The test itself, shown while it goes on; what is known when `stop` comes is
/// in the report.
pub async fn test(
    report: &mut Report,
    mut connected: Connected,
    plan: Plan,
    output: &OutputArgs,
    around: &System,
    stop: Stop<'_>,
) {
    let plan = Plan {
        spare: spare_slots(report.stage(Stage::Server)),
        ..plan
    };
    // The run's own session makes room for those of the test.
    if let Some(session) = connected.session.take() {
        let _ = connected.ctx.within(session.close()).await;
    }
    let mut record = StageRecord::new(Stage::Idle);
    record.begin();
    let mut board = Board::new(output, around);
    let mut tell = |event| board.tell(event);
    let (verdict, stopped) = idle::probe(&connected, plan, &mut record, &mut tell, stop).await;
    drop(board);
    record.end(verdict.err());
    record.reason = None;
    *report.stage(Stage::Idle) = record;
    report.finish(stopped);
}
