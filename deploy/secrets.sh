#!/bin/sh
# Makes the files with secrets that docker-compose.yml and kubernetes/ mount: secrets.sh [FOLDER].
#
# What is there stays as it is, and only what follows from it is written anew: whoever changes a password removes
# its file (or writes another word into it) and runs this again. Nothing is needed that a system does not have.
# The folder shuts everybody out; the files inside can be read by all, for a container reads them as a user of its own.
set -eu
folder=${1:-secrets}
rabbitmq_host=${RABBITMQ_HOST:-rabbitmq}
postgres_host=${POSTGRES_HOST:-postgres}
mkdir -p "$folder"
chmod 700 "$folder"
umask 022
cd "$folder"

hex() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }
make() { [ -s "$1" ] || { cat > "$1.new" && mv "$1.new" "$1"; }; }
write() { cat > "$1.new" && mv "$1.new" "$1"; }
word() { tr -d '\n' < "$1"; }

head -c 32 /dev/urandom | base64 | tr '+/' '-_' | make encryption-keys
hex 32 | make sign-in-secret
for user in postgres grafana rabbitmq-vorex rabbitmq-relay rabbitmq-web rabbitmq-consumer rabbitmq-operator; do
    hex 24 | make "$user-password"
done
[ -e cronofy-client-secret ] || : > cronofy-client-secret

echo "postgresql+asyncpg://calendar_sync:$(word postgres-password)@$postgres_host/calendar_sync" | write database-url
for user in vorex relay web consumer operator; do
    echo "amqp://$user:$(word "rabbitmq-$user-password")@$rabbitmq_host/" | write "broker-url-$user"
done
{
    separator='{"users": ['
    for user in vorex relay web consumer operator; do
        printf '%s\n  {"name": "%s", "password": "%s", "tags": []}' "$separator" "$user" "$(word "rabbitmq-$user-password")"
        separator=,
    done
    printf '\n]}\n'
} | write rabbitmq-users.json
