//! The pages of `causes/` and the table of texts: what is malformed ends the
//! build, and says where.

#[path = "../build/page.rs"]
mod page;
#[path = "../build/texts.rs"]
mod texts;

use page::Page;

const GOOD: &str = "---
severity: warn
retryable: true
since: 0.1.0
---
# A title

Port {port} of {host|the host} is shut.

## Meaning

The first paragraph, in
two lines.

The second one.

## What to do

1. Open {port?the port}, which may
   take a while:

   ```sh
   docker ps --format '{{.Names}}'
   ```

2. Wait.
";

#[test]
fn a_page_is_read() {
    let Ok(page) = Page::parse(GOOD) else {
        panic!("a good page is refused")
    };
    assert_eq!((page.severity, page.retryable), ("Warn", true));
    assert_eq!(
        (page.since.as_str(), page.title.as_str()),
        ("0.1.0", "A title")
    );
    assert_eq!(page.summary, "Port {port} of {host|the host} is shut.");
    assert_eq!(
        page.meaning,
        "The first paragraph, in two lines.\n\nThe second one."
    );
    let command = "docker ps --format '{{.Names}}'".to_owned();
    let open = "Open {port?the port}, which may take a while:".to_owned();
    assert_eq!(
        page.fixes,
        [(open, Some(command)), ("Wait.".to_owned(), None)]
    );
}

#[test]
fn what_is_malformed_is_refused_with_its_line() {
    for (good, bad, line) in [
        ("severity: warn", "severity: bad", 2),
        ("retryable: true", "retryable: yes", 3),
        ("since: 0.1.0\n", "", 4),
        ("# A title", "# A title.", 6),
        ("# A title", "# A {title}", 6),
        ("{port}", "{port", 8),
        ("{port}", "port}", 8),
        ("{port}", "{Port}", 8),
        ("is shut.\n\n", "is  shut.\n\n", 8),
        ("## Meaning", "## Meanings", 10),
        ("1. Open", "2. Open", 19),
        ("{port?the port}", "{?the port}", 19),
        ("   ```\n\n2.", "\n2.", 25),
        ("2. Wait", "3. Wait", 26),
        ("2. Wait.\n", "2. Wait.\n\n## Seen as\n", 28),
    ] {
        assert!(GOOD.contains(good), "{good}");
        let page = GOOD.replacen(good, bad, 1);
        match Page::parse(&page) {
            Ok(_) => panic!("{bad:?} is accepted"),
            Err((at, why)) => assert_eq!(at, line, "{bad:?}: {why}"),
        }
    }
}

/// A row of the table of texts.
fn row(columns: &str) -> Result<texts::TextRow, (usize, String)> {
    let table = format!("# a comment\n\n{}\n", columns.replace(' ', "\t"));
    let is_code = |code: &str| ["tcp.refused", "tcp.timeout"].contains(&code);
    texts::parse(&table, is_code).map(|mut rows| rows.remove(0))
}

#[test]
fn a_row_is_read() {
    let read = row("port*shut tcp.refused,tcp.timeout broad connect tcp.refused server de libpq");
    let read = read.unwrap();
    assert_eq!(read.text, "port*shut");
    assert_eq!(read.causes, ["tcp.refused", "tcp.timeout"]);
    assert_eq!((read.weight, read.phase), (Some("Broad"), "Connect"));
    assert_eq!(read.pages, ["tcp.refused"]);
    assert_eq!(read.live.as_deref(), Some("server"));
    let shown = row("port*shut - - - tcp.refused - - -").unwrap();
    assert_eq!((shown.weight, shown.live), (None, None));
    assert!(shown.causes.is_empty());
}

#[test]
fn a_malformed_row_is_refused_with_its_line() {
    for (columns, why) in [
        ("shut tcp.refused exact any - - -", "eight columns"),
        ("shut tcp.refused exact any - - - ", "empty"),
        ("*ab* tcp.refused exact any - - - -", "any text"),
        ("shut tcp.other exact any - - - -", "no page"),
        ("shut - - - tcp.other - - -", "no page"),
        ("shut tcp.refused sure any - - - -", "no weight"),
        ("shut tcp.refused exact once - - - -", "no phase"),
        ("shut - exact any - - - -", "come"),
        ("shut tcp.refused - - tcp.refused - - -", "come"),
        ("shut - - - - - - -", "nobody"),
        ("shut tcp.refused exact any - - german -", "no language"),
        ("shut tcp.refused exact any - - d_DE -", "no language"),
    ] {
        let (line, said) = row(columns).unwrap_err();
        assert_eq!(line, 3);
        assert!(said.contains(why), "{columns}: {said}");
    }
    let twice = "shut tcp.refused exact any - - - -\nSHUT tcp.timeout broad any - - - -";
    assert_eq!(row(twice).unwrap_err().0, 4);
}
