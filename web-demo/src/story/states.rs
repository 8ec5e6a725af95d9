//! The states of a connection's sessions, as their engines name them: which there were, which one led to which, and
//! which is the present one. All of it is read from the log.

use pillarbox_world::world::{End, What, WireId};

use super::{Story, source};

/// The way of one session through its states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagram {
    /// Whose session it is.
    pub whose: String,
    /// Its states, in the order in which they come up in the whole story.
    pub states: Vec<State>,
    /// Which leads to which, each pair once.
    pub steps: Vec<Step>,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub gloss: Option<String>,
    /// Whether the session has been in it by now.
    pub reached: bool,
    /// Whether it is in it now.
    pub present: bool,
}

/// A step from a state to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The place of the state before.
    pub from: usize,
    /// The place of the state after.
    pub to: usize,
    /// Whether it has been made by now.
    pub made: bool,
    /// The cursor after it was made for the first time.
    pub at: usize,
}

impl Story {
    /// The sessions at both ends of a connection, the server's first; of an end that is no engine there is none.
    #[must_use]
    pub fn diagrams(&self, wire: WireId, cursor: usize) -> Vec<Diagram> {
        [End::Server, End::Client]
            .into_iter()
            .filter_map(|e| self.diagram(wire, e, cursor))
            .collect()
    }

    fn diagram(&self, wire: WireId, whose: End, cursor: usize) -> Option<Diagram> {
        let talk = self.whole.wires.get(&wire)?;
        let node = if whose == End::Server { talk.server } else { talk.client };
        let mut states: Vec<State> = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let What::State { end, from, to } = entry.what else { continue };
            if entry.wire != Some(wire) || end != whose {
                continue;
            }
            let made = index < cursor;
            // It is in its first state before it leaves that.
            let first = states.is_empty();
            let [from, to] = [from, to].map(|name| {
                states.iter().position(|state| state.name == name).unwrap_or_else(|| {
                    let gloss = source::state_gloss(talk.protocol, whose, name);
                    states.push(State { name, gloss, reached: false, present: false });
                    states.len() - 1
                })
            });
            if first {
                (states[from].reached, states[from].present) = (true, true);
            }
            if made {
                states.iter_mut().for_each(|state| state.present = false);
                (states[to].reached, states[to].present) = (true, true);
            }
            if !steps.iter().any(|step| (step.from, step.to) == (from, to)) {
                steps.push(Step { from, to, made, at: index + 1 });
            }
        }
        let protocol = source::protocol_name(talk.protocol);
        let part = if whose == End::Server { "server" } else { "client" };
        let whose = format!("{}, {protocol} {part}", self.name(node));
        (!states.is_empty()).then_some(Diagram { whose, states, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_through_its_states_in_the_order_of_the_log() {
        let story = Story::scenario("crepes-hamburger").expect("it exists");
        let wire = story.source().tape().world().wires()[0].id;
        let all = story.diagrams(wire, usize::MAX);
        // Who types is no engine: only the server has states.
        assert_eq!(all.len(), 1, "{all:?}");
        let names: Vec<_> = all[0].states.iter().map(|state| state.name).collect();
        assert_eq!(names, ["Connected", "Greeted", "MailGiven", "RcptGiven", "Data", "Closed"]);
        assert!(all[0].states.iter().all(|state| state.gloss.is_some()));
        let back = all[0].steps.iter().find(|step| (step.from, step.to) == (4, 1));
        assert!(back.is_some(), "after a message it is greeted again: {:?}", all[0].steps);
        // Before each step the state before it is the present one, and exactly one always is.
        for step in &all[0].steps {
            let before = &story.diagrams(wire, step.at - 1)[0];
            let after = &story.diagrams(wire, step.at)[0];
            let present = |diagram: &Diagram| {
                let places = 0..diagram.states.len();
                places.filter(|at| diagram.states[*at].present).collect::<Vec<_>>()
            };
            assert_eq!((present(before), present(after)), (vec![step.from], vec![step.to]));
        }
        // At the beginning nothing but the first state is reached.
        let begin = &story.diagrams(wire, 0)[0];
        assert_eq!(begin.states.iter().filter(|state| state.reached).count(), 1);
        assert!(begin.steps.iter().all(|step| !step.made));
    }
}
