//! Counters and gauges of the queue.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// What is counted of the queue.
#[derive(Clone, Debug)]
pub(crate) struct RelayMetrics {
    /// Attempts for a message at a destination.
    pub(crate) attempts: IntCounter,
    /// Recipients, by what an attempt made of them.
    pub(crate) outcomes: IntCounterVec,
    /// Reports made, by kind.
    pub(crate) reports: IntCounterVec,
    /// Connections that could not be opened.
    pub(crate) unreached: IntCounter,
    /// Connections open now.
    pub(crate) open: IntGauge,
    /// Tasks that are being tried.
    pub(crate) in_hand: IntGauge,
    /// Messages in the queue.
    pub(crate) messages: IntGauge,
    /// Tasks in the queue.
    pub(crate) tasks: IntGauge,
    /// Tasks that an operator holds.
    pub(crate) held: IntGauge,
    /// Seconds since the oldest message came.
    pub(crate) oldest_seconds: IntGauge,
}

impl RelayMetrics {
    /// Counted in this registry.
    pub(crate) fn new(registry: &Registry) -> Self {
        let counters = |name: &str, help: &str, label: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label]);
            let counter = counter.expect("a fixed, valid name");
            registry.register(Box::new(counter.clone())).expect("each name is used once");
            counter
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("a fixed, valid name");
            registry.register(Box::new(counter.clone())).expect("each name is used once");
            counter
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("a fixed, valid name");
            registry.register(Box::new(gauge.clone())).expect("each name is used once");
            gauge
        };
        Self {
            attempts: counter("pillarbox_relay_attempts_total", "Attempts to relay a message."),
            outcomes: counters(
                "pillarbox_relay_recipients_total",
                "Recipients, by what an attempt made of them.",
                "outcome",
            ),
            reports: counters("pillarbox_relay_reports_total", "Reports made.", "kind"),
            unreached: counter(
                "pillarbox_relay_unreached_total",
                "Connections to other servers that could not be opened.",
            ),
            open: gauge("pillarbox_relay_connections_open", "Connections to other servers."),
            in_hand: gauge(
                "pillarbox_queue_tasks_in_hand",
                "Tasks that are being tried, or whose outcome is being written down.",
            ),
            messages: gauge("pillarbox_queue_messages", "Messages in the queue."),
            tasks: gauge("pillarbox_queue_tasks", "Messages in the queue, for each destination."),
            held: gauge("pillarbox_queue_tasks_held", "Tasks that an operator holds."),
            oldest_seconds: gauge(
                "pillarbox_queue_oldest_seconds",
                "Seconds since the oldest message of the queue came.",
            ),
        }
    }
}
