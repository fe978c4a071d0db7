/**
 * The machine's own firewall: what the security groups say, once more. A mistake in one of the two opens nothing.
 * @param ports single ones, or ranges as `1-2`
 */
export function nftables(ports: readonly (number | string)[]): string {
  return `flush ruleset
table inet aqueduct {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iif lo accept
    ip protocol icmp icmp type { echo-request, destination-unreachable, time-exceeded } accept
    udp sport 67 udp dport 68 accept
    tcp dport { ${ports.join(', ')} } accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
  chain output {
    type filter hook output priority filter; policy accept;
    # Who the machine is, and its role's credentials: for the system and the product alone.
    ip daddr 169.254.169.254 meta skuid != { root, aqueduct } drop
  }
}`
}

export const sysctl = `kernel.dmesg_restrict = 1
kernel.kptr_restrict = 2
kernel.kexec_load_disabled = 1
kernel.unprivileged_bpf_disabled = 1
kernel.yama.ptrace_scope = 2
kernel.randomize_va_space = 2
net.core.bpf_jit_harden = 2
net.core.somaxconn = 16384
net.ipv4.ip_forward = 0
net.ipv4.tcp_syncookies = 1
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv6.conf.all.disable_ipv6 = 1
fs.protected_fifos = 2
fs.protected_regular = 2
fs.protected_hardlinks = 1
fs.protected_symlinks = 1
fs.suid_dumpable = 0
vm.swappiness = 1`

export const logrotate = `/var/log/aqueduct/*.log {
  size 16M
  rotate 1
  copytruncate
  missingok
  notifempty
}`
