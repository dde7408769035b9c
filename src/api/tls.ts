import { constants } from 'node:crypto';
import type { ServerOptions } from 'node:https';

/** Forward secrecy and authenticated encryption only (RFC 9325 section 4.2; TLS 1.3 has no others). */
const SUITES = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
];
/** A client that has connected and says nothing is given up after this. */
const HANDSHAKE_MS = 10_000;

export interface Certificate {
  readonly key: Buffer;
  readonly cert: Buffer;
}

export const tlsOptions = ({ key, cert }: Certificate): ServerOptions => ({
  key,
  cert,
  minVersion: 'TLSv1.2',
  ciphers: SUITES.join(':'),
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  handshakeTimeout: HANDSHAKE_MS,
});
