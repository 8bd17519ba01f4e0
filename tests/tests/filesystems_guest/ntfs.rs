//! NTFS; Debian's kernel can't write it, ntfs-3g can.

use crate::case::{Case, PLAIN, Volume};

pub(crate) const NTFS: Case = Case {
    kind: "NTFS",
    variant: "4 KiB clusters, ntfs-3g",
    name: "ntfs",
    make: "mkfs.ntfs -Q -F -q $1",
    volumes: &[Volume {
        mount: "ntfs-3g $1 $m",
        check: "ntfsfix -n $1",
        recover: "ntfsfix -d $1",
        mib: 8,
    }],
    judge: "ntfsfix -n",
    aware: false,
    ..PLAIN
};
