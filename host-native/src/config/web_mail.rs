//! What the configuration says about web mail.

use serde::Deserialize;

/// `[web_mail]` of the configuration file.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebMailFile {
    /// Whether people see their own requests, and what is said to other servers to carry their letters [default: false; true
    /// without a configuration file]. It names hosts and what they answer, and it costs memory and time.
    #[serde(default)]
    pub show_protocol: bool,
}
