//! The checksum of POSIX's `cksum`.

/// The polynomial, without its highest bit.
const POLYNOMIAL: u32 = 0x04c1_1db7;

/// The bytes that are taken in at once.
const STEP: usize = 8;

/// `TABLES[n][byte]` is what a byte becomes after `n` bytes of zeros.
static TABLES: [[u32; 256]; STEP] = tables();

const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut n = 0;
    while n < STEP {
        let mut byte: u32 = 0;
        while byte < 256 {
            let at = byte as usize;
            let mut sum = if n == 0 { byte << 24 } else { tables[n - 1][at] };
            let mut bit = 0;
            while bit < 8 {
                let carry = sum >> 31 == 1;
                sum <<= 1;
                if carry {
                    sum ^= POLYNOMIAL;
                }
                bit += 1;
            }
            tables[n][at] = sum;
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// Computes what `cksum` prints for a stream of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cksum {
    sum: u32,
    len: u64,
}

impl Cksum {
    /// Takes in some bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.len = self.len.wrapping_add(data.len() as u64);
        self.sum = digest(self.sum, data);
    }

    /// The checksum, and the number of bytes.
    pub fn finish(self) -> (u32, u64) {
        // The length follows the data, the low byte first and without zeros at its end.
        let len = self.len.to_le_bytes();
        let used = STEP - self.len.leading_zeros() as usize / 8;
        (!digest(self.sum, &len[..used]), self.len)
    }
}

fn digest(mut sum: u32, data: &[u8]) -> u32 {
    let (words, rest) = data.as_chunks::<STEP>();
    for word in words {
        let [a, b, c, d] = sum.to_be_bytes();
        let mixed = [word[0] ^ a, word[1] ^ b, word[2] ^ c, word[3] ^ d];
        let bytes = mixed.iter().chain(&word[4..]);
        sum = bytes
            .zip(TABLES.iter().rev())
            .fold(0, |sum, (byte, table)| sum ^ table[usize::from(*byte)]);
    }
    for byte in rest {
        let [high, ..] = sum.to_be_bytes();
        sum = sum << 8 ^ TABLES[0][usize::from(high ^ byte)];
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use anyhow::{Context, Result};

    use super::*;

    /// What the program says.
    fn cksum(data: &[u8]) -> Result<String> {
        let mut child =
            Command::new("cksum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("a pipe")?.write_all(data)?;
        let output = child.wait_with_output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    #[test]
    fn it_is_that_of_cksum() -> Result<()> {
        let data: Vec<_> =
            (0..100_003_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        for len in [0, 1, 7, 8, 9, 255, 256, 65_536, data.len()] {
            for cut in [0, 3, 13] {
                let (first, second) = data[..len].split_at(cut.min(len));
                let mut sum = Cksum::default();
                sum.update(first);
                sum.update(second);
                let (sum, bytes) = sum.finish();
                assert_eq!(format!("{sum} {bytes}"), cksum(&data[..len])?);
            }
        }
        Ok(())
    }
}
