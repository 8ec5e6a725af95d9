//! A session that only waits, as a few hundred octets: so a host can keep ten thousand idle
//! connections without ten thousand sandboxes. Host and session see no difference; what is frozen
//! is never shown to a peer, yet it is checked as if it came from one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::capability::{self, Features};
use super::condstore::Aware;
use super::context::Contexts;
use super::idle::{self, Idle};
use super::incoming::Incoming;
use super::job::{Job, Wait};
use super::runs::{Runs, are_runs};
use super::state::{Selected, State};
use super::view::{Frozen, Modseqs, Thawed, View};
use super::{Base, Doing, Server};
use crate::imap::types::{Config, FlagRow, Flags, UidRun};
use crate::session::{Progress, Session};
use crate::types::{Misuse, Now, TlsFacts};

/// Octets of a frozen session; one that would need more stays as it is.
const FROZEN_MAX: usize = 8192;
/// The form's version; another one is refused.
const VERSION: u8 = 4;
/// Octets of the checksum at the end.
const CHECK_LENGTH: usize = 8;

/// The session as octets, if it waits for a command or in IDLE and nothing is under way.
///
/// At most 8 KiB; `None` too where that would not do.
pub(super) fn freeze(session: &Session<Server>) -> Option<Vec<u8>> {
    let progress = session.progress()?;
    let mut out = Writer(alloc::vec![VERSION]);
    out.number(progress.received);
    out.number(progress.sent);
    out.number(u64::from(progress.next_ask));
    out.flag(progress.deadline_ms.is_some());
    out.number(progress.deadline_ms.unwrap_or(0));
    session.role().write(&mut out)?;
    let check = checksum(&out.0);
    out.0.extend_from_slice(&check);
    (out.0.len() <= FROZEN_MAX).then_some(out.0)
}

/// The session that `freeze` gave, in the configuration that it had.
pub(super) fn thaw(config: Config, now: Now, frozen: &[u8]) -> Result<Session<Server>, Misuse> {
    let trace = config.trace;
    let read = |frozen| -> Option<(Server, Progress)> {
        let mut input = Reader::new(frozen)?;
        let received = input.number()?;
        let sent = input.number()?;
        let next_ask = u32::try_from(input.number()?).ok()?;
        let has_deadline = input.flag()?;
        let deadline_ms = Some(input.number()?).filter(|_| has_deadline);
        let role = Server::read(config, &mut input)?;
        let progress = Progress { received, sent, next_ask, deadline_ms };
        input.0.is_empty().then_some((role, progress))
    };
    let (role, progress) = read(frozen).ok_or(Misuse::BadValue)?;
    Ok(Session::resume(role, now, trace, progress))
}

impl Server {
    fn write(&self, out: &mut Writer) -> Option<()> {
        let base = &self.base;
        out.flag(base.rev2_enabled);
        out.0.push(base.aware as u8);
        out.flag(base.utf8_enabled);
        out.flag(base.uid_only);
        out.flag(base.compressed);
        out.number(u64::from(base.errors));
        out.number(u64::from(base.idle_commands));
        out.flag(base.tls.is_some());
        if let Some(tls) = &base.tls {
            let TlsFacts { version, cipher, client_identity, exporter, server_end_point } = tls;
            out.flag(client_identity.is_some());
            let identity = client_identity.as_deref().unwrap_or_default();
            for text in [version, cipher, identity, exporter, server_end_point] {
                out.octets(text);
            }
        }
        match &self.doing {
            Doing::Command(incoming) if incoming.is_empty() => out.flag(false),
            Doing::Job { tag, job: Job::Idle(idle), wait: Wait::Line { .. } }
                if idle.is_waiting() =>
            {
                out.flag(true);
                out.octets(tag);
            }
            _ => return None,
        }
        match &self.state {
            State::NotAuthenticated => out.0.push(0),
            State::Authenticated => out.0.push(1),
            State::Selected(open) => {
                out.0.push(2);
                open.write(out)?;
            }
            State::Logout => return None,
        }
        // What was said by NOTIFY may be long, and who says it is told something now and then.
        (base.farewell.is_none() && base.notify.is_none()).then_some(())
    }

    fn read(mut config: Config, input: &mut Reader<'_>) -> Option<Self> {
        let rev2_enabled = input.flag()?;
        let aware = match input.octet()? {
            0 => Aware::Not,
            1 => Aware::Condstore,
            2 => Aware::Qresync,
            _ => return None,
        };
        let (utf8_enabled, uid_only, compressed) = (input.flag()?, input.flag()?, input.flag()?);
        let errors = u32::try_from(input.number()?).ok()?;
        let idle_commands = u32::try_from(input.number()?).ok()?;
        let tls = if input.flag()? {
            let identified = input.flag()?;
            let (version, cipher) = (input.octets()?, input.octets()?);
            let client_identity = Some(input.octets()?).filter(|_| identified);
            let (exporter, server_end_point) = (input.octets()?, input.octets()?);
            Some(TlsFacts { version, cipher, client_identity, exporter, server_end_point })
        } else {
            None
        };
        let doing = if input.flag()? {
            let (tag, job) = (input.octets()?, Job::Idle(Idle::waiting()));
            Doing::Job { tag, job, wait: Wait::Line { max: idle::LINE_MAX } }
        } else {
            Doing::Command(Box::<Incoming>::default())
        };
        let state = match input.octet()? {
            0 => State::NotAuthenticated,
            1 => State::Authenticated,
            2 => State::Selected(Box::new(Selected::read(input)?)),
            _ => return None,
        };
        let features = Features::new(&config.without);
        capability::leave_out(&mut config);
        let farewell = None;
        let base = Base {
            config,
            features,
            tls,
            rev2_enabled,
            utf8_enabled,
            uid_only,
            aware,
            compressed,
            errors,
            idle_commands,
            farewell,
            notify: None,
            // It waits for a command, and that sets it.
            progress_due_ms: 0,
            cut_at: None,
        };
        Some(Self { base: Box::new(base), state, doing })
    }
}

