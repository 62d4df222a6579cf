//! Each configured name server, asked for itself: the same questions that the
//! C library sends, with everything that comes back kept.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::exchange::{Reply, over_tcp, over_udp, question};
use super::resolv::Resolv;
use crate::wire::dial::errno_name;

/// The longest CNAME chain that is followed; the C library has no limit but the
/// message's size.
const LONGEST_CHAIN: usize = 256;

/// What one name server says about a name.
#[derive(Clone, Debug)]
pub struct ServerAnswer {
    /// The server.
    pub server: SocketAddr,
    /// What it came to.
    pub outcome: AnswerKind,
    /// The full name that the outcome is about, after search domains.
    pub asked: String,
    /// The full names that were tried, in order.
    pub tried: Vec<String>,
    /// The addresses, without duplicates.
    pub addresses: Vec<IpAddr>,
    /// The names that lead from the one asked for to the one with addresses.
    pub chain: Vec<String>,
    /// The least time to live of the records used, in seconds.
    pub ttl: Option<u32>,
    /// What the question for IPv4 addresses comes to by itself.
    pub ipv4: AnswerKind,
    /// What the one for IPv6 addresses does; none where it is not asked.
    pub ipv6: Option<AnswerKind>,
    /// Whether one of the questions for addresses got no answer at all.
    pub half_silent: bool,
    /// Whether that is the one for IPv4 addresses, without which the C library
    /// does not take the other's answer.
    pub no_ipv4_answer: bool,
    /// Until the outcome was certain.
    pub took: Duration,
}

impl ServerAnswer {
    /// Whether the answer is about a full name with a search domain behind it: of
    /// another name, where that of the target has dots already.
    pub fn is_of_other_name(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        name.contains('.') && !self.asked.trim_end_matches('.').eq_ignore_ascii_case(name)
    }
}

/// An error for one kind of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfError {
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// `A` or `AAAA`.
    pub records: &'static str,
    /// The error: NXDOMAIN, or a failure.
    pub kind: AnswerKind,
}

/// What a name server's answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// It has addresses.
    Addresses,
    /// The name exists, without addresses.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// It answered with an error, or with nonsense.
    Failed(Code),
    /// Nothing came back (so far).
    Silent,
    /// It cannot be asked: this error number, at once.
    Unusable(i32),
}

/// A response code, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// As the server gave it (RFC 1035, 4.1.1).
    Rcode(ResponseCode),
    /// The reply could not be read.
    Unreadable,
    /// The reply is too long for a datagram, and TCP does not bring it.
    Truncated,
    /// It names other servers to ask, and does not ask them itself.
    Referral,
}

impl Code {
    fn name(self) -> String {
        match self {
            Code::Unreadable => "an unreadable reply".to_owned(),
            Code::Truncated => "a truncated reply".to_owned(),
            Code::Referral => "a referral".to_owned(),
            Code::Rcode(ResponseCode::ServFail) => "SERVFAIL".to_owned(),
            Code::Rcode(ResponseCode::Refused) => "REFUSED".to_owned(),
            Code::Rcode(ResponseCode::FormErr) => "FORMERR".to_owned(),
            Code::Rcode(ResponseCode::NotImp) => "NOTIMP".to_owned(),
            Code::Rcode(code) => format!("response code {}", u16::from(code)),
        }
    }
}

impl AnswerKind {
    /// Whether it says something about the name.
    pub fn is_answer(self) -> bool {
        matches!(
            self,
            AnswerKind::Addresses | AnswerKind::NoData | AnswerKind::NxDomain
        )
    }

    /// The outcome in a word or two.
    pub fn name(self) -> String {
        match self {
            AnswerKind::Addresses => "addresses".to_owned(),
            AnswerKind::NoData => "no address".to_owned(),
            AnswerKind::NxDomain => "NXDOMAIN".to_owned(),
            AnswerKind::Failed(code) => code.name(),
            AnswerKind::Silent => "no answer".to_owned(),
            AnswerKind::Unusable(errno) => errno_name(errno),
        }
    }
}

