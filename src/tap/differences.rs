//! What a client does otherwise than libpq with its own defaults, as far as it can matter.

use std::fmt;

use super::conversation::{
    ChannelBinding, Conversation, Encryption, EncryptionAnswer, Method, Phase,
};
use super::marks::Recognised;
use crate::client::driver::Driver;
use crate::client::pooler::{Pooler, Product, product};
use crate::client::{startup, statements};
use crate::text;

/// The pooler that is most often met, for whose rules a parameter is judged where it is not
/// known whether there is one.
const USUAL: &str = "PgBouncer";

/// Something that libpq does otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It logged in without asking for TLS: libpq asks unless sslmode is disable or allow.
    TlsNotAsked,
    /// The server refused TLS, and it logged in without: libpq does so too, but only up to
    /// sslmode=prefer.
    WentOnWithoutTls,
    /// Its ClientHello names no server: libpq names the host since 14, unless it is an address.
    NoServerName,
    /// The server offered channel binding, and it took the mechanism without: libpq takes it.
    NoChannelBinding,
    /// It sends a start-up parameter that libpq does not send of itself.
    Parameter {
        /// Its name, as it is sent.
        name: String,
        /// The pooler that refuses it: the one that is there, or the usual one.
        refused_by: Option<&'static str>,
        /// The line of the pooler's settings that lets it through.
        setting: Option<String>,
        /// What keeps the driver from sending it.
        cure: Option<&'static str>,
    },
    /// It names the statements that it prepares: libpq leaves that to the application.
    NamesStatements {
        /// The first name.
        name: String,
        /// The driver's setting that turns it off, and where that is written.
        cure: Option<(&'static str, &'static str)>,
        /// Whether the pooler that is there keeps them.
        pooler_keeps: Option<bool>,
    },
}

/// What libpq does otherwise, in the order of a connection. The client is the one that it was
/// taken for, the pooler the one that is known to answer.
pub fn differences(
    seen: &Conversation,
    client: Option<&Recognised>,
    pooler: Option<&Pooler>,
) -> Vec<Difference> {
    let driver = client.and_then(Recognised::driver);
    let mut found = Vec::new();
    found.extend(encryption(seen));
    found.extend(no_channel_binding(seen).then_some(Difference::NoChannelBinding));
    found.extend(parameters(seen, driver.as_ref(), pooler));
    found.extend(named_statements(seen, driver.as_ref(), pooler));
    found
}

fn encryption(seen: &Conversation) -> Option<Difference> {
    if let Some(hello) = &seen.client_hello {
        return (hello.server_name.is_none()).then_some(Difference::NoServerName);
    }
    // A request to cancel goes without TLS in older versions of libpq too.
    if seen.startup.is_none() || seen.phase == Phase::Gss {
        return None;
    }
    let refused = |request: &super::conversation::EncryptionRequest| {
        request.asked == Encryption::Tls && request.answer == Some(EncryptionAnswer::Refused)
    };
    let asked = seen.encryption.iter().any(|it| it.asked != Encryption::Gss);
    match asked {
        false => Some(Difference::TlsNotAsked),
        true => (seen.encryption.iter().any(refused)).then_some(Difference::WentOnWithoutTls),
    }
}

fn no_channel_binding(seen: &Conversation) -> bool {
    let offered = seen.login.asked.iter().any(|method| match method {
        Method::Sasl(mechanisms) => mechanisms.iter().any(|name| name.ends_with("-PLUS")),
        _ => false,
    });
    let used = matches!(seen.login.channel_binding, Some(ChannelBinding::Used(_)));
    offered && seen.login.mechanism.is_some() && !used
}

