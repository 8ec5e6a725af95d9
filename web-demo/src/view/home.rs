//! The first page: what this is, three ways in, and all scenarios.

use leptos::prelude::*;

use crate::app::Ui;
use crate::controls::{Icon, icon};

/// The first page.
pub(super) fn home() -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set(String::new());
    view! {
        <div class="page">
            <section class="hero">
                <div>
                    <h1>"See what really happens when you send a mail"</h1>
                    <p class="lead">
                        "A whole mail Internet lives in this page: servers, queues, mailboxes, DNS. "
                        "Step through it, type to it, break it, and ask every octet why it is there."
                    </p>
                </div>
            </section>
            <section class="doors">
                <a class="door card" href="#/s/alice-to-bob">{icon(Icon::Journey)}<h2>"Watch a message travel"</h2>
                <p>"From Alice to Bob, step by step"</p></a>
            </section>
        </div>
    }
    .into_any()
}
