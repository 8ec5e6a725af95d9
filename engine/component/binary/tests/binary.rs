//! The built component: it imports nothing, holds no crash verb, and is small.

use std::io::Write;
use std::process::{Command, Stdio};

use pillarbox_component_binary::COMPONENT;
use wasmparser::{Parser, Payload};

/// Octets, and octets compressed, that the component stays under. The three server roles with password logins took
/// 0.79 MB and 350 KB, SCRAM, tokens, the SMTP client and the relay 0.37 MB and 134 KB; the clients of POP3 and IMAP add
/// 0.34 MB and 104 KB, and what IMAP synchronises, sorts and threads by 0.26 MB and 80 KB. NOTIFY, ACL and searches that are
/// kept up to date take 0.1 MB and 40 KB; one search in many mailboxes, fuzzy ones and messages put together 0.07 MB and
/// 25 KB; UIDONLY, INPROGRESS, the client's calls for all that and sessions that are frozen 0.05 MB and 20 KB; URLAUTH
/// 0.04 MB and 14 KB; CRAM-MD5, PREAUTH, capabilities left out, LANGUAGE, LIST-METADATA and kept orders 0.03 MB and 10 KB;
/// surrogates of messages with UTF-8 in their header fields 0.03 MB and 9 KB.
const SIZE_MAX: usize = 2070 << 10;
const GZIP_MAX: usize = 792 << 10;

#[test]
fn the_component_imports_nothing() {
    // Components inside the component are given its types as imports, by itself.
    let mut depth = 0;
    let mut exports = 0;
    for payload in Parser::new(0).parse_all(COMPONENT) {
        match payload.expect("the build checked it") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            // The outermost end is the last.
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                let names = imports.into_iter().map(|import| import.expect("checked").name.name);
                panic!("the component imports {:?}", names.collect::<Vec<_>>());
            }
            Payload::ComponentExportSection(section) if depth == 0 => exports += section.count(),
            _ => {}
        }
    }
    assert_eq!(exports, 13, "one for each interface of world `servers`");
}

#[test]
fn its_module_imports_nothing_but_its_own_handles() {
    let modules = modules();
    let largest = modules.iter().max_by_key(|module| module.octets).expect("there is a module");
    assert!(largest.octets > 100_000, "the engine is not in there: {largest:?}");
    for (module, name) in &largest.imports {
        assert!(is_own_handle(module, name), "{module} {name}");
    }
    // What is left is the encoding's glue, which can only reach the module.
    for glue in modules.iter().filter(|module| module.octets != largest.octets) {
        assert!(glue.octets < 8192, "{glue:?}");
        let inward = |module: &str| ["", "actual", "shim"].contains(&module);
        assert!(glue.imports.iter().all(|(module, _)| inward(module)), "{glue:?}");
    }
}

/// Calls of the component model's own bookkeeping of the sessions that the component gives out.
fn is_own_handle(module: &str, name: &str) -> bool {
    let verbs = ["[resource-new]session", "[resource-rep]session", "[resource-drop]session"];
    module.starts_with("[export]pillarbox:mail/") && verbs.contains(&name)
}

/// A core module inside the component.
#[derive(Debug)]
struct Module {
    octets: usize,
    imports: Vec<(String, String)>,
}

fn modules() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    for payload in Parser::new(0).parse_all(COMPONENT) {
        match payload.expect("the build checked it") {
            Payload::ModuleSection { unchecked_range, .. } => {
                let octets = usize::try_from(unchecked_range.end - unchecked_range.start);
                let octets = octets.expect("it is in memory");
                modules.push(Module { octets, imports: Vec::new() });
            }
            Payload::ImportSection(imports) => {
                let module = modules.last_mut().expect("imports are inside a module");
                for import in imports.into_imports() {
                    let import = import.expect("the build checked it");
                    module.imports.push((import.module.to_owned(), import.name.to_owned()));
                }
            }
            _ => {}
        }
    }
    modules
}

#[test]
fn no_crash_verb_is_in_the_product() {
    assert!(!COMPONENT.windows(6).any(|octets| octets == b"XCRASH"));
}

#[test]
fn the_component_is_small() {
    let packed = gzip(COMPONENT);
    println!("component: {} octets, {} compressed", COMPONENT.len(), packed);
    assert!(COMPONENT.len() < SIZE_MAX, "{} octets", COMPONENT.len());
    assert!(packed < GZIP_MAX, "{packed} octets compressed");
}

fn gzip(octets: &[u8]) -> usize {
    let mut gzip = Command::new("gzip");
    let gzip = gzip.args(["-9", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = gzip.spawn().expect("gzip is part of every system that this builds on");
    let mut stdin = child.stdin.take().expect("it is piped");
    let octets = octets.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&octets));
    let output = child.wait_with_output().expect("gzip ends");
    writer.join().expect("the writer does not panic").expect("gzip reads all");
    output.stdout.len()
}
