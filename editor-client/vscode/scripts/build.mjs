// Bundles the extension into dist/extension.js and writes down which installation it comes from.
import { writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const extension = dirname(dirname(fileURLToPath(import.meta.url)));
const checkout = resolve(extension, '..', '..');

await build({
  absWorkingDir: extension,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  mainFields: ['module', 'main'],
  external: ['vscode'],
});

// `make` installs the server there; the extension looks for it where it stood when it was built.
writeFileSync(join(extension, 'installation.json'), `${JSON.stringify({ folder: checkout })}\n`);