impl Selected {
    fn write(&self, out: &mut Writer) -> Option<()> {
        // Searches that are kept up to date are too long to keep.
        if self.contexts.has_any() {
            return None;
        }
        out.octets(&self.name);
        out.number(u64::from(self.uid_validity));
        out.number(u64::from(self.uid_next));
        out.flag(self.read_only);
        out.number(self.keywords.len() as u64);
        self.keywords.iter().for_each(|keyword| out.octets(keyword));
        let Frozen { sets, flags, reading, lost, modseqs, did } = self.view.frozen()?;
        for set in [&self.saved].into_iter().chain(sets) {
            // A mailbox with many gaps is not worth the time: it would not fit.
            if set.as_slice().len() > FROZEN_MAX {
                return None;
            }
            out.runs(set);
        }
        out.number(flags.len() as u64);
        flags.iter().for_each(|row| out.flag_row(row));
        out.flag(reading);
        out.flag(lost);
        let Modseqs { told, seen, gone } = modseqs;
        [told, seen, gone].into_iter().for_each(|modseq| out.number(modseq));
        out.flag(did);
        out.flag(self.owes_highest);
        Some(())
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let name = input.octets()?;
        let uid_validity = u32::try_from(input.number()?).ok()?;
        let uid_next = u32::try_from(input.number()?).ok()?;
        let read_only = input.flag()?;
        let mut keywords = Vec::new();
        for _ in 0..input.number()? {
            keywords.push(input.octets()?);
        }
        let saved = input.runs()?;
        let [told, gone, arrived] = [input.runs()?, input.runs()?, input.runs()?];
        let [recent, stale, own] = [input.runs()?, input.runs()?, input.runs()?];
        let mut flags = Vec::new();
        for _ in 0..input.number()? {
            flags.push(input.flag_row()?);
        }
        let (reading, lost) = (input.flag()?, input.flag()?);
        let modseqs =
            Modseqs { told: input.number()?, seen: input.number()?, gone: input.number()? };
        let thawed = Thawed { reading, lost, modseqs, did: input.flag()? };
        let owes_highest = input.flag()?;
        let view = View::thawed([told, gone, arrived, recent, stale, own], flags, thawed);
        Some(Self {
            name,
            uid_validity,
            uid_next,
            read_only,
            view,
            keywords,
            saved,
            contexts: Contexts::default(),
            owes_highest,
        })
    }
}

/// FNV-1a over 64 bits: against accidents, not against forgers, who cannot reach it.
fn checksum(octets: &[u8]) -> [u8; CHECK_LENGTH] {
    let step = |sum: u64, octet: &u8| (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    octets.iter().fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes()
}

struct Writer(Vec<u8>);

impl Writer {
    fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    /// Seven bits an octet, the lowest first; the top bit says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.number(octets.len() as u64);
        self.0.extend_from_slice(octets);
    }

    fn flag_row(&mut self, row: &FlagRow) {
        let FlagRow { uid, flags: Flags { system, keywords }, modseq } = row;
        self.number(u64::from(*uid));
        self.0.push(*system);
        self.number(keywords.len() as u64);
        keywords.iter().for_each(|keyword| self.octets(keyword));
        self.number(*modseq);
    }

    /// Distances rather than UIDs: most fit one octet.
    fn runs(&mut self, set: &Runs) {
        self.number(set.as_slice().len() as u64);
        let mut before = 0;
        for run in set.as_slice() {
            self.number(u64::from(run.first - before));
            self.number(u64::from(run.last - run.first));
            before = run.last;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// At the first octet after the version, if version and checksum are right.
    fn new(frozen: &'a [u8]) -> Option<Self> {
        let length = frozen.len().checked_sub(CHECK_LENGTH)?;
        let (octets, check) = frozen.split_at(length);
        let (version, rest) = octets.split_first()?;
        (*version == VERSION && checksum(octets) == check).then_some(Self(rest))
    }

    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn flag(&mut self) -> Option<bool> {
        self.octet().filter(|octet| *octet < 2).map(|octet| octet == 1)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn octets(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        let octets = self.0.get(..length)?.to_vec();
        self.0 = &self.0[length..];
        Some(octets)
    }

    fn flag_row(&mut self) -> Option<FlagRow> {
        let (uid, system) = (u32::try_from(self.number()?).ok()?, self.octet()?);
        let mut keywords = Vec::new();
        for _ in 0..self.number()? {
            keywords.push(self.octets()?);
        }
        let modseq = self.number()?;
        Some(FlagRow { uid, flags: Flags { system, keywords }, modseq })
    }

    fn runs(&mut self) -> Option<Runs> {
        let mut runs: Vec<UidRun> = Vec::new();
        let mut before = 0u32;
        for _ in 0..self.number()? {
            let first = before.checked_add(u32::try_from(self.number()?).ok()?)?;
            let last = first.checked_add(u32::try_from(self.number()?).ok()?)?;
            runs.push(UidRun { first, last });
            before = last;
        }
        are_runs(&runs).then(|| Runs::from_unsorted(runs))
    }
}
