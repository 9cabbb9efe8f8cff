#!/usr/bin/env bash
# Sets the stage in fresh mount, network and process namespaces, then becomes the given program:
#   stage.sh PROGRAM ARGUMENT...
# Nothing here outlives the namespaces, and nothing in them can reach further than their own loopback.
set -euo pipefail

mount --make-rprivate /

# A copy-on-write /etc: hosts, certificates and the engine's files are ours, all else is the machine's.
layers=$(mktemp -d)
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/upper" "$layers/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$layers/upper,workdir=$layers/work" overlay /etc
umount --lazy "$layers"
rmdir "$layers"
# The engine would take up settings, and its clients settings and certificates, from the machine's.
rm -rf /etc/docker /etc/containers/certs.d /etc/ecru
# No name is looked up anywhere but in /etc/hosts.
rm -f /etc/resolv.conf /etc/hosts
printf 'hosts: files\n' >/etc/nsswitch.conf
printf '127.0.0.1 localhost\n' >/etc/hosts

# Sockets and locks of engines live here.
mount -t tmpfs tmpfs /run

busybox ip link set lo up
# Docker speaks plain HTTP with, and checks no certificate of, a registry whose name leads to 127.0.0.0/8
# (docs.docker.com, "Test an insecure registry"). So the names lead to an address for examples (RFC 5737), and that
# leads to loopback.
busybox ip address add 192.0.2.1/32 dev lo
iptables --table nat --append OUTPUT --destination 192.0.2.1 --protocol tcp --dport 443 \
  --jump DNAT --to-destination 127.0.0.1:443

exec "$@"
