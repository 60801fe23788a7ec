export { type CertificateAuthority, type KeyPair, openAuthority } from './authority.ts';
