//! What EHLO lists, by its names, so that it can be left out: then it is neither announced nor accepted.

use alloc::vec::Vec;

use super::types::{Config, Extensions};
use crate::sasl::{Mechanism, is_among};
use crate::types::TlsOffer;

/// Names of EHLO keywords that are no [`Extensions`], and can be left out like these.
const OTHERS: [&str; 3] = ["EXPN", "STARTTLS", "AUTH"];

impl Extensions {
    /// The switch of each, by its keyword.
    fn switches(&mut self) -> [(&'static str, &mut bool); 15] {
        [
            ("PIPELINING", &mut self.pipelining),
            ("SIZE", &mut self.size),
            ("8BITMIME", &mut self.eight_bit_mime),
            ("SMTPUTF8", &mut self.smtputf8),
            ("ENHANCEDSTATUSCODES", &mut self.enhanced_status_codes),
            ("CHUNKING", &mut self.chunking),
            ("BINARYMIME", &mut self.binary_mime),
            ("DSN", &mut self.dsn),
            ("REQUIRETLS", &mut self.require_tls),
            ("DELIVERBY", &mut self.deliver_by),
            ("FUTURERELEASE", &mut self.future_release),
            ("MT-PRIORITY", &mut self.mt_priority),
            ("LIMITS", &mut self.limits),
            ("ETRN", &mut self.etrn),
            ("XCLIENT", &mut self.xclient),
        ]
    }
}

/// The names by which [`Config::leave_out`] leaves out what EHLO lists.
pub fn capability_names() -> impl Iterator<Item = &'static str> {
    let extensions = Extensions::all().switches().map(|(keyword, _)| keyword);
    let of_logins = Mechanism::ALL.into_iter().map(Mechanism::capability);
    extensions.into_iter().chain(OTHERS).chain(of_logins)
}

impl Config {
    /// Leaves out what EHLO would list under these names: it is neither announced nor accepted. For tests of clients.
    pub fn leave_out(&mut self, without: &[Vec<u8>]) {
        for (keyword, switch) in self.extensions.switches() {
            *switch &= !is_among(without, keyword);
        }
        // RFC 3030 §3: its octets come by BDAT.
        self.extensions.binary_mime &= self.extensions.chunking;
        self.verify &= !is_among(without, "EXPN");
        if self.tls == TlsOffer::Upgrade && is_among(without, "STARTTLS") {
            self.tls = TlsOffer::None;
        }
        if is_among(without, "AUTH") {
            self.auth.mechanisms.clear();
        }
        self.auth.leave_out(without);
    }
}
