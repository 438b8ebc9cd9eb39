#!/bin/sh
# Runs in the program's container: settings that are empty count as not given, and secrets that
# nobody chose are made once, at random, and kept in a volume.
set -eu
kept="${KIT_KEPT:-/kept}"
for name in@SETTINGS@; do
  eval "value=\${$name-}"
  [ -n "$value" ] || unset "$name"
done
for name in@SECRETS@; do
  eval "value=\${$name-}"
  [ -z "$value" ] || continue
  if [ ! -s "$kept/$name" ]; then
    node -e 'process.stdout.write(require("node:crypto").randomBytes(32).toString("hex"))' \
      >"$kept/$name.new"
    mv "$kept/$name.new" "$kept/$name"
  fi
  export "$name=$(cat "$kept/$name")"
done
exec npm start