/// The parameters that libpq never sends unless it is told to.
fn parameters(
    seen: &Conversation,
    driver: Option<&Driver>,
    pooler: Option<&Pooler>,
) -> Vec<Difference> {
    const LIBPQS: [&str; 6] = [
        "user",
        "database",
        "application_name",
        "client_encoding",
        "replication",
        "options",
    ];
    let sent = seen.startup.iter().flat_map(|message| &message.parameters);
    let others = sent
        .map(|(name, _)| name.as_str())
        .filter(|name| !LIBPQS.contains(name) && !name.starts_with("_pq_."));
    let judge = pooler.and_then(|pooler| pooler.product).or(product(USUAL));
    others
        .map(|name| {
            let refused = judge.and_then(|judge| refusal(name, driver, judge));
            let (refused, by) = refused.unzip();
            Difference::Parameter {
                name: text::clean(name),
                refused_by: by,
                cure: refused.as_ref().and_then(|it| it.cure),
                setting: refused.and_then(|it| it.setting),
            }
        })
        .collect()
}

/// The refusal of this one parameter by this pooler.
fn refusal(
    name: &str,
    driver: Option<&Driver>,
    judge: &'static Product,
) -> Option<(startup::Refused, &'static str)> {
    // libpq has no parameters of its own that would be judged with it.
    let mut refused = startup::refused(&Driver::libpq(), &[name], judge)?;
    let own = driver.filter(|driver| {
        let own = startup::sent(driver);
        own.iter().any(|known| known.eq_ignore_ascii_case(name))
    });
    if let Some(of_driver) = own.and_then(|driver| startup::refused(driver, &[], judge)) {
        refused.cure = of_driver.cure;
    }
    Some((refused, judge.name))
}

