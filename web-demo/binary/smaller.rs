//! A module with each function once, and functions that are alike beside each other.
//! It calls and computes what it did before; what a linker leaves out is done here, since the page is waited for.
//!
//! The compiler makes a function anew for each type that it is used with, and many of those come out octet for octet
//! the same. Calls go to one of them; that makes callers the same, and so on. What is left is put in an order where
//! compression finds in a function what it saw in the one before.

use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, Function, FunctionSection, Module};
use wasmparser::{
    CodeSectionReader, FunctionBody, FunctionSectionReader, Parser, Payload, TypeRef,
};

use crate::locals::Locals;
use crate::order::order;

type Error = reencode::Error<Infallible>;

/// The same module, smaller.
pub(crate) fn smaller(module: &[u8]) -> Result<Vec<u8>, Error> {
    let functions = Functions::of(module)?;
    let all = 0..functions.bodies.len();
    // What each function is replaced by: itself, or the first that is the same.
    let mut first: Vec<usize> = all.clone().collect();
    let parameters = functions.parameters.clone();
    let mut writer = Writer { parameters, places: Vec::new(), order: Vec::new() };
    let codes = loop {
        writer.places = functions.places(|at| first[at]);
        let codes: Vec<Vec<u8>> = all
            .clone()
            .map(|at| writer.code(at, &functions.bodies[at]))
            .collect::<Result<_, _>>()?;
        let mut known = HashMap::new();
        let now: Vec<usize> = all
            .clone()
            .map(|at| *known.entry((functions.types[at], &codes[at])).or_insert(at))
            .collect();
        drop(known);
        if now == first {
            break codes;
        }
        first = now;
    };
    let mut ordered: Vec<usize> = all.clone().filter(|at| first[*at] == *at).collect();
    order(&mut ordered, &codes);
    let mut place = vec![0; all.len()];
    ordered.iter().enumerate().for_each(|(to, at)| place[*at] = to);
    writer.places = functions.places(|at| place[first[at]]);
    writer.order = ordered;
    let mut made = Module::new();
    writer.parse_core_module(&mut made, Parser::new(0), module)?;
    Ok(made.finish())
}

/// The functions that a module defines.
struct Functions<'a> {
    /// How many it imports; those are counted first.
    imported: usize,
    types: Vec<u32>,
    /// How many parameters each has.
    parameters: Vec<u32>,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Functions<'a> {
    fn of(module: &'a [u8]) -> Result<Self, Error> {
        let mut found =
            Self { imported: 0, types: Vec::new(), parameters: Vec::new(), bodies: Vec::new() };
        let mut parameters = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        found.imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::TypeSection(section) => {
                    for of in section.into_iter_err_on_gc_types() {
                        parameters.push(u32::try_from(of?.params().len()).unwrap_or(u32::MAX));
                    }
                }
                Payload::FunctionSection(section) => {
                    found.types = section.into_iter().collect::<Result<_, _>>()?;
                    found.parameters =
                        found.types.iter().map(|of| parameters[*of as usize]).collect();
                }
                Payload::CodeSectionEntry(body) => found.bodies.push(body),
                _ => {}
            }
        }
        Ok(found)
    }

    /// New numbers by old ones.
    fn places(&self, place: impl Fn(usize) -> usize) -> Vec<u32> {
        let defined = (0..self.bodies.len()).map(|at| self.imported + place(at));
        let number = |at| u32::try_from(at).expect("a module counts its functions in 32 bits");
        (0..self.imported).chain(defined).map(number).collect()
    }
}

/// Writes functions under their new numbers.
struct Writer {
    /// How many parameters each defined function has.
    parameters: Vec<u32>,
    /// By old number.
    places: Vec<u32>,
    /// Which defined functions are written, in this order.
    order: Vec<usize>,
}

impl Writer {
    fn code(&mut self, at: usize, body: &FunctionBody<'_>) -> Result<Vec<u8>, Error> {
        let locals = Locals::of(body, self.parameters[at])?;
        let types = locals.types.iter().map(|of| self.val_type(*of));
        let mut function = Function::new_with_locals_types(types.collect::<Result<Vec<_>, _>>()?);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            function.instruction(&locals.renamed(self.parse_instruction(&mut operators)?));
        }
        Ok(function.into_raw_body())
    }
}

impl Reencode for Writer {
    type Error = Infallible;

    /// What tools wrote about their making; nobody who runs it asks.
    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn function_index(&mut self, number: u32) -> Result<u32, Error> {
        Ok(self.places[number as usize])
    }

    fn parse_function_section(
        &mut self,
        written: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        let types: Vec<u32> = section.into_iter().collect::<Result<_, _>>()?;
        for at in &self.order {
            written.function(types[*at]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        written: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        let bodies: Vec<FunctionBody<'_>> = section.into_iter().collect::<Result<_, _>>()?;
        for at in 0..self.order.len() {
            let defined = self.order[at];
            written.raw(&self.code(defined, &bodies[defined])?);
        }
        Ok(())
    }
}
