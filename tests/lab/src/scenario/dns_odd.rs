//! Name servers whose answers are unusual in form: what the C library makes of them decides.

use std::net::Ipv4Addr;

use anyhow::Result;

use super::dns::{NAME, Responder, quiet, reachable};
use crate::{Case, Conn, Expect, Lab, Need, Scenario};

/// The name of the question, as a record refers to it.
pub(super) const ASKED: &[u8] = &[0xc0, 12];

/// A question, cut into what replies need.
pub(super) struct Question<'a> {
    /// Header and question, without what follows them.
    pub(super) whole: &'a [u8],
    /// Whether it is for IPv6 addresses.
    ipv6: bool,
    /// Whether it announces EDNS (RFC 6891).
    edns: bool,
}

impl<'a> Question<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let end = 12 + bytes.get(12..)?.iter().position(|b| *b == 0)? + 5;
        Some(Question {
            whole: bytes.get(..end)?,
            ipv6: bytes.get(end - 4..end - 2)? == [0, 28],
            edns: bytes.len() > end,
        })
    }

    /// A reply with these flags (the header's third and fourth byte), answers and authorities.
    pub(super) fn reply(
        &self,
        flags: [u8; 2],
        answers: &[Vec<u8>],
        authorities: &[Vec<u8>],
    ) -> Vec<u8> {
        let mut reply = self.whole.to_vec();
        let count = |records: &[Vec<u8>]| (records.len() as u16).to_be_bytes();
        let counts = [[0, 1], count(answers), count(authorities), [0, 0]].concat();
        reply[2..4].copy_from_slice(&flags);
        reply[4..12].copy_from_slice(&counts);
        reply.extend(answers.concat());
        reply.extend(authorities.concat());
        reply
    }

    /// An ordinary reply: these answers for IPv4, nothing for IPv6.
    fn ordinary(&self, answers: &[Vec<u8>]) -> Vec<u8> {
        let answers = if self.ipv6 { &[] } else { answers };
        self.reply(RECURSIVE, answers, &[])
    }
}

/// A reply of a server that looks names up for others.
const RECURSIVE: [u8; 2] = [0x81, 0x80];

pub(super) fn record(owner: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend([0, kind, 0, 1, 0, 0, 0, 60]);
    record.extend((data.len() as u16).to_be_bytes());
    record.extend(data);
    record
}

fn address(owner: &[u8], ip: Ipv4Addr) -> Vec<u8> {
    record(owner, 1, &ip.octets())
}

/// A name on the wire.
pub(super) fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(label.len() as u8);
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// A case with a name server that says this about a name, and `options` in `resolv.conf`. Its
/// answer may lead to the server at the address that it is given.
pub(super) fn says(
    lab: &Lab,
    options: &str,
    reply: impl Fn(&Question, Ipv4Addr) -> Vec<Vec<u8>> + Send + 'static,
) -> Result<Case> {
    let (ns, door, conn) = reachable(lab)?;
    let ip: Ipv4Addr = ns.host_ip().parse()?;
    let server = Responder::start(&ns.host_ip(), move |bytes| {
        Question::read(bytes)
            .map(|question| reply(&question, ip))
            .unwrap_or_default()
    })?;
    ns.resolv_conf(&format!(
        "nameserver {ip}\noptions timeout:1 attempts:1 {options}\n"
    ))?;
    Ok(Case::check(conn)
        .password(lab.password())
        .keep((server, door))
        .netns(ns))
}

