#!/usr/bin/env bash
# Makes a network for the instance metadata, a hop away from host and containers:
#   metadata_network.sh ADDRESS:PORT
# What is sent to port 80 of 192.0.2.254 gets there through the namespace `metadata`, in which it is sent on to
# ADDRESS:PORT. The addresses are for documentation (RFC 5737).
set -euo pipefail

ip netns add metadata
ip link add to-metadata type veth peer name to-host netns metadata
ip address add 198.51.100.1/24 dev to-metadata
ip link set to-metadata up
ip route add 192.0.2.254/32 via 198.51.100.2
# shellcheck disable=SC2016 # The argument is the inner shell's.
ip netns exec metadata sh -ec '
  ip link set lo up
  ip address add 198.51.100.2/24 dev to-host
  ip address add 192.0.2.254/32 dev to-host
  ip link set to-host up
  ip route add default via 198.51.100.1
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # For addresses of loopback and for those of the host.
  echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
  iptables -t nat -A POSTROUTING -o to-host -d 198.51.100.1 -p tcp -m conntrack --ctstate DNAT -j MASQUERADE
  iptables -t nat -A PREROUTING -d 192.0.2.254 -p tcp --dport 80 -j DNAT --to-destination "$1"
' sh "$1"
