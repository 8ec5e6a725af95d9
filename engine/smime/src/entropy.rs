//! Entropy as the caller hands it in. This crate draws none: it asks for octets where a key, a number or a boundary
//! must be one that nobody can guess.

use std::convert::Infallible;

use rsa::rand_core::{TryCryptoRng, TryRng};

/// Fills octets with chance; it must come from a source fit for keys, but in tests and simulations.
pub type Entropy<'a> = dyn FnMut(&mut [u8]) + 'a;

/// Entropy as the RSA library takes it.
pub(crate) struct Source<'a, 'b>(pub(crate) &'a mut Entropy<'b>);

impl TryRng for Source<'_, '_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(array(self.0)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(array(self.0)))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(octets);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_, '_> {}

/// So many octets of chance.
pub(crate) fn array<const N: usize>(entropy: &mut Entropy<'_>) -> [u8; N] {
    let mut octets = [0; N];
    entropy(&mut octets);
    octets
}
