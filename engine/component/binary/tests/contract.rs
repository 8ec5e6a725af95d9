//! The contract's texts: they parse, import nothing, explain themselves, and the six roles are of
//! one form.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{Docs, Resolve, Type, TypeDefKind};

/// The six roles.
const ROLES: [&str; 6] =
    ["smtp-server", "smtp-client", "pop3-server", "pop3-client", "imap-server", "imap-client"];
/// Worlds that hosts can choose.
const WORLDS: [&str; 5] = ["smtp", "pop3", "imap", "servers", "engine"];
/// Where text of our own, not of a peer, may be a `string`.
const STRINGS: [&str; 6] = [
    "rule.section",
    "rule.gist",
    "span.label",
    "state-change.from",
    "state-change.to",
    "failure.diagnosis",
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit")
}

fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(directory()).expect("the contract parses");
    resolve
}

#[test]
fn no_world_imports_anything() {
    let resolve = contract();
    let names: BTreeSet<&str> =
        resolve.worlds.iter().map(|(_, world)| world.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(WORLDS));
    for (_, world) in &resolve.worlds {
        assert!(world.imports.is_empty(), "world {} imports {:?}", world.name, world.imports);
        assert!(!world.exports.is_empty(), "world {}", world.name);
    }
}

#[test]
fn all_six_roles_are_of_one_form() {
    let forms: Vec<String> = ROLES.iter().map(|role| form(role)).collect();
    for (role, form) in ROLES.iter().zip(&forms) {
        assert_eq!(form, &forms[0], "{role} differs from {}", ROLES[0]);
    }
    for verb in [
        "constructor(",
        "receive:",
        "receive-end:",
        "secured:",
        "answer:",
        "call:",
        "tick:",
        "poll:",
        "step:",
        "freeze:",
        "thaw:",
    ] {
        assert!(forms[0].contains(verb), "{verb} is missing");
    }
}

/// From the first type of the common form to the end of the session, word for word.
fn form(role: &str) -> String {
    let protocol = role.split('-').next().expect("split gives at least one");
    let text = fs::read_to_string(directory().join(protocol).with_extension("wit"));
    let text = text.expect("each protocol has a file");
    let interface = text.split(&format!("\ninterface {role} {{\n")).nth(1);
    let interface = interface.unwrap_or_else(|| panic!("{role} is not there"));
    let start = interface.find("    /// One verb, as data").expect("the form begins");
    let session = interface.find("    resource session {").expect("there is a session");
    let end = session + interface[session..].find("\n    }\n").expect("it ends");
    interface[start..end].to_owned()
}

#[test]
fn every_server_role_has_last_words() {
    let resolve = contract();
    for (_, interface) in &resolve.interfaces {
        let name = interface.name.as_deref().unwrap_or_default();
        let has = interface.functions.contains_key("farewell");
        assert_eq!(has, name.ends_with("-server"), "{name}");
    }
}

#[test]
fn everything_is_documented() {
    let resolve = contract();
    let mut silent = Vec::new();
    let mut check = |docs: &Docs, what: String| {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            silent.push(what);
        }
    };
    for (_, world) in &resolve.worlds {
        check(&world.docs, format!("world {}", world.name));
    }
    for (_, interface) in &resolve.interfaces {
        let place = interface.name.clone().unwrap_or_default();
        check(&interface.docs, place.clone());
        for (name, function) in &interface.functions {
            check(&function.docs, format!("{place}.{name}"));
        }
    }
    for (_, item) in &resolve.types {
        // What another interface declares is explained there; parts of types have no name.
        let Some(name) = item.name.as_ref().filter(|_| !is_alias(&item.kind)) else { continue };
        check(&item.docs, name.clone());
        match &item.kind {
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    check(&field.docs, format!("{name}.{}", field.name));
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &variant.cases {
                    check(&case.docs, format!("{name}.{}", case.name));
                }
            }
            TypeDefKind::Enum(cases) => {
                for case in &cases.cases {
                    check(&case.docs, format!("{name}.{}", case.name));
                }
            }
            _ => {}
        }
    }
    assert!(silent.is_empty(), "without a word: {silent:?}");
}

fn is_alias(kind: &TypeDefKind) -> bool {
    matches!(kind, TypeDefKind::Type(Type::Id(_)))
}

#[test]
fn peer_data_is_octets() {
    let resolve = contract();
    let mut strings = Vec::new();
    for (_, item) in &resolve.types {
        assert!(!matches!(item.kind, TypeDefKind::Flags(_)), "{:?} is flags", item.name);
        let owner = item.name.clone().unwrap_or_default();
        match &item.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().filter(|field| field.ty == Type::String);
                strings.extend(fields.map(|field| format!("{owner}.{}", field.name)));
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().filter(|case| case.ty == Some(Type::String));
                strings.extend(cases.map(|case| format!("{owner}.{}", case.name)));
            }
            TypeDefKind::List(inner) | TypeDefKind::Option(inner) => {
                assert_ne!(*inner, Type::String, "a list or option of strings");
            }
            _ => {}
        }
    }
    let strings: BTreeSet<&str> = strings.iter().map(String::as_str).collect();
    assert_eq!(strings, BTreeSet::from(STRINGS));
}
