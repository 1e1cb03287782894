/**
 * What is done with suggestions: requested, accepted whole, by word or by line, cycled through,
 * dismissed; and what the server is told of it.
 *
 * VS Code shows and inserts them; it tells an extension only that one was taken whole, by running
 * the suggestion's command. The rest is learned by running VS Code's own commands from ours. Tab
 * is VS Code's and stays so.
 */

import * as vscode from 'vscode';
import type { Switch } from './enablement';

export const ACCEPTED_COMMAND = 'parrotlet.accepted';
const SHOWN_CONTEXT = 'parrotlet.hasShown';

const OF_EDITOR = {
  ask: 'editor.action.inlineSuggest.trigger',
  accept: 'editor.action.inlineSuggest.commit',
  word: 'editor.action.inlineSuggest.acceptNextWord',
  line: 'editor.action.inlineSuggest.acceptNextLine',
  dismiss: 'editor.action.inlineSuggest.hide',
  next: 'editor.action.inlineSuggest.showNext',
  previous: 'editor.action.inlineSuggest.showPrevious',
} as const;

type How = 'whole' | 'word' | 'line';
export type Answer = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

/** Tells the server; nothing if there is none. */
export type Tell = (method: string, params: object) => void;

/** A suggestion that stands in an editor. */
interface Shown {
  readonly uri: string;
  /** Where it began when it was new, in UTF-16 units. */
  readonly anchor: number;
  /** All of it from there, with what has been typed or taken of it. */
  readonly text: string;
}

/** The last edit of a document. */
interface Edited {
  readonly uri: string;
  readonly version: number;
  /** How much longer it made the document. */
  readonly grown: number;
  /** Where what was inserted ends. */
  readonly end: vscode.Position;
  /** Whether VS Code may have counted characters where it should have counted UTF-16 units. */
  readonly isAstral: boolean;
}

const ASTRAL = /[\ud800-\udbff]/;

/** Suggestions on their way from the server to the user, and back. */
export class Suggestions implements vscode.Disposable {
  private readonly listener: vscode.Disposable;
  private shown: Shown | undefined;
  private edited: Edited | undefined;
  /** Set while a part of a suggestion is taken. */
  private taking: Exclude<How, 'whole'> | undefined;
  /** The last that the server was told of. */
  private told: Edited | undefined;

  constructor(
    private readonly power: Switch,
    private readonly tell: Tell,
    private readonly gotNothing: (document: vscode.TextDocument) => void,
  ) {
    this.listener = vscode.workspace.onDidChangeTextDocument((event) => {
      this.note(event);
    });
  }

