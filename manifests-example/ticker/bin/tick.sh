#!/bin/sh
# Prints a line every EVERY_SECONDS until it is asked to stop.
trap 'echo "stopping after $count ticks"; exit 0' TERM INT

count=0
while :; do
  count=$((count + 1))
  echo "tick $count of $DROVER_WORKLOAD, attempt $DROVER_ATTEMPT"
  # In the background, so that the signal does not wait for the sleep.
  sleep "${EVERY_SECONDS:-5}" &
  wait $!
done
