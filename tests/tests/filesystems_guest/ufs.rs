//! UFS, which Linux can only read: UFS1, since it looks for UFS2's superblock in another place than
//! where makefs has it.

use crate::case::{Case, PLAIN, Volume};

pub(crate) const UFS1: Case = Case {
    kind: "UFS",
    variant: "UFS1, makefs",
    name: "ufs1",
    make: "$t write /tmp/files 12 3; $t age /tmp/files 4
           makefs -t ffs -o version=1 -s 40m /tmp/image /tmp/files
           dd if=/tmp/image of=$1 bs=1M status=none
           rm -r /tmp/image /tmp/files",
    disks: &[48],
    volumes: &[Volume {
        mount: "mount -t ufs -o ro,ufstype=44bsd $1 $m",
        check: ":",
        recover: ":",
        mib: 0,
    }],
    judge: "mounted read-only",
    aware: false,
    ..PLAIN
};
