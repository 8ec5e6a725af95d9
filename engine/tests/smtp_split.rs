//! It makes no difference how octets are cut, as long as the client waits where it has to.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Config, Service};
use smtp_host::*;

#[test]
fn a_thousand_conversations_say_the_same_however_they_are_cut() {
    let (mut messages, mut replies) = (0, 0);
    for seed in 1..=1000 {
        let service = [Service::Smtp, Service::Submission, Service::Lmtp][seed % 3];
        let config = Config { service, ..config() };
        let mut random = Seeded(seed as u64 * 7919);
        let groups = conversation(&mut random, config.clone());
        let mut whole = Talk::new(config.clone());
        let said = say_whole(&mut whole, &groups);
        let mut split = Talk::new(config);
        assert_eq!(say_split(&mut split, &groups, &mut random), said, "seed {seed}");
        assert_eq!((&split.asks, &split.events), (&whole.asks, &whole.events), "seed {seed}");
        assert_eq!(split.messages, whole.messages, "seed {seed}");
        assert_eq!(split.closed, whole.closed, "seed {seed}");
        messages += whole.messages.len();
        replies += codes(&said.concat()).len();
    }
    assert!(messages > 300 && replies > 10_000, "{messages} messages, {replies} replies");
}