impl ServerAnswer {
    /// Whether it has addresses that getaddrinfo comes to. It asks for IPv4
    /// addresses first, and gives up where that question gets no answer; where
    /// the one for IPv6 addresses gets none, it goes on without.
    pub fn settles(&self) -> bool {
        self.outcome == AnswerKind::Addresses && !self.no_ipv4_answer
    }

    fn silent(server: SocketAddr, name: &str) -> Self {
        Self {
            server,
            outcome: AnswerKind::Silent,
            asked: name.to_owned(),
            tried: Vec::new(),
            addresses: Vec::new(),
            chain: Vec::new(),
            ttl: None,
            ipv4: AnswerKind::Silent,
            ipv6: None,
            half_silent: false,
            no_ipv4_answer: false,
            took: Duration::ZERO,
        }
    }

    /// The kind of records for which it returns an error although it has
    /// addresses of the other kind.
    pub fn half_error(&self) -> Option<HalfError> {
        let is_error = |kind| matches!(kind, AnswerKind::NxDomain | AnswerKind::Failed(_));
        match (self.ipv4, self.ipv6?) {
            (AnswerKind::Addresses, kind) if is_error(kind) => Some(HalfError {
                family: "IPv6",
                records: "AAAA",
                kind,
            }),
            (kind, AnswerKind::Addresses) if is_error(kind) => Some(HalfError {
                family: "IPv4",
                records: "A",
                kind,
            }),
            _ => None,
        }
    }

    /// The answer in a sentence: `10.0.0.1 says NXDOMAIN`.
    pub fn sentence(&self) -> String {
        let server = self.server.ip();
        match self.outcome {
            AnswerKind::Addresses => {
                let all: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
                let all = all.join(", ");
                match self.half_error() {
                    _ if self.no_ipv4_answer => format!(
                        "{server} returns {all} for IPv6, but does not answer the query for IPv4 addresses"
                    ),
                    Some(error) => format!(
                        "{server} returns {all}, but {} for {} addresses",
                        error.kind.name(),
                        error.family
                    ),
                    None => format!("{server} returns {all}"),
                }
            }
            AnswerKind::NoData => format!("{server} knows the name but has no address for it"),
            AnswerKind::NxDomain => format!("{server} answers that it does not exist"),
            AnswerKind::Failed(Code::Unreadable) => format!("{server} sends an unreadable reply"),
            AnswerKind::Failed(Code::Truncated) => {
                format!(
                    "{server} has an answer that is too long for UDP, and does not answer over TCP"
                )
            }
            AnswerKind::Failed(Code::Referral) => format!(
                "{server} only refers to other servers and does not resolve names for clients"
            ),
            AnswerKind::Failed(code) => format!("{server} returns {}", code.name()),
            AnswerKind::Silent => format!("{server} does not answer"),
            AnswerKind::Unusable(errno) => match errno {
                libc::ECONNREFUSED => format!("nothing is listening on {server}"),
                libc::ENETUNREACH | libc::EHOSTUNREACH => format!("no route to {server}"),
                errno => format!(
                    "{server} cannot be queried ({})",
                    io::Error::from_raw_os_error(errno)
                ),
            },
        }
    }
}

/// The answers as they come in.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Vec<ServerAnswer>>>);

impl Answers {
    fn lock(&self) -> MutexGuard<'_, Vec<ServerAnswer>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What is known now; a server that has not answered is silent so far.
    pub fn so_far(&self) -> Vec<ServerAnswer> {
        self.lock().clone()
    }
}

