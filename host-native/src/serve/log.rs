//! Logs: one readable line per fact, or one JSON object per line.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// Starts logging to standard error. `PILLARBOX_LOG` filters, such as `debug` or `pillarbox::serve=trace`.
pub(super) fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_env("PILLARBOX_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start in one process (tests) keeps the first one's settings.
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
}

/// Octets from outside, for a log line or a terminal: what is printable stays, UTF-8 included. All else is escaped, such as
/// what turns the direction of writing, and so is the backslash that escapes. Quotation marks stay: nothing here stands in
/// them, and who puts it there escapes them.
pub(crate) fn shown(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            match u8::try_from(character) {
                Ok(b'\'' | b'"') => out.push(character),
                Ok(octet) if octet.is_ascii() => out.extend(octet.escape_ascii().map(char::from)),
                _ => out.extend(character.escape_debug()),
            }
        }
        out.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_printable_is_shown_as_it_is() {
        let shown = super::shown;
        assert_eq!(shown(b"it's \"new\""), "it's \"new\"");
        assert_eq!(shown(b"a\r\nb\\c\0\xe4"), "a\\r\\nb\\\\c\\x00\\xe4");
        assert_eq!(
            shown("m\u{fc}ller@\u{4f8b}.example".as_bytes()),
            "m\u{fc}ller@\u{4f8b}.example"
        );
        // A terminal would obey the first (CSI), and show what follows the second backwards.
        assert_eq!(shown("\u{9b}2J\u{202e}b".as_bytes()), "\\u{9b}2J\\u{202e}b");
    }
}
