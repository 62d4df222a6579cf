//! `server`: the state and the limits of the server that answered.
//!
//! Proves that the session works and leads to a server of the kind that is
//! wanted. Its facts come from one query; a server that cannot answer it (an
//! odd make, a replication session, a pooler's console) still passes.

mod attrs;
mod classify;
mod facts;
mod notes;
pub mod pooler;
mod read_only;
mod replication;
mod slots;
mod stall;
mod versions;

use std::time::{Duration, Instant, SystemTime};

use crate::cause::{self, protocol, server};
use crate::config::{Endpoint, Target, TargetSessionAttrs};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::{commands, in_words};
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::stage::auth::{
    self,
    server_or_pooler::{self, NO_PROCESS_ID, Speaker, is_console, pooler_by_key},
};
use crate::wire::Route;
use crate::wire::server_error::ServerError;
use crate::wire::session::{QueryError, Session};
use crate::wire::waits;

use attrs::Nature;
use facts::Facts;
use read_only::Setting;
use replication::Purpose;

/// Asks for the server's facts in one query, and checks
/// `target_session_attrs` and the guards on them.
pub async fn probe(
    session: &mut Session,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<()> {
    let looked = Looked {
        target,
        endpoint,
        route: session.wire().route.clone(),
        pooler: pooler_by_key(session),
    };
    let mode = target.replication_mode().filter(|_| !is_console(session));
    let purpose = Purpose::of(mode, session, ctx).await;
    let asked = SystemTime::now();
    let encrypted = session.wire().tls.is_some();
    let asked_for = match purpose {
        Some(purpose) if purpose.is_physical() => Ok(Facts::default()),
        _ => looked.facts(session, ctx, record).await,
    };
    let facts = match asked_for {
        Err(finding) => {
            let known =
                auth::after_the_end(finding, &looked.route, encrypted, target, endpoint, ctx);
            return Err(known.await);
        }
        Ok(facts) => facts,
    };
    let answered = SystemTime::now();
    let (nature, unmet) = looked.nature(session, &facts, ctx).await?;

    notes::note(record, session, &facts, nature, endpoint);
    if let Some(finding) = unmet {
        return Err(finding);
    }
    looked.warn_of_limits(session, &facts, ctx, record).await;
    let setting = looked.read_only_setting(&facts);
    if let Some(setting) = setting.filter(|_| !target.guards.writable) {
        record.warn(setting);
    }
    looked.warn_of_age(record, &facts);
    looked.warn_of_clock(record, &facts, asked, answered);
    auth::session_notices(record, target, endpoint, session);
    if let Some(purpose) = purpose {
        looked
            .replication(purpose, &facts, nature, session, ctx, record)
            .await;
    }
    looked.guard(&facts)?;
    record.summary = notes::summary(session, &facts, nature, target);
    Ok(())
}

/// How long a query takes; none where it is not answered.
async fn elapsed_of(session: &mut Session, query: &str, ctx: &Ctx) -> Option<Duration> {
    let asked = Instant::now();
    session.simple_query(query, ctx).await.ok()?;
    Some(asked.elapsed())
}

/// What every finding here is about.
struct Looked<'a> {
    target: &'a Target,
    endpoint: &'a Endpoint,
    route: Route,
    pooler: Option<&'static str>,
}