/// Asks every server at once, until `limit`; the answers fill in as they come.
/// Ends when all are in. The C library asks itself where none is configured.
pub async fn ask_all(answers: Answers, resolv: Arc<Resolv>, name: String, limit: Instant) {
    let mut servers = resolv.servers.clone();
    if servers.is_empty() {
        servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
    }
    *answers.lock() = servers
        .iter()
        .map(|server| ServerAnswer::silent(*server, &name))
        .collect();
    let candidates = Arc::new(resolv.candidates(&name));
    let mut tasks = tokio::task::JoinSet::new();
    for (at, server) in servers.into_iter().enumerate() {
        let (answers, resolv, candidates) = (
            answers.clone(),
            Arc::clone(&resolv),
            Arc::clone(&candidates),
        );
        tasks.spawn(async move {
            let publish = |answer: ServerAnswer| {
                if let Some(place) = answers.lock().get_mut(at) {
                    *place = answer;
                }
            };
            publish(ask_one(server, &resolv, &candidates, limit, &publish).await);
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Asks one server for one candidate after the other, as `res_search` does.
/// Addresses are published as soon as they are known: the question for the
/// other kind of address may never be answered.
async fn ask_one(
    server: SocketAddr,
    resolv: &Resolv,
    candidates: &[String],
    limit: Instant,
    publish: &(dyn Fn(ServerAnswer) + Sync),
) -> ServerAnswer {
    let started = Instant::now();
    let mut best: Option<ServerAnswer> = None;
    let mut tried = Vec::new();
    for candidate in candidates {
        let Some(name) = dns_name(candidate) else {
            continue;
        };
        tried.push(candidate.clone());
        // Should no answer come, this is the question that has none.
        publish(ServerAnswer {
            tried: tried.clone(),
            ..ServerAnswer::silent(server, candidate)
        });
        let early = |replies: &[Reply]| {
            let mut answer = judge(server, candidate, &name, replies);
            if answer.outcome == AnswerKind::Addresses {
                answer.took = started.elapsed();
                publish(answer);
            }
        };
        let replies = ask_name(server, resolv, &name, limit, &early).await;
        let mut answer = judge(server, candidate, &name, &replies);
        answer.took = started.elapsed();
        let certain = !matches!(
            answer.outcome,
            AnswerKind::NoData | AnswerKind::NxDomain | AnswerKind::Failed(_)
        );
        // A name without addresses outweighs one that does not exist, as in
        // res_search; an error outweighs both, since the name may be behind it.
        // An alias says more than no name at all.
        let weight = |answer: &ServerAnswer| (weight(answer.outcome), answer.chain.len());
        let better = match &best {
            None => true,
            Some(best) => weight(&answer) > weight(best),
        };
        if better || certain {
            best = Some(answer);
        }
        if certain {
            break;
        }
    }
    let mut answer = best.unwrap_or_else(|| ServerAnswer::silent(server, ""));
    answer.tried = tried;
    answer
}

fn weight(outcome: AnswerKind) -> u8 {
    match outcome {
        AnswerKind::NxDomain => 0,
        AnswerKind::NoData => 1,
        AnswerKind::Failed(_) => 2,
        AnswerKind::Silent => 3,
        AnswerKind::Unusable(_) => 4,
        AnswerKind::Addresses => 5,
    }
}

/// A name for the wire; `None` where it has no place there.
fn dns_name(name: &str) -> Option<Name> {
    let labels = name.trim_end_matches('.').split('.').map(str::as_bytes);
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Asks a server for both kinds of addresses of one full name.
async fn ask_name(
    server: SocketAddr,
    resolv: &Resolv,
    name: &Name,
    limit: Instant,
    early: &(dyn Fn(&[Reply]) + Sync),
) -> Vec<Reply> {
    let mut kinds = vec![RecordType::A];
    if !resolv.no_aaaa {
        kinds.push(RecordType::AAAA);
    }
    let questions: Vec<Message> = kinds
        .iter()
        .map(|kind| question(name, *kind, resolv.edns))
        .collect();
    if !resolv.tcp {
        return over_udp(server, &questions, limit, early).await;
    }
    let mut replies = Vec::new();
    for question in &questions {
        replies.push(over_tcp(server, question, limit).await);
        early(&replies);
    }
    replies
}

/// What the replies to both questions come to, and each by itself.
pub(crate) fn judge(
    server: SocketAddr,
    candidate: &str,
    name: &Name,
    replies: &[Reply],
) -> ServerAnswer {
    let mut answer = judge_together(server, candidate, name, replies);
    let alone = |reply| {
        let answer = judge_together(server, candidate, name, std::slice::from_ref(reply));
        answer.outcome
    };
    answer.ipv4 = replies.first().map_or(AnswerKind::Silent, alone);
    answer.ipv6 = replies.get(1).map(alone);
    answer
}

fn judge_together(
    server: SocketAddr,
    candidate: &str,
    name: &Name,
    replies: &[Reply],
) -> ServerAnswer {
    let mut answer = ServerAnswer::silent(server, candidate);
    let mut codes = Vec::new();
    let (mut referred, mut answered) = (false, false);
    for reply in replies {
        match reply {
            Reply::Read(message) if is_referral(message) => referred = true,
            Reply::Read(message) => {
                answered = true;
                codes.push(message.metadata.response_code);
                collect(message, name, &mut answer);
            }
            Reply::Silent => answer.half_silent = true,
            Reply::Unreadable | Reply::Truncated | Reply::Unusable(_) => {}
        }
    }
    answer.no_ipv4_answer = matches!(replies.first(), Some(Reply::Silent));
    let failure = codes
        .iter()
        .find(|code| !matches!(**code, ResponseCode::NoError | ResponseCode::NXDomain));
    let unusable = replies.iter().find_map(|reply| match reply {
        Reply::Unusable(errno) => Some(*errno),
        _ => None,
    });
    answer.outcome = if !answer.addresses.is_empty() {
        AnswerKind::Addresses
    } else if codes.contains(&ResponseCode::NXDomain) {
        AnswerKind::NxDomain
    } else if let Some(code) = failure {
        AnswerKind::Failed(Code::Rcode(*code))
    } else if replies.iter().any(|r| matches!(r, Reply::Unreadable)) {
        AnswerKind::Failed(Code::Unreadable)
    } else if replies.iter().any(|r| matches!(r, Reply::Truncated)) {
        AnswerKind::Failed(Code::Truncated)
    } else if referred && !answered {
        AnswerKind::Failed(Code::Referral)
    } else if answer.half_silent {
        AnswerKind::Silent
    } else if let Some(errno) = unusable {
        AnswerKind::Unusable(errno)
    } else {
        AnswerKind::NoData
    };
    answer
}

/// Whether a reply only names other servers, from a server that does not look
/// names up for others (RFC 1034, 4.3.1): it says nothing of the name.
fn is_referral(message: &Message) -> bool {
    let head = &message.metadata;
    let authorities = &message.authorities;
    let is = |kind| {
        authorities
            .iter()
            .any(|record| record.record_type() == kind)
    };
    head.response_code == ResponseCode::NoError
        && message.answers.is_empty()
        && !head.authoritative
        && !head.recursion_available
        && (is(RecordType::NS) || authorities.is_empty())
        && !is(RecordType::SOA)
}

/// Follows the CNAME chain in a reply and takes the addresses at its end.
fn collect(message: &Message, name: &Name, answer: &mut ServerAnswer) {
    let mut owner = name.clone();
    let mut chain = Vec::new();
    let mut ttl: Option<u32> = None;
    let mut least = |new: u32| ttl = Some(ttl.map_or(new, |old| old.min(new)));
    for _ in 0..LONGEST_CHAIN {
        let alias = message
            .answers
            .iter()
            .find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == owner => {
                    Some((target.0.clone(), record.ttl))
                }
                _ => None,
            });
        let Some((target, ttl)) = alias else {
            break;
        };
        least(ttl);
        let target_name = target.to_ascii().trim_end_matches('.').to_owned();
        let in_a_circle = chain.contains(&target_name);
        chain.push(target_name);
        owner = target;
        if in_a_circle {
            break;
        }
    }
    for record in message.answers.iter().filter(|r| r.name == owner) {
        let ip: IpAddr = match &record.data {
            RData::A(a) => a.0.into(),
            RData::AAAA(aaaa) => aaaa.0.into(),
            _ => continue,
        };
        least(record.ttl);
        if !answer.addresses.contains(&ip) {
            answer.addresses.push(ip);
        }
    }
    if chain.len() > answer.chain.len() {
        answer.chain = chain;
    }
    answer.ttl = match (answer.ttl, ttl) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::op::MessageType;
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::{A, CNAME};

    fn reply(code: ResponseCode, answers: Vec<Record>) -> Reply {
        let name = dns_name("db.test").unwrap();
        let mut message = question(&name, RecordType::A, false);
        message.metadata.message_type = MessageType::Response;
        message.metadata.recursion_available = true;
        message.metadata.response_code = code;
        message.add_answers(answers);
        Reply::Read(Box::new(message))
    }

    fn judged(replies: &[Reply]) -> ServerAnswer {
        let name = dns_name("db.test").unwrap();
        judge(([10, 0, 0, 1], 53).into(), "db.test", &name, replies)
    }

    #[test]
    fn a_chain_is_followed_to_its_addresses() {
        let alias = dns_name("real.test").unwrap();
        let answers = vec![
            Record::from_rdata(
                dns_name("DB.test").unwrap(),
                300,
                RData::CNAME(CNAME(alias.clone())),
            ),
            Record::from_rdata(alias, 60, RData::A(A::new(10, 0, 0, 7))),
            Record::from_rdata(
                dns_name("other.test").unwrap(),
                1,
                RData::A(A::new(10, 6, 6, 6)),
            ),
        ];
        let answer = judged(&[
            reply(ResponseCode::NoError, answers),
            reply(ResponseCode::NoError, vec![]),
        ]);
        assert_eq!(answer.outcome, AnswerKind::Addresses);
        assert_eq!(answer.addresses, [IpAddr::from([10, 0, 0, 7])]);
        assert_eq!(
            (answer.chain.as_slice(), answer.ttl),
            (["real.test".to_owned()].as_slice(), Some(60))
        );
    }

    #[test]
    fn a_referral_says_nothing_of_the_name() {
        let Reply::Read(mut message) = reply(ResponseCode::NoError, vec![]) else {
            return;
        };
        message.metadata.recursion_available = false;
        let replies = [Reply::Read(message.clone()), Reply::Read(message.clone())];
        let outcome = judged(&replies).outcome;
        assert_eq!(outcome, AnswerKind::Failed(Code::Referral));
        // The owner of a domain may say so without looking names up for others.
        message.metadata.authoritative = true;
        assert_eq!(judged(&[Reply::Read(message)]).outcome, AnswerKind::NoData);
    }

    #[test]
    fn half_an_answer_settles_it_only_if_it_is_the_first_half() {
        let v4 = RData::A(A::new(10, 0, 0, 7));
        let v6 = RData::AAAA("::1".parse::<std::net::Ipv6Addr>().unwrap().into());
        let with = |data| {
            let name = dns_name("db.test").unwrap();
            reply(
                ResponseCode::NoError,
                vec![Record::from_rdata(name, 60, data)],
            )
        };
        let empty = || reply(ResponseCode::NoError, vec![]);
        for (replies, settles) in [
            ([with(v4.clone()), Reply::Silent], true),
            ([with(v4), empty()], true),
            ([empty(), with(v6.clone())], true),
            ([Reply::Silent, with(v6)], false),
            ([empty(), Reply::Silent], false),
        ] {
            assert_eq!(judged(&replies).settles(), settles, "{replies:?}");
        }
    }

    #[test]
    fn outcomes_are_told_apart() {
        use ResponseCode::*;
        let empty = || reply(NoError, vec![]);
        for (replies, outcome) in [
            (vec![empty(), empty()], AnswerKind::NoData),
            (
                vec![reply(NXDomain, vec![]), Reply::Silent],
                AnswerKind::NxDomain,
            ),
            (vec![empty(), Reply::Silent], AnswerKind::Silent),
            (
                vec![reply(ServFail, vec![]), empty()],
                AnswerKind::Failed(Code::Rcode(ServFail)),
            ),
            (
                vec![Reply::Unreadable, Reply::Silent],
                AnswerKind::Failed(Code::Unreadable),
            ),
            (
                vec![Reply::Unusable(111), Reply::Unusable(111)],
                AnswerKind::Unusable(111),
            ),
        ] {
            assert_eq!(judged(&replies).outcome, outcome);
        }
    }
}