fn named_statements(
    seen: &Conversation,
    driver: Option<&Driver>,
    pooler: Option<&Pooler>,
) -> Option<Difference> {
    let name = seen.statements.names.first()?;
    let unknown = Pooler {
        product: None,
        mode: None,
    };
    let clash = driver.and_then(|driver| statements::verdict(driver, &unknown));
    Some(Difference::NamesStatements {
        name: text::clean(name),
        cure: clash.map(|clash| (clash.cure, clash.place)),
        pooler_keeps: pooler
            .and_then(|pooler| pooler.product)
            .map(|product| product.keeps),
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsNotAsked => f.write_str("it does not ask for TLS; libpq does by default"),
            Self::WentOnWithoutTls => f.write_str(
                "it goes on without TLS where the server refuses it; libpq does so only up to \
                 sslmode=prefer",
            ),
            Self::NoServerName => f.write_str(
                "its ClientHello has no server name (SNI); libpq sends one unless host is an address",
            ),
            Self::NoChannelBinding => {
                f.write_str("it does not use the channel binding that the server offers; libpq does")
            }
            Self::Parameter {
                name, refused_by, ..
            } => {
                write!(f, "it sends the start-up parameter {name}; libpq does not")?;
                match refused_by {
                    Some(pooler) => write!(f, ", and {pooler} refuses it by default"),
                    None => Ok(()),
                }
            }
            Self::NamesStatements { name, .. } => write!(
                f,
                "it names the statements it prepares ({name}); libpq leaves that to the application"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::pooler::Mode;
    use crate::tap::conversation::{ClientHello, EncryptionRequest, Startup};
    use crate::tap::marks;

    fn starts(parameters: &str) -> Conversation {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "x"));
            (name.to_owned(), value.to_owned())
        };
        let mut seen = Conversation::new();
        seen.startup = Some(Startup {
            protocol: (3, 0),
            parameters: parameters.split("; ").map(pair).collect(),
        });
        seen
    }

    fn of(seen: &Conversation, pooler: Option<&Pooler>) -> Vec<Difference> {
        differences(seen, marks::recognise(seen).as_ref(), pooler)
    }

    fn tls(answer: EncryptionAnswer) -> EncryptionRequest {
        EncryptionRequest {
            asked: Encryption::Tls,
            answer: Some(answer),
        }
    }

    #[test]
    fn libpq_itself_has_none() {
        let mut seen = starts("user; database; application_name; client_encoding; options");
        seen.encryption = vec![tls(EncryptionAnswer::Accepted)];
        seen.client_hello = Some(ClientHello {
            server_name: Some("db.test".to_owned()),
            ..ClientHello::default()
        });
        assert_eq!(of(&seen, None), []);
        assert_eq!(of(&Conversation::new(), None), []);
    }

    #[test]
    fn encryption_is_told() {
        let mut seen = starts("user; database");
        assert_eq!(of(&seen, None), [Difference::TlsNotAsked]);
        // Asking for GSS encryption is not asking for TLS.
        seen.encryption = vec![EncryptionRequest {
            asked: Encryption::Gss,
            answer: Some(EncryptionAnswer::Refused),
        }];
        assert_eq!(of(&seen, None), [Difference::TlsNotAsked]);
        seen.encryption.push(tls(EncryptionAnswer::Refused));
        assert_eq!(of(&seen, None), [Difference::WentOnWithoutTls]);
        seen.client_hello = Some(ClientHello::default());
        assert_eq!(of(&seen, None), [Difference::NoServerName]);
    }

    #[test]
    fn channel_binding_is_missed_only_where_it_is_offered() {
        let mut seen = starts("user; database");
        seen.encryption = vec![tls(EncryptionAnswer::Refused)];
        seen.login.mechanism = Some("SCRAM-SHA-256".to_owned());
        seen.login.channel_binding = Some(ChannelBinding::Unsupported);
        let offers = |names: &[&str]| {
            vec![Method::Sasl(
                names.iter().map(|name| (*name).to_owned()).collect(),
            )]
        };
        seen.login.asked = offers(&["SCRAM-SHA-256"]);
        assert!(!of(&seen, None).contains(&Difference::NoChannelBinding));
        seen.login.asked = offers(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
        assert!(of(&seen, None).contains(&Difference::NoChannelBinding));
        seen.login.channel_binding = Some(ChannelBinding::Used("tls-server-end-point".to_owned()));
        assert!(!of(&seen, None).contains(&Difference::NoChannelBinding));
    }

    #[test]
    fn parameters_are_judged_by_the_pooler_that_is_there() {
        let refused = |seen: &Conversation, pooler: Option<&Pooler>| {
            let found = of(seen, pooler);
            let found = found.into_iter().filter_map(|it| match it {
                Difference::Parameter {
                    name,
                    refused_by,
                    cure,
                    ..
                } => Some((name, refused_by, cure.is_some())),
                _ => None,
            });
            found.collect::<Vec<_>>()
        };
        let sqlx = starts(
            "user; database; DateStyle=ISO, MDY; client_encoding=UTF8; TimeZone=UTC; \
             extra_float_digits=2",
        );
        let row = |name: &str, by, cure| (name.to_owned(), by, cure);
        let usual = [
            row("DateStyle", None, false),
            row("TimeZone", None, false),
            row("extra_float_digits", Some("PgBouncer"), true),
        ];
        assert_eq!(refused(&sqlx, None), usual);
        let neon = Pooler {
            product: product("Neon's pooler"),
            mode: Some(Mode::Transaction),
        };
        assert!(
            refused(&sqlx, Some(&neon))
                .iter()
                .all(|(_, by, _)| by.is_none())
        );
        let other = starts("user; database; search_path; statement_timeout");
        let by = |name: &'static str| Some(name);
        assert_eq!(
            refused(&other, Some(&neon)),
            [
                row("search_path", by("Neon's pooler"), false),
                row("statement_timeout", by("Neon's pooler"), false)
            ]
        );
    }

    #[test]
    fn named_statements_have_the_drivers_cure() {
        let mut seen = starts("client_encoding='utf-8'; user; database");
        seen.statements.names = vec!["__asyncpg_stmt_1__".to_owned()];
        let found = of(&seen, None).into_iter().find_map(|it| match it {
            Difference::NamesStatements { cure, .. } => cure,
            _ => None,
        });
        assert_eq!(found.map(|(cure, _)| cure), Some("statement_cache_size=0"));
        // Of a client that nobody knows, there is none.
        let mut seen = starts("user; database; my.setting");
        seen.statements.names = vec!["mine".to_owned()];
        let found = of(&seen, None);
        assert!(found.contains(&Difference::NamesStatements {
            name: "mine".to_owned(),
            cure: None,
            pooler_keeps: None,
        }));
    }
}