impl Looked<'_> {
    fn finding(&self, cause: &'static crate::cause::Cause) -> Finding {
        let host = match self.endpoint.host.as_str() {
            "" => self.endpoint.label(),
            host => host.to_owned(),
        };
        let finding = Finding::new(cause)
            .with("endpoint", self.endpoint.label())
            .with("host", host)
            .with("port", self.endpoint.port)
            .with("user", self.target.user.clone())
            .with("database", self.target.dbname.clone())
            .with("pooler", self.pooler);
        commands::with_conninfo(finding, self.target, self.endpoint, &self.route)
    }

    /// Sends the query. An error that does not end the session is a fact: the
    /// server may be of another make, or the session of another kind.
    async fn facts(
        &self,
        session: &mut Session,
        ctx: &Ctx,
        record: &mut StageRecord,
    ) -> Verdict<Facts> {
        if is_console(session) {
            record.fact("console", true);
            return Ok(Facts::default());
        }
        let asked = Instant::now();
        let mut answer = session.simple_query(&Facts::query(), ctx).await;
        if let Err(QueryError::Server(said)) = &answer
            && !ends_session(said)
            && is_denied(said)
        {
            let query = Facts::query_without_identifier();
            answer = session.simple_query(&query, ctx).await;
        }
        let error = match answer {
            Ok(rows) => {
                self.warn_of_queue(session, asked.elapsed(), ctx, record)
                    .await;
                return Ok(rows.first().map(Facts::of_row).unwrap_or_default());
            }
            Err(error) => error,
        };
        let waited = asked.elapsed();
        record.fact("facts_error", error.to_string());
        match error {
            // The session did begin, which is all that libpq asks for.
            QueryError::Server(said) if said.code == "57P05" => {
                record.warn(auth::session_error(
                    &said,
                    self.target,
                    self.endpoint,
                    session,
                ));
                Ok(Facts::default())
            }
            QueryError::Server(said) if !ends_session(&said) => {
                match session.simple_query("SELECT 1", ctx).await {
                    // It answers, in whatever way.
                    Ok(_) => Ok(Facts::default()),
                    Err(QueryError::Server(said)) if !ends_session(&said) && !is_lack(&said) => {
                        Ok(Facts::default())
                    }
                    Err(error) => Err(self.unanswered(error, session, waited)),
                }
            }
            // A missing process id alone does not make a pooler: it is asked.
            QueryError::Late if self.pooler.is_none() || self.pooler == Some(NO_PROCESS_ID) => {
                let encrypted = session.wire().tls.is_some();
                match stall::look(&self.route, encrypted, self.target, self.endpoint, ctx).await {
                    // Only this query is slow here.
                    stall::SecondSession::Works => Ok(Facts::default()),
                    stall::SecondSession::Stalls => Err(self
                        .finding(&protocol::STALL)
                        .with(
                            "direction",
                            crate::peer::stall_direction(session.wire().has_unacked_data()),
                        )
                        .with("timeout_ms", ms(waited))
                        .with("how", "small messages pass, larger ones do not")
                        .with("error", "small messages pass, larger ones do not")
                        .then_next_host()),
                    stall::SecondSession::Unknown => {
                        let speaker = server_or_pooler::ask(
                            &self.route,
                            encrypted,
                            self.target,
                            self.endpoint,
                            ctx,
                        )
                        .await;
                        let pooler = (speaker == Some(Speaker::Pooler))
                            .then_some("its reply to a start-up message without a role");
                        let looked = Looked {
                            pooler,
                            route: self.route.clone(),
                            ..*self
                        };
                        Err(looked.unanswered(QueryError::Late, session, waited))
                    }
                }
            }
            other => Err(self.unanswered(other, session, waited)),
        }
    }

    /// A pooler logs its client in at once, and lets the first query wait for a server
    /// connection. The wait was in its queue if the same query is fast now, or if even
    /// the least one is slow.
    async fn warn_of_queue(
        &self,
        session: &mut Session,
        waited: Duration,
        ctx: &Ctx,
        record: &mut StageRecord,
    ) {
        let known = self.pooler.is_some_and(|sign| sign != NO_PROCESS_ID);
        if !known || !waits::is_delay(waited, session.wire().socket.as_deref()) {
            return;
        }
        let again = elapsed_of(session, &Facts::query(), ctx).await;
        let queued = match again {
            Some(again) if again * 4 < waited => true,
            Some(_) => elapsed_of(session, "SELECT 1", ctx)
                .await
                .is_some_and(|least| waits::is_delay(least, session.wire().socket.as_deref())),
            None => false,
        };
        if queued {
            let told = in_words(waited);
            record.warn(
                self.finding(&cause::pooler::WAIT)
                    .with("error", format!("the first query waited {told} for one"))
                    .with("waited", told)
                    .with("waited_ms", ms(waited))
                    .as_warning(),
            );
        }
    }

    /// The session ended, or does not answer.
    fn unanswered(&self, error: QueryError, session: &Session, waited: Duration) -> Finding {
        match error {
            QueryError::Server(said) => {
                auth::session_error(&said, self.target, self.endpoint, session)
            }
            QueryError::Late => match self.pooler {
                Some(_) => self
                    .finding(&cause::pooler::WAIT)
                    .with("error", "no reply to the query"),
                None => self
                    .finding(&server::TIMEOUT)
                    .with("how", "no reply to the query"),
            }
            .with("waited", in_words(waited))
            .with("timeout_ms", ms(waited)),
            QueryError::Closed | QueryError::Reset => self
                .finding(&server::CLOSED)
                .with("error", format!("at the first query: {error}")),
            QueryError::Violated(what, length) => self
                .finding(match length {
                    Some(_) => &protocol::OVERSIZED,
                    None => &protocol::MALFORMED,
                })
                .with("length", length)
                .with("received", what.clone())
                .with("seen", "after the login, in reply to a query")
                .with("error", what),
            QueryError::Broken(text) => self
                .finding(&server::UNCLASSIFIED)
                .with("error", format!("after the login: {text}")),
        }
    }

    /// What the server is, and why it does not meet `target_session_attrs`; libpq
    /// goes on to the next host where it does not, or where that cannot be told.
    async fn nature(
        &self,
        session: &mut Session,
        facts: &Facts,
        ctx: &Ctx,
    ) -> Verdict<(Nature, Option<Finding>)> {
        let wanted = self.target.session_attrs;
        let mut nature = Nature::reported(session);
        if attrs::met(wanted, nature).is_none() {
            nature = match attrs::ask(wanted, session, ctx).await {
                Ok(nature) => nature,
                Err(error) => {
                    return Err(self
                        .unmet(facts, "of unknown kind")
                        .with("error", error.to_string()));
                }
            };
        }
        let met = attrs::met(wanted, nature) != Some(false);
        let unmet = (!met).then(|| self.unmet(facts, nature.describe()));
        nature.standby = nature.standby.or(facts.truth("in_recovery"));
        nature.read_only_by_default = nature
            .read_only_by_default
            .or(facts.truth("default_transaction_read_only"));
        Ok((nature, unmet))
    }

    /// `target_session_attrs` is not met. Other members of the cluster do not help
    /// where a setting keeps its primary from writing.
    fn unmet(&self, facts: &Facts, actual: &'static str) -> Finding {
        let wanted = self.target.session_attrs;
        let (name, setting) = self.target.wanted_server();
        let finding = self
            .finding(&server::READ_ONLY)
            .with("wanted", wanted.as_str())
            .word("setting", setting)
            .word("setting_name", name)
            .with("actual", actual)
            .then_next_host();
        let setting = Setting::of(facts).filter(|_| wanted == TargetSessionAttrs::ReadWrite);
        match setting {
            Some(setting) => setting.explain(finding, self.target),
            None => finding.word("side", wanted.side()),
        }
    }
}

/// Whether an error is the session's last word.
fn ends_session(error: &ServerError) -> bool {
    matches!(error.severity.as_str(), "FATAL" | "PANIC")
}

/// Whether the server lacks something it needs to work.
fn is_lack(error: &ServerError) -> bool {
    error.code.starts_with("53") || error.code.starts_with("58")
}

/// Whether a function is not there, or not for this role.
fn is_denied(error: &ServerError) -> bool {
    matches!(error.code.as_str(), "42883" | "42501")
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
