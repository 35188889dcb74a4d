#!/bin/bash
# Turns environment variables with a dot in their lower-case name into settings, as the official image does.
settings=()
while IFS= read -r -d '' pair; do
    [[ ${pair%%=*} =~ ^[a-z0-9_]+(\.[a-z0-9_]+)+$ ]] && settings+=("-E$pair")
done </proc/$$/environ
[ "${1:-eswrapper}" = eswrapper ] && set -- /usr/share/elasticsearch/bin/elasticsearch
exec "$@" "${settings[@]}"
