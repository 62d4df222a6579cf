//! The pages of `causes/`: what is malformed ends the build, and says where.

#[path = "../build/page.rs"]
mod page;

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

## Seen as

```text
it  is shut
```
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
    assert_eq!(page.seen_as, ["it  is shut"]);
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
        ("## Seen as", "## Seen", 28),
        ("it  is shut\n```\n", "it  is shut\n", 32),
        ("it  is shut\n```\n", "it  is shut\n```\nMore.\n", 33),
    ] {
        assert!(GOOD.contains(good), "{good}");
        let page = GOOD.replacen(good, bad, 1);
        match Page::parse(&page) {
            Ok(_) => panic!("{bad:?} is accepted"),
            Err((at, why)) => assert_eq!(at, line, "{bad:?}: {why}"),
        }
    }
}
