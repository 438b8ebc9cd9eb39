#!/bin/sh
# Starts the program, or stops it: `sh start.sh` and `sh start.sh stop`. It needs Docker.
# On Windows: start.cmd
cd "$(dirname "$0")" || exit 1

say() {
  printf '%s\n' "$1"
}

if [ ! -f compose.yaml ]; then
  say '@PACKED@'
  exit 1
fi
if ! command -v docker >/dev/null 2>&1; then
  say '@MISSING@'
  say 'https://docs.docker.com/get-docker/'
  exit 1
fi
if ! docker compose version >/dev/null 2>&1; then
  say '@OLD@'
  exit 1
fi
if ! docker info >/dev/null 2>&1; then
  say '@ASLEEP@'
  exit 1
fi
[ -f .env ] || cp .env.example .env || exit 1
if [ "$1" = stop ]; then
  docker compose down || exit 1
  say '@STOPPED@'
  exit 0
fi

say '@STARTING@'
if ! docker compose up --build --detach --remove-orphans; then
  docker compose logs --no-color --tail 20@LOGGED@
  say '@FAILED@'
  exit 1
fi
port="$(sed -n 's/^START_PORT=\([0-9][0-9]*\).*$/\1/p' .env | tail -n 1)"
say '@RUNS@'
say "http://localhost:${port:-@PORT@}"
