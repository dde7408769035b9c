/** Files that no two servers may share, by folder. Whoever needs them makes them anew. */
export const OWN_FILES: readonly { readonly folder: string; readonly names: RegExp }[] = [
  { folder: 'etc/ssh', names: /^ssh_host_/ },
  { folder: 'var/lib/dbus', names: /^machine-id$/ },
  { folder: 'var/lib/dhcp', names: /\.leases$/ },
  { folder: 'var/lib/NetworkManager', names: /^secret_key$/ },
  { folder: 'var/lib/systemd', names: /^(random-seed|credential\.secret)$/ },
  { folder: 'var/lib/systemd/network', names: /^dhcp/ },
];
