# Docker: what is there stays, else that of the distribution, with nft, which the firewall prefers.
if ! command -v dockerd >/dev/null 2>&1; then
  if command -v dnf >/dev/null 2>&1; then
    dnf install -y docker nftables
  elif command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends docker.io iptables nftables
    # In a package of its own since Debian 13.
    command -v docker >/dev/null 2>&1 || apt-get install -y --no-install-recommends docker-cli
  elif command -v yum >/dev/null 2>&1; then
    yum install -y docker
  else
    echo 'ecru: Docker is not installed, and none of dnf, apt-get and yum is there' >&2
    exit 1
  fi
fi
