/** Quick choices of how long suggestions are, and how confident the model must be. */

import * as vscode from 'vscode';
import { change, textOf } from '../settings/configuration';

const EXTENTS = {
  auto: ['Automatic (default)', 'One line, or a whole block or function where it begins'],
  line: ['One line', 'Never more than one line'],
  block: ['Block', 'The block around the cursor, up to its end'],
  function: ['Function', 'The function around the cursor, up to its end'],
} as const;

const EAGERNESS = {
  quiet: ['Quiet', 'Few suggestions, most of them right'],
  balanced: ['Balanced (default)', 'Suggestions that the model is confident of'],
  eager: ['Eager', 'More suggestions, including less certain ones'],
  always: ['Always', 'Every suggestion'],
} as const;

/** Asks how long suggestions are: one line or several. */
export async function chooseExtent(): Promise<void> {
  await choose('suggestion.extent', 'Suggestion Length', EXTENTS);
}

/** Asks how confident the model has to be. */
export async function chooseEagerness(): Promise<void> {
  await choose('suggestion.eagerness', 'Suggestion Eagerness', EAGERNESS);
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
