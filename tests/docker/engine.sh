#!/usr/bin/env bash
# A Docker engine of the tests' own, beside whatever else this machine has: its own programs, data, socket and networks.
#
#   engine.sh tools    unpacks engine, command line, compose and buildx into the cache; nothing is installed from a newer
#                      suite (runc, tini, iptables and mmdebstrap come from this machine's own, and are where missing)
#   engine.sh start    starts it and waits until it answers; does nothing where it already does
#   engine.sh env      prints the environment that leads `docker` to it:  eval "$(tests/docker/engine.sh env)"
#   engine.sh wipe     removes every container, network and volume; images stay
#   engine.sh stop     wipes, and ends it; images stay on disk for the next start
#   engine.sh clean    ends what a killed engine left behind, then removes all of it
#
# TOCSIN_ENGINE is its folder (default: engine/ in the programs' cache). Exit 69: this machine cannot have one.
set -uo pipefail

cache=${TOCSIN_CACHE:-/var/cache/tocsin}
suite=trixie
tools=$cache/docker-$suite
root=$(realpath -m "${TOCSIN_ENGINE:-$cache/engine}")
socket=$root/docker.sock
programs=(dockerd containerd docker-proxy containerd-shim-runc-v2 docker runc)

refuse() {
    echo "No Docker engine of the tests' own: $1" >&2
    exit 69
}

