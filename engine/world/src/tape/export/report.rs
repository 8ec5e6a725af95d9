//! A run as a lab report in Markdown: what it was about, what happened in order, and what was said.

use super::dialogue::{clock, transcript};
use super::json::{answer_words, screen_words};
use crate::tape::Tape;
use crate::world::{EntryId, Fate, NodeId, What, World};

/// The shown branch up to the cursor, as Markdown.
#[must_use]
pub fn report(tape: &Tape, secrets: bool) -> String {
    let (scenario, world) = (tape.scenario(), tape.world());
    let mut out = format!("# {}\n\n", scenario.title);
    if !scenario.goal.is_empty() {
        out.push_str(&format!("{}\n\n", scenario.goal));
    }
    out.push_str(&format!("Scenario `{}`, seed {}, ", scenario.id, tape.seed()));
    out.push_str(&format!(
        "level {:?}, up to {}.\n\n",
        tape.level(),
        clock(world.unix_ms(world.now()))
    ));
    out.push_str("## What happened\n\n| When | Where | What |\n|---|---|---|\n");
    let nodes = world.nodes();
    for entry in world.entries(EntryId(0)).iter().filter(|entry| entry.what.is_interesting()) {
        let Some(words) = words(world, &entry.what) else { continue };
        let name = |id: NodeId| nodes.iter().find(|node| node.id == id).map(|node| &node.name[..]);
        let place = entry.node.and_then(name).unwrap_or_default();
        let at = clock(world.unix_ms(entry.at));
        out.push_str(&format!("| {at} | {place} | {} |\n", words.replace('|', "\\|")));
    }
    out.push_str("\n## What was said\n\n```text\n");
    out.push_str(&transcript(world, secrets).replace("```", "'''"));
    out.push_str("```\n");
    out
}

/// What an entry tells, in a line; none for what a report leaves out.
fn words(world: &World, what: &What) -> Option<String> {
    Some(match what {
        What::Dns(dns) => {
            let answer = dns.answer.as_ref().map(answer_words).unwrap_or_default();
            format!("DNS: {} of {}: {answer}", dns.record, dns.name)
        }
        What::Connected => "connected".to_owned(),
        What::Refused { port, why, .. } => format!("port {port}: {why}"),
        What::Closed { .. } => "the connection was cut".to_owned(),
        What::Secured => "TLS is up".to_owned(),
        What::Defect { rule, .. } => {
            format!("against RFC {} §{}: {}", rule.rfc, rule.section, rule.gist)
        }
        What::Queue(queue) => {
            let (message, to) = (queue.message, &queue.destination);
            let fate = match &queue.fate {
                Fate::Queued => "queued".to_owned(),
                Fate::Tried => "tried".to_owned(),
                Fate::Deferred { next, why } => {
                    format!("again at {}: {why}", clock(world.unix_ms(*next)))
                }
                Fate::Delivered { why } => format!("delivered: {why}"),
                Fate::Failed { why } => format!("failed: {why}"),
                Fate::Expired { why } => format!("given up: {why}"),
            };
            format!("message {message} to {to} {fate}; {} in the queue", queue.length)
        }
        What::Mailbox(mailbox) => {
            let (name, account) = (&mailbox.name, &mailbox.account);
            format!("{name} of {account}: {} messages, {} unread", mailbox.count, mailbox.unseen)
        }
        What::Screen(screen) => screen_words(screen),
        What::FaultFired { rule, .. } => format!("fault {rule}"),
        What::Acted(words) => format!("**{words}**"),
        What::Power(true) => "on again".to_owned(),
        What::Power(false) => "crashed or switched off".to_owned(),
        What::Lost { writes } => format!("{writes} writes that were not on the disk yet are lost"),
        _ => return None,
    })
}
