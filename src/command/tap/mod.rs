//! `tap`: an application is pointed at a local port, and what it sends is told.
//!
//! What happens goes to standard error as it happens; the report is printed at the end.

mod event_writer;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::check::progress;
use super::interrupt::interruption;
use super::{Exit, last_stage, output, sockets, usage};
use crate::cause;
use crate::cli::{Format, TapArgs, TargetArgs};
use crate::config::request::{Request, TimeLimits};
use crate::config::{Endpoint, Target};
use crate::descriptors;
use crate::finding::Finding;
use crate::forward::{self, Way};
use crate::host_kind;
use crate::idle::Stop;
use crate::pipeline::{self, Ended};
use crate::report::{Report, Stage};
use crate::system::System;
use crate::tap::classify::{self, Other};
use crate::tap::facts;
use crate::tap::stand_in::{self, Certificate, StandIn};
use crate::tap::watch::{Log, Tap};

use event_writer::EventWriter;

/// How often processes that share a connection are looked for.
const SHARED_LOOK: Duration = Duration::from_secs(2);

/// `tap`.
pub async fn run(args: &TapArgs) -> Exit {
    let run = &args.run;
    let usable = last_stage("tap", Stage::Tap, run);
    if let Err(exit) = usable.and_then(|_| output::writable(&run.output)) {
        return exit;
    }
    let around = Arc::new(System::of_process());
    let mut stop = pin!(interruption());
    let mut report = Report::new(
        "tap",
        &[Stage::Config, Stage::Tap],
        host_kind::detect(&around),
    );
    let end = match args.stand_in {
        true => match stand_in(args) {
            Ok(stand_in) => Some(Some(End::StandIn(Arc::new(stand_in)))),
            Err(why) => return usage(&why),
        },
        false => tokio::select! {
            end = target(args, &mut report, &around) => Some(end),
            () = &mut stop => None,
        },
    };
    // Ctrl-C is how a tap is ended: before it listens, it cuts a run short.
    let interrupted = end.is_none();
    if let Some(Some(end)) = end {
        let teller = EventWriter::new(run.output.format() == Format::Json, run.output.quiet);
        listen(args, &end, &mut report, teller, stop).await;
    }
    report.finish(interrupted);
    output::conclude(&report, &run.output, &around)
}

/// Who is at the other end of the tap.
enum End {
    /// The target, and how it is called.
    Target(Way, Box<Target>, String),
    /// dbdoctor itself.
    StandIn(Arc<StandIn>),
}

/// The stand-in that was asked for.
fn stand_in(args: &TapArgs) -> Result<StandIn, String> {
    if args.run.target != TargetArgs::default() {
        return Err("--stand-in contacts no target: leave TARGET and its options out".to_owned());
    }
    let made = match args.tls.as_str() {
        "none" => StandIn::new(None, false),
        "self-signed" => Certificate::throw_away().and_then(|it| StandIn::new(Some(&it), false)),
        "each" => Certificate::throw_away().and_then(|it| StandIn::new(Some(&it), true)),
        path => Certificate::read(Path::new(path)).and_then(|it| StandIn::new(Some(&it), false)),
    };
    made.map_err(|error| format!("the certificate of --tls cannot be used: {error}"))
}

/// The settings, and the tunnel where there is one.
async fn target(args: &TapArgs, report: &mut Report, around: &Arc<System>) -> Option<End> {
    let run = &args.run;
    let mut progress = progress(&run.output, around);
    let request = Request::from(&run.target);
    let limits = TimeLimits::from(&run.time);
    let around = Arc::clone(around);
    let (target, ctx) =
        pipeline::settings(report, &request, &limits, around, progress.as_mut()).await?;
    if target.ssh.is_none() {
        let label = label(&target);
        return Some(End::Target(
            Way::direct(target.clone(), ctx),
            Box::new(target),
            label,
        ));
    }
    match pipeline::connect_as_far(report, target, ctx, Stage::Ssh, None, progress.as_mut()).await {
        Ended::Passed(connected) => {
            let label = label(&connected.target);
            let endpoints = connected.target.endpoints.clone();
            let way = Way::tunnel(connected.bastion?, endpoints, connected.ctx);
            Some(End::Target(way, Box::new(connected.target), label))
        }
        Ended::Failed(_) => None,
    }
}

