#!/bin/sh
# Makes ./secrets, once: passwords, tokens and keys, for their containers' accounts alone. Run it as root, from this
# folder, with the image of the gateway there: `./secrets.sh` (or with DUTYBOUND for another command that makes keys).
set -eu
umask 077
cd "$(dirname "$0")"
[ ! -e secrets/gateway ] || { echo "./secrets is there already; nothing was changed" >&2; exit 1; }
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
mkdir -p secrets/gateway/policies secrets/postgres
random >secrets/postgres/gateway
random >secrets/postgres/standby
random >secrets/manage-token
random >secrets/grafana-password
printf 'primary:5432:dutybound:dutybound:%s\n' "$(cat secrets/postgres/gateway)" >secrets/gateway/pgpass
cp secrets/manage-token secrets/gateway/manage-token
origin=$(sed -n 's/^ *origin: *//p' config/gateway.yaml)
dutybound() {
  if [ -n "${DUTYBOUND:-}" ]; then
    (cd secrets/gateway && "$DUTYBOUND" "$@")
  else
    docker run --rm --network none --user 0 --volume "$PWD/secrets/gateway:/keys" --workdir /keys \
      "${DUTYBOUND_IMAGE:-localhost/dutybound:0.1.0}" "$@"
  fi
}
dutybound keys generate --origin "$origin" --out ledger.key
dutybound store key --out store.key
mv secrets/gateway/ledger.pub config/
# The accounts in the containers: the gateway's, PostgreSQL's, Prometheus' and Grafana's.
own() { [ "$(id -u)" != 0 ] || chown -R "$@"; }
own 10001:10001 secrets/gateway
own 999:999 secrets/postgres
own 65534:65534 secrets/manage-token
own 472:472 secrets/grafana-password
chmod 0711 secrets
chmod 0644 config/ledger.pub
