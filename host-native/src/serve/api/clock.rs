//! `/api/clock`: the clock by which the queue waits. Tests move it on, so that days pass at once; it never goes back.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Refused, json_of};
use crate::config::Clock;
use crate::serve::Shared;

/// The furthest that it moves at once: a year.
const STEP_MAX_MS: u64 = 366 * DAY_MS;
/// The last moment that a date of four digits can say.
const LAST_MS: u64 = 253_402_300_799_999;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How far the clock moves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(default)]
    advance: Option<String>,
    #[serde(default)]
    advance_ms: Option<u64>,
}

/// `GET /api/clock`.
pub(super) async fn read(State(shared): State<Arc<Shared>>) -> Answer {
    let now = shared.backend.relaying().clock.now_ms();
    Ok(Json(json!({ "now_unix_ms": now })).into_response())
}

/// `POST /api/clock`: all that waits in the queue until a time looks at it again before this is answered or soon after.
pub(super) async fn advance(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let ms = match json_of(&body)? {
        Advance { advance: Some(text), advance_ms: None } => span(&text),
        Advance { advance: None, advance_ms: Some(ms) } => Some(ms),
        _ => return Err(Refused::wrong("body: expected one of advance and advance_ms")),
    };
    let ms = ms.filter(|ms| *ms <= STEP_MAX_MS).ok_or_else(|| {
        Refused::wrong("advance: expected such as 500ms, 30s, 30m, 4h or 5d; at most 366d")
    })?;
    if shared.settings.clock == Some(Clock::Real) {
        return Err(Refused::wrong(
            "the clock is the machine's: the server runs with --clock real",
        ));
    }
    let clock = &shared.backend.relaying().clock;
    if clock.now_ms() + ms > LAST_MS {
        return Err(Refused::wrong("advance: the clock ends with the year 9999"));
    }
    clock.advance(ms);
    Ok(Json(json!({ "now_unix_ms": clock.now_ms() })).into_response())
}

/// A number and its unit.
fn span(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        assert_eq!(span("30m"), Some(1_800_000));
        assert_eq!((span("500ms"), span("5d"), span("0s")), (Some(500), Some(5 * DAY_MS), Some(0)));
        for wrong in
            ["", "30", "m", "-1m", "1.5h", "1 h", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
