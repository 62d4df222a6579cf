//! What is wrong with a token for this server, as far as it can be told without asking
//! anyone.

use time::{Duration, OffsetDateTime};

use super::aws::{dsql_region, is_dsql};
use super::given::Damage;
use super::rds::RdsName;
use super::{Claims, KINDS, Token};
use crate::text::moment::{date, span};

/// PostgreSQL's and RDS's.
const DEFAULT_PORT: u16 = 5432;

/// How far the clocks of issuers and servers may differ.
const SKEW: Duration = Duration::minutes(5);

/// Where the token is sent.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The host, as the target has it.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The role.
    pub user: &'a str,
    /// Whether the address is this machine's, so that a tunnel or a proxy may be there.
    pub local: bool,
    /// Who runs the server, where that is known.
    pub provider: Option<&'a str>,
}

impl Place<'_> {
    /// The region of the host, where its name has one.
    fn region(&self) -> Option<String> {
        RdsName::of(self.host)
            .map(|name| name.region)
            .or_else(|| dsql_region(self.host))
    }

    /// What a token for this place must say: host, port and region. Behind an alias or
    /// a tunnel they are those of the token, whose host is not.
    pub fn wants(&self, claims: &Claims) -> (Option<String>, Option<u16>, Option<String>) {
        let endpoint = |host: &str| RdsName::of(host).is_some() || is_dsql(host);
        let theirs = claims.host.clone().filter(|host| endpoint(host));
        match endpoint(self.host) {
            true => {
                // A tunnel has a port of its own; the server's is not known here.
                let port = match self.local {
                    true => claims.port.filter(|port| *port != self.port),
                    false => Some(self.port),
                };
                let port = port.unwrap_or(DEFAULT_PORT);
                (Some(self.host.to_owned()), Some(port), self.region())
            }
            false => {
                let region = theirs.as_deref().and_then(|host| {
                    let of_rds = RdsName::of(host).map(|name| name.region);
                    of_rds.or_else(|| dsql_region(host))
                });
                (
                    theirs,
                    claims.port,
                    region.or_else(|| claims.region.clone()),
                )
            }
        }
    }
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// How it is written.
    Damaged(Damage),
    /// It is past its time.
    Expired(OffsetDateTime),
    /// It is of the future.
    Early(OffsetDateTime),
    /// Nobody's server accepts such a token.
    Unusable,
    /// This provider's servers do not.
    Kind(String),
    /// It is issued for others: for whom, and for whom it should be.
    Audience(String, &'static str),
    /// It allows another thing than this role needs.
    Action(String),
    /// It is for another host.
    Host(String),
    /// It is for a name that is no endpoint, which RDS does not accept.
    Alias(String),
    /// It is signed for this region, and the host is in that one.
    Region(String, String),
    /// It is for this port.
    Port(u16),
    /// It is for the port of this end of a tunnel, which is hardly the server's.
    TunnelPort(u16),
    /// It is for this role.
    User(String),
}

impl Fault {
    /// Its name in reports.
    pub fn id(&self) -> &'static str {
        match self {
            Fault::Damaged(_) => "damaged",
            Fault::Expired(_) => "expired",
            Fault::Early(_) => "not yet valid",
            Fault::Unusable | Fault::Kind(_) => "kind",
            Fault::Audience(..) => "audience",
            Fault::Action(_) => "action",
            Fault::Host(_) | Fault::Alias(_) => "host",
            Fault::Region(..) => "region",
            Fault::Port(_) | Fault::TunnelPort(_) => "port",
            Fault::User(_) => "user",
        }
    }

    /// The words behind `a token that`.
    pub fn clause(&self, now: OffsetDateTime) -> String {
        let clean = crate::text::clean;
        match self {
            Fault::Damaged(damage) => damage.clause(),
            Fault::Expired(at) => format!("expired {} ago ({})", span(now - *at), date(*at)),
            Fault::Early(from) => format!(
                "is not valid until {} ({} from now)",
                date(*from),
                span(*from - now)
            ),
            Fault::Unusable => "no PostgreSQL server accepts as a password".to_owned(),
            Fault::Kind(provider) => format!("{provider} does not accept"),
            Fault::Audience(given, wanted) => {
                format!("was issued for {}, not for {wanted}", clean(given))
            }
            Fault::Action(action) => format!("allows only {}", clean(action)),
            Fault::Host(host) => format!("was created for {}", clean(host)),
            Fault::Alias(host) => format!(
                "was created for {}, which is not the name of an RDS endpoint",
                clean(host)
            ),
            Fault::Region(given, wanted) => format!(
                "is signed for region {}, but the host is in {}",
                clean(given),
                clean(wanted)
            ),
            Fault::Port(port) => format!("was created for port {port}"),
            Fault::TunnelPort(port) => format!(
                "was created for port {port}, which is the local end of a tunnel, and not for the \
                 server's own port"
            ),
            Fault::User(user) => format!("was created for role {}", clean(user)),
        }
    }
}

