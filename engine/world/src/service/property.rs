//! Quotas and annotations, as the IMAP service answers for them.

use pillarbox_engine::imap::grammar::print;
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    MetadataAsk, MetadataEntry, Quota, QuotaAsk, QuotaLimit, QuotaResource,
};
use pillarbox_engine::types::Reason;

use super::imap::ImapService;
use super::{Backend, Bound};
use crate::store::{self, AccountId, QuotaLimits, SetMetadata, SetQuota, Store, Write};

/// One of these, beside `l`, lets somebody read and write annotations: r, s, w, i or p.
const ANNOTATE: Rights =
    Rights::READ.and(Rights::POST).and(Rights::INSERT).and(Rights::SEEN).and(Rights::WRITE);

impl<B: Backend> ImapService<B> {
    /// RFC 9208: each account is one quota root, named as the account is.
    pub(super) async fn quota(&self, ask: QuotaAsk) -> Result<Quota, Reason> {
        let bound = self.bound()?;
        let account = self.quota_account(bound, &ask)?;
        let store = self.backend().store();
        let root = if ask.root { ask.name } else { store.account_name(account)? };
        if let Some(set) = ask.set {
            if !self.backend().sets_quotas(&bound.name) {
                return Err(Reason::NotPermitted);
            }
            let limits = limits(&set)?;
            self.write(Write::SetQuota(SetQuota { account, limits })).await?;
        }
        let quota = self.backend().store().quota(account)?;
        Ok(Quota { resources: resources(&root, &quota), roots: vec![root] })
    }

    fn quota_account(&self, bound: &Bound, ask: &QuotaAsk) -> Result<AccountId, Reason> {
        let store = self.backend().store();
        if !ask.root {
            // RFC 9208 §6: how much there is, is told to those who may read it.
            return self.reach(&ask.name, Rights::READ).map(|place| place.account);
        }
        if ask.name == bound.name {
            return Ok(bound.id);
        }
        // Whose root that is and whether there is one is nobody's business but theirs who may set it.
        match self.backend().sets_quotas(&bound.name) {
            true => store.account(&ask.name)?.ok_or(Reason::NotFound),
            false => Err(Reason::NotFound),
        }
    }

    /// RFC 5464: what is private is the account's, what is shared goes with the mailbox.
    pub(super) async fn metadata(&self, ask: MetadataAsk) -> Result<Vec<MetadataEntry>, Reason> {
        let account = self.bound()?.id;
        let store = self.backend().store();
        let mut uses = Vec::new();
        let mailbox = match ask.name.is_empty() {
            true => None,
            false => {
                let place = self.reach(&ask.name, Rights::LOOKUP)?;
                // RFC 5464 §3.3
                if !place.rights.has_any(ANNOTATE) {
                    return Err(Reason::NotPermitted);
                }
                // RFC 6154 §4: as LIST tells it, and so to the owner alone.
                if place.account == account {
                    uses = store.name(account, &place.name, false)?.special_uses;
                }
                Some(place.mailbox)
            }
        };
        if !ask.write.is_empty() {
            let is_shared = |entry: &MetadataEntry| entry.entry.starts_with(b"/shared");
            if mailbox.is_none() && ask.write.iter().any(is_shared) {
                return Err(Reason::NotPermitted);
            }
            let entries = ask.write.into_iter().map(|entry| (entry.entry, entry.value)).collect();
            self.write(Write::SetMetadata(SetMetadata { account, mailbox, entries })).await?;
            return Ok(Vec::new());
        }
        let mut all = store.metadata(account, mailbox)?;
        if mailbox.is_none() {
            all.extend_from_slice(self.backend().annotations());
        }
        if !uses.is_empty() {
            let names: Vec<&str> = uses.into_iter().map(print::special_use).collect();
            all.push((b"/private/specialuse".to_vec(), names.join(" ").into_bytes()));
        }
        pillarbox_engine::order::sort(&mut all);
        let wanted = |name: &[u8]| ask.read.iter().any(|entry| is_within(name, entry, ask.depth));
        let read = all.into_iter().filter(|(name, _)| wanted(name));
        Ok(read.map(|(entry, value)| MetadataEntry { entry, value: Some(value) }).collect())
    }
}

/// Whether a name is this entry, or at most so many levels below it (RFC 5464 §4.2.2).
fn is_within(name: &[u8], entry: &[u8], depth: u32) -> bool {
    let Some(below) = name.strip_prefix(entry) else { return false };
    let levels = below.iter().filter(|octet| **octet == b'/').count();
    below.is_empty() || (below.starts_with(b"/") && levels as u64 <= u64::from(depth))
}

fn limits(set: &[QuotaLimit]) -> Result<QuotaLimits, Reason> {
    let mut limits = QuotaLimits::default();
    for QuotaLimit { resource, limit } in set {
        let place = match &resource[..] {
            b"STORAGE" => &mut limits.storage_kib,
            b"MESSAGE" => &mut limits.messages,
            b"MAILBOX" => &mut limits.mailboxes,
            _ => return Err(Reason::Unsupported),
        };
        *place = Some(*limit);
    }
    Ok(limits)
}

fn resources(root: &[u8], quota: &store::Quota) -> Vec<QuotaResource> {
    let all = [
        (&b"STORAGE"[..], quota.octets.div_ceil(1024), quota.limits.storage_kib),
        (b"MESSAGE", quota.messages, quota.limits.messages),
        (b"MAILBOX", quota.mailboxes, quota.limits.mailboxes),
    ];
    let limited = all.into_iter().filter_map(|(name, usage, limit)| Some((name, usage, limit?)));
    let resource = |(name, usage, limit): (&[u8], u64, u64)| {
        let (root, resource) = (root.to_vec(), name.to_vec());
        QuotaResource { root, resource, usage, limit }
    };
    limited.map(resource).collect()
}
