#!/bin/sh
# What the classic script of the nodes does when an experiment is swapped out, as far as it
# concerns imagezip: its arguments, the names of files, its exit status.
#
#   create-swapimage [-f] [-s]      -f: a full image    -s: only statistics, no image
#
# PROJ is the directory that /proj is on a node; NICKNAME is the file with <vname>.<eid>.<pid>.
# The classic script runs imagezip through sudo.

set -u

die() {
    echo "create-swapimage: $1" >&2
    exit "$2"
}

full= statistics=
while getopts fs option; do
    case $option in
    f) full=yes ;;
    s) statistics=yes ;;
    *) exit 255 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || exit 255

IFS=. read -r vname eid pid <"$NICKNAME" || die "not allocated" 255
cd "$PROJ/$pid/exp/$eid/swapinfo" || exit 2

[ -r "$vname.part" ] || die "no $vname.part" 2
[ -n "$full" ] || [ -r "$vname.sig" ] || die "no $vname.sig" 2
words=$(sed -n 's/^DISK=\([[:alnum:]_]*\) LOADPART=\([0-4]\) BOOTPART=[1-4].*$/\1 \2/p' "$vname.part")
[ -n "$words" ] || die "$vname.part is malformed" 255
disk=${words% *} part=${words#* }

set --
[ -z "$statistics" ] || set -- "$@" -i
[ -n "$full" ] || set -- "$@" -H "$vname.sig"
[ "$part" = 0 ] || set -- "$@" -s "$part"
imagezip=$PROJ/$pid/bin/imagezip
[ -x "$imagezip" ] || imagezip=/usr/local/bin/imagezip

if [ -n "$statistics" ]; then
    exec "$imagezip" "$@" "/dev/$disk"
fi

image=$vname-swap.ndz
if [ -e "$image" ]; then
    rm -f "$image.OLD"
    if ! mv "$image" "$image.OLD"; then
        echo "create-swapimage: cannot keep the old $image" >&2
        rm -f "$image"
    fi
fi
if "$imagezip" "$@" "/dev/$disk" "$image"; then
    rm -f "$image.OLD"
    exit 0
fi
[ ! -e "$image.OLD" ] || mv "$image.OLD" "$image"
exit 1
