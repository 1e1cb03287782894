// Bundles the extension into dist/extension.js, with the licences of what is bundled beside it, and
// writes down which installation it comes from.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const extension = dirname(dirname(fileURLToPath(import.meta.url)));
const checkout = resolve(extension, '..', '..');

const { metafile } = await build({
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
  metafile: true,
});

const OF_PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const packages = Object.keys(metafile.inputs).flatMap((input) => OF_PACKAGE.exec(input)?.[1] ?? []);
writeFileSync(
  join(extension, 'dist', 'licences.txt'),
  [...new Set(packages)].sort().map(licence).join(`\n${'-'.repeat(80)}\n\n`),
);

function licence(folder) {
  const at = join(extension, folder);
  const { name, version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  const file = readdirSync(at).find((one) => /^licen[cs]e/i.test(one));
  if (!file) {
    throw new Error(`${name} has no licence file; it cannot be bundled`);
  }
  return `${name} ${version}\n\n${readFileSync(join(at, file), 'utf8')}`;
}

// `make` installs the server there; the extension looks for it where it stood when it was built.
writeFileSync(join(extension, 'installation.json'), `${JSON.stringify({ folder: checkout })}\n`);
