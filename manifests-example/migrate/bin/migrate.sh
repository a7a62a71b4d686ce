#!/bin/sh
# Pretends to bring a database to SCHEMA in STEPS steps.
set -eu

echo "migrating to schema $SCHEMA"
step=0
while [ "$step" -lt "$STEPS" ]; do
  step=$((step + 1))
  echo "step $step of $STEPS"
  sleep 1
done
echo "schema $SCHEMA is in place"