/// Everything that is wrong with a token there, the most certain first. A token that
/// has none of it may still be refused: its signature and the rights of who created it
/// are known to the issuer alone.
pub fn faults(token: &Token, place: &Place<'_>, now: OffsetDateTime) -> Vec<Fault> {
    let claims = &token.claims;
    let (unsure, mut faults): (Vec<Fault>, Vec<Fault>) = anywhere(token, now)
        .into_iter()
        .partition(|fault| matches!(fault, Fault::Damaged(Damage::Short { .. })));
    faults.extend(kind(token, place));
    faults.extend(audience(token));
    if token.kind.name() == "Aurora DSQL token" {
        faults.extend(of_dsql(claims, place));
    }
    if token.kind.name() == "RDS IAM token" {
        faults.extend(of_rds(claims, place));
    }
    faults.extend(unsure);
    faults.extend(tunnel_port(token, place).map(Fault::TunnelPort));
    faults
}

/// The port that a token of RDS is for, where it is that of a tunnel's end here. The
/// server may have the same one, but hardly if it is not RDS's default.
fn tunnel_port(token: &Token, place: &Place<'_>) -> Option<u16> {
    let port = token.claims.port?;
    let of_rds = token.kind.name() == "RDS IAM token" && RdsName::of(place.host).is_some();
    (of_rds && place.local && port == place.port && port != DEFAULT_PORT).then_some(port)
}

/// What is wrong with it wherever it is sent.
pub fn anywhere(token: &Token, now: OffsetDateTime) -> Vec<Fault> {
    let damage = token.damage.iter().copied().map(Fault::Damaged);
    let until = token.claims.until.filter(|until| *until <= now);
    let from = token.claims.from.filter(|from| *from > now + SKEW);
    damage
        .chain(until.map(Fault::Expired))
        .chain(from.map(Fault::Early))
        .collect()
}

/// Whether the server accepts another kind of token, or none.
fn kind(token: &Token, place: &Place<'_>) -> Option<Fault> {
    let accepted = token.kind.providers;
    if accepted.is_some_and(<[_]>::is_empty) {
        return Some(Fault::Unusable);
    }
    let provider = place.provider?;
    let refuses = match accepted {
        Some(providers) => !providers.contains(&provider),
        // What is issued by others is for those who accept no token of their own.
        None => KINDS
            .iter()
            .any(|row| row.providers.is_some_and(|own| own.contains(&provider))),
    };
    refuses.then(|| Fault::Kind(provider.to_owned()))
}

fn audience(token: &Token) -> Option<Fault> {
    let wanted = token.kind.audiences;
    let is_wanted = |audience: &String| wanted.contains(&audience.trim_end_matches('/'));
    let given = &token.claims.audiences;
    let first = given.first()?;
    let other = !wanted.is_empty() && !given.iter().any(is_wanted);
    other.then(|| Fault::Audience(first.clone(), wanted.first().copied().unwrap_or_default()))
}

/// `admin` logs in with `DbConnectAdmin`, every other role with `DbConnect`.
fn of_dsql(claims: &Claims, place: &Place<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let admin = place.user == "admin";
    let action = claims.action.as_deref();
    let fits = action.is_none_or(|action| (action == "DbConnectAdmin") == admin);
    if let (false, Some(action)) = (fits, action) {
        faults.push(Fault::Action(action.to_owned()));
    }
    let Some(host) = &claims.host else {
        return faults;
    };
    if is_dsql(place.host) && !same_name(host, place.host) {
        faults.push(Fault::Host(host.clone()));
    } else {
        faults.extend(region(claims, dsql_region(host)));
    }
    faults
}

/// Host and port are signed, and must be those of the endpoint.
fn of_rds(claims: &Claims, place: &Place<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(host) = &claims.host {
        let (theirs, ours) = (RdsName::of(host), RdsName::of(place.host));
        match (&theirs, &ours) {
            (None, _) => faults.push(Fault::Alias(host.clone())),
            (Some(theirs), Some(ours)) if !theirs.may_be(ours) => {
                faults.push(Fault::Host(host.clone()));
            }
            (Some(theirs), _) => faults.extend(region(claims, Some(theirs.region.clone()))),
        }
        if let (Some(port), Some(theirs), Some(ours)) = (claims.port, &theirs, &ours)
            && theirs.may_be(ours)
            && port != place.port
            && !place.local
        {
            faults.push(Fault::Port(port));
        }
    }
    if let Some(user) = claims.users.first()
        && user != place.user
    {
        faults.push(Fault::User(user.clone()));
    }
    faults
}

fn region(claims: &Claims, wanted: Option<String>) -> Option<Fault> {
    let (given, wanted) = (claims.region.as_ref()?, wanted?);
    (*given != wanted).then(|| Fault::Region(given.clone(), wanted))
}

fn same_name(a: &str, b: &str) -> bool {
    let name = |host: &str| host.trim_end_matches('.').to_ascii_lowercase();
    name(a) == name(b)
}
