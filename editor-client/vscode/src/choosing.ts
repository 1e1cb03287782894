/** Quick choices of how long suggestions are, and how sure the model must be of them. */

import * as vscode from 'vscode';
import { change, textOf } from './settings';

const EXTENTS = {
  auto: ['A line, or a whole block where one begins', 'as it fits the place'],
  line: ['One line', 'never more'],
  block: ['The rest of the block', 'also in its middle'],
  function: ['The rest of the function', 'also in its middle'],
} as const;

const EAGERNESS = {
  quiet: ['Quiet', 'few suggestions, mostly right'],
  balanced: ['Balanced', 'as it comes'],
  eager: ['Eager', 'more suggestions, more of them wrong'],
  always: ['Always', 'whatever the model writes'],
} as const;

/** Asks how far suggestions go: one line or several. */
export async function chooseExtent(): Promise<void> {
  await choose('suggestion.extent', 'Parrotlet: how far suggestions go', EXTENTS);
}

/** Asks how sure the model has to be. */
export async function chooseEagerness(): Promise<void> {
  await choose('suggestion.eagerness', 'Parrotlet: how eager suggestions are', EAGERNESS);
}

async function choose(
  name: string, title: string, choices: Readonly<Record<string, readonly [string, string]>>,
): Promise<void> {
  const now = textOf(name);
  const items = Object.entries(choices).map(([value, [label, description]]) => ({
    label: value === now ? `$(check) ${label}` : label, description, value,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title });
  if (chosen !== undefined) {
    await change(name, chosen.value);
  }
}
