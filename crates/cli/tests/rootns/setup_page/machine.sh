#!/usr/bin/env bash
# Makes the namespaces a fresh machine with a runner, whose AWS is on loopback:
#   machine.sh ECRU HELPER METADATA_PORT
# All that a set-up and the runner's user write goes into memory.
set -euo pipefail

for folder in /root /usr/local /var/lib; do
  layers=$(mktemp -d)
  mount -t tmpfs tmpfs "$layers"
  mkdir "$layers/upper" "$layers/work"
  mount -t overlay -o "lowerdir=$folder,upperdir=$layers/upper,workdir=$layers/work" overlay "$folder"
  umount --lazy "$layers"
  rmdir "$layers"
done
# What tells of the machine's own past.
rm -rf /root/.docker /root/.dockercfg /root/.aws /root/.ecr /root/.config/ecru /root/.cache/ecru
rm -rf /var/lib/cloud /var/lib/ecru /etc/gitlab-runner /etc/systemd/system/gitlab-runner.service*
rm -f /usr/local/bin/docker-credential-* /usr/local/sbin/docker-credential-*

mkdir -p /usr/local/lib/ecru
cp "$1" "$2" /usr/local/lib/ecru/
ln -sf ../lib/ecru/ecru /usr/local/bin/ecru

# Containers find AWS where the machine finds it.
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
iptables --table nat --append PREROUTING --destination 192.0.2.1 --protocol tcp --dport 443 \
  --jump DNAT --to-destination 127.0.0.1:443
iptables --table nat --append PREROUTING --in-interface to-metadata --destination 198.51.100.1 --protocol tcp \
  --dport "$3" --jump DNAT --to-destination "127.0.0.1:$3"
