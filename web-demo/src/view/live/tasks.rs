//! Dialogs for what the engine in this page does at the server.

use leptos::prelude::*;

use super::Desk;
use crate::controls::{Button, Dialog, Field, TextArea};
use crate::story::live::Task;

pub(super) fn send_dialog(desk: Desk, open: RwSignal<bool>) -> AnyView {
    let from = RwSignal::new("alice@crepes.fr".to_owned());
    let to = RwSignal::new("bob@hamburger.edu".to_owned());
    let subject = RwSignal::new("Ketchup".to_owned());
    let text = RwSignal::new("Do you like ketchup?\nHow about pickles?\n".to_owned());
    let send = move || {
        open.set(false);
        desk.task(Task::Send {
            from: from.get_untracked(),
            to: to.get_untracked(),
            subject: subject.get_untracked(),
            text: text.get_untracked(),
        });
    };
    view! {
        <Dialog open=open title="Send a mail to your server">
            <p class="muted">"The engine in this page is the client. It sends the message to your server for real."</p>
            <div class="form">
                <Field label="From" value=from send=send />
                <Field label="To" value=to send=send />
                <Field label="Subject" value=subject send=send />
                <TextArea label="Text" value=text />
                <div class="go"><Button class="primary" press=send>"Send"</Button></div>
            </div>
        </Dialog>
    }
    .into_any()
}

pub(super) fn read_dialog(desk: Desk, open: RwSignal<bool>) -> AnyView {
    let account = RwSignal::new("bob@hamburger.edu".to_owned());
    let read = move |by_imap: bool| {
        open.set(false);
        desk.task(Task::Read { account: account.get_untracked(), by_imap });
    };
    view! {
        <Dialog open=open title="Read mail from your server">
            <p class="muted">"The engine in this page logs in as this user; on a server for development any password is right."</p>
            <div class="form">
                <Field label="Whose mailbox" value=account send=move || read(false) />
                <div class="go">
                    <Button class="primary" press=move || read(false)>"By POP3"</Button>
                    <Button press=move || read(true)>"By IMAP"</Button>
                </div>
            </div>
        </Dialog>
    }
    .into_any()
}
