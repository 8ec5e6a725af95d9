//! The names by which a module and its glue call each other, shortened: nobody else says them, and the hash at the end of
//! each is eight octets that no compression makes fewer, twice.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{ExportSection, ImportSection, Module};
use wasmparser::{Export, Import, Imports, Parser, Payload, TypeRef};

type Error = reencode::Error<Infallible>;

/// The same module and glue, with short names for each other's functions.
///
/// # Errors
/// The module is none, or asks for what its glue does not have.
pub(crate) fn short(
    module: &[u8],
    glue: &str,
) -> Result<(Vec<u8>, String), Box<dyn std::error::Error>> {
    let mut names = Names::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for imports in section {
                    if let Imports::Single(_, import) = imports?
                        && matches!(import.ty, TypeRef::Func(_))
                    {
                        names.add(import.name, glue);
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    // Others are called by the page, or begin it.
                    if export.name.contains("__") {
                        names.add(export.name, glue);
                    }
                }
            }
            _ => {}
        }
    }
    let mut made = Module::new();
    names.parse_core_module(&mut made, Parser::new(0), module)?;
    let (made, glue) = (made.finish(), names.in_script(glue));
    if let Some(name) = missing(&made, &glue)? {
        return Err(format!("the module asks for {name}, which its glue does not have").into());
    }
    Ok((made, glue))
}

/// A function that a module asks for and its glue does not have: such a page would not start.
fn missing(module: &[u8], glue: &str) -> Result<Option<String>, Error> {
    let has: HashSet<&str> = words(glue).collect();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                if matches!(import.ty, TypeRef::Func(_)) && !has.contains(import.name) {
                    return Ok(Some(import.name.to_owned()));
                }
            }
        }
    }
    Ok(None)
}

/// Short names by long ones.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    /// Of a name that the glue does not have nothing is known.
    fn add(&mut self, name: &str, glue: &str) {
        if words(glue).any(|word| word == name) {
            let short = format!("${}", self.0.len());
            self.0.entry(name.to_owned()).or_insert(short);
        }
    }

    fn of<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, |short| short)
    }

    fn in_script(&self, glue: &str) -> String {
        words(glue).map(|word| self.of(word)).collect()
    }
}

/// A script's names, and what stands between them, in their order.
fn words(script: &str) -> impl Iterator<Item = &str> {
    let belongs = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'$');
    let mut rest = script;
    std::iter::from_fn(move || {
        let is_name = belongs(*rest.as_bytes().first()?);
        let end = rest.bytes().position(|octet| belongs(octet) != is_name);
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(word)
    })
}

impl Reencode for Names {
    type Error = Infallible;

    fn parse_imports(
        &mut self,
        written: &mut ImportSection,
        imports: Imports<'_>,
    ) -> Result<(), Error> {
        // Those of other forms keep their names, as none of them is known.
        let Imports::Single(at, import) = imports else {
            return reencode::utils::parse_imports(self, written, imports);
        };
        let name = self.of(import.name).to_owned();
        let import = Import { name: &name, ..import };
        reencode::utils::parse_imports(self, written, Imports::Single(at, import))
    }

    fn parse_export(
        &mut self,
        written: &mut ExportSection,
        export: Export<'_>,
    ) -> Result<(), Error> {
        let name = self.of(export.name).to_owned();
        reencode::utils::parse_export(self, written, Export { name: &name, ..export })
    }
}
