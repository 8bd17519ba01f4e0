//! What a delta need not hold: which parts of a signature of the old image prove that the new one
//! has the same data.

use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Reloc;
use imagezip_core::signature::Signature;

use super::Stack;

/// The entries of the signature of `old`'s only image by which a delta of `stack` to it can be
/// made: those of sectors
///
/// * that the old image holds. Where a signature covers more, equal digests don't say that the old
///   image has those data;
/// * that are inside the new image, so that they can be compared;
/// * that have the same relocations in both. A delta that leaves a sector out leaves its
///   relocations out.
///
/// # Errors
/// If memory runs out.
pub fn comparable(
    signature: &Signature,
    old: &Stack<'_>,
    stack: &Stack<'_>,
) -> imagezip_core::Result<Signature> {
    let relocated = differing(old.layers.relocs(), stack.layers.relocs());
    let size = stack.layers.sectors();
    let mut comparable = Signature::new(signature.hash_type(), signature.block());
    for entry in signature.iter() {
        let held = old.layers.extents().contains(entry.range);
        let inside = entry.range.end().to_bytes() <= size.to_bytes();
        if held && inside && relocated.within(entry.range).next().is_none() {
            comparable.push(entry)?;
        }
    }
    Ok(comparable)
}

/// The sectors whose relocations are not the same in two lists, ascending by sector.
fn differing(mut old: &[Reloc], mut new: &[Reloc]) -> ExtentSet {
    let mut sectors = Vec::new();
    while let Some(sector) = old.first().into_iter().chain(new.first()).map(|r| r.sector).min() {
        let split = |relocs: &mut &[Reloc]| {
            let len = relocs.partition_point(|reloc| reloc.sector <= sector);
            let (here, rest) = relocs.split_at(len);
            *relocs = rest;
            here.to_vec()
        };
        let (from_old, from_new) = (split(&mut old), split(&mut new));
        if from_old != from_new {
            sectors.extend(from_old.iter().chain(&from_new).map(Reloc::sectors));
        }
    }
    ExtentSet::from_unsorted(sectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::ndz::RelocType;
    use imagezip_core::sector::{Sector, SectorRange};

    fn reloc(kind: u32, sector: u32, size: u32) -> Reloc {
        Reloc { kind: RelocType(kind), sector: Sector::from_u32(sector), offset: 500, size }
    }

    #[test]
    fn every_change_of_a_relocation_is_seen() {
        let old =
            [reloc(1, 1, 8), reloc(3, 5, 5), reloc(4, 5, 5), reloc(3, 9, 12), reloc(3, 20, 5)];
        let new =
            [reloc(1, 1, 8), reloc(4, 5, 5), reloc(3, 5, 5), reloc(3, 9, 100), reloc(5, 30, 2)];
        let range =
            |start, end| SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap();
        let expected: ExtentSet =
            [range(5, 6), range(9, 11), range(20, 21), range(29, 31)].into_iter().collect();
        assert_eq!(differing(&old, &new), expected);
        assert_eq!(differing(&new, &old), expected);
        assert!(differing(&old, &old).is_empty() && differing(&[], &[]).is_empty());
    }
}
