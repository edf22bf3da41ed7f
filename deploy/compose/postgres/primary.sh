#!/bin/sh
# The primary: made at the first start, with the gateway's database and account, and a standby's.
# PASSWORDS has `gateway` and `standby`; PGDATA is where its files are.
set -eu
passwords=${PASSWORDS:-/run/postgres-secrets}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$(dirname "$PGDATA")"
  initdb --pgdata "$PGDATA" --username postgres --encoding UTF8 --locale C --auth-local peer --auth-host scram-sha-256
  {
    echo "host replication standby all scram-sha-256"
    echo "host dutybound dutybound all scram-sha-256"
  } >>"$PGDATA/pg_hba.conf"
  postgres --single -D "$PGDATA" -j postgres >/dev/null <<SQL
CREATE ROLE dutybound LOGIN PASSWORD '$(cat "$passwords/gateway")';

GRANT pg_read_all_stats TO dutybound;

CREATE ROLE standby LOGIN REPLICATION PASSWORD '$(cat "$passwords/standby")';

CREATE DATABASE dutybound OWNER dutybound;
SQL
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c synchronous_standby_names=standby -c synchronous_commit=on \
  -c max_connections=400 -c wal_keep_size=1GB -c idle_session_timeout=0 -c log_parameter_max_length=0 \
  -c log_parameter_max_length_on_error=0 -c jit=off "$@"
