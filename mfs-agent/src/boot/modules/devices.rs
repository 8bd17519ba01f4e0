//! What the kernel says of the devices that it has found.

use alloc::format;

use crate::file;

/// Beyond this many devices of one bus the others are not looked at. Far more than any machine
/// has for which the image has drivers.
const DEVICES: usize = 16_384;

/// Calls `each` with the modalias of every device on every bus. `bus` is `/sys/bus`.
///
/// A device that goes away meanwhile has none; neither has one that no module could be for.
pub(super) fn modaliases(bus: &str, each: &mut dyn FnMut(&str)) {
    for name in file::list(bus).unwrap_or_default() {
        let devices = format!("{bus}/{name}/devices");
        for device in file::list(&devices).unwrap_or_default().iter().take(DEVICES) {
            if let Ok(modalias) = file::read_text(format!("{devices}/{device}/modalias"))
                && !modalias.is_empty()
            {
                each(&modalias);
            }
        }
    }
}
