// Writes the settings page in package.json from the server's list of settings. Identifiers are in
// camel case, as is usual in VS Code; `settingNames` in package.json maps them to the server's
// names.
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
  adaptation: 'Adaptation',
  remote: 'Remote Server',
};
const CLIENT_GROUP = 'client';
// Settings that can differ by language.
const LANGUAGE_SETTINGS = ['client.enabled', 'client.automatic'];
// Settings that no workspace can change, trusted or not: where packages come from, and where text,
// keys and logs go.
const USER_SETTINGS = /^(client\.extra_index_url|event_log|remote\..*)$/;
// Settings that depend on the machine and are not synchronized to others.
const MACHINE_SETTINGS = /^(model|client\.server|engine\..*)$/;
const UNITS = { ms: 'Milliseconds', s: 'Seconds', mib: 'MB' };

function createProperty({
  name, type, default: value, choices, choice_texts: texts, minimum, maximum, text,
}) {
  return {
    type,
    ...(type === 'array' && { items: { type: 'string' } }),
    ...(choices !== null && { enum: choices, markdownEnumDescriptions: texts }),
    ...(minimum !== null && { minimum }),
    ...(maximum !== null && { maximum }),
    default: value,
    scope: LANGUAGE_SETTINGS.includes(name)
      ? 'language-overridable'
      : USER_SETTINGS.test(name) ? 'machine'
      : MACHINE_SETTINGS.test(name) ? 'machine-overridable' : 'window',
    markdownDescription: text,
  };
}

function createPages(settings) {
  const byGroup = new Map(Object.keys(GROUPS).map((group) => [group, {}]));
  const own = settings.filter(isClientSetting).map(createEntry);
  const rest = settings.filter((one) => !isClientSetting(one)).map(createEntry);
  [...own, ...rest].forEach(([id, one], order) => {
    const [first] = id.split('.');
    const group = first === CLIENT_GROUP || !id.includes('.') ? '' : first;
    const { markdownDescription, ...shape } = one;
    byGroup.get(group)[`${SECTION}.${id}`] = { ...shape, order, markdownDescription };
  });
  return [...byGroup].map(([group, properties], order) => ({
    title: GROUPS[group], order, properties,
  }));
}

function createEntry(setting) {
  return [createId(setting.name), createProperty(setting)];
}

// "suggestion.max_debounce_ms" is "suggestion.maxDebounceMilliseconds" in VS Code.
function createId(name) {
  const words = name.split('_');
  const last = words.at(-1);
  if (words.length > 1 && last in UNITS) {
    words.splice(-1, 1, UNITS[last]);
  }
  return words.map((word, n) => (n === 0 ? word : word[0].toUpperCase() + word.slice(1))).join('');
}

function isClientSetting({ name }) {
  return name.startsWith(`${CLIENT_GROUP}.`);
}

const manifest = JSON.parse(readFileSync(FILE, 'utf8'));
const settings = JSON.parse(readFileSync(0, 'utf8'));
manifest.contributes.configuration = createPages(settings);
manifest.settingNames = Object.fromEntries(settings.map(({ name }) => [createId(name), name]));
writeFileSync(FILE, `${JSON.stringify(manifest, null, 2)}\n`);
