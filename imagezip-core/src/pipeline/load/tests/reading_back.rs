//! Targets that don't give back what was written to them.

use super::*;

/// A disk of which one byte reads as another.
struct Lying<'a>(&'a Memory, u64);

impl ReadAt for Lying<'_> {
    fn size(&self) -> Bytes {
        self.0.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, buf)?;
        let index = self.1.checked_sub(offset.get()).and_then(|index| usize::try_from(index).ok());
        if let Some(byte) = index.and_then(|index| buf.get_mut(index)) {
            *byte ^= 4;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_byte_that_was_written_is_read_back(
        in_use in in_use(),
        fill in fill(),
        start in 0..40_u32,
        threads in 1..4_usize,
        seed in prop::option::of(any::<u64>()),
        lie in 0..u64::from(SECTORS + 60) * SECTOR_BYTES,
    ) {
        let file = make_image(Format::V3, &in_use, &[], SECTORS);
        let image = Image::open(&file).unwrap();
        let device = Memory::garbage(SECTORS + 60);
        let lying = Lying(&device, lie);
        let order = seed.map_or(Order::Ascending, Order::Scattered);
        let mut target = Target {
            fill,
            fill_to: device.end(),
            order,
            read_back: Some(&device),
            ..Target::new(&device, place_at(start))
        };
        let progress = LoadProgress::default();
        load(&Threads(threads), &image, Arrival::Complete, target, &progress).unwrap();
        let data = in_use.sector_count().to_bytes().get();
        prop_assert_eq!(progress.verified.into_inner(), data);

        target.read_back = Some(&lying);
        let progress = LoadProgress::default();
        let loaded = load(&Threads(threads), &image, Arrival::Complete, target, &progress);
        let sector = Sector::from_u32((lie / SECTOR_BYTES) as u32);
        let lies = in_use.absolute_from(Sector::from_u32(start)).contains(range(sector.get() as u32, sector.get() as u32 + 1));
        match loaded {
            Ok(_) => prop_assert!(!lies),
            Err(Error { kind, place: Place::Sector(first) }) => {
                prop_assert!(lies && first <= sector);
                prop_assert_eq!(kind, ErrorKind::Corrupt(CorruptKind::TargetNotAsWritten));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn a_target_that_cannot_be_read_is_not_loaded() {
    let file = make_image(Format::V3, &range(10, 20).into(), &[], 100);
    let image = Image::open(&file).unwrap();
    let device = Memory::garbage(100);
    let short = Memory::garbage(15);
    let target = Target { read_back: Some(&short), ..Target::new(&device, Placement::default()) };
    let loaded = load(&Threads(2), &image, Arrival::Complete, target, &LoadProgress::default());
    assert_eq!(loaded.unwrap_err().kind, ErrorKind::Truncated);
}
