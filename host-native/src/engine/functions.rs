//! The relay functions of the component, found and checked once for each instance that gives them.

use wasmtime::component::{Component, Instance, TypedFunc};
use wasmtime::{Error, Store};

use super::entries::export;
use super::sandbox::Guard;
use super::wit::relay as wit;

// A macro, since name and types of each function stand in three places otherwise.

/// Functions of an interface by their names in the contract, with what they take and give.
macro_rules! functions {
    ($functions:ident of $interface:literal; $($name:ident $wit:literal ($($take:ty),*) -> $give:ty;)*) => {
        /// The functions of one instance.
        pub(super) struct $functions {
            $(pub(super) $name: TypedFunc<($($take,)*), ($give,)>,)*
        }

        impl $functions {
            pub(super) fn find(
                component: &Component,
                instance: Instance,
                store: &mut Store<Guard>,
            ) -> Result<Self, Error> {
                Ok(Self {$(
                    $name: instance.get_typed_func(
                        &mut *store,
                        &export(component, $interface, $wit)?,
                    )?,
                )*})
            }
        }
    };
}

functions! {
    Functions of "relay";
    destination "destination" (Vec<u8>) -> Vec<u8>;
    next_hop "next-hop" (Vec<wit::Transport>, Vec<u8>) -> wit::Hop;
    choose_route "choose-route" (Vec<wit::Exchange>, Vec<Vec<u8>>, u64) -> wit::Route;
    fate_of "fate-of" (wit::Unreached) -> wit::Fate;
    next_host_may_help "next-host-may-help" (wit::Fate) -> bool;
    same_host_may_help "same-host-may-help" (wit::Fate) -> bool;
    mail_left "mail-left" (wit::MailFrom, u64, u64) -> wit::MailFrom;
    times_of "times-of" (wit::MailFrom, u64) -> wit::Times;
    notice_unix_ms "notice-unix-ms" (wit::Schedule, wit::Times, u64) -> u64;
    end_unix_ms "end-unix-ms" (wit::Schedule, wit::Times) -> u64;
    first_attempt "first-attempt" (wit::Times, u64) -> u64;
    next_attempt "next-attempt" (wit::Schedule, wit::Times, u64, u32, u64) -> Option<u64>;
    host_backoff "host-backoff" (u32, wit::Schedule, u64) -> u64;
    in_order "in-order" (Vec<wit::Turn>) -> Vec<u32>;
    settle "settle" (wit::Attempted) -> wit::Settled;
    octets_wanted "octets-wanted" (wit::ReportKind, wit::MailFrom, u64) -> u64;
    make_report "make-report" (wit::Report) -> Option<wit::Notice>;
}
