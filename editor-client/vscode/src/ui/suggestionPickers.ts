/**
 * Quick picks for how long suggestions are, and how confident the model must be. The choices and
 * their descriptions are those of the settings in package.json, which the server defines.
 */

import * as vscode from 'vscode';
import { contributes } from '../../package.json';
import { changeSetting, getText } from '../settings/configuration';
import { SECTION } from '../settings/settingNames';

interface EnumSetting {
  readonly enum: readonly string[];
  readonly markdownEnumDescriptions: readonly string[];
  readonly default: string;
}

/** Asks how long suggestions are. */
export async function chooseExtent(): Promise<void> {
  await chooseValue('suggestion.extent', 'Suggestion Length');
}

/** Asks how confident the model must be. */
export async function chooseEagerness(): Promise<void> {
  await chooseValue('suggestion.eagerness', 'Suggestion Eagerness');
}

async function chooseValue(id: string, title: string): Promise<void> {
  const { enum: values, markdownEnumDescriptions, default: defaultValue } = findSetting(id);
  const current = getText(id);
  const items = values.map((value, index) => {
    const name = value.slice(0, 1).toUpperCase() + value.slice(1);
    const label = value === defaultValue ? `${name} (default)` : name;
    const description = (markdownEnumDescriptions[index] ?? '').replace(/\.$/, '');
    return { label: value === current ? `$(check) ${label}` : label, description, value };
  });
  const choice = await vscode.window.showQuickPick(items, { title });
  if (choice !== undefined) {
    await changeSetting(id, choice.value);
  }
}

function findSetting(id: string): EnumSetting {
  const pages: readonly Readonly<Record<string, unknown>>[] = contributes.configuration.map(
    ({ properties }) => properties,
  );
  const found = pages.map((page) => page[`${SECTION}.${id}`]).find((one) => one !== undefined);
  return found as EnumSetting;
}
