#!/usr/bin/env bash
# Boots a Debian over the folder ROOT, which stays as it is, and runs the checks of inside.sh in it.
#
# usage: boot.sh ROOT EXCHANGE
#
# EXCHANGE holds inside.sh and what it needs, and gets the report. To be run by root in a mount
# namespace of its own (unshare --mount): all that is mounted goes away with it.
set -euo pipefail

root=$1 exchange=$2

# What is written there is written to memory.
over=$(mktemp -d)
trap 'rmdir "$over"' EXIT
mount -t tmpfs -o size=600M none "$over"
trap 'umount --recursive --lazy "$over"; rmdir "$over"' EXIT
mkdir "$over"/{upper,work,root}
mount -t overlay -o "lowerdir=$root,upperdir=$over/upper,workdir=$over/work" none "$over/root"

# Nothing is told to a systemd of this machine, which may have none.
in_debian() {
    systemd-nspawn --quiet --directory "$over/root" --register=no --keep-unit \
        --private-network --console=pipe --bind "$exchange:/exchange" "$@" </dev/null
}

in_debian /exchange/inside.sh image
in_debian --boot
