// Bundles the extension into dist/extension.js, and writes the licences of the bundled packages, a
// README for VS Code's details page, and a record of this build (installation.json). With
// PARROTLET_PORTABLE=1, the record does not name this folder: for packages that leave this machine.
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

const PACKAGE_FOLDER = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const inputs = Object.keys(metafile.inputs);
const packages = inputs.flatMap((input) => PACKAGE_FOLDER.exec(input)?.[1] ?? []);
writeFileSync(
  join(extension, 'dist', 'licences.txt'),
  [...new Set(packages)].sort().map(readLicence).join(`\n${'-'.repeat(80)}\n\n`),
);
writeFileSync(join(extension, 'dist', 'README.md'), createReadme());
writeFileSync(join(extension, 'installation.json'), `${JSON.stringify(createRecord())}\n`);

function readLicence(folder) {
  const at = join(extension, folder);
  const { name, version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  const file = readdirSync(at).find((one) => /^licen[cs]e/i.test(one));
  if (!file) {
    throw new Error(`${name} has no licence file; it cannot be bundled`);
  }
  return `${name} ${version}\n\n${readFileSync(join(at, file), 'utf8')}`;
}

// VS Code's details page shows only images with https URLs, and links to local files do not work
// there: the image is replaced by text, and such links by their labels.
function createReadme() {
  const textImage = readFileSync(join(extension, 'media', 'ghost-text.html'), 'utf8');
  return readFileSync(join(extension, 'README.md'), 'utf8')
    .replaceAll(/!\[[^\]]*\]\((?!https:)[^)]*\)\n/g, textImage)
    .replaceAll(/(?<!!)\[([^\]]+)\]\((?![a-z]+:|#)[^)]*\)/g, '$1');
}

// `make` installs the server in the checkout, where the extension searches for it.
function createRecord() {
  const project = readFileSync(join(checkout, 'pyproject.toml'), 'utf8');
  const [, python] = /^requires-python\s*=\s*"\D*(\d+\.\d+)/m.exec(project);
  return { python, ...(!process.env.PARROTLET_PORTABLE && { folder: checkout }) };
}
