// Writes the settings page of package.json from the server's own list of settings.
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
  remote: 'Model Elsewhere',
};
const OWN = 'client';
// What a language or folder may want otherwise than the rest.
const OF_LANGUAGE = ['client.enabled', 'client.automatic'];
// What is true of a machine and is not carried to another one by settings sync.
const OF_MACHINE = /^(model|event_log|client\.server|client\.extra_index_url|engine\..*|remote\..*)$/;

function property({ name, type, default: value, choices, choice_texts: choiceTexts, minimum, text }, order) {
  return {
    type,
    ...(type === 'array' && { items: { type: 'string' } }),
    ...(choices !== null && { enum: choices, markdownEnumDescriptions: choiceTexts }),
    ...(minimum !== null && { minimum }),
    default: value,
    scope: OF_LANGUAGE.includes(name)
      ? 'language-overridable'
      : OF_MACHINE.test(name) ? 'machine-overridable' : 'window',
    order,
    markdownDescription: text,
  };
}

function pages(settings) {
  const byGroup = new Map(Object.keys(GROUPS).map((group) => [group, {}]));
  const ownFirst = settings.toSorted((one, other) => isOwn(other) - isOwn(one));
  ownFirst.forEach((setting, order) => {
    const group = isOwn(setting) || !setting.name.includes('.') ? '' : setting.name.split('.')[0];
    byGroup.get(group)[`${SECTION}.${setting.name}`] = property(setting, order);
  });
  return [...byGroup].map(([group, properties], order) => ({
    title: GROUPS[group], order, properties,
  }));
}

function isOwn({ name }) {
  return name.startsWith(`${OWN}.`);
}

const manifest = JSON.parse(readFileSync(FILE, 'utf8'));
manifest.contributes.configuration = pages(JSON.parse(readFileSync(0, 'utf8')));
writeFileSync(FILE, `${JSON.stringify(manifest, null, 2)}\n`);
