import { join } from 'node:path';

/** Folders of an apt of our own: the host's state is neither read nor changed, its network settings hold. */
export interface AptFolders {
  readonly root: string;
  readonly config: string;
  readonly sources: string;
  readonly status: string;
  readonly lists: string;
  /** Outlives a failed build, so that the next one downloads only what is missing. */
  readonly archives: string;
}

export const aptFolders = (cacheDirectory: string, suite: string, architecture: string): AptFolders => {
  const key = `${suite}-${architecture}`;
  const root = join(cacheDirectory, 'apt', key);
  return {
    root,
    config: join(root, 'apt.conf'),
    sources: join(root, 'sources.list.d'),
    status: join(root, 'status'),
    lists: join(root, 'lists'),
    archives: join(cacheDirectory, 'debs', key),
  };
};

/**
 * apt.conf(5), given with `--config-file` so that it comes after the host's own files: of those it leaves proxies,
 * time-outs and trust, and takes back hooks, pins and foreign architectures.
 */
export const renderAptConfig = (folders: AptFolders, architecture: string): string => `\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
#clear APT::Default-Release;
#clear Acquire::IndexTargets;
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::Retries "1";
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  Optional "0";
};
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "${folders.sources}";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "${folders.root}";
Dir::State::lists "${folders.lists}";
Dir::State::status "${folders.status}";
Dir::State::extended_states "${folders.root}/extended_states";
Dir::Cache "${folders.root}";
Dir::Cache::archives "${folders.archives}";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Log "${folders.root}";
`;
