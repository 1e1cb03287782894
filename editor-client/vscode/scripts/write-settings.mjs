// Writes the settings page of package.json from the server's own list of settings. Identifiers are
// in camel case, as VS Code expects; `settingNames` in package.json maps them to the server's names
// and is the only place that does.
// usage: parrotlet settings --json | node scripts/write-settings.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { URL } from 'node:url';

const FILE = new URL('../package.json', import.meta.url);
const SECTION = 'parrotlet';
const GROUPS = {
  '': 'Parrotlet',
  suggestion: 'Suggestions',
  context: 'Context',
  engine: 'Engine',
  remote: 'Remote Server',
};
const OWN = 'client';
// What a language or folder may want otherwise than the rest.
const OF_LANGUAGE = ['client.enabled', 'client.automatic'];
// No workspace may choose where packages come from.
const OF_USER = ['client.extra_index_url'];
// What is true of a machine and is not carried to another one by settings sync.
const OF_MACHINE = /^(model|event_log|client\.server|engine\..*|remote\..*)$/;
const UNITS = { ms: 'Milliseconds', s: 'Seconds', mib: 'MB' };

function property({
  name, type, default: value, choices, choice_texts: texts, minimum, text,
}) {
  return {
    type,
    ...(type === 'array' && { items: { type: 'string' } }),
    ...(choices !== null && { enum: choices, markdownEnumDescriptions: texts }),
    ...(minimum !== null && { minimum }),
    default: value,
    scope: OF_LANGUAGE.includes(name)
      ? 'language-overridable'
      : OF_USER.includes(name) ? 'machine'
      : OF_MACHINE.test(name) ? 'machine-overridable' : 'window',
    markdownDescription: text,
  };
}

function pages(settings) {
  const byGroup = new Map(Object.keys(GROUPS).map((group) => [group, {}]));
  const own = settings.filter(isOwn).map(entry);
  const rest = settings.filter((one) => !isOwn(one)).map(entry);
  [...own, ...rest].forEach(([id, one], order) => {
    const [first] = id.split('.');
    const group = first === OWN || !id.includes('.') ? '' : first;
    const { markdownDescription, ...shape } = one;
    byGroup.get(group)[`${SECTION}.${id}`] = { ...shape, order, markdownDescription };
  });
  return [...byGroup].map(([group, properties], order) => ({
    title: GROUPS[group], order, properties,
  }));
}

function entry(setting) {
  return [idOf(setting.name), property(setting)];
}

// "suggestion.max_debounce_ms" is "suggestion.maxDebounceMilliseconds" in VS Code.
function idOf(name) {
  const words = name.split('_');
  const last = words.at(-1);
  if (words.length > 1 && last in UNITS) {
    words.splice(-1, 1, UNITS[last]);
  }
  return words.map((word, n) => (n === 0 ? word : word[0].toUpperCase() + word.slice(1))).join('');
}

function isOwn({ name }) {
  return name.startsWith(`${OWN}.`);
}

const manifest = JSON.parse(readFileSync(FILE, 'utf8'));
const settings = JSON.parse(readFileSync(0, 'utf8'));
manifest.contributes.configuration = pages(settings);
manifest.settingNames = Object.fromEntries(settings.map(({ name }) => [idOf(name), name]));
writeFileSync(FILE, `${JSON.stringify(manifest, null, 2)}\n`);
