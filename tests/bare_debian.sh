#!/usr/bin/env bash
# Runs a command in a clean clone of this repository inside a bare Debian 12, as root or as a plain user.
#
#   tests/bare_debian.sh FOLDER root|plain COMMAND...      e.g. tests/bare_debian.sh /var/tmp/bare plain make setup
#
# FOLDER (outside the repository) keeps the file system between calls, so that building it is paid for once; the clone
# and the program cache are new every time unless KEEP=1. The clone is of the last commit; with DIRTY=1 of the files as
# they are now. Needs root (for chroot) and mmdebstrap. What this machine knows about its network, package
# sources and certificates is copied in; nothing else of it is.
set -euo pipefail

if [ $# -lt 3 ] || { [ "$2" != root ] && [ "$2" != plain ]; }; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 64
fi
tree=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath -m "$1") who=$2
shift 2
bare=$folder/root

build() {
    command -v mmdebstrap >/dev/null || { echo "mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 2; }
    mkdir -p "$folder"
    rm -rf "$bare.new"
    mmdebstrap --quiet --variant=apt --include=ca-certificates,git,make,python3,python3-venv,procps \
        bookworm "$bare.new"
    rm -rf "$bare.new"/var/lib/apt/lists/* # as in a slim image: no package lists
    chroot "$bare.new" useradd --create-home --shell /bin/bash plain
    mv "$bare.new" "$bare"
}

# Overwrites what the bare system has: same sources, same trust, same names.
borrow() {
    local path
    for path in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$path" ] || cp -L "$path" "$bare$path"
    done
    rm -rf "$bare"/etc/apt/sources.list "$bare"/etc/apt/sources.list.d "$bare"/etc/apt/apt.conf.d
    for path in sources.list sources.list.d apt.conf.d trusted.gpg.d; do
        [ ! -e "/etc/apt/$path" ] || cp -aL "/etc/apt/$path" "$bare/etc/apt/"
    done
    path=$HOME/.m2/settings.xml
    [ ! -e "$path" ] || install -D -m 644 "$path" "$bare$home/.m2/settings.xml"
}

clone() {
    rm -rf "$bare$home/tocsin" "$bare$home/.cache" "$bare/var/cache/tocsin"
    git clone --quiet "file://$tree" "$bare$home/tocsin"
    if [ "${DIRTY:-}" = 1 ]; then
        git -C "$tree" ls-files -z --cached --others --exclude-standard | tar -C "$tree" --null -T - -c |
            tar -C "$bare$home/tocsin" -x
    fi
}

home=/root
[ "$who" = root ] || home=/home/plain
[ -d "$bare" ] || build
borrow
if [ "${KEEP:-}" != 1 ] || [ ! -d "$bare$home/tocsin" ]; then clone; fi
uid=$(chroot "$bare" id -u "$who") gid=$(chroot "$bare" id -g "$who")
chroot "$bare" chown -R "$uid:$gid" "$home"

# A process namespace of its own: whatever the command leaves running ends with it. Mounts vanish with theirs.
# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child bash -c '
    bare=$1 uid=$2 gid=$3 home=$4
    shift 4
    mount --bind "$bare" "$bare" # a mount of its own: Java asks which file system / is on
    mount -t proc proc "$bare/proc"
    mount --rbind /sys "$bare/sys"
    mount --rbind /dev "$bare/dev"
    cd "$bare"
    exec chroot "$bare" /usr/bin/setpriv --reuid "$uid" --regid "$gid" --clear-groups \
        /usr/bin/env -i HOME="$home" PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        /bin/bash -c "cd \"\$HOME/tocsin\" && exec \"\$@\"" bash "$@"
' bash "$bare" "$uid" "$gid" "$home" "$@"