/// Odd answers.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "dns-odd-id",
        "a reply with another question's number comes first",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = says(lab, "", |question, ip| {
                let mut forged = question.ordinary(&[address(ASKED, [192, 0, 2, 66].into())]);
                forged[0] ^= 1;
                vec![forged, question.ordinary(&[address(ASKED, ip)])]
            })?;
            Ok(quiet(case))
        },
    ),
    Scenario::new(
        "dns-odd-large",
        "a datagram of more than 4096 bytes",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = says(lab, "", |question, ip| {
                let mut answers = vec![address(ASKED, ip)];
                answers.extend((0..300).map(|_| record(ASKED, 16, b"\x03txt")));
                vec![question.ordinary(&answers)]
            })?;
            Ok(quiet(case))
        },
    ),
    Scenario::new(
        "dns-odd-chain",
        "an alias of an alias, 24 times",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = says(lab, "", |question, ip| {
                let mut owner = ASKED.to_vec();
                let mut answers = Vec::new();
                for n in 0..24 {
                    let target = wire(&format!("c{n}.corp.test"));
                    answers.push(record(&owner, 5, &target));
                    owner = target;
                }
                answers.push(address(&owner, ip));
                vec![question.ordinary(&answers)]
            })?;
            Ok(quiet(case))
        },
    ),
    Scenario::new(
        "dns-odd-additional",
        "an additional record that cannot be read, which nobody needs",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = says(lab, "", |question, ip| {
                let mut reply = question.ordinary(&[address(ASKED, ip)]);
                reply[11] = 1;
                reply.extend([0xc0, 0xff, 0, 1]);
                vec![reply]
            })?;
            Ok(quiet(case))
        },
    ),
    Scenario::new(
        "dns-odd-circle",
        "two aliases that lead to each other",
        Expect::Fail("dns.no-address"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            says(lab, "", |question, _| {
                let other = wire("b.corp.test");
                let answers = [record(ASKED, 5, &other), record(&other, 5, ASKED)];
                vec![question.reply(RECURSIVE, &answers, &[])]
            })
        },
    ),
    Scenario::new(
        "dns-odd-alias",
        "an alias for a name that does not exist",
        Expect::Fail("dns.nxdomain"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = says(lab, "", |question, _| {
                let alias = record(ASKED, 5, &wire("gone.corp.test"));
                vec![question.reply([0x81, 0x83], &[alias], &[])]
            })?;
            Ok(case.assert(|report| {
                let fix = report["verdict"]["fixes"][0]["text"].as_str();
                anyhow::ensure!(
                    fix.is_some_and(|fix| fix.contains("alias (CNAME record) for gone.corp.test")),
                    "the alias is not named: {fix:?}"
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-odd-referral",
        "a name server that knows its own domains alone, and names others to ask",
        Expect::Fail("dns.server-failure"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            says(lab, "", |question, _| {
                let authority = record(&wire("corp.test"), 2, &wire("ns.corp.test"));
                vec![question.reply([0x81, 0], &[], &[authority])]
            })
        },
    ),
    Scenario::new(
        "dns-odd-cut",
        "a truncated answer, and nobody listens on TCP",
        Expect::Fail("dns.server-failure"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            says(lab, "", |question, ip| {
                let mut reply = question.ordinary(&[address(ASKED, ip)]);
                reply[2] |= 2;
                vec![reply]
            })
        },
    ),
    Scenario::new(
        "dns-odd-edns",
        "a name server that does not understand EDNS, which resolv.conf asks for",
        Expect::Fail("dns.server-failure"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            says(lab, "edns0", |question, ip| {
                vec![match question.edns {
                    true => question.reply([0x81, 0x81], &[], &[]),
                    false => question.ordinary(&[address(ASKED, ip)]),
                }]
            })
        },
    ),
    Scenario::new(
        "dns-odd-edns-fine",
        "a name server that does not understand EDNS, which nobody asks for",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = says(lab, "", |question, ip| {
                vec![match question.edns {
                    true => question.reply([0x81, 0x81], &[], &[]),
                    false => question.ordinary(&[address(ASKED, ip)]),
                }]
            })?;
            Ok(quiet(case))
        },
    ),
    Scenario::new(
        "dns-odd-blocked",
        "a DNS filter answers with 0.0.0.0",
        Expect::Fail("tcp.refused"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let server = Responder::start(&ns.host_ip(), |bytes| {
                let question = Question::read(bytes);
                let blocked = address(ASKED, Ipv4Addr::UNSPECIFIED);
                question
                    .map(|question| question.ordinary(&[blocked]))
                    .into_iter()
                    .collect()
            })?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn).keep(server).netns(ns).assert(|report| {
                let fix = report["verdict"]["fixes"][0]["text"].as_str();
                anyhow::ensure!(
                    fix.is_some_and(|fix| fix.contains("DNS filter")),
                    "the filter is not suspected: {fix:?}"
                );
                Ok(())
            }))
        },
    ),
];
