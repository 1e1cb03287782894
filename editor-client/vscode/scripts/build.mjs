// Bundles the extension into dist/extension.js, and writes beside it the licences of what is
// bundled, the README as VS Code's details page can show it, and which installation it comes from.
// With PARROTLET_PORTABLE=1 the last names no folder, for a package that leaves this machine.
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
writeFileSync(join(extension, 'dist', 'README.md'), readme());
writeFileSync(join(extension, 'installation.json'), `${JSON.stringify(installation())}\n`);

function licence(folder) {
  const at = join(extension, folder);
  const { name, version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  const file = readdirSync(at).find((one) => /^licen[cs]e/i.test(one));
  if (!file) {
    throw new Error(`${name} has no licence file; it cannot be bundled`);
  }
  return `${name} ${version}\n\n${readFileSync(join(at, file), 'utf8')}`;
}

// VS Code's details page of an extension shows no picture but those of web addresses. For it, the
// picture is drawn in text; links to files of the checkout lead nowhere there and become text.
function readme() {
  const drawn = readFileSync(join(extension, 'media', 'ghost-text.html'), 'utf8');
  return readFileSync(join(extension, 'README.md'), 'utf8')
    .replaceAll(/!\[[^\]]*\]\((?!https:)[^)]*\)\n/g, drawn)
    .replaceAll(/(?<!!)\[([^\]]+)\]\((?![a-z]+:|#)[^)]*\)/g, '$1');
}

// `make` installs the server in the checkout; the extension looks for it there, if it is there.
function installation() {
  const project = readFileSync(join(checkout, 'pyproject.toml'), 'utf8');
  const [, python] = /^requires-python\s*=\s*"\D*(\d+\.\d+)/m.exec(project);
  return { python, ...(!process.env.PARROTLET_PORTABLE && { folder: checkout }) };
}
