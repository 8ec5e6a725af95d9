//! Every listener: bound before anything slow is done, and opened once everything is ready.

use std::net::SocketAddr;
use std::sync::Arc;

use pillarbox_engine::smtp::Service;
use pillarbox_engine::types::TlsOffer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Shared;
use super::listener::Listener;
use super::ready::Addresses;
use super::roles::{Door, ImapRole, Pop3Role, SmtpRole};
use crate::config::Settings;
use crate::error::{Error, Kind};

/// Bound, not open yet.
pub(super) struct Doors {
    smtp: TcpListener,
    pop3: TcpListener,
    imap: TcpListener,
    http: TcpListener,
    submission: Option<TcpListener>,
    submissions: Option<TcpListener>,
    pop3s: Option<TcpListener>,
    imaps: Option<TcpListener>,
    lmtp: Option<TcpListener>,
    imap_preauth: Option<TcpListener>,
}

impl Doors {
    /// Takes every address; a port in use is the commonest mistake.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Error> {
        let listen = settings.listen;
        let preauth = settings.preauth.as_ref().map(|preauth| preauth.listen);
        Ok(Self {
            smtp: bind("--smtp", listen.smtp).await?,
            pop3: bind("--pop3", listen.pop3).await?,
            imap: bind("--imap", listen.imap).await?,
            http: bind("--http", listen.http).await?,
            submission: bind_if("--submission", listen.submission).await?,
            submissions: bind_if("--submissions", listen.submissions).await?,
            pop3s: bind_if("--pop3s", listen.pop3s).await?,
            imaps: bind_if("--imaps", listen.imaps).await?,
            lmtp: bind_if("--lmtp", listen.lmtp).await?,
            imap_preauth: bind_if("--imap-preauth", preauth).await?,
        })
    }

    /// The addresses that they really have.
    pub(super) fn addresses(&self) -> Result<Addresses, Error> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|e| Error::failed(format!("cannot read an address: {e}")))
        };
        let option = |listener: &Option<TcpListener>| listener.as_ref().map(address).transpose();
        Ok(Addresses {
            pid: std::process::id(),
            smtp: address(&self.smtp)?,
            pop3: address(&self.pop3)?,
            imap: address(&self.imap)?,
            http: address(&self.http)?,
            submission: option(&self.submission)?,
            submissions: option(&self.submissions)?,
            pop3s: option(&self.pop3s)?,
            imaps: option(&self.imaps)?,
            lmtp: option(&self.lmtp)?,
            imap_preauth: option(&self.imap_preauth)?,
        })
    }

    /// Accepts connections for all of the mail protocols; gives back the listener of HTTP, which needs no sandbox.
    pub(super) fn open(self, shared: &Arc<Shared>) -> (TcpListener, Vec<JoinHandle<()>>) {
        let tls = shared.settings.tls.as_ref();
        let upgrade = tls.map_or(TlsOffer::None, |_| TlsOffer::Upgrade);
        let plain = tls.filter(|tls| tls.starttls).map_or(TlsOffer::None, |_| TlsOffer::Upgrade);
        let door = |tls, service| Door { tls, service, preauth: false };
        let smtp = |listener, tls, service| {
            let listener: Option<TcpListener> = listener;
            listener.map(|listener| {
                let door = door(tls, service);
                tokio::spawn(Listener::<SmtpRole>::new(listener, door, Arc::clone(shared)).run())
            })
        };
        let pop3 = |listener: Option<TcpListener>, tls| {
            listener.map(|listener| {
                let door = door(tls, Service::Smtp);
                tokio::spawn(Listener::<Pop3Role>::new(listener, door, Arc::clone(shared)).run())
            })
        };
        let imap = |listener: Option<TcpListener>, tls, preauth| {
            listener.map(|listener| {
                let door = Door { preauth, ..door(tls, Service::Smtp) };
                tokio::spawn(Listener::<ImapRole>::new(listener, door, Arc::clone(shared)).run())
            })
        };
        let all = [
            smtp(Some(self.smtp), plain, Service::Smtp),
            smtp(self.submission, upgrade, Service::Submission),
            smtp(self.submissions, TlsOffer::Implicit, Service::Submission),
            smtp(self.lmtp, plain, Service::Lmtp),
            pop3(Some(self.pop3), plain),
            pop3(self.pop3s, TlsOffer::Implicit),
            imap(Some(self.imap), plain, false),
            imap(self.imaps, TlsOffer::Implicit, false),
            // RFC 9051 §6.2.1: STARTTLS stands before the login, which there is none of.
            imap(self.imap_preauth, TlsOffer::None, true),
        ];
        (self.http, all.into_iter().flatten().collect())
    }
}

async fn bind_if(flag: &str, address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    match address {
        Some(address) => bind(flag, address).await.map(Some),
        None => Ok(None),
    }
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "the port is in use; stop the other program, or choose another with {flag} {}:0 (a free one)",
                address.ip()
            ),
            std::io::ErrorKind::PermissionDenied => {
                "not permitted; ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)".to_owned()
            }
            _ => error.to_string(),
        };
        Error::new(Kind::Address, format!("{flag} {address}: {what}"))
    })
}
