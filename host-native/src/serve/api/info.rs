//! What this server is and how it does.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;

use super::{Answer, Api};

/// `GET /api/v1/info`.
pub(super) async fn info(State(api): State<Api>) -> Answer {
    let shown = api
        .work(|api| {
            let store = api.store();
            let totals = api.catalogue.totals();
            let directory = store.directory();
            let database = directory.map(|directory| directory.join("mail.db"));
            let size = database.as_ref().and_then(|file| file.metadata().ok());
            let metrics = &api.shared.metrics;
            let octets = metrics.octets.with_label_values(&["smtp", "received"]).get();
            Ok(json!({
                "Version": format!("Pillarbox {}", env!("CARGO_PKG_VERSION")),
                "LatestVersion": "",
                "Database": database.map_or_else(String::new, |file| file.display().to_string()),
                "DatabaseSize": size.map_or(0, |data| data.len()),
                "Messages": totals.all,
                "Unread": totals.unread,
                "Tags": api.catalogue.tags(),
                "RuntimeStats": {
                    "Uptime": api.shared.started.elapsed().as_secs(),
                    "Memory": resident(),
                    "MessagesDeleted": api.catalogue.gone(),
                    "SMTPAccepted": metrics.deliveries.with_label_values(&["stored"]).get(),
                    "SMTPAcceptedSize": octets,
                    "SMTPRejected": metrics.deliveries.with_label_values(&["refused"]).get(),
                    "SMTPIgnored": 0,
                },
            }))
        })
        .await?;
    Ok(Json(shown).into_response())
}

/// `GET /api/v1/webui`.
pub(super) async fn web_ui(State(api): State<Api>) -> Answer {
    let faults = api.shared.faults.is_some();
    Ok(Json(json!({
        "Label": api.shared.settings.label.as_deref().unwrap_or_default(),
        "MessageRelay": {
            "Enabled": false,
            "SMTPServer": "",
            "ReturnPath": "",
            "AllowedRecipients": "",
            "BlockedRecipients": "",
            "RecipientAllowlist": "",
            "OverrideFrom": "",
            "PreserveMessageIDs": false,
        },
        "SpamAssassin": false,
        "ChaosEnabled": faults,
        "DuplicatesIgnored": false,
        "HideDeleteAllButton": false,
    }))
    .into_response())
}

/// Octets of memory that this process has now; 0 where the system does not say.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}
