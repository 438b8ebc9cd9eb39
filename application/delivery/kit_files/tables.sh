#!/bin/sh
# Runs in a container of its own before the program starts: each SQL file once, in the order given.
# What was run is noted in the database, with the file's hash, in the same transaction if it can be.
set -eu
folder="${SQL_FOLDER:-/sql}"
psql -qAt -v ON_ERROR_STOP=1 <<'SQL'
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS kit;
CREATE TABLE IF NOT EXISTS kit.sql_files (
  name text PRIMARY KEY,
  sha256 text NOT NULL,
  run_at timestamptz NOT NULL DEFAULT now()
);
SQL
note="$(mktemp)"
echo "INSERT INTO kit.sql_files (name, sha256) VALUES (:'kit_name', :'kit_sum');" >"$note"
for name in "$@"; do
  file="$folder/$name"
  sum="$(sha256sum "$file" | cut -d ' ' -f 1)"
  known="$(echo "SELECT sha256 FROM kit.sql_files WHERE name = :'kit_name';" |
    psql -qAt -v ON_ERROR_STOP=1 -v kit_name="$name")"
  if [ "$known" = "$sum" ]; then
    continue
  fi
  if [ -n "$known" ]; then
    echo '@CHANGED@' >&2
    echo "db/$name" >&2
    exit 1
  fi
  together=--single-transaction
  if grep -qiE '^[[:space:]]*(BEGIN|START[[:space:]]+TRANSACTION)[[:space:]]*;' "$file"; then
    together=--no-readline
  fi
  psql -q "$together" -v ON_ERROR_STOP=1 -v kit_name="$name" -v kit_sum="$sum" -f "$file" -f "$note"
  echo "db/$name"
done
rm -f "$note"
