#!/bin/sh
# Takes out of an environment what no run of dhess reads: slim.sh FOLDER
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)
find "$packages" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find "$packages" -type d -name __pycache__ -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.a' -o -name '*.c' -o -name '*.cpp' \) -delete
# Descriptions of 400 services; s3fs needs the storage and how one signs in to it.
for service in "$packages"/botocore/data/*/; do
  case $(basename "$service") in s3 | sts | sso | sso-oidc | signin) ;; *) rm -rf "$service" ;; esac
done
"$1"/bin/python -m compileall -q --invalidation-mode unchecked-hash "$packages" || true
