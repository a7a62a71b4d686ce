#!/bin/sh
# Pretends to take orders off a queue until it is asked to stop.
trap 'echo "finished order $order, stopping"; exit 0' TERM INT

order=0
while :; do
  order=$((order + 1))
  echo "packed order $order"
  # In the background, so that the signal does not wait for the sleep.
  sleep 10 &
  wait $!
done
