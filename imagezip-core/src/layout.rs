//! Fields of fixed-size structures, with offsets checked when compiling. They are little-endian
//! unless told otherwise.

/// A structure of `N` bytes as it lies on a disk or in a file.
///
/// Its fields are read by constant offset; an offset past the end does not compile, so reading
/// a field can't fail.
#[derive(Clone, Copy)]
pub(crate) struct Layout<'a, const N: usize>(&'a [u8; N]);

impl<'a, const N: usize> Layout<'a, N> {
    /// The structure at the start of `bytes`, if they are enough.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }

    /// The structure that begins `at` bytes into `bytes`, if it lies wholly inside.
    pub(crate) fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        bytes.get(at..).and_then(Self::new)
    }

    /// All bytes of the structure.
    pub(crate) fn as_bytes(self) -> &'a [u8; N] {
        self.0
    }

    /// `LEN` bytes at offset `AT`.
    pub(crate) fn array<const AT: usize, const LEN: usize>(self) -> [u8; LEN] {
        const { assert!(AT + LEN <= N, "field lies outside the structure") };
        // The assertion makes the default unreachable.
        self.0.get(AT..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; LEN])
    }

    /// The byte at offset `AT`.
    pub(crate) fn u8<const AT: usize>(self) -> u8 {
        u8::from_le_bytes(self.array::<AT, 1>())
    }

    /// The 16-bit field at offset `AT`.
    pub(crate) fn u16<const AT: usize>(self) -> u16 {
        u16::from_le_bytes(self.array::<AT, 2>())
    }

    /// The 32-bit field at offset `AT`.
    pub(crate) fn u32<const AT: usize>(self) -> u32 {
        u32::from_le_bytes(self.array::<AT, 4>())
    }

    /// The 64-bit field at offset `AT`.
    pub(crate) fn u64<const AT: usize>(self) -> u64 {
        u64::from_le_bytes(self.array::<AT, 8>())
    }

    /// The big-endian 16-bit field at offset `AT`.
    pub(crate) fn be16<const AT: usize>(self) -> u16 {
        u16::from_be_bytes(self.array::<AT, 2>())
    }

    /// The big-endian 32-bit field at offset `AT`.
    pub(crate) fn be32<const AT: usize>(self) -> u32 {
        u32::from_be_bytes(self.array::<AT, 4>())
    }

    /// The big-endian 64-bit field at offset `AT`.
    pub(crate) fn be64<const AT: usize>(self) -> u64 {
        u64::from_be_bytes(self.array::<AT, 8>())
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Layout<'a, N> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn fields_are_little_endian() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let layout = Layout::<9>::new(&bytes).unwrap();
        assert_eq!(layout.u8::<8>(), 9);
        assert_eq!(layout.u16::<1>(), 0x0302);
        assert_eq!(layout.u32::<0>(), 0x0403_0201);
        assert_eq!(layout.u64::<1>(), 0x0908_0706_0504_0302);
        assert_eq!((layout.be16::<1>(), layout.be32::<0>()), (0x0203, 0x0102_0304));
        assert_eq!(layout.be64::<1>(), 0x0203_0405_0607_0809);
        assert!(Layout::<9>::at(&bytes, 1).is_none());
        assert!(Layout::<8>::at(&bytes, 1).is_some());
        assert!(Layout::<1>::at(&bytes, usize::MAX).is_none());
    }
}
