//! What developers have of the server beside protocols: flags of `serve` and commands that look at servers, the configuration's
//! schema, and the server inside of a test. One program, since each takes as long to link as all.

mod command_line;
mod config_schema;
mod files_in_and_out;
mod serve_flags;
mod test_server;
