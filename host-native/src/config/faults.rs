//! Faults on purpose, as flags and their file give them. They belong to development: a server with accounts has none.

use pillarbox_world::fault::{Place, Problem, RULES_MAX, Rule, parse_file};

use crate::cli::ServeFlags;
use crate::error::Error;

/// The faults that a server begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSettings {
    /// What chances are drawn from.
    pub seed: u64,
    /// The file's, then the flags'.
    pub rules: Vec<Rule>,
}

impl FaultSettings {
    /// Joins file and flags; none in a server profile.
    pub(super) fn new(flags: &ServeFlags, server_profile: bool) -> Result<Option<Self>, Error> {
        if server_profile {
            return match used(flags) {
                Some(flag) => Err(Error::usage(format!(
                    "{flag}: faults on purpose belong to the dev profile, where no mail matters; \
                     --config makes this a server with accounts. Leave one of the two out"
                ))),
                None => Ok(None),
            };
        }
        let mut settings = Self::default();
        if let Some(path) = &flags.faults {
            let at = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Error::usage(format!("--faults {at}: cannot read it: {error}")))?;
            let (seed, rules) = parse_file(&text).map_err(|(line, problem)| {
                Error::usage(format!("--faults {at}: line {line}: {problem}"))
            })?;
            settings = Self { seed: seed.unwrap_or_default(), rules };
        }
        for text in flags.fault.iter().filter(|text| !text.trim().is_empty()) {
            let wrong = |problem: Problem| Error::usage(format!("--fault '{text}': {problem}"));
            settings.rules.push(text.parse().map_err(wrong)?);
        }
        for rule in &settings.rules {
            here(rule).map_err(|problem| Error::usage(format!("fault '{rule}': {problem}")))?;
        }
        if settings.rules.len() > RULES_MAX {
            return Err(Error::usage(format!("--faults: more than {RULES_MAX} faults")));
        }
        settings.seed = flags.seed.or(flags.fault_seed).unwrap_or(settings.seed);
        Ok(Some(settings))
    }
}

/// Refuses what one server alone can never see.
pub(crate) fn here(rule: &Rule) -> Result<(), Problem> {
    match rule.place {
        Place::Link(..) => Err(Problem::new(
            "where",
            "one server does not know what lies between two; use any, a service, node:NAME or wire:NUMBER",
        )),
        _ if rule.is_of_web() => Err(Problem::new(
            "where",
            "faults of the web are for simulated worlds (pillarbox replay); this server has smtp, submission, lmtp, pop3, imap",
        )),
        _ if rule.action.needs_world() => Err(Problem::new(
            "what",
            "one server has neither the network nor DNS in its hands; simulated worlds have (pillarbox replay)",
        )),
        _ => Ok(()),
    }
}

fn used(flags: &ServeFlags) -> Option<&'static str> {
    let used = [
        ("--fault", !flags.fault.is_empty()),
        ("--faults", flags.faults.is_some()),
        ("--seed", flags.seed.or(flags.fault_seed).is_some()),
    ];
    used.into_iter().find_map(|(flag, used)| used.then_some(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(rules: &[&str]) -> ServeFlags {
        let fault = rules.iter().map(ToString::to_string).collect();
        ServeFlags { fault, ..ServeFlags::default() }
    }

    #[test]
    fn faults_are_for_development_alone() {
        let with_one = flags(&["any/verb=MAIL/drop"]);
        let error = FaultSettings::new(&with_one, true).expect_err("a server profile");
        assert!(error.message.starts_with("--fault: "), "{error}");
        assert!(error.message.contains("dev profile"), "{error}");
        let seeded = ServeFlags { fault_seed: Some(1), ..ServeFlags::default() };
        assert!(FaultSettings::new(&seeded, true).is_err());
        assert_eq!(FaultSettings::new(&flags(&[]), true).expect("no faults"), None);
        let settings = FaultSettings::new(&with_one, false).expect("a rule").expect("dev profile");
        assert_eq!(settings.rules.len(), 1);
    }

    #[test]
    fn errors_name_flag_file_and_line() {
        let error = FaultSettings::new(&flags(&["any/verb=RCTP/drop"]), false).expect_err("a slip");
        assert!(error.message.starts_with("--fault 'any/verb=RCTP/drop': verb: "), "{error}");
        let error =
            FaultSettings::new(&flags(&["link:a~b/always/drop"]), false).expect_err("no link");
        assert!(error.message.contains("where: "), "{error}");
        for web in ["http/after=connect/drop", "any/verb=POST/drop"] {
            let error = FaultSettings::new(&flags(&[web]), false).expect_err("no web mail here");
            assert!(error.message.contains("simulated worlds"), "{error}");
        }
        let directory =
            std::env::temp_dir().join(format!("pillarbox-faults-{}", std::process::id()));
        std::fs::write(&directory, "seed=7\nany/verb=MAIL/explode\n").expect("it can be written");
        let faults = Some(directory.clone());
        let from_file = ServeFlags { faults, ..flags(&["any/verb=QUIT/drop"]) };
        let error = FaultSettings::new(&from_file, false).expect_err("a slip");
        assert!(error.message.contains("line 2: what: "), "{error}");
        std::fs::write(&directory, "seed=7\nany/verb=MAIL/drop\n").expect("it can be written");
        let settings = FaultSettings::new(&from_file, false).expect("right").expect("dev profile");
        assert_eq!((settings.seed, settings.rules.len()), (7, 2));
        let seeded = ServeFlags { fault_seed: Some(8), ..from_file };
        let settings = FaultSettings::new(&seeded, false).expect("right").expect("dev profile");
        assert_eq!(settings.seed, 8);
        std::fs::remove_file(directory).expect("it is ours");
    }
}
