//! The target as text: one line that says what is checked, and every setting with its
//! source and what it overrides.

use super::layout::{Ink, Page, pad, plain, width};
use super::options::{Style, Verbosity};
use crate::report::{OriginReport, ParameterReport, TargetReport};
use crate::text::escaped;

/// `orders at db.corp.test:5432 as app, through ops@bastion`, as far as it is known.
pub fn subject(target: &TargetReport) -> Option<String> {
    let Some(hosts) = hosts(target) else {
        return target.url.clone();
    };
    let database = value(target, "dbname").unwrap_or("the default database".into());
    let user = value(target, "user");
    let user = user.map(|user| format!(" as {user}")).unwrap_or_default();
    Some(format!("{database} at {hosts}{user}{}", through(target)))
}

/// `db.corp.test:5432, through ops@bastion`, for what logs in with the settings of another.
pub fn place(target: &TargetReport) -> Option<String> {
    Some(format!("{}{}", hosts(target)?, through(target)))
}

fn value(target: &TargetReport, name: &str) -> Option<String> {
    let parameter = target.parameters.get(name)?;
    Some(escaped(&parameter.value).to_string()).filter(|value| !value.is_empty())
}

fn through(target: &TargetReport) -> String {
    match target.ssh.is_empty() {
        true => String::new(),
        false => format!(", through {}", target.ssh.join(", then ")),
    }
}

fn hosts(target: &TargetReport) -> Option<String> {
    let value = |name: &str| value(target, name);
    let hosts = value("host").or_else(|| value("hostaddr"))?;
    let ports = value("port").unwrap_or_default();
    let ports: Vec<&str> = ports.split(',').collect();
    let ends: Vec<String> = hosts
        .split(',')
        .enumerate()
        .map(|(n, host)| {
            let port = ports.get(n).or(ports.first()).copied().unwrap_or_default();
            match (host, port) {
                (host, "") => host.to_owned(),
                (host, port) if host.contains(':') => format!("[{host}]:{port}"),
                (host, port) if host.starts_with(['/', '@']) => format!("{host} (port {port})"),
                (host, port) => format!("{host}:{port}"),
            }
        })
        .collect();
    Some(ends.join(", "))
}

/// The settings in force. Defaults that shadow nothing are left out unless
/// everything is asked for.
pub fn write(page: &mut Page, target: &TargetReport, style: &Style) {
    let everything = style.verbosity >= Verbosity::Verbose;
    let shown: Vec<(&String, &ParameterReport)> = target
        .parameters
        .iter()
        .filter(|(_, parameter)| {
            everything || parameter.origin.kind != "default" || !parameter.shadows.is_empty()
        })
        .collect();
    if shown.is_empty() {
        return;
    }
    page.gap();
    let names = shown
        .iter()
        .map(|(name, _)| width(name))
        .max()
        .unwrap_or(0)
        .min(style.width / 2);
    for (name, parameter) in &shown {
        let label = format!("{}  ", pad(&plain(name, style), names));
        page.paragraph(
            &[(Ink::Plain, "  "), (Ink::Strong, &label)],
            Ink::Plain,
            &sentence(parameter),
        );
    }
    let left_out = target.parameters.len() - shown.len();
    if left_out > 0 {
        page.paragraph(
            &[(Ink::Plain, "  ")],
            Ink::Faint,
            &match left_out {
                1 => "1 more setting has its default value; -v shows it".to_owned(),
                n => format!("{n} more settings have their default values; -v shows them"),
            },
        );
    }
}

/// `6432 from PGPORT; shadows 5432 (default)`
fn sentence(parameter: &ParameterReport) -> String {
    let value = match parameter.value.as_str() {
        "" => "(empty)".into(),
        value => escaped(value),
    };
    let mut text = match parameter.origin.kind.as_str() {
        "default" => format!("{value} (default)"),
        _ => format!("{value} from {}", origin(&parameter.origin)),
    };
    for (n, shadow) in parameter.shadows.iter().enumerate() {
        text += if n == 0 { "; shadows " } else { ", " };
        text += &match shadow.value.as_str() {
            "" => "(empty)".into(),
            value => escaped(value),
        };
        text += &format!(" ({})", origin(&shadow.origin));
    }
    text
}

/// Where a value came from: `PGPORT`, `--host`, `~/.pgpass line 2`.
fn origin(origin: &OriginReport) -> String {
    let name = origin.name.as_deref().unwrap_or_default();
    let mut text = match (origin.kind.as_str(), name) {
        ("target", "") => "the target".to_owned(),
        ("service", name) => format!("service {name}").trim_end().to_owned(),
        (kind, "") if origin.file.is_none() || kind == "default" => kind.to_owned(),
        (_, name) => name.to_owned(),
    };
    if let Some(file) = &origin.file {
        if !text.is_empty() {
            text += " in ";
        }
        text += file;
        if let Some(line) = origin.line {
            text += &format!(" line {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ShadowReport;

    fn from(kind: &str, name: Option<&str>, file: Option<&str>) -> OriginReport {
        OriginReport {
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
            file: file.map(str::to_owned),
            line: file.map(|_| 2),
        }
    }

    #[test]
    fn a_setting_says_where_it_came_from_and_what_it_won_over() {
        let parameter = ParameterReport {
            value: "6432".to_owned(),
            origin: from("environment", Some("PGPORT"), None),
            shadows: vec![ShadowReport {
                value: "5432".to_owned(),
                origin: from("default", None, None),
            }],
        };
        assert_eq!(
            sentence(&parameter),
            "6432 from PGPORT; shadows 5432 (default)"
        );
        assert_eq!(
            origin(&from("passfile", None, Some("~/.pgpass"))),
            "~/.pgpass line 2"
        );
        assert_eq!(
            origin(&from("service", Some("orders"), Some("pg_service.conf"))),
            "service orders in pg_service.conf line 2"
        );
        assert_eq!(origin(&from("target", Some("--url"), None)), "--url");
    }
}
