//! A function's locals under other numbers: those that it uses most come first among those of their type, so that
//! functions that do the same name them alike, and the commonest have the smallest numbers.

use std::cmp::Reverse;

use wasm_encoder::Instruction;
use wasmparser::{BinaryReaderError, FunctionBody, Operator, ValType};

/// New numbers of a function's locals.
pub(crate) struct Locals {
    parameters: u32,
    /// By old number, without parameters.
    places: Vec<u32>,
    /// Their types, in the new order.
    pub(crate) types: Vec<ValType>,
}

impl Locals {
    /// Those of a function with so many parameters, which keep their numbers.
    pub(crate) fn of(body: &FunctionBody<'_>, parameters: u32) -> Result<Self, BinaryReaderError> {
        let mut types = Vec::new();
        for local in body.get_locals_reader()? {
            let (count, of) = local?;
            types.extend((0..count).map(|_| of));
        }
        let mut uses = vec![0_u32; types.len()];
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            if let Operator::LocalGet { local_index }
            | Operator::LocalSet { local_index }
            | Operator::LocalTee { local_index } = operators.read()?
                && let Some(at) = local_index.checked_sub(parameters)
            {
                uses[at as usize] += 1;
            }
        }
        // What nobody uses is left out.
        let mut order: Vec<usize> = (0..types.len()).filter(|at| uses[*at] > 0).collect();
        order.sort_by_key(|at| (rank(types[*at]), Reverse(uses[*at])));
        let mut places = vec![0; types.len()];
        (parameters..).zip(&order).for_each(|(to, at)| places[*at] = to);
        let types = order.into_iter().map(|at| types[at]).collect();
        Ok(Self { parameters, places, types })
    }

    /// An instruction that names its local by the new number.
    pub(crate) fn renamed<'a>(&self, instruction: Instruction<'a>) -> Instruction<'a> {
        let place = |number: u32| match number.checked_sub(self.parameters) {
            None => number,
            Some(at) => self.places[at as usize],
        };
        match instruction {
            Instruction::LocalGet(number) => Instruction::LocalGet(place(number)),
            Instruction::LocalSet(number) => Instruction::LocalSet(place(number)),
            Instruction::LocalTee(number) => Instruction::LocalTee(place(number)),
            other => other,
        }
    }
}

/// Locals of one type stand together, since they are declared by their number.
fn rank(of: ValType) -> u8 {
    match of {
        ValType::I32 => 0,
        ValType::I64 => 1,
        ValType::F32 => 2,
        ValType::F64 => 3,
        ValType::V128 => 4,
        ValType::Ref(_) => 5,
    }
}