/// Forwards connections until `stop`, or until there were enough or enough time passed.
async fn listen(
    args: &TapArgs,
    end: &End,
    report: &mut Report,
    teller: EventWriter,
    stop: Stop<'_>,
) {
    let began = Instant::now();
    let record = report.stage(Stage::Tap);
    record.begin();
    let (listener, bound) = match forward::listen(args.listen, &cause::tap::LISTEN).await {
        Ok(bound) => bound,
        Err(finding) => {
            record.end(Some(finding));
            return;
        }
    };
    let (label, does) = match end {
        End::Target(_, _, label) => (Some(label.as_str()), format!("forwarding to {label}")),
        End::StandIn(_) => (None, "answering as a server".to_owned()),
    };
    let to = label.unwrap_or("dbdoctor");
    if let Some(exposed) = forward::exposed(bound, &cause::tap::EXPOSED, to) {
        teller.say(&exposed.summary());
        record.warn(exposed);
    }
    teller.say(&format!(
        "listening on {bound}, {does}; point the application at it, and press Ctrl-C to stop"
    ));
    descriptors::provide_many();
    let log = Arc::new(Log::default());
    let teller = Arc::new(teller);
    let tap = Tap::new(bound, Arc::clone(&log), Arc::clone(&teller) as _);
    let mut connections = JoinSet::new();
    let time = async {
        match args.time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let most = args.connections;
    let serving = async {
        match end {
            End::Target(way, ..) => {
                forward::forward(&listener, way, &tap, &mut connections, most).await;
            }
            End::StandIn(stand_in) => {
                stand_in::serve(&listener, stand_in, &tap, &mut connections, most).await;
            }
        }
    };
    let gone = async {
        match end {
            End::Target(way, ..) => way.gone().await,
            End::StandIn(_) => std::future::pending().await,
        }
    };
    let mut shared = Vec::new();
    let lost = tokio::select! {
        () = serving => None,
        () = time => None,
        () = stop => None,
        () = look_for_shared(bound.port(), &log, &mut shared) => None,
        lost = gone => Some(lost),
    };
    // Each still leaves its record.
    forward::shut_down(&mut connections, lost.is_some()).await;
    if let Some(lost) = &lost {
        teller.say(&lost.summary());
    }
    drop(tap);
    teller.finish();
    let mut seen = log.seen();
    seen.name_clients();
    let held = began.elapsed();
    let other = match end {
        End::Target(_, target, _) => Other::Target(target),
        End::StandIn(stand_in) => Other::StandIn {
            is_untrusted: stand_in.is_untrusted,
        },
    };
    facts::write(record, &seen, bound, label, other.target(), held);
    let found = classify::classify(&seen.records, other, held);
    // Without its tunnel the tap ends, which says more than that connections were lost with it.
    let is_told = |finding: &Finding| lost.as_ref().is_some_and(|it| it.cause == finding.cause);
    for finding in shared.into_iter().chain(found).filter(|it| !is_told(it)) {
        record.warn(finding);
    }
    record.summary = facts::summary(&seen, held);
    if let Some(words) = classify::verdict_on_verification(&seen.records, other) {
        record.summary = format!("{}; {words}", record.summary);
    }
    record.end(lost);
}

/// Looks now and then whether several processes hold a connection to the tap; never ends.
async fn look_for_shared(port: u16, log: &Log, shared: &mut Vec<Finding>) {
    loop {
        tokio::time::sleep(SHARED_LOOK).await;
        let is_in_use = log.seen().open() > 0;
        if shared.is_empty() && is_in_use {
            *shared = sockets::shared(port).await;
        }
    }
}

/// Where connections go.
fn label(target: &Target) -> String {
    let hosts: Vec<String> = target.endpoints.iter().map(Endpoint::label).collect();
    let through = target
        .ssh
        .iter()
        .flat_map(|plan| &plan.hops)
        .map(|hop| hop.label());
    let through: Vec<String> = through.collect();
    match through.is_empty() {
        true => hosts.join(", "),
        false => format!("{} through {}", hosts.join(", "), through.join(", ")),
    }
}
