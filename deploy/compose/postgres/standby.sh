#!/bin/sh
# A synchronous standby of the primary at HOST and PORT: `standby.sh HOST PORT`. Copied from it at the first start.
# PASSWORDS has `standby`; PGDATA is where its files are. To be rebuilt it only has to lose them.
set -eu
host=$1 port=$2
shift 2
passwords=${PASSWORDS:-/run/postgres-secrets}
PGPASSWORD=$(cat "$passwords/standby")
export PGPASSWORD
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # In a folder of its own until it is whole: a copy that broke off is no standby.
  mkdir -p "$(dirname "$PGDATA")"
  rm -rf "$PGDATA.new"
  pg_basebackup --pgdata "$PGDATA.new" --write-recovery-conf --wal-method stream --checkpoint fast \
    --dbname "host=$host port=$port user=standby application_name=standby"
  rm -rf "$PGDATA"
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c max_connections=400 -c jit=off "$@"
