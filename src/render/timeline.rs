//! `-vv`: each connection with what was sent and received on it.

use super::layout::{Ink, Page, pad_left};
use super::options::Style;
use crate::report::{Direction, Report, WireEvent};

/// The columns of a time.
const TIME: usize = 12;

/// Every connection, its messages one a line.
pub fn write(page: &mut Page, report: &Report, style: &Style) {
    for connection in report.wire.iter().flatten() {
        page.gap();
        let head = format!(
            "Connection to {}, open at {:.1} ms",
            connection.to, connection.opened_ms
        );
        page.paragraph(&[(Ink::Plain, "  ")], Ink::Strong, &head);
        for event in &connection.events {
            line(page, event, style);
        }
        if connection.left_out > 0 {
            let more = format!("and {} more messages", connection.left_out);
            page.paragraph(&[(Ink::Plain, "  ")], Ink::Faint, &more);
        }
    }
}

fn line(page: &mut Page, event: &WireEvent, style: &Style) {
    let at = pad_left(&format!("{:.1} ms", event.at_ms), TIME);
    let sign = match (event.direction, style.utf8) {
        (Direction::Sent, true) => "→",
        (Direction::Received, true) => "←",
        (Direction::Sent, false) => ">",
        (Direction::Received, false) => "<",
        (Direction::End, true) => "·",
        (Direction::End, false) => "-",
    };
    let text = match event.bytes {
        Some(1) => format!("{}, 1 byte", event.message),
        Some(bytes) => format!("{}, {bytes} bytes", event.message),
        None => event.message.clone(),
    };
    let label = format!("{at}  {sign} ");
    page.paragraph(&[(Ink::Faint, &label)], Ink::Plain, &text);
}

#[cfg(test)]
mod tests {
    use crate::render::options::{Style, Verbosity};
    use crate::render::table;
    use crate::report::{Direction, Environment, Report, WireConnection, WireEvent};

    #[test]
    fn messages_are_told_where_they_are_asked_for() {
        let mut report = Report::new("check", &[], Environment::default());
        let event = |at_ms, direction, message: &str, bytes| WireEvent {
            at_ms,
            direction,
            message: message.to_owned(),
            bytes,
        };
        report.wire = Some(vec![WireConnection {
            to: "192.0.2.1:5432".to_owned(),
            opened_ms: 1234.56,
            events: vec![
                event(1234.6, Direction::Sent, "SSLRequest", Some(8)),
                event(
                    1240.0,
                    Direction::Received,
                    "N (encryption refused)",
                    Some(1),
                ),
                event(1250.0, Direction::End, "closed here", None),
            ],
            left_out: 2,
        }]);
        let shown = |verbosity| {
            let style = Style {
                width: 80,
                utf8: true,
                color: false,
                verbosity,
            };
            table::render(&report, &style)
        };
        let told = "  Connection to 192.0.2.1:5432, open at 1234.6 ms\n\
                    \u{20}  1234.6 ms  → SSLRequest, 8 bytes\n\
                    \u{20}  1240.0 ms  ← N (encryption refused), 1 byte\n\
                    \u{20}  1250.0 ms  · closed here\n\
                    \u{20} and 2 more messages\n";
        let wire = shown(Verbosity::Wire);
        assert!(wire.contains(told), "{wire}");
        assert!(!shown(Verbosity::Verbose).contains("SSLRequest"));
    }
}
