//! What Pillarbox is to reach against each peer, and in its own right.
//! A goal that is not met is said, not punished: this is a benchmark, not a test.

use crate::imap_work::Question;
use crate::server::Kind;
use crate::work::{KIB, Work};

/// A bound on a ratio, or on a number itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {bound}"),
            Self::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

/// What Pillarbox's number divided by that of `peer` should be.
pub(crate) fn against(work: Work, peer: Kind) -> Option<Goal> {
    use Goal::{AtLeast, AtMost};
    let dovecot = peer.has_mailboxes() && !matches!(peer, Kind::Pillarbox | Kind::Native);
    match (work, peer) {
        (Work::Delivery { .. } | Work::Bodies { .. }, Kind::Native) => Some(AtLeast(0.85)),
        (Work::Delivery { size, connections: 50 }, _) if size == 10 * KIB => match peer {
            Kind::Postfix => Some(AtLeast(5.0)),
            Kind::SmtpSink => Some(AtLeast(0.5)),
            _ => None,
        },
        (Work::Enqueue { .. } | Work::Drain { .. }, Kind::Postfix) => Some(AtLeast(5.0)),
        (Work::Login { .. }, Kind::DovecotReuse) => Some(AtLeast(2.0)),
        (Work::Login { .. }, Kind::DovecotMaildir) => Some(AtLeast(10.0)),
        (Work::Append { connections: 10 }, Kind::DovecotMaildir) => Some(AtLeast(10.0)),
        (Work::Append { connections: 10 }, Kind::DovecotMdbox) => Some(AtLeast(3.0)),
        (Work::Query(question), _) if dovecot => Some(AtMost(match question {
            Question::Envelope => 0.5,
            Question::SearchBody => 0.1,
            _ => 1.0,
        })),
        (Work::Bodies { .. }, _) if dovecot => Some(AtLeast(1.5)),
        (Work::Pop3 { .. }, _) if dovecot && peer != Kind::DovecotReuse => Some(AtLeast(2.0)),
        _ => None,
    }
}

/// What Pillarbox's number should be whatever others do.
pub(crate) fn alone(work: Work) -> Option<Goal> {
    match work {
        Work::Idle { .. } => Some(Goal::AtMost(20.0)),
        Work::Push => Some(Goal::AtMost(100.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_bounds_on_either_side() {
        assert!(Goal::AtLeast(5.0).met(5.0) && !Goal::AtLeast(5.0).met(4.9));
        assert!(Goal::AtMost(0.5).met(0.4) && !Goal::AtMost(0.5).met(0.6));
        assert!(!Goal::AtLeast(1.0).met(f64::NAN) && !Goal::AtMost(1.0).met(f64::NAN));
        let delivery = Work::Delivery { size: 10 * KIB, connections: 50 };
        assert_eq!(against(delivery, Kind::Postfix), Some(Goal::AtLeast(5.0)));
        assert_eq!(against(delivery, Kind::DovecotMaildir), None);
        let flags = Work::Query(Question::Flags);
        assert_eq!(against(flags, Kind::DovecotMdbox), Some(Goal::AtMost(1.0)));
        assert_eq!(against(flags, Kind::Native), None);
        assert_eq!(alone(Work::Idle { connections: 1000 }), Some(Goal::AtMost(20.0)));
    }
}
