//! What lies between taking a message and delivering it elsewhere.

use pillarbox_engine::relay as engine;

use crate::convert::Convert;
use crate::wit::relay as wit;

impl wit::Guest for crate::Component {
    fn destination(domain: Vec<u8>) -> Vec<u8> {
        #[cfg(feature = "crash-verbs")]
        crate::crash::obey(&domain);
        engine::destination(&domain)
    }

    fn next_hop(transports: Vec<wit::Transport>, domain: Vec<u8>) -> wit::Hop {
        let transports: Vec<engine::Transport> = transports.convert();
        engine::next_hop(&transports, &domain).convert()
    }

    fn choose_route(
        exchanges: Vec<wit::Exchange>,
        own_names: Vec<Vec<u8>>,
        seed: u64,
    ) -> wit::Route {
        let exchanges: Vec<engine::Exchange> = exchanges.convert();
        engine::choose_route(&exchanges, &own_names, seed).convert()
    }

    fn fate_of(why: wit::Unreached) -> wit::Fate {
        engine::fate_of(why.convert()).convert()
    }

    fn next_host_may_help(fate: wit::Fate) -> bool {
        engine::next_host_may_help(&fate.convert())
    }

    fn same_host_may_help(fate: wit::Fate) -> bool {
        engine::same_host_may_help(&fate.convert())
    }

    fn mail_left(mail: wit::MailFrom, came_unix_ms: u64, now_unix_ms: u64) -> wit::MailFrom {
        engine::mail_left(&mail.convert(), came_unix_ms, now_unix_ms).convert()
    }

    fn times_of(mail: wit::MailFrom, came_unix_ms: u64) -> wit::Times {
        engine::times_of(&mail.convert(), came_unix_ms).convert()
    }

    fn notice_unix_ms(schedule: wit::Schedule, times: wit::Times, now_unix_ms: u64) -> u64 {
        engine::notice_unix_ms(&schedule.convert(), &times.convert(), now_unix_ms)
    }

    fn end_unix_ms(schedule: wit::Schedule, times: wit::Times) -> u64 {
        engine::end_unix_ms(&schedule.convert(), &times.convert())
    }

    fn first_attempt(times: wit::Times, now_unix_ms: u64) -> u64 {
        engine::first_attempt(&times.convert(), now_unix_ms)
    }

    fn next_attempt(
        schedule: wit::Schedule,
        times: wit::Times,
        now_unix_ms: u64,
        failures: u32,
        seed: u64,
    ) -> Option<u64> {
        engine::next_attempt(&schedule.convert(), &times.convert(), now_unix_ms, failures, seed)
    }

    fn host_backoff(failures: u32, schedule: wit::Schedule, seed: u64) -> u64 {
        engine::host_backoff(failures, &schedule.convert(), seed)
    }

    fn in_order(turns: Vec<wit::Turn>) -> Vec<u32> {
        let turns: Vec<engine::Turn> = turns.convert();
        engine::in_order(&turns)
    }

    fn settle(attempted: wit::Attempted) -> wit::Settled {
        engine::settle(attempted.convert()).convert()
    }

    fn octets_wanted(kind: wit::ReportKind, mail: wit::MailFrom, message_size: u64) -> u64 {
        engine::octets_wanted(kind.convert(), &mail.convert(), message_size)
    }

    fn make_report(report: wit::Report) -> Option<wit::Notice> {
        engine::make_report(&report.convert()).convert()
    }
}
