import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findDebianArchive, parseListFile, parseSourcesFile, renderSources } from './apt-sources.ts';

const DEB822 = `Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
`;

describe('the sources of apt', () => {
  test('a deb822 file gives one source for each URI and suite, without what is switched off', () => {
    const sources = parseSourcesFile(DEB822);
    assert.deepEqual(
      sources.map(({ uri, suite }) => `${uri} ${suite}`),
      [
        'http://mirror.example/debian bookworm',
        'http://mirror.example/debian bookworm-updates',
        'http://security.example/debian-security bookworm-security',
      ],
    );
    assert.deepEqual(sources[0]?.components, ['main', 'contrib']);
  });

  test('a key written into a deb822 file keeps its lines', () => {
    const [source] = parseSourcesFile(
      'Types: deb\nURIs: http://a.example/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n',
    );
    assert.equal(source?.signedBy, '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc');
  });

  test('the one-line format is read with options and comments', () => {
    assert.deepEqual(
      parseListFile(
        '# deb http://no.example x main\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/debian trixie main contrib # why\ndeb-src http://a.example/debian trixie main\n',
      ),
      [
        {
          uri: 'http://a.example/debian',
          suite: 'trixie',
          components: ['main', 'contrib'],
          signedBy: '/k.gpg',
        },
      ],
    );
  });
});

describe('the Debian archive', () => {
  test('it is found with its security archive', () => {
    assert.deepEqual(findDebianArchive(parseSourcesFile(DEB822)), {
      main: 'http://mirror.example/debian',
      signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
      updates: true,
      security: { uri: 'http://security.example/debian-security', signedBy: undefined },
    });
  });

  test('another archive that uses a suite of the same name is not taken for it', () => {
    const found = findDebianArchive(
      parseListFile(
        'deb [signed-by=/usr/share/keyrings/tool.gpg] http://tool.example bookworm main\ndeb http://m.example/debian/ bookworm main\ndeb http://m.example/debian bookworm-updates main\n',
      ),
    );
    assert.equal(found?.main, 'http://m.example/debian/');
    assert.equal(found?.updates, true);
    assert.equal(found?.security, undefined);
  });

  test('a host without Debian sources has none', () => {
    assert.equal(
      findDebianArchive(parseListFile('deb http://a.example/ubuntu noble main universe\n')),
      undefined,
    );
    assert.equal(findDebianArchive(parseListFile('deb cdrom:[disc]/ bookworm main\n')), undefined);
  });

  test('sources for another suite come from the same archive, with updates and security as the host has them', () => {
    const archive = findDebianArchive(parseSourcesFile(DEB822));
    assert.ok(archive !== undefined);
    assert.equal(
      renderSources(archive, 'trixie'),
      `Types: deb
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: trixie-security
Components: main
`,
    );
    assert.deepEqual(
      parseSourcesFile(renderSources({ main: 'http://a.example', updates: false }, 'trixie')),
      [{ uri: 'http://a.example', suite: 'trixie', components: ['main'], signedBy: undefined }],
    );
  });
});
