//! `pillarbox check`: whether a challenge is solved, in the terminal as in the playground.

use std::path::Path;

use clap::Args;
use pillarbox_world::tape::{Challenge, Tape};
use pillarbox_world::world::Time;
use serde_json::json;

use super::replay::{link_in, print};
use crate::error::{Error, Kind};

const EXAMPLES: &str = "\
The link is what the playground's *Share* gives, with the actions that somebody took; - is one on standard input. It is checked
where it stands, and, if not all is achieved there, once more after the time that the challenge needs behind the last action.

Examples:
  pillarbox check the-lone-dot                    what is to be done
  pillarbox check the-lone-dot --solution         one way to do it, checked
  pillarbox check the-lone-dot solution.txt
  pillarbox scenarios                            lists all challenges

Exit codes: 0 all of it is achieved, or nothing was given to check; 1 not yet; 2 wrong flag, name or link.";

/// Flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckFlags {
    /// The name or number of a challenge
    #[arg(value_name = "CHALLENGE")]
    challenge: String,
    /// A link of the playground, or a file that holds one; without it the task is printed
    #[arg(value_name = "LINK|FILE")]
    link: Option<String>,
    /// Check the solution that comes with the challenge
    #[arg(long, conflicts_with = "link")]
    solution: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &CheckFlags) -> Result<(), Error> {
    let named = flags.challenge.trim();
    let name = named.strip_prefix("challenge:").unwrap_or(named);
    let challenge = Challenge::find(name).ok_or_else(|| {
        let help = "`pillarbox scenarios` lists them";
        Error::usage(format!("{name}: there is no such challenge; {help}"))
    })?;
    let tape = match &flags.link {
        Some(link) => Some(played(&challenge, link)?),
        None if flags.solution => Some(solved(&challenge)?),
        None => None,
    };
    let is_given = tape.is_some();
    let mut tape = tape.map_or_else(|| begun(&challenge), Ok)?;
    let (mut achieved, actions) = tape.check(&challenge);
    if is_given && achieved.contains(&false) {
        let last = tape.actions().last().map_or(Time(0), |planned| planned.at);
        let end = Time(last.0.saturating_add(challenge.wait_ms));
        if end > tape.now() {
            tape.seek(end);
            achieved = tape.check(&challenge).0;
        }
    }
    print(&match flags.json {
        true => told(&challenge, &achieved, actions),
        false => shown(&challenge, &achieved, is_given.then_some(actions)),
    })?;
    let missing = achieved.iter().filter(|achieved| !**achieved).count();
    match is_given && missing > 0 {
        true => {
            Err(Error::new(Kind::Failed, format!("{missing} of {} are missing", achieved.len())))
        }
        false => Ok(()),
    }
}

fn begun(challenge: &Challenge) -> Result<Tape, Error> {
    challenge.start().map_err(|why| Error::failed(format!("{}: {why}", challenge.id)))
}

/// With its own solution.
fn solved(challenge: &Challenge) -> Result<Tape, Error> {
    let mut tape = begun(challenge)?;
    for (at, action) in &challenge.solution {
        tape.run_to(*at);
        tape.act(action.clone())
            .map_err(|why| Error::failed(format!("{}: {why}", challenge.id)))?;
    }
    Ok(tape)
}

/// As somebody played it.
fn played(challenge: &Challenge, link: &str) -> Result<Tape, Error> {
    let tape = link_in(Path::new(link))?;
    let wanted = &challenge.scenario.id;
    match &tape.scenario().id {
        id if id == wanted => Ok(tape),
        id => Err(Error::usage(format!("this link is of {id}, not of {wanted}"))),
    }
}

/// For people.
fn shown(challenge: &Challenge, achieved: &[bool], actions: Option<usize>) -> String {
    let mut text = format!("{}\n{}\n\n", challenge.title, challenge.task);
    for (goal, achieved) in challenge.goals.iter().zip(achieved) {
        let mark = match (actions, achieved) {
            (None, _) => "     ",
            (Some(_), true) => "yes  ",
            (Some(_), false) => "no   ",
        };
        text.push_str(&format!("{mark}{}\n", goal.text));
    }
    if let Some(actions) = actions {
        let par = challenge.par();
        text.push_str(&format!("\n{actions} actions; the fewest known are {par}\n"));
    }
    text
}

/// For programs.
fn told(challenge: &Challenge, achieved: &[bool], actions: usize) -> String {
    let goals = challenge.goals.iter().zip(achieved);
    let goals: Vec<_> =
        goals.map(|(goal, achieved)| json!({ "text": &goal.text, "achieved": achieved })).collect();
    let all = !achieved.contains(&false);
    let told = json!({
        "challenge": &challenge.id, "title": &challenge.title, "solved": all, "goals": goals,
        "actions": actions, "fewest": challenge.par(),
    });
    format!("{told}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_not_enough_and_the_solution_is() {
        let challenge = Challenge::all().into_iter().next().expect("there are some");
        let flags = |link, solution| CheckFlags {
            challenge: challenge.id.clone(),
            link,
            solution,
            json: true,
        };
        run(&flags(None, false)).expect("the task is told");
        run(&flags(None, true)).expect("it is solved");
        let start = begun(&challenge).expect("it begins").encode("");
        let error = run(&flags(Some(start), false)).expect_err("nothing was done");
        assert!(error.message.contains("are missing"), "{error}");
        let link = solved(&challenge).expect("it is").encode("");
        run(&flags(Some(link.clone()), false)).expect("a link that solves it");
        let other = Challenge::all().into_iter().nth(1).expect("there are some").id;
        let wrong = CheckFlags { challenge: other, link: Some(link), solution: false, json: false };
        let error = run(&wrong).expect_err("of another one");
        assert!(error.message.starts_with("this link is of challenge:"), "{error}");
    }
}
