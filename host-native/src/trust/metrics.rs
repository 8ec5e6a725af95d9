//! Counters of what was judged and signed.

use prometheus::{IntCounterVec, Opts, Registry};

/// What is counted of trust.
#[derive(Clone, Debug)]
pub struct TrustMetrics {
    /// Results, by check and result.
    pub(super) results: IntCounterVec,
    /// Messages, by what was done with them.
    pub(super) verdicts: IntCounterVec,
    /// Messages that left, by whether they were signed.
    pub(super) signed: IntCounterVec,
}

impl Default for TrustMetrics {
    /// Counted where nobody looks.
    fn default() -> Self {
        Self::new(&Registry::new())
    }
}

impl TrustMetrics {
    /// Counted in this registry.
    ///
    /// # Panics
    /// If the registry has such counters already.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels);
            let counter = counter.expect("a fixed, valid name");
            registry.register(Box::new(counter.clone())).expect("each name is used once");
            counter
        };
        Self {
            results: counters(
                "pillarbox_trust_results_total",
                "Results of SPF, DKIM, DMARC and ARC for incoming mail.",
                &["check", "result"],
            ),
            verdicts: counters(
                "pillarbox_trust_verdicts_total",
                "Incoming messages, by what their senders' proofs made of them.",
                &["verdict"],
            ),
            signed: counters(
                "pillarbox_dkim_signed_total",
                "Outgoing messages, by whether they were signed.",
                &["outcome"],
            ),
        }
    }
}
