//! Tables of Unicode, as small as they can be and still be looked up where they stand: the tables of `unicode-normalization`
//! are made for speed, and were a twentieth of the playground's first load.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Characters in one block: so many are passed over to find one.
const BLOCK: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("Cargo says where to write")?);
    fs::write(out.join("unicode.rs"), decompositions()? + &marks()?)?;
    Ok(())
}

/// Syllables of Hangul are left out: they are computed, or taken as they are.
fn is_syllable(character: char) -> bool {
    matches!(character, '\u{ac00}'..='\u{d7a3}')
}

/// Characters that have a decomposition, in blocks of neighbours, and the decompositions in the same order, a line each.
fn decompositions() -> Result<String, Box<dyn Error>> {
    let mut blocks: Vec<(u32, u32, usize, usize)> = Vec::new();
    let (mut steps, mut text, mut count) = (Vec::new(), String::new(), 0);
    for character in ('\0'..=char::MAX).filter(|character| !is_syllable(*character)) {
        let mut parts = String::new();
        decompose_compatible(character, |part| parts.push(part));
        if parts.chars().eq([character]) {
            continue;
        }
        let code = u32::from(character);
        match blocks.last_mut().map(|block| (u8::try_from(code - block.1), block)) {
            Some((Ok(step), block)) if count < BLOCK => {
                steps.push(step);
                block.1 = code;
                count += 1;
            }
            _ => {
                blocks.push((code, code, steps.len(), text.len()));
                count = 1;
            }
        }
        text += &parts;
        text.push('\n');
    }
    let mut code =
        String::from("/// First and last character, and where its steps and its text begin.\n");
    writeln!(code, "static BLOCKS: [(u32, u32, u16, u16); {}] = [", blocks.len())?;
    for (first, last, step, at) in &blocks {
        writeln!(code, "({first}, {last}, {}, {}),", u16::try_from(*step)?, u16::try_from(*at)?)?;
    }
    writeln!(code, "];\n/// From each character of a block to the next.")?;
    writeln!(code, "static STEPS: [u8; {}] = {steps:?};", steps.len())?;
    writeln!(code, "/// Decompositions, each with a line end.\nstatic TEXT: &str = {text:?};")?;
    Ok(code)
}

/// Ranges of characters that are combining marks.
fn marks() -> Result<String, Box<dyn Error>> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for code in ('\0'..=char::MAX).filter(|c| is_combining_mark(*c)).map(u32::from) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    let mut code = String::from("/// Combining marks, from the first to the last of each range.\n");
    writeln!(code, "static MARKS: [(u32, u32); {}] = {ranges:?};", ranges.len())?;
    Ok(code)
}
