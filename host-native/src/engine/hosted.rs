//! Sessions in sandboxes. Values are converted here, and what comes out of a sandbox is looked at
//! before it is believed.

use std::sync::Arc;

use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Output, imap, pop3, smtp};

use super::convert::Convert;
use super::entries::Stepper;
use super::sandbox::{Instance, Sandbox};
use super::wit::{
    imap_client, imap_server, pop3_client, pop3_server, smtp_client, smtp_server, types,
};
use super::{Begin, Driven, Slot, StartError, Stepped, Trap};

/// Octets of a frozen session, as the contract has it.
const FROZEN_MAX: usize = 8192;

// A macro, since the contract repeats one form for each role and so do the types made of it.

/// One role's session in a sandbox; `indexes` says whether a message that comes by it is indexed in there.
macro_rules! hosted {
    ($hosted:ident, $wit:ident, $entry:ident, $role:ty, $config:ty, indexes: $indexes:literal) => {
        pub(super) struct $hosted {
            sandbox: Arc<Sandbox>,
            instance: Instance,
            stepper: Stepper<$wit::Input, $wit::Stepped>,
        }

        impl $hosted {
            pub(super) fn start(
                sandbox: &Arc<Sandbox>,
                slot: Slot,
                begin: Begin<'_>,
                config: $config,
                now: Now,
            ) -> Result<Self, StartError> {
                let mut instance = sandbox.instance(slot)?;
                let Instance { store, instance: exports, .. } = &mut instance;
                let entry = &sandbox.entries().$entry;
                let (config, now) = (config.convert(), now.convert());
                let stepper = match begin {
                    Begin::New => entry.start(*exports, store, &config, now).map(Ok),
                    Begin::Frozen(octets) => entry.thaw(*exports, store, &config, now, octets),
                };
                let stepper = stepper.map_err(|error| {
                    StartError::Trap(Trap::new("the start of a session".to_owned(), &error))
                })?;
                let stepper =
                    stepper.map_err(|misuse| StartError::Trap(Trap::misuse(misuse.convert())))?;
                Ok(Self { sandbox: Arc::clone(sandbox), instance, stepper })
            }
        }

        impl Driven<$role> for $hosted {
            fn step(&mut self, now: Now, input: Input<$role>) -> Result<Stepped<$role>, Trap> {
                let during = during(&input);
                let input: $wit::Input = input.convert();
                self.instance.start_call();
                let stepped = self.stepper.step(&mut self.instance.store, now.convert(), &input);
                let stepped = stepped.map_err(|error| {
                    if $indexes {
                        self.sandbox.suspect_index();
                    }
                    Trap::new(during.text(), &error)
                })?;
                let stepped = stepped.map_err(|misuse| Trap::misuse(misuse.convert()))?;
                let offered = match input {
                    $wit::Input::Receive(octets) => octets,
                    _ => Vec::new(),
                };
                let (taken, left) = taken(offered, stepped.taken, during)?;
                Ok(Stepped { taken, left, outputs: stepped.outputs.convert() })
            }

            fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Trap> {
                self.sandbox.index_here(&mut self.instance, octets)
            }

            fn freeze(&mut self) -> Result<Option<Vec<u8>>, Trap> {
                self.instance.start_call();
                let Instance { store, instance: exports, .. } = &mut self.instance;
                let entry = &self.sandbox.entries().$entry;
                let frozen = entry.freeze(*exports, store, &self.stepper);
                match frozen.map_err(|error| Trap::new("freeze".to_owned(), &error))? {
                    Ok(octets) if octets.len() <= FROZEN_MAX => Ok(Some(octets)),
                    Ok(_) => Err(Trap::lie("freeze".to_owned(), "gave more than 8 KiB")),
                    Err(types::Misuse::WrongState) => Ok(None),
                    Err(misuse) => Err(Trap::misuse(misuse.convert())),
                }
            }
        }

        impl Convert<$wit::Input> for Input<$role> {
            fn convert(self) -> $wit::Input {
                match self {
                    Self::Nothing => $wit::Input::Nothing,
                    Self::Receive(octets) => $wit::Input::Receive(octets),
                    Self::ReceiveEnd => $wit::Input::ReceiveEnd,
                    Self::Secured(facts) => $wit::Input::Secured(facts.convert()),
                    Self::Answer(id, answer) => $wit::Input::Answer((id, answer.convert())),
                    Self::Call(call) => $wit::Input::Call(call.convert()),
                    Self::Tick => $wit::Input::Tick,
                }
            }
        }

        impl Convert<Output<$role>> for $wit::Output {
            fn convert(self) -> Output<$role> {
                match self {
                    Self::Transmit(octets) => Output::Transmit(octets),
                    Self::TransmitBlob(range) => Output::TransmitBlob(range.convert()),
                    Self::Ask((id, ask)) => Output::Ask(id, ask.convert()),
                    Self::Event(event) => Output::Event(event.convert()),
                    Self::StartTls => Output::StartTls,
                    Self::Compress => Output::Compress,
                    Self::Note(note) => Output::Note(note.convert()),
                    Self::Wait(deadline_ms) => Output::Wait { deadline_ms },
                    Self::Close => Output::Close,
                }
            }
        }
    };
}

hosted!(Smtp, smtp_server, smtp, smtp::Server, smtp::Config, indexes: true);
hosted!(
    SmtpClient, smtp_client, smtp_client, smtp::Client, smtp::client::types::Config,
    indexes: false
);
hosted!(Pop3, pop3_server, pop3, pop3::Server, pop3::Config, indexes: false);
hosted!(
    Pop3Client, pop3_client, pop3_client, pop3::Client, pop3::client::types::Config,
    indexes: false
);
hosted!(
    ImapClient, imap_client, imap_client, imap::Client, imap::client::types::Config,
    indexes: false
);
hosted!(Imap, imap_server, imap, imap::Server, imap::types::Config, indexes: false);

/// What a step is doing, for the message of a trap.
#[derive(Clone, Copy)]
struct During {
    verb: &'static str,
    octets: Option<usize>,
}

impl During {
    fn text(self) -> String {
        match self.octets {
            Some(octets) => format!("{} of {octets} octets", self.verb),
            None => self.verb.to_owned(),
        }
    }
}

fn during<R: pillarbox_engine::Role>(input: &Input<R>) -> During {
    let verb = match input {
        Input::Nothing => "poll",
        Input::Receive(_) => "receive",
        Input::ReceiveEnd => "receive-end",
        Input::Secured(_) => "secured",
        Input::Answer(..) => "answer",
        Input::Call(_) => "call",
        Input::Tick => "tick",
    };
    let octets = if let Input::Receive(octets) = input { Some(octets.len()) } else { None };
    During { verb, octets }
}

/// What was taken and what is left of the octets that were offered.
fn taken(
    mut offered: Vec<u8>,
    taken: u32,
    during: During,
) -> Result<(usize, Option<Vec<u8>>), Trap> {
    let taken = usize::try_from(taken).ok().filter(|taken| *taken <= offered.len());
    let taken = taken.ok_or_else(|| Trap::lie(during.text(), "took more than was offered"))?;
    offered.drain(..taken);
    Ok((taken, Some(offered).filter(|left| !left.is_empty())))
}
