systemctl daemon-reload
# Docker that is still to be installed starts the firewall by itself, by its drop-in.
if systemctl cat docker.service >/dev/null 2>&1; then
  systemctl enable --now docker.service
  systemctl restart ecru-job-firewall.service
fi
