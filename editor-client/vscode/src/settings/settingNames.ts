/**
 * Names of settings. VS Code's identifiers are in camel case, the server's names in snake case;
 * `settingNames` in package.json maps the former to the latter. Earlier versions of the extension
 * used the server's names, whose values still apply where nothing is set under the new ones.
 */

import * as vscode from 'vscode';
import { contributes, settingNames } from '../../package.json';

export const SECTION = 'parrotlet';
/** The prefix of the settings that are the extension's own, in both naming schemes. */
export const CLIENT_PREFIX = 'client.';
/** The server's names, by VS Code's identifiers. */
export const SERVER_NAMES: Readonly<Record<string, string>> = settingNames;

/**
 * Settings that no workspace can change. VS Code enforces that for their current identifiers only,
 * because it does not know the former ones.
 */
export const USER_SETTINGS: ReadonlySet<string> = new Set(
  contributes.configuration
    .flatMap(({ properties }) => Object.entries<{ scope: string }>(properties))
    .filter(([, { scope }]) => scope === 'machine')
    .map(([id]) => id.slice(SECTION.length + 1)),
);

/** How the server's messages name a setting: "the configuration: remote: timeout_s". */
const NAME_IN_MESSAGE = /(?:the configuration|initializationOptions): (?:(\w+): )?(\w+)/g;

/** Returns a setting's former identifier, if it had another one. */
export function getFormerName(id: string): string | undefined {
  const name = SERVER_NAMES[id];
  return name === id ? undefined : name;
}

/** Returns the former names that are still in the user's settings, each with the current name. */
export function listFormerNames(): [former: string, current: string][] {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return Object.keys(SERVER_NAMES).flatMap((id): [string, string][] => {
    const former = getFormerName(id);
    const isSet = former !== undefined && configuration.inspect(former)?.globalValue !== undefined;
    return isSet ? [[`${SECTION}.${former}`, `${SECTION}.${id}`]] : [];
  });
}

/** Replaces the server's names of settings in a message by VS Code's. */
export function translateSettingNames(message: string): string {
  return message.replace(NAME_IN_MESSAGE, (match, group: string | undefined, name: string) => {
    const serverName = group === undefined ? name : `${group}.${name}`;
    const [id] = Object.entries(SERVER_NAMES).find(([, other]) => other === serverName) ?? [];
    return id === undefined ? match : `${SECTION}.${id}`;
  });
}
