//! How much mail may come at a time from a stranger's address, and to how many an account may write.

use std::net::IpAddr;
use std::time::Duration;

use pillarbox_engine::types::{Reason, Refusal};

use crate::auth::{Network, Rate};
use crate::config::{LimitSettings, is_loopback};
use crate::limits::{Hits, Limit, MESSAGES_PER_ADDRESS, RECIPIENTS_PER_ACCOUNT};

/// Counts messages and recipients.
pub(crate) struct Rates {
    messages: Rate<Network>,
    recipients: Rate<Vec<u8>>,
    hits: Hits,
}

impl Rates {
    pub(crate) fn new(limits: LimitSettings, hits: Hits) -> Self {
        let messages = limits.messages_per_address_and_minute.unwrap_or(MESSAGES_PER_ADDRESS);
        let recipients = limits.recipients_per_account_and_hour.unwrap_or(RECIPIENTS_PER_ACCOUNT);
        Self {
            messages: Rate::new(messages, Duration::from_secs(60)),
            recipients: Rate::new(recipients, Duration::from_secs(3600)),
            hits,
        }
    }

    /// A message more from this address, as text. This machine's own programs are no strangers.
    pub(super) fn message(&self, peer: &[u8]) -> Result<(), Refusal> {
        let address = std::str::from_utf8(peer).ok().and_then(|text| text.parse::<IpAddr>().ok());
        let Some(address) = address.filter(|address| !is_loopback(*address)) else { return Ok(()) };
        if self.messages.take(&Network::of(address, 32, 64)) {
            return Ok(());
        }
        self.hits.hit(Limit::MessagesPerAddress);
        Err(later("Too many messages from your address at once, try later"))
    }

    /// A recipient more of this account's.
    pub(super) fn recipient(&self, account: &[u8]) -> Result<(), Refusal> {
        if self.recipients.take(&account.to_vec()) {
            return Ok(());
        }
        self.hits.hit(Limit::RecipientsPerAccount);
        Err(later("Your account has sent to very many, try later"))
    }
}

fn later(text: &str) -> Refusal {
    Refusal { reason: Reason::Overloaded, text: Some(text.as_bytes().to_vec()) }
}