check_machine() {
    [ "$(id -u)" = 0 ] || refuse "it needs root, and this is $(id -un)."
    local name
    name=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_CODENAME:-}")
    [ "$name" = "debian bookworm" ] || refuse "it is made for Debian 12, and this is ${name:-another system}."
    [ ${#socket} -le 60 ] || refuse "$root is too long a path for its sockets; set TOCSIN_ENGINE to a shorter one."
    mount_is_possible || refuse "this machine may not mount file systems (an unprivileged container, probably)."
}

mount_is_possible() {
    unshare --mount true 2>/dev/null
}

use() {
    export PATH=$tools/unpacked/usr/bin:$tools/unpacked/usr/sbin:$PATH DOCKER_HOST=unix://$socket DOCKER_CONFIG=$tools/cfg
    unset DOCKER_CONTEXT
}

# ---- programs ----

complete() {
    local name
    for name in "${programs[@]}"; do
        PATH=$tools/unpacked/usr/bin:$tools/unpacked/usr/sbin:/usr/sbin:/usr/bin command -v "$name" >/dev/null || return 1
    done
    [ -x "$tools/cfg/cli-plugins/docker-compose" ] && [ -x "$tools/cfg/cli-plugins/docker-buildx" ]
}

bring_tools() {
    complete && return 0
    mkdir -p "$cache" && exec 8>"$cache/.docker.lock" && flock 8
    complete && return 0
    local missing=() name
    for name in runc tini iptables mmdebstrap ca-certificates; do
        dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null ||
            refuse "apt-get could not install ${missing[*]}."
    fi
    unpack_newer || { rm -rf "$tools.new"; refuse "the packages of $suite could not be fetched and unpacked."; }
    rm -rf "$tools" && mv "$tools.new" "$tools"
    mkdir -p "$tools/cfg/cli-plugins"
    ln -sf "$tools/unpacked/usr/libexec/docker/cli-plugins"/* "$tools/cfg/cli-plugins/"
    [ -x "$tools/unpacked/usr/bin/tini-static" ] || ln -sf /usr/bin/tini-static "$tools/unpacked/usr/bin/tini-static"
    exec 8>&-
    complete || refuse "the packages of $suite lack one of: ${programs[*]}."
}

# apt with lists, cache and state of its own; Debian's mirrors serve every suite.
unpack_newer() {
    local new=$tools.new deb
    rm -rf "$new" && mkdir -p "$new"/{apt/lists/partial,apt/cache/archives/partial,apt/state,deb,unpacked,cfg}
    awk 'BEGIN{RS="";ORS="\n\n"} /Types: *deb/{print; exit}' /etc/apt/sources.list.d/debian.sources |
        sed -E "s/^Suites:.*/Suites: $suite/" >"$new/apt/newer.sources"
    local apt=(apt-get -o Dir::Etc::SourceList="$new/apt/newer.sources" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State="$new/apt/state" -o Dir::State::lists="$new/apt/lists" -o Dir::Cache="$new/apt/cache"
        -o Dir::State::status=/var/lib/dpkg/status -o APT::Sandbox::User=root -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
    "${apt[@]}" update -qq || return 1
    (cd "$new/deb" && "${apt[@]}" download -qq {docker.io,docker-cli,containerd,docker-compose,docker-buildx}/$suite) ||
        return 1
    for deb in "$new"/deb/*.deb; do dpkg-deb -x "$deb" "$new/unpacked" || return 1; done
    rm -rf "$new/apt" "$new/deb"
}

# ---- engine ----

answers() {
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# The number in a pid file may belong to another process by now: only one with our data folder counts.
its_pid() {
    local pid
    pid=$(cat "$root/docker.pid" 2>/dev/null) && [ -r "/proc/$pid/cmdline" ] &&
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "--data-root $root/data " && echo "$pid"
}

start() {
    bring_tools
    answers && return 0
    mkdir -p "$root" && exec 9>"$root/.lock" && flock 9
    answers && return 0
    its_pid >/dev/null || rm -f "$root/docker.pid" "$root/exec/containerd/containerd.pid"
    # Published ports go through docker-proxy, and containers reach nothing outside. An earlier engine with iptables
    # leaves the policy of FORWARD at DROP, which would part our containers from each other.
    iptables -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD DROP' && iptables -P FORWARD ACCEPT
    setsid dockerd --data-root "$root/data" --exec-root "$root/exec" -H "unix://$socket" --pidfile "$root/docker.pid" \
        --log-level warn --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        --shutdown-timeout 10 --default-address-pool base=172.28.0.0/16,size=24 \
        --log-opt max-size=10m --log-opt max-file=2 >>"$root/dockerd.log" 2>&1 </dev/null 8>&- 9>&- &
    local started=$!
    for _ in $(seq 300); do
        answers && { exec 9>&-; return 0; }
        kill -0 "$started" 2>/dev/null || break
        sleep 0.1
    done
    tail -20 "$root/dockerd.log" >&2
    refuse "dockerd did not come up; see above, and $root/dockerd.log."
}

wipe() {
    docker ps -aq | xargs -r docker rm -fv >/dev/null
    docker network ls -q --filter type=custom | xargs -r docker network rm >/dev/null
    docker volume ls -q | xargs -r docker volume rm >/dev/null
    local left
    left="$(docker ps -aq)$(docker network ls -q --filter type=custom)$(docker volume ls -q)"
    [ -z "$left" ] || { echo "Still there: $left" >&2; return 1; }
}

stop() {
    local pid
    if pid=$(its_pid); then
        kill -TERM "$pid"
        for _ in $(seq 400); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
        kill -0 "$pid" 2>/dev/null && kill -KILL "$pid"
    fi
    awk -v below="$root/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r |
        while read -r place; do umount "$place" 2>/dev/null || umount -l "$place"; done
    rm -f "$root/docker.pid" "$socket"
}

use
case ${1:-} in
    tools) check_machine; bring_tools ;;
    start) check_machine; start ;;
    env)
        echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_CONFIG=$DOCKER_CONFIG PATH=$tools/unpacked/usr/bin:\$PATH"
        echo "unset DOCKER_CONTEXT"
        ;;
    wipe) wipe ;;
    stop) answers && wipe; stop ;;
    clean)
        if [ -d "$root/data" ]; then
            check_machine # an engine that was killed left containers: the next one over its data adopts and ends them
            start && wipe
        fi
        stop
        rm -rf "$root"
        ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 64 ;;
esac
