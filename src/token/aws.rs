//! Tokens that are a request to AWS, signed in its URL (Signature Version 4):
//! `HOST:PORT/?Action=connect&DBUser=…&X-Amz-…=…&X-Amz-Signature=…`.

use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::Claims;
use super::given::{Damage, percent_decoded};
use super::rds::RdsName;

/// What RDS and Aurora DSQL let a token do.
const ACTIONS: [&str; 3] = ["connect", "DbConnect", "DbConnectAdmin"];

/// What every signed URL has, the signature last.
const PARAMETERS: [&str; 6] = [
    "Action",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
];

/// The hexadecimal digits of HMAC-SHA256.
const SIGNATURE: usize = 64;

/// Seconds that a token is valid where it does not say.
const EXPIRES: i64 = 900;

/// A signed URL.
pub struct SignedUrl {
    /// The service that it is signed for.
    pub service: String,
    /// What it says of itself.
    pub claims: Claims,
    /// What is wrong with it.
    pub damage: Vec<Damage>,
}

/// Reads a signed URL; none where the text is none. `length` is that of all that was
/// given.
pub fn read(text: &str, length: usize) -> Option<SignedUrl> {
    let mut damage = Vec::new();
    let mut text = text.to_owned();
    for escape in ["&amp;", "\\u0026", "\\&"] {
        if text.contains(escape) {
            text = text
                .replace(escape, "&")
                .replace("\\?", "?")
                .replace("\\=", "=");
            damage.push(Damage::Escaped(escape));
        }
    }
    if let Some(rest) = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
    {
        damage.push(Damage::Scheme);
        text = rest.to_owned();
    }
    let (place, query) = match text.split_once('?') {
        Some((place, query)) => (place.trim_end_matches('/'), query),
        None => ("", text.as_str()),
    };
    let pairs: Vec<(&str, &str)> = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let raw = |name: &str| {
        let found = pairs.iter().find(|(n, _)| n.trim() == name);
        found.map(|(_, value)| *value)
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (place, None),
    };
    let signed = pairs
        .iter()
        .any(|(name, _)| name.trim().starts_with("X-Amz-"));
    let acts = raw("Action").is_some_and(|action| {
        let of_aws = RdsName::of(host).is_some() || is_dsql(host);
        of_aws || (!place.is_empty() && ACTIONS.contains(&action))
    });
    if !signed && !acts {
        return None;
    }

    if query.contains(['\n', '\r', '\t']) {
        damage.push(Damage::Broken);
    }
    let value = |name: &str| {
        let value: String = raw(name)?.split_whitespace().collect();
        let once = percent_decoded(&value);
        Some(match once.contains('%') {
            true => percent_decoded(&once),
            false => once,
        })
    };
    if pairs.iter().any(|(_, value)| value.contains("%25")) {
        damage.push(Damage::Percent);
    }
    let session = raw("X-Amz-Security-Token").unwrap_or_default();
    if session.contains('+') || query.contains(' ') {
        damage.push(Damage::Decoded);
    }
    let credential = value("X-Amz-Credential").unwrap_or_default();
    let scope: Vec<&str> = credential.split('/').collect();
    let action = value("Action");
    let service = match (scope.get(3), action.as_deref()) {
        (Some(service), _) if scope.len() > 4 => (*service).to_owned(),
        (_, Some("DbConnect" | "DbConnectAdmin")) => "dsql".to_owned(),
        _ => "rds-db".to_owned(),
    };
    lacking(&raw, place, &service, length, &mut damage);

    let from = value("X-Amz-Date").and_then(|date| moment(&date));
    let expires = value("X-Amz-Expires").map_or(Some(EXPIRES), |text| text.parse().ok());
    let expires = expires.filter(|seconds| (0..=604_800).contains(seconds));
    let until = from
        .zip(expires)
        .map(|(from, s)| from + Duration::seconds(s));
    Some(SignedUrl {
        service,
        claims: Claims {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
            region: scope.get(2).map(|region| (*region).to_owned()),
            action,
            users: value("DBUser").into_iter().collect(),
            from,
            until,
            ..Claims::default()
        },
        damage,
    })
}

/// What of a signed URL is missing.
fn lacking<'a>(
    raw: &impl Fn(&str) -> Option<&'a str>,
    place: &str,
    service: &str,
    length: usize,
    damage: &mut Vec<Damage>,
) {
    if place.is_empty() {
        damage.push(Damage::Cut("its beginning, with the host,", length));
    }
    let Some(signature) = raw("X-Amz-Signature") else {
        damage.push(Damage::Cut("its signature", length));
        return;
    };
    let user = (service == "rds-db").then_some("DBUser");
    let wanted = PARAMETERS.into_iter().chain(user);
    if let Some(name) = wanted.into_iter().find(|name| raw(name).is_none()) {
        damage.push(Damage::Lacks(name));
    }
    let digits = signature.trim_start();
    let has = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    let rest = digits.len() > has;
    if has > SIGNATURE || (has == SIGNATURE && rest) {
        damage.push(Damage::Tail);
    } else if has < SIGNATURE {
        damage.push(Damage::Short {
            has,
            wants: SIGNATURE,
            length,
        });
    }
}

/// Whether this is an endpoint of Aurora DSQL.
pub fn is_dsql(host: &str) -> bool {
    dsql_region(host).is_some()
}

/// The region of an endpoint of Aurora DSQL: `ID.dsql.REGION.on.aws`.
pub fn dsql_region(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.strip_suffix(".on.aws")?.split('.').collect();
    match labels.as_slice() {
        [_, service, region] if service.starts_with("dsql") => Some((*region).to_owned()),
        _ => None,
    }
}

/// `20260101T123000Z`.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = PrimitiveDateTime::parse(text, format).ok()?;
    Some(at.assume_utc())
}
