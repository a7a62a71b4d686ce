#!/bin/sh
# Prints the machine's load every thirty seconds until it is asked to stop.
trap 'exit 0' TERM INT

while :; do
  echo "load on $(uname -n): $(cut -d ' ' -f 1-3 /proc/loadavg)"
  # In the background, so that the signal does not wait for the sleep.
  sleep 30 &
  wait $!
done
