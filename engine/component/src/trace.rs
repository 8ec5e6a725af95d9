//! Notes cross as text: a reader on the other side has no table to look labels up in.

use pillarbox_engine::trace as engine;

use crate::convert::Convert;
use crate::wit::trace as wit;

impl wit::Guest for crate::Component {
    fn rules() -> Vec<wit::Rule> {
        pillarbox_engine::rules::all().map(Convert::convert).collect()
    }
}

impl Convert<wit::Rule> for &engine::Rule {
    fn convert(self) -> wit::Rule {
        let engine::Rule { rfc, section, gist } = self;
        wit::Rule { rfc: *rfc, section: (*section).to_owned(), gist: (*gist).to_owned() }
    }
}

impl Convert<wit::Side> for engine::Side {
    fn convert(self) -> wit::Side {
        match self {
            Self::Received => wit::Side::Received,
            Self::Sent => wit::Side::Sent,
        }
    }
}

impl Convert<wit::Note> for engine::Note {
    fn convert(self) -> wit::Note {
        match self {
            Self::Span(engine::Span { side, start, end, label, secret, why }) => {
                let (side, label, why) = (side.convert(), label.to_owned(), why.convert());
                wit::Note::Span(wit::Span { side, start, end, label, secret, why })
            }
            Self::State { from, to } => {
                wit::Note::State(wit::StateChange { from: from.to_owned(), to: to.to_owned() })
            }
            Self::Defect(rule) => wit::Note::Defect(rule.convert()),
        }
    }
}
