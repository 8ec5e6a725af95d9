//! The index that is made once, at delivery.

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
}
