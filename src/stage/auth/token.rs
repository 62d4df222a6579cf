//! Where the login is refused and the password is a token: what is wrong with it.

use time::OffsetDateTime;

use crate::cause::{auth, family};
use crate::finding::{Composed, Finding};
use crate::provider;
use crate::secret::Secret;
use crate::token::{self, Fault, Place, Token};
use crate::wire::{Address, Route};

use super::context::LoginContext;

/// What else is known of a refusal whose password is a token. A fault of the token is
/// the cause; of one without a fault the evidence tells what it is.
pub fn weigh(
    finding: Finding,
    password: Option<&Secret>,
    s: &LoginContext<'_>,
    now: OffsetDateTime,
) -> Finding {
    let Some(token) = password.and_then(token::read) else {
        return finding;
    };
    if finding.cause.is_of(family::AUTH_HBA) {
        return token::describe(finding, &token);
    }
    if !refuses_the_password(&finding, s) {
        return finding;
    }
    let place = Place {
        host: &s.endpoint.host,
        port: s.endpoint.port,
        user: &s.target.user,
        local: is_local(s.route),
        provider: provider::named(&s.endpoint.host, &finding),
    };
    let faults = token::faults(&token, &place, now);
    let finding = match faults.first() {
        None if finding.cause == &auth::PASSWORD_WRONG => finding.fix(
            format!(
                "Check that {} is set up for logins of {} with a token: the password is a token \
                 without a visible fault ({}), and the server may be comparing it with a stored \
                 password.",
                s.endpoint.label(),
                s.target.user,
                token.kind.name()
            ),
            None,
        ),
        None => finding,
        Some(first) => faulty(&token, first, &faults, s, now).with_evidence_of(finding),
    };
    let (host, port, region) = place.wants(&token.claims);
    let is_ours = |user: &String| user.eq_ignore_ascii_case(place.user);
    let users = &token.claims.users;
    let other = users.first().filter(|_| !users.iter().any(is_ours));
    token::describe(finding, &token)
        .word("token_host_wanted", host)
        .word("token_port_wanted", port)
        .word("token_region_wanted", region)
        .word("token_other_user", other.cloned())
}

/// Whether it is our password that the server does not accept.
fn refuses_the_password(finding: &Finding, s: &LoginContext<'_>) -> bool {
    let causes = [
        &auth::PASSWORD_WRONG,
        &auth::PASSWORD_TOKEN,
        &auth::PAM,
        &auth::LDAP,
        &auth::RADIUS,
    ];
    let text = |name: &str| finding.evidence.get(name).and_then(|value| value.as_str());
    // A class of its own in the standard: "invalid authorization specification".
    let unknown = finding.cause == &auth::UNCLASSIFIED
        && text("sqlstate").is_some_and(|code| code.starts_with("28"));
    let of_pooler = text("password_from") == Some("the pooler's own configuration");
    s.exchange.password_used && !of_pooler && (finding.cause.is_any(&causes) || unknown)
}

/// Whether the address is this machine's.
fn is_local(route: &Route) -> bool {
    match route {
        Route::Direct(Address::Tcp(address)) => address.ip().is_loopback(),
        _ => false,
    }
}

/// The finding about a token with these faults.
fn faulty(
    token: &Token,
    first: &Fault,
    faults: &[Fault],
    s: &LoginContext<'_>,
    now: OffsetDateTime,
) -> Finding {
    let further: Vec<&'static str> = faults.iter().skip(1).map(Fault::id).collect();
    let words = |is: fn(&Fault) -> bool| {
        let of_it = faults.iter().find(|fault| is(fault));
        of_it.map(|fault| Composed(fault.clause(now)))
    };
    let mismatch = faults.iter().find_map(|fault| match fault {
        Fault::Damaged(_) | Fault::Expired(_) | Fault::Early(_) => None,
        Fault::Unusable | Fault::Kind(_) => Some(format!("is {}", token.kind.called)),
        other => Some(other.clause(now)),
    });
    let limit = faults.iter().find_map(|fault| match fault {
        Fault::Damaged(damage) => damage.limit(),
        _ => None,
    });
    s.finding(&auth::PASSWORD_TOKEN)
        .with("problem", first.id())
        .with("further_problems", (!further.is_empty()).then_some(further))
        .with("limit", limit)
        .word(
            "reason",
            Composed(format!("it is {}", token::in_words(token, faults, now))),
        )
        .word(
            "damage",
            words(|fault| fault.id() == "damaged").filter(|_| first.id() == "damaged"),
        )
        .word("expired", words(|fault| fault.id() == "expired"))
        .word("early", words(|fault| fault.id() == "not yet valid"))
        .word("mismatch", mismatch.map(Composed))
}
