//! Published ports (Docker documentation, "Services top-level element", ports).

use serde_json::Value;

/// A TCP port of a container, published on the machine that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The container's port.
    pub target: u16,
    /// The published one; none where it is chosen when the container starts.
    pub port: Option<u16>,
    /// The address that it is bound to; none for all.
    pub address: Option<String>,
}

/// Reads a service's `ports`; none where one of them cannot be told.
pub fn read(list: &Value, interpolated: &dyn Fn(&str) -> Option<String>) -> Option<Vec<Published>> {
    let text = |value: &Value| match value {
        Value::String(text) => interpolated(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut all = Vec::new();
    for entry in list.as_array()? {
        all.extend(match entry {
            Value::Object(fields) => {
                let field = |name| match fields.get(name) {
                    None | Some(Value::Null) => Some(String::new()),
                    Some(value) => text(value),
                };
                let (published, target) = (field("published")?, field("target")?);
                let protocol = field("protocol")?;
                mapped(&field("host_ip")?, &published, &target, &protocol)?
            }
            short => of_short(&text(short)?)?,
        });
    }
    Some(all)
}

/// `[[ADDRESS:]PUBLISHED:]CONTAINER[/PROTOCOL]`.
fn of_short(text: &str) -> Option<Vec<Published>> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, ""));
    let (outside, target) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (address, published) = outside.rsplit_once(':').unwrap_or(("", outside));
    let address = address.trim_matches(['[', ']']);
    mapped(address, published, target, protocol)
}

/// Ports, or ranges of them. A range for a single port of the container is
/// chosen from.
fn mapped(address: &str, published: &str, target: &str, protocol: &str) -> Option<Vec<Published>> {
    if !matches!(protocol, "" | "tcp") {
        return Some(Vec::new());
    }
    let address = (!address.is_empty()).then(|| address.to_owned());
    let (first, last) = range(target)?;
    let outside = match published {
        "" => None,
        ports => Some(range(ports)?),
    };
    let all = (first..=last).map(|target| {
        let port = outside.and_then(|(from, to)| {
            let at = from.checked_add(target - first)?;
            (to.checked_sub(from)? == last - first).then_some(at)
        });
        Published {
            target,
            port,
            address: address.clone(),
        }
    });
    Some(all.collect())
}

/// `5432` or `5432-5434`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse().ok().filter(|port| *port > 0);
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}
