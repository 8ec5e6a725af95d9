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

/// Octets from outside, for a log line: printable ASCII stays, all else is escaped.
pub(crate) fn shown(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}
