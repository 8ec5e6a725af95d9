//! What becomes of a message, from what was found out about who sent it and what the operator wants.

use mail_auth::dmarc::Policy;
use mail_auth::{ArcOutput, DkimOutput, DkimResult, DmarcOutput, DmarcResult, SpfResult};
use pillarbox_engine::types::Reason;

use super::settings::{Check, OnTemporary, Then, TrustPolicy, TrustSettings};

/// What was found out.
pub(super) struct Findings<'x> {
    /// None if it was not looked for.
    pub(super) spf: Option<mail_auth::SpfOutput>,
    pub(super) dkim: Vec<DkimOutput<'x>>,
    pub(super) arc: Option<ArcOutput<'x>>,
    pub(super) dmarc: Option<DmarcOutput>,
    /// The message has no author that could be proven, which nobody sends by mistake who wants to be believed.
    pub(super) is_odd: bool,
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Tag,
    Quarantine,
    Reject(Reason),
    Later,
}

impl Verdict {
    /// For logs and counters.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Quarantine => "quarantine",
            Self::Reject(_) => "reject",
            Self::Later => "later",
        }
    }
}

/// How one check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    Yes,
    No,
    /// Nobody knows now.
    Unknown,
}

impl Findings<'_> {
    fn spf(&self) -> Passed {
        match self.spf.as_ref().map(mail_auth::SpfOutput::result) {
            Some(SpfResult::Pass) => Passed::Yes,
            Some(SpfResult::TempError) => Passed::Unknown,
            _ => Passed::No,
        }
    }

    fn dkim(&self) -> Passed {
        let any = |is: fn(&DkimResult) -> bool| self.dkim.iter().any(|one| is(one.result()));
        match () {
            () if any(|result| matches!(result, DkimResult::Pass)) => Passed::Yes,
            () if any(|result| matches!(result, DkimResult::TempError(_))) => Passed::Unknown,
            () => Passed::No,
        }
    }

    fn dmarc(&self) -> Passed {
        match self.dmarc.as_ref().map(DmarcOutput::result) {
            Some(DmarcResult::Pass) => Passed::Yes,
            Some(DmarcResult::TempError(_)) => Passed::Unknown,
            _ => Passed::No,
        }
    }

    fn arc(&self) -> Passed {
        match self.arc.as_ref().map(ArcOutput::result) {
            Some(DkimResult::Pass) => Passed::Yes,
            Some(DkimResult::TempError(_)) => Passed::Unknown,
            _ => Passed::No,
        }
    }

    /// Whether one whom the operator believes has sealed it last, with the whole chain good.
    fn is_vouched_for(&self, sealers: &[String]) -> bool {
        let last = self.arc.as_ref().and_then(|arc| arc.sets().last());
        let believed = |domain: &str| sealers.iter().any(|one| one.eq_ignore_ascii_case(domain));
        self.arc() == Passed::Yes && last.is_some_and(|set| believed(&set.seal.header.d))
    }

    /// What is done by a rule of the operator's, or else by what the author's domain wants.
    pub(super) fn verdict(&self, settings: &TrustSettings, rule: Option<&TrustPolicy>) -> Verdict {
        if let Some(rule) = rule {
            let (passed, reason) = match rule.unless {
                Check::Spf => (self.spf(), Reason::SpfFailed),
                Check::Dkim => (self.dkim(), Reason::DkimFailed),
                Check::Dmarc => (self.dmarc(), Reason::Unauthenticated),
                Check::Arc => (self.arc(), Reason::Unauthenticated),
            };
            return settled(settings, passed, rule.then, reason);
        }
        if self.is_vouched_for(&settings.sealers) {
            return Verdict::Tag;
        }
        let Some(dmarc) = &self.dmarc else { return self.by_spf(settings) };
        if self.is_odd {
            let then = Then::Quarantine.min(settings.honour);
            return settled(settings, Passed::No, then, Reason::Unauthenticated);
        }
        let wanted = match dmarc.policy() {
            Policy::Reject => Then::Reject,
            Policy::Quarantine => Then::Quarantine,
            Policy::None | Policy::Unspecified => Then::Tag,
        };
        let then = wanted.min(settings.honour);
        match dmarc.result() {
            DmarcResult::None => self.by_spf(settings),
            // Without its record nobody knows what the domain wants.
            DmarcResult::TempError(_) if dmarc.dmarc_record().is_none() => {
                settled(settings, Passed::Unknown, settings.honour, Reason::Unauthenticated)
            }
            _ => settled(settings, self.dmarc(), then, Reason::Unauthenticated),
        }
    }

    fn by_spf(&self, settings: &TrustSettings) -> Verdict {
        let fails = self.spf.as_ref().is_some_and(|spf| spf.result() == SpfResult::Fail);
        let passed = if fails { Passed::No } else { Passed::Yes };
        settled(settings, passed, settings.spf_fail, Reason::SpfFailed)
    }
}

fn settled(settings: &TrustSettings, passed: Passed, then: Then, reason: Reason) -> Verdict {
    match (passed, then) {
        (Passed::Yes, _) | (_, Then::Accept | Then::Tag) => Verdict::Tag,
        (Passed::No, Then::Quarantine) => Verdict::Quarantine,
        (Passed::No, Then::Reject) => Verdict::Reject(reason),
        // What would only be put aside need not come again.
        (Passed::Unknown, Then::Quarantine) => Verdict::Tag,
        (Passed::Unknown, Then::Reject) => match settings.on_temporary {
            OnTemporary::Later => Verdict::Later,
            OnTemporary::Tag => Verdict::Tag,
        },
    }
}
