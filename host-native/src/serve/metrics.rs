//! Counters and gauges in the Prometheus text form.

use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::limits::Hits;
use crate::relay::RelayMetrics;
use crate::trust::TrustMetrics;

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    /// Connections accepted, by protocol.
    pub(crate) connections: IntCounterVec,
    /// Connections open now, by protocol.
    pub(crate) open: IntGaugeVec,
    /// Connections refused because no slot was free, by protocol.
    pub(crate) refused: IntCounterVec,
    /// Sessions that broke their sandbox, by protocol and kind.
    pub(crate) traps: IntCounterVec,
    /// TLS handshakes, by protocol and outcome.
    pub(crate) handshakes: IntCounterVec,
    /// Logins, by protocol and outcome.
    pub(crate) logins: IntCounterVec,
    /// Rules broken by peers, by protocol.
    pub(crate) defects: IntCounterVec,
    /// Faults on purpose that struck, by protocol.
    pub(crate) faults: IntCounterVec,
    /// Messages made durable by SMTP.
    pub(crate) deliveries: IntCounterVec,
    /// Octets, by protocol and direction.
    pub(crate) octets: IntCounterVec,
    /// Time that sessions wait for the store to make a write durable.
    pub(crate) wait_seconds: Histogram,
    /// Slots that sessions can take.
    pub(crate) slots: IntGauge,
    /// Sessions that are frozen now, by protocol.
    pub(crate) frozen: IntGaugeVec,
    /// Sessions that were thawed, by protocol.
    pub(crate) thaws: IntCounterVec,
    /// The queue.
    pub(crate) relay: RelayMetrics,
    /// Senders that were judged, and mail that was signed.
    pub(crate) trust: TrustMetrics,
}

impl Metrics {
    pub(crate) fn new(hits: &Hits) -> Self {
        let registry = Registry::new();
        registry.register(Box::new(hits.counter())).expect("each name is used once");
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter =
                IntCounterVec::new(Opts::new(name, help), labels).expect("a fixed, valid name");
            registry.register(Box::new(counter.clone())).expect("each name is used once");
            counter
        };
        let connections =
            counter("pillarbox_connections_total", "Connections accepted.", &["protocol"]);
        let refused = counter(
            "pillarbox_connections_refused_total",
            "Connections refused because no slot was free.",
            &["protocol"],
        );
        let traps = counter(
            "pillarbox_engine_traps_total",
            "Sessions that broke their sandbox.",
            &["protocol", "kind"],
        );
        let handshakes =
            counter("pillarbox_tls_handshakes_total", "TLS handshakes.", &["protocol", "outcome"]);
        let logins = counter("pillarbox_logins_total", "Logins.", &["protocol", "outcome"]);
        let defects =
            counter("pillarbox_defects_total", "Protocol rules that peers broke.", &["protocol"]);
        let faults =
            counter("pillarbox_faults_total", "Faults on purpose that struck.", &["protocol"]);
        let deliveries =
            counter("pillarbox_deliveries_total", "Messages taken over SMTP.", &["outcome"]);
        let octets =
            counter("pillarbox_octets_total", "Octets on the wire.", &["protocol", "direction"]);
        let open = IntGaugeVec::new(
            Opts::new("pillarbox_connections_open", "Connections open now."),
            &["protocol"],
        );
        let open = open.expect("a fixed, valid name");
        let slots =
            IntGauge::new("pillarbox_engine_slots", "Sessions that can be at work at once.");
        let slots = slots.expect("a fixed, valid name");
        let frozen = IntGaugeVec::new(
            Opts::new("pillarbox_sessions_frozen", "Sessions that rest and hold no slot."),
            &["protocol"],
        );
        let frozen = frozen.expect("a fixed, valid name");
        let thaws = counter(
            "pillarbox_sessions_thawed_total",
            "Sessions that were frozen and went on.",
            &["protocol"],
        );
        let buckets = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
        let options = HistogramOpts::new(
            "pillarbox_store_wait_seconds",
            "Time that sessions waited for the store.",
        );
        let wait_seconds = Histogram::with_opts(options.buckets(buckets));
        let wait_seconds = wait_seconds.expect("fixed, ascending buckets");
        registry.register(Box::new(open.clone())).expect("each name is used once");
        registry.register(Box::new(slots.clone())).expect("each name is used once");
        registry.register(Box::new(frozen.clone())).expect("each name is used once");
        registry.register(Box::new(wait_seconds.clone())).expect("each name is used once");
        let relay = RelayMetrics::new(&registry);
        let trust = TrustMetrics::new(&registry);
        Self {
            registry,
            connections,
            open,
            refused,
            traps,
            handshakes,
            logins,
            defects,
            faults,
            deliveries,
            octets,
            wait_seconds,
            slots,
            frozen,
            thaws,
            relay,
            trust,
        }
    }

    /// All of it, in the text form.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        TextEncoder::new()
            .encode_utf8(&self.registry.gather(), &mut text)
            .expect("writing to a string does not fail");
        text
    }
}
