//! The index that is made once, at delivery, and the texts of a message for whoever indexes those.

use pillarbox_engine::message::{Index, Span, texts};

use crate::wit::mime as wit;

impl wit::Guest for crate::Component {
    fn index(octets: Vec<u8>, total_size: u64) -> Vec<u8> {
        pillarbox_mime::index(&octets, total_size).encode()
    }

    fn index_small(octets: Vec<u8>) -> Option<Vec<u8>> {
        #[cfg(feature = "crash-verbs")]
        crate::crash::obey(&octets);
        pillarbox_mime::index_small(&octets).map(|index| index.encode())
    }

    fn text_spans(index: Vec<u8>, total_size: u64) -> Vec<wit::Span> {
        let spans = texts::spans(&decoded(&index, total_size), total_size);
        spans.into_iter().map(|Span { start, end }| wit::Span { start, end }).collect()
    }

    fn texts(index: Vec<u8>, total_size: u64, octets: Vec<u8>) -> Vec<u8> {
        texts::searchable(&decoded(&index, total_size), total_size, &octets).into_bytes()
    }
}

/// As searches read it: one that cannot be understood says nothing of its message.
fn decoded(index: &[u8], size: u64) -> Index {
    Index::decode(index).unwrap_or_else(|_| Index::opaque(&[], size))
}
