//! Faults that can be had by a click, in the world's text form. The names of places are the story's own.

use super::Story;
use super::layout::Kind;

/// Something that can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it is called.
    pub words: String,
    /// What to see then.
    pub see: &'static str,
    /// Its text.
    pub text: String,
}

impl Story {
    /// Faults that make sense here.
    #[must_use]
    pub fn templates(&self) -> Vec<Template> {
        let servers: Vec<&str> = self
            .nodes()
            .iter()
            .filter(|node| node.kind == Kind::Server)
            .map(|node| node.name.as_str())
            .collect();
        let Some(last) = servers.get(1).or_else(|| servers.first()) else { return Vec::new() };
        let template = |words: String, see, text: String| Template { words, see, text };
        let web = template(
            "The answer to a browser's letter is lost".to_owned(),
            "The server has it, and the sender is told that it was not sent.",
            "http/after=commit,nth=1/drop".to_owned(),
        );
        let mut all = vec![
            template(
                format!("{last} is down for fifty minutes"),
                "The queue keeps the message and tries again.",
                format!("node:{last}/until=09:50/down"),
            ),
            template(
                "The line is cut after the final dot".to_owned(),
                "Both sides did right, and there are two copies.",
                format!("node:{last}/after=commit,nth=1/drop"),
            ),
            template(
                "The first recipient is told to come back later".to_owned(),
                "Greylisting: a second attempt succeeds.",
                format!("node:{last}/verb=RCPT,nth=1/reply=451 4.7.1 Greylisted, please try again"),
            ),
            template(
                "The mailbox is full".to_owned(),
                "A refusal that ends in a report to the sender.",
                format!("node:{last}/always/full"),
            ),
            template(
                "Octets arrive one by one".to_owned(),
                "A connection is a stream: nothing else changes.",
                format!("node:{last}/after=connect/chunk=1"),
            ),
        ];
        all.extend(self.has_web().then_some(web));
        all
    }
}
