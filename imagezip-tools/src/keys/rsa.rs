//! The public half of RSA, without the forms of signature that people use today: version 4 images
//! have their own.

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U64, U512};
use imagezip_core::ndz::Seal;

const LEN: usize = Seal::SIGNATURE_LEN;

/// A public key of 512 bits.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    modulus: FixedMontyParams<{ U512::LIMBS }>,
    exponent: U64,
}

impl PublicKey {
    /// The key of these numbers, their highest bytes first, if there can be such a key.
    pub(super) fn new(modulus: &[u8; LEN], exponent: &[u8; LEN]) -> Option<Self> {
        let modulus = U512::from_be_slice(modulus);
        let (high, exponent) = exponent.split_last_chunk::<8>()?;
        let exponent = u64::from_be_bytes(*exponent);
        let possible = modulus.bits() == U512::BITS
            && high.iter().all(|byte| *byte == 0)
            && exponent > 1
            && exponent % 2 == 1;
        let modulus = Odd::new(modulus).into_option().filter(|_| possible)?;
        let modulus = FixedMontyParams::new_vartime(modulus);
        Some(Self { modulus, exponent: U64::from_u64(exponent) })
    }

    /// What was signed: 53 bytes or fewer. `None` if the signature is not this key's.
    pub(super) fn recover(&self, signature: &[u8; LEN]) -> Option<Vec<u8>> {
        let signature = U512::from_be_slice(signature);
        if signature >= *self.modulus.modulus().as_ref() {
            return None;
        }
        let power = FixedMontyForm::new(&signature, &self.modulus).pow_vartime(&self.exponent);
        let block = power.retrieve().to_be_bytes();
        // PKCS #1 1.5, block type 1: 00 01, at least eight FF, 00, the data.
        let padded = block.as_ref().strip_prefix(&[0, 1])?;
        let fill = padded.iter().take_while(|byte| **byte == 0xff).count();
        let data = padded[fill..].strip_prefix(&[0])?;
        (fill >= 8).then(|| data.to_vec())
    }
}
