#!/bin/sh
# Makes the three Secrets with the certificates of the cluster, or makes them anew.
#
#   deploy/kubernetes/certificates.sh [NAMESPACE]
#
# Needs openssl and kubectl. Afterwards the pods must be started again, all of them:
#   kubectl --namespace dhess delete pod --all
set -eu
namespace=${1:-dhess}
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sh "$here/../image/certificates" "$folder"
for part in scheduler worker gateway; do
  kubectl create secret generic "dhess-tls-$part" --namespace "$namespace" \
    --from-file="$folder/$part" --dry-run=client --output=yaml | kubectl apply --filename=-
done
