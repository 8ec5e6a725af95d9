//! The index that is made once, at delivery.

use crate::wit::mime as wit;

impl wit::Guest for crate::Component {
    fn index(octets: Vec<u8>, total_size: u64) -> Vec<u8> {
        pillarbox_mime::index(&octets, total_size).encode()
    }
}
