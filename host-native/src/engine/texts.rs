//! Reads the texts of stored messages for the full-text index, in a sandbox of its own that serves no peer.

use std::sync::Arc;

use super::Trap;
use super::sandbox::{Sandbox, TextInstance};
use pillarbox_engine::message::{Index, texts};

/// Makes texts of messages, one after the other.
pub struct TextReader {
    /// None: linked in natively.
    sandbox: Option<Arc<Sandbox>>,
    instance: Option<TextInstance>,
}

impl TextReader {
    pub(super) fn new(sandbox: Option<Arc<Sandbox>>) -> Self {
        Self { sandbox, instance: None }
    }

    /// Where the texts of a message of this size stand, by its index: begin and end of each.
    ///
    /// # Errors
    /// The message broke the sandbox.
    pub fn spans(&mut self, index: &[u8], size: u64) -> Result<Vec<(u64, u64)>, Trap> {
        if self.sandbox.is_none() {
            let spans = texts::spans(&decoded(index, size), size);
            return Ok(spans.into_iter().map(|span| (span.start, span.end)).collect());
        }
        self.call(size, |instance, sandbox| instance.spans(sandbox, index, size))
    }

    /// The texts whose octets these are, folded.
    ///
    /// # Errors
    /// The message broke the sandbox.
    pub fn texts(&mut self, index: &[u8], size: u64, octets: &[u8]) -> Result<Vec<u8>, Trap> {
        if self.sandbox.is_none() {
            return Ok(texts::searchable(&decoded(index, size), size, octets).into_bytes());
        }
        self.call(size, |instance, sandbox| instance.texts(sandbox, index, size, octets))
    }

    /// Gives back the sandbox until the next message.
    pub fn rest(&mut self) {
        self.instance = None;
    }

    fn call<T>(
        &mut self,
        size: u64,
        call: impl FnOnce(&mut TextInstance, &Sandbox) -> Result<T, wasmtime::Error>,
    ) -> Result<T, Trap> {
        let sandbox = self.sandbox.as_deref().expect("the caller looked");
        let during = || format!("reading the texts of a message of {size} octets");
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => sandbox.text_instance().map_err(|error| Trap::new(during(), &error))?,
        };
        // After a trap the instance is gone.
        let value = call(&mut instance, sandbox).map_err(|error| Trap::new(during(), &error))?;
        self.instance = Some(instance);
        Ok(value)
    }
}

fn decoded(index: &[u8], size: u64) -> Index {
    Index::decode(index).unwrap_or_else(|_| Index::opaque(&[], size))
}
