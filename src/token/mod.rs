//! Tokens that are passed as a password: recognised and read without asking anyone.
//!
//! The kinds are `knowledge/tokens.tsv`, whose head explains the columns. What a token
//! says of itself (host, user, times) may be shown, the token and its pieces never.

mod aws;
mod fault;
mod given;
mod jwt;
mod rds;

use time::OffsetDateTime;

use crate::cause::config as cause;
use crate::config::Password;
use crate::config::ssh_config::pattern::pattern as glob;
use crate::finding::{Composed, Finding};
use crate::secret::Secret;
use crate::text::moment::date;

pub use fault::{Fault, Place, faults};
pub use given::Damage;

include!(concat!(env!("OUT_DIR"), "/tokens.rs"));

/// Fewer bytes are no token, and more than the server reads (`PG_MAX_AUTH_TOKEN_LENGTH`)
/// are not looked at.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=65_535;

/// The shortest part that is secret: an access key. Dates and the names of algorithms are
/// shorter.
const SHORTEST_PART: usize = 20;

/// How often one token may be encoded over another.
const LAYERS: usize = 4;

/// A row of the table of tokens.
#[derive(Debug)]
pub struct Kind {
    /// Its name with its article.
    pub called: &'static str,
    form: Form,
    /// The services, issuers or texts that tell it, with `*` and `?`.
    matches: &'static [&'static str],
    /// Whom it must be issued for; anyone where this is empty.
    audiences: &'static [&'static str],
    /// The claims that name the user.
    users: &'static [&'static str],
    /// Whose servers accept it as a password; nobody's where this is empty.
    providers: Option<&'static [&'static str]>,
}

impl Kind {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.called
            .split_once(' ')
            .map_or(self.called, |(_, name)| name)
    }
}

/// How a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Aws,
    Jwt,
    Text,
}

/// A token, and what is wrong with how it is written.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: &'static Kind,
    /// What it says of itself.
    pub claims: Claims,
    /// What became of it on its way here.
    pub damage: Vec<Damage>,
}

/// What a token says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The host that it was created for.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The region that it is signed for.
    pub region: Option<String>,
    /// What it allows: `connect`, `DbConnect`, `DbConnectAdmin`.
    pub action: Option<String>,
    /// The user's names.
    pub users: Vec<String>,
    /// Whom it is issued for.
    pub audiences: Vec<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Since when it is valid.
    pub from: Option<OffsetDateTime>,
    /// Until when.
    pub until: Option<OffsetDateTime>,
}

impl Claims {
    /// Host and port, as they are written.
    fn endpoint(&self) -> Option<String> {
        let host = self.host.as_ref()?;
        Some(match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        })
    }
}

/// The token that this password is; none where it is an ordinary one.
pub fn read(password: &Secret) -> Option<Token> {
    let given = password.expose();
    if !LENGTHS.contains(&given.len()) {
        return None;
    }
    let mut damage = Vec::new();
    let mut text = given.as_str().to_owned();
    for _ in 0..LAYERS {
        text = given::unwrapped(&text, &mut damage);
        if let Some(mut token) = of(&text, given.len()) {
            damage.append(&mut token.damage);
            token.damage = damage;
            return Some(token);
        }
        let (inner, layer) = given::inner(&text)?;
        damage.push(layer);
        text = inner;
    }
    None
}

/// The token in a text that has nothing around it. `length` is that of all that was
/// given.
fn of(text: &str, length: usize) -> Option<Token> {
    let kind = |form: Form, sign: &str| {
        KINDS
            .iter()
            .find(|row| row.form == form && row.matches.iter().any(|it| glob(it, sign)))
    };
    if let Some(read) = aws::read(text, length) {
        return Some(Token {
            kind: kind(Form::Aws, &read.service)?,
            claims: read.claims,
            damage: read.damage,
        });
    }
    if let Some(read) = jwt::read(text, length) {
        let issuer = read.text("iss");
        let kind = kind(Form::Jwt, issuer.as_deref().unwrap_or_default())?;
        let users = kind.users.iter().filter_map(|name| read.text(name));
        return Some(Token {
            kind,
            claims: Claims {
                users: users.collect(),
                audiences: read.audiences(),
                issuer,
                from: read.time("nbf"),
                until: read.time("exp"),
                ..Claims::default()
            },
            damage: read.damage,
        });
    }
    Some(Token {
        kind: kind(Form::Text, text)?,
        claims: Claims::default(),
        damage: Vec::new(),
    })
}

/// The parts of a password that is a token, each as secret as the whole: a peer may
/// repeat one of them alone. What it says of itself is not among them.
pub fn parts(password: &Secret) -> Vec<Secret> {
    let Some(token) = read(password) else {
        return Vec::new();
    };
    let claims = &token.claims;
    let names = claims.host.iter().chain(&claims.issuer);
    let names = names.chain(&claims.users).chain(&claims.audiences);
    let shown = |part: &str| {
        let mut names = names.clone();
        part.starts_with("X-Amz-") || names.any(|name| name.contains(part))
    };
    let whole = password.expose();
    let mut parts = std::collections::BTreeSet::new();
    let whole = whole.as_str();
    let mut text = whole.to_owned();
    for _ in 0..LAYERS {
        text = given::unwrapped(&text, &mut Vec::new());
        let of_part = |c: char| c.is_ascii_alphanumeric() || "-_%+/".contains(c);
        let all = text.split(|c| !of_part(c));
        let long = all.filter(|part| part.len() >= SHORTEST_PART && !shown(part));
        parts.extend(long.filter(|part| *part != whole).map(str::to_owned));
        // Each of them is looked for in every text that is shown: none too many.
        match given::inner(&text) {
            Some((inner, _)) if of(&text, whole.len()).is_none() => text = inner,
            _ => break,
        }
    }
    parts.into_iter().map(Secret::new).collect()
}

/// What the token is and what is wrong with it: `a JWT that expired 5 minutes ago`.
pub fn in_words(token: &Token, faults: &[Fault], now: OffsetDateTime) -> String {
    let clauses: Vec<String> = faults.iter().map(|fault| fault.clause(now)).collect();
    format!("{} that {}", token.kind.called, clauses.join(", and "))
}

/// A warning where the token cannot be accepted anywhere: it has expired, or is damaged.
pub fn doubt(password: &Password, now: OffsetDateTime) -> Option<Finding> {
    let token = read(&password.secret)?;
    let faults = fault::anywhere(&token, now);
    let first = faults.first()?;
    let finding = Finding::new(&cause::PASSWORD_TOKEN)
        .with("password_from", password.source.clone())
        .with("problem", first.id())
        .word("reason", Composed(in_words(&token, &faults, now)));
    Some(describe(finding, &token))
}

/// Adds what the token says of itself.
pub fn describe(finding: Finding, token: &Token) -> Finding {
    let Claims {
        region,
        users,
        audiences,
        issuer,
        from,
        until,
        ..
    } = &token.claims;
    let several = |values: &Vec<String>| (!values.is_empty()).then(|| values.clone());
    finding
        .with("token", token.kind.name())
        .with("token_endpoint", token.claims.endpoint())
        .with("token_region", region.clone())
        .with("token_user", several(users))
        .with("token_audience", several(audiences))
        .with("token_issuer", issuer.clone())
        .with("token_from", from.map(date))
        .with("token_until", until.map(date))
}

#[cfg(test)]
mod tests;
