#!/usr/bin/env bash
# setup.sh [MLFLOW_HOST [KEYCLOAK_HOST]]: makes what compose.yaml needs, once: .env with the names of the two hosts, and in secrets/ random
# passwords and certificates of an authority of their own. Nothing that is there is made anew: delete what should be.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mlflow=${1:-mlflow.localhost}
keycloak=${2:-keycloak.localhost}
random() { openssl rand -hex 32; }

if [ -e secrets ]; then
  echo "setup.sh: secrets/ is there already; nothing was made" >&2
  exit 1
fi
mkdir secrets.new
trap 'rm -rf secrets.new' EXIT

# certificate NAME HOST: a key, and a certificate by the authority.
certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "secrets.new/$1.key" -subj "/CN=$2" 2>/dev/null |
    openssl x509 -req -days 825 -CA secrets.new/ca.crt -CAkey secrets.new/ca.key -CAcreateserial -out "secrets.new/$1.crt" \
      -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$2") 2>/dev/null
}
openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -keyout secrets.new/ca.key -out secrets.new/ca.crt \
  -subj '/CN=mlflow-oidc-auth compose' -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign' 2>/dev/null
certificate gateway "$mlflow"
certificate keycloak "$keycloak"

gateway_db=$(random) keycloak_db=$(random) mlflow_db=$(random) redis=$(random) client=$(random)
random >secrets.new/postgres
cat >secrets.new/databases.sql <<SQL
CREATE ROLE gateway LOGIN PASSWORD '$gateway_db';
CREATE DATABASE gateway OWNER gateway;
CREATE ROLE keycloak LOGIN PASSWORD '$keycloak_db';
CREATE DATABASE keycloak OWNER keycloak;
CREATE ROLE mlflow LOGIN PASSWORD '$mlflow_db';
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT ON DATABASE gateway, keycloak, mlflow FROM PUBLIC;
SQL
cat >secrets.new/gateway.env <<ENV
SECRET_KEY=$(random)
OIDC_CLIENT_SECRET=$client
OIDC_USERS_DB_URI=postgresql://gateway:$gateway_db@postgres/gateway
REDIS_PASSWORD=$redis
ENV
printf 'requirepass %s\nappendonly yes\ndir /data\n' "$redis" >secrets.new/redis.conf
echo "MLFLOW_BACKEND_STORE_URI=postgresql+psycopg2://mlflow:$mlflow_db@postgres/mlflow" >secrets.new/mlflow.env
cat >secrets.new/keycloak.env <<ENV
KC_DB_PASSWORD=$keycloak_db
KC_BOOTSTRAP_ADMIN_USERNAME=admin
KC_BOOTSTRAP_ADMIN_PASSWORD=$(random)
MLFLOW_CLIENT_SECRET=$client
SAMPLE_PASSWORD=$(random)
ENV

# Containers read these as users of their own; on this machine the folder keeps everybody else away from them.
chmod 644 secrets.new/*
chmod 600 secrets.new/ca.key
printf 'MLFLOW_HOST=%s\nKEYCLOAK_HOST=%s\n' "$mlflow" "$keycloak" >.env
mv secrets.new secrets
echo "setup.sh: made .env and secrets/; people sign in at https://$mlflow:8443 as ada, vera or fred, with the SAMPLE_PASSWORD of secrets/keycloak.env" >&2
