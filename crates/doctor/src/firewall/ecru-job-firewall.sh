#!/bin/sh
# Written by ecru: keeps containers from the instance metadata, and so from the identity of this instance.
# It may be run at any time and as often as wanted; `ecru-job-firewall remove` takes the rules away.
set -eu

ipv4='@IPV4@'
ipv6='@IPV6@'

found() { command -v "$1" >/dev/null 2>&1; }

# A table of its own: nothing that others do to their rules touches it, it needs no chain of Docker's (which Docker's
# nftables backend does not have), and what one table rejects no other can accept.
nft_rules() {
  echo 'add table inet ecru_job_firewall'
  echo 'delete table inet ecru_job_firewall'
  [ "$1" = apply ] || return 0
  echo 'add table inet ecru_job_firewall'
  echo 'add chain inet ecru_job_firewall forward { type filter hook forward priority -10 ; policy accept ; }'
  for address in $ipv4; do echo "add rule inet ecru_job_firewall forward ip daddr $address reject"; done
  for address in $ipv6; do echo "add rule inet ecru_job_firewall forward ip6 daddr $address reject"; done
}

by_nft() {
  found nft && nft_rules "$1" | nft -f -
}

# The chain that Docker leaves to others and that it asks first; FORWARD where Docker has not made one.
chain_of() {
  if "$1" -w 10 -n -L DOCKER-USER >/dev/null 2>&1; then echo DOCKER-USER; else echo FORWARD; fi
}

# by_iptables apply|remove PROGRAM ADDRESSES
by_iptables() {
  found "$2" || return 1
  chain=$(chain_of "$2")
  for address in $3; do
    if [ "$1" = remove ]; then
      for chain in DOCKER-USER FORWARD; do
        while "$2" -w 10 -D "$chain" -d "$address" -j REJECT 2>/dev/null; do :; done
      done
    else
      "$2" -w 10 -C "$chain" -d "$address" -j REJECT 2>/dev/null ||
        "$2" -w 10 -I "$chain" 1 -d "$address" -j REJECT || return 1
    fi
  done
}

by_both_iptables() {
  by_iptables "$1" iptables "$ipv4" || return 1
  # A kernel without IPv6 has nothing to keep anybody from.
  [ -e /proc/net/if_inet6 ] || return 0
  by_iptables "$1" ip6tables "$ipv6"
}

case "${1:-apply}" in
  apply | remove) ;;
  *)
    echo "usage: ecru-job-firewall [apply|remove]" >&2
    exit 2
    ;;
esac

# Each is enough by itself, so both are tried and one has to work.
applied=
if by_nft "${1:-apply}"; then applied=yes; fi
if by_both_iptables "${1:-apply}"; then applied=yes; fi
if [ -z "$applied" ]; then
  echo 'ecru-job-firewall: neither nft nor iptables could change the rules' >&2
  exit 1
fi
