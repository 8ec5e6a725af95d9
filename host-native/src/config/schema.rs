//! The JSON Schema of the configuration file, for editors and for whoever makes such files. The parser is what judges;
//! `tests/tests/developing/config_schema.rs` keeps the two the same.

/// The schema (JSON Schema 2020-12), as JSON.
pub const SCHEMA: &str = include_str!("schema.json");
