#!/bin/sh
apt-get install -y amazon-ecr-credential-helper
mkdir -p /root/.docker
echo '{"credsStore":"ecr-login"}' > /root/.docker/config.json