  /**
   * Answers VS Code's request for suggestions.
   *
   * @param next asks the server
   */
  async provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: () => vscode.ProviderResult<Answer>,
  ): Promise<Answer> {
    const isAsked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    const reason = this.power.whyOff(document) ?? this.power.whySilent(document);
    if (reason !== undefined && !(isAsked && this.power.whyOff(document) === undefined)) {
      return undefined;
    }
    const began = performance.now();
    const answer = await next();
    if (token.isCancellationRequested) {
      return undefined;
    }
    const items = itemsOf(answer).map(followed);
    const [first] = items;
    if (first !== undefined) {
      this.noteShown(document, position, first, performance.now() - began);
    } else if (isAsked) {
      this.gotNothing(document);
    }
    return items;
  }

  /** Asks for suggestions at the cursor, several of them. */
  async ask(): Promise<void> {
    await vscode.commands.executeCommand(OF_EDITOR.ask);
  }

  /** Takes the suggestion that is shown. */
  async accept(): Promise<void> {
    await vscode.commands.executeCommand(OF_EDITOR.accept);
  }

  /** Takes the next word or line of the suggestion that is shown. */
  async acceptPart(how: 'word' | 'line'): Promise<void> {
    const before = this.edited;
    this.taking = how;
    try {
      await vscode.commands.executeCommand(OF_EDITOR[how]);
    } finally {
      this.taking = undefined;
    }
    if (this.edited !== before && this.isTaken()) {
      this.mendCursor();
      this.tellAccepted(how);
    }
  }

  /** Shows the next suggestion, or the one before. */
  async show(which: 'next' | 'previous'): Promise<void> {
    await vscode.commands.executeCommand(OF_EDITOR[which]);
  }

  /** Takes the suggestion away. */
  async dismiss(): Promise<void> {
    await vscode.commands.executeCommand(OF_EDITOR.dismiss);
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    if (this.shown !== undefined && this.shown.uri === uri) {
      this.shown = undefined;
      this.tell('parrotlet/didReject', {});
    }
  }

  /**
   * Called by VS Code when a suggestion has been taken to its end.
   *
   * @param command the server's own, which tells whose text it was
   */
  async accepted(command: vscode.Command | undefined): Promise<void> {
    this.mendCursor();
    this.tellAccepted(this.taking ?? 'whole');
    this.shown = undefined;
    if (command !== undefined) {
      void vscode.window.showInformationMessage(command.title);
      const told: unknown[] = command.arguments ?? [];
      await vscode.commands.executeCommand(command.command, ...told);
    }
  }

  dispose(): void {
    this.listener.dispose();
  }

  private note({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const [first] = contentChanges;
    if (first !== undefined) {
      this.edited = {
        uri: document.uri.toString(),
        version: document.version,
        grown: Math.max(0, first.text.length - first.rangeLength),
        end: document.positionAt(first.rangeOffset + first.text.length),
        isAstral: ASTRAL.test(first.text),
      };
    }
  }

  /**
   * Puts the cursor behind what was taken, where VS Code leaves it one short for each character
   * outside the basic plane (microsoft/vscode#288720).
   */
  private mendCursor(): void {
    const editor = vscode.window.activeTextEditor;
    const edited = this.edited;
    if (
      edited?.isAstral === true
      && editor?.document.uri.toString() === edited.uri
      && editor.document.version === edited.version
      && editor.selections.length === 1
    ) {
      editor.selection = new vscode.Selection(edited.end, edited.end);
    }
  }

  /** Tells that a part was taken, once for each edit. */
  private tellAccepted(how: How): void {
    const edited = this.edited;
    if (edited !== undefined && edited !== this.told) {
      this.told = edited;
      this.tell('parrotlet/didAccept', { characters: edited.grown, how });
    }
  }

  /** Tells that a suggestion is shown, unless it is what was left of the one before. */
  private noteShown(
    document: vscode.TextDocument,
    position: vscode.Position,
    item: vscode.InlineCompletionItem,
    ms: number,
  ): void {
    const uri = document.uri.toString();
    const start = item.range?.start ?? position;
    const typed = textBetween(document, start, position);
    const text = typeof item.insertText === 'string' ? item.insertText : item.insertText.value;
    const rest = text.startsWith(typed) ? text.slice(typed.length) : text;
    if (!this.isRest(document, position, rest)) {
      this.shown = { uri, anchor: document.offsetAt(position), text: rest };
      this.tell('parrotlet/didShow', { characters: rest.length, ms: Math.round(ms) });
      void vscode.commands.executeCommand('setContext', SHOWN_CONTEXT, true);
    }
  }

  private isRest(document: vscode.TextDocument, position: vscode.Position, rest: string): boolean {
    const typed = this.typedOf(document, position);
    return typed !== undefined && typed + rest === this.shown?.text;
  }

  /** Says whether it was of our suggestion that a part was taken, and not of somebody else's. */
  private isTaken(): boolean {
    const editor = vscode.window.activeTextEditor;
    const typed = editor && this.typedOf(editor.document, editor.selection.active);
    return typed !== undefined && this.shown?.text.startsWith(typed) === true;
  }

  /** Returns what stands between the place where the suggestion began and the cursor. */
  private typedOf(
    document: vscode.TextDocument, position: vscode.Position,
  ): string | undefined {
    const { shown } = this;
    if (shown?.uri !== document.uri.toString() || document.offsetAt(position) < shown.anchor) {
      return undefined;
    }
    return textBetween(document, document.positionAt(shown.anchor), position);
  }
}

function itemsOf(answer: Answer): vscode.InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : answer?.items ?? [];
}

/** Returns a suggestion that tells when it is taken. */
function followed(item: vscode.InlineCompletionItem): vscode.InlineCompletionItem {
  const command = { title: 'Accepted', command: ACCEPTED_COMMAND, arguments: [item.command] };
  const copy = new vscode.InlineCompletionItem(item.insertText, item.range, command);
  if (item.filterText !== undefined) {
    copy.filterText = item.filterText;
  }
  return copy;
}

/** Returns a part of a document with line feeds only, as suggestions have them. */
function textBetween(
  document: vscode.TextDocument, start: vscode.Position, end: vscode.Position,
): string {
  return document.getText(new vscode.Range(start, end)).replaceAll('\r\n', '\n');
}
