/**
 * Suggestions on their way from the server to the user: requested, accepted, cycled through,
 * dismissed; and what the server learns about them.
 *
 * VS Code shows and inserts them. It informs an extension only when a suggestion was accepted as a
 * whole, by running the suggestion's command; the rest is observed around VS Code's own commands,
 * which ours run. Tab remains VS Code's own key.
 */

import * as vscode from 'vscode';
import type { Enablement } from './enablement';

export const ACCEPTED_COMMAND = 'parrotlet.accepted';
const SHOWN_CONTEXT = 'parrotlet.hasShown';
const FIRST_CONTEXT = 'parrotlet.isFirstOnRequest';

const EDITOR_COMMANDS = {
  trigger: 'editor.action.inlineSuggest.trigger',
  accept: 'editor.action.inlineSuggest.commit',
  word: 'editor.action.inlineSuggest.acceptNextWord',
  line: 'editor.action.inlineSuggest.acceptNextLine',
  dismiss: 'editor.action.inlineSuggest.hide',
  next: 'editor.action.inlineSuggest.showNext',
  previous: 'editor.action.inlineSuggest.showPrevious',
} as const;

type AcceptUnit = 'whole' | 'word' | 'line';
type Response = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

/** Sends a notification to the server, if it is running. */
type NotifyServer = (method: string, params: object) => void;

/** A suggestion that is shown in an editor. */
interface ShownSuggestion {
  readonly uri: string;
  /** Where it started when it was first shown, in UTF-16 units. */
  readonly startOffset: number;
  /** Its whole text from there, including what has been typed or accepted since. */
  readonly text: string;
}

/** The last edit of a document. */
interface Edit {
  readonly uri: string;
  readonly version: number;
  /** By how many UTF-16 units the document grew. */
  readonly growth: number;
  /** Where the inserted text ends. */
  readonly end: vscode.Position;
  /** Whether the inserted text has characters outside the Basic Multilingual Plane. */
  readonly isAstral: boolean;
}

const ASTRAL = /[\ud800-\udbff]/;

/** Provides suggestions, and follows what becomes of them. */
export class Suggestions implements vscode.Disposable {
  private readonly listener: vscode.Disposable;
  private shown: ShownSuggestion | undefined;
  /** Whether the last answer is the first one to a request by hand: alternatives can follow. */
  private isFirstOnRequest = false;
  private lastEdit: Edit | undefined;
  /** Set while a part of a suggestion is being accepted. */
  private acceptingPart: Exclude<AcceptUnit, 'whole'> | undefined;
  /** The last edit that was reported to the server as an acceptance. */
  private lastReported: Edit | undefined;

  constructor(
    private readonly enablement: Enablement,
    private readonly notifyServer: NotifyServer,
    private readonly onNothingFound: () => void,
  ) {
    this.listener = vscode.workspace.onDidChangeTextDocument((event) => {
      this.recordEdit(event);
    });
  }

  /**
   * Handles VS Code's request for suggestions.
   *
   * @param next sends the request to the server
   */
  async provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: () => vscode.ProviderResult<Response>,
  ): Promise<Response> {
    const isInvoked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    const isDisabled = this.enablement.getDisabledReason(document) !== undefined;
    const isPaused = this.enablement.getPauseReason(document) !== undefined;
    if (isDisabled || (isPaused && !isInvoked)) {
      return undefined;
    }
    const started = performance.now();
    const response = await next();
    if (token.isCancellationRequested) {
      return undefined;
    }
    const items = getItems(response).map(attachAcceptedCommand);
    const [first] = items;
    this.setFirstOnRequest(isInvoked && items.length === 1);
    if (first !== undefined) {
      this.recordShown(document, position, first, performance.now() - started);
    } else if (isInvoked) {
      this.onNothingFound();
    }
    return items;
  }

  /** Requests suggestions at the cursor, including alternatives. */
  async trigger(): Promise<void> {
    await vscode.commands.executeCommand(EDITOR_COMMANDS.trigger);
  }

  /** Accepts the suggestion that is shown. */
  async accept(): Promise<void> {
    await vscode.commands.executeCommand(EDITOR_COMMANDS.accept);
  }

  /** Accepts the next word or line of the suggestion that is shown. */
  async acceptPart(unit: 'word' | 'line'): Promise<void> {
    const before = this.lastEdit;
    this.acceptingPart = unit;
    try {
      await vscode.commands.executeCommand(EDITOR_COMMANDS[unit]);
    } finally {
      this.acceptingPart = undefined;
    }
    if (this.lastEdit !== before && this.isOurs()) {
      this.correctCursor();
      this.reportAccepted(unit);
    }
  }

  /**
   * Shows the next or the previous suggestion.
   *
   * The server answers a request by hand at once, with one suggestion, and draws alternatives when
   * it is asked again. VS Code asks again after an automatic suggestion, but not after one on
   * request, so that the first has to be hidden.
   */
  async cycle(direction: 'next' | 'previous'): Promise<void> {
    if (this.isFirstOnRequest) {
      await vscode.commands.executeCommand(EDITOR_COMMANDS.dismiss);
      await vscode.commands.executeCommand(EDITOR_COMMANDS.trigger);
    }
    await vscode.commands.executeCommand(EDITOR_COMMANDS[direction]);
  }

  /** Hides the suggestion. */
  async dismiss(): Promise<void> {
    await vscode.commands.executeCommand(EDITOR_COMMANDS.dismiss);
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    if (this.shown !== undefined && this.shown.uri === uri) {
      this.shown = undefined;
      this.notifyServer('parrotlet/didReject', {});
    }
  }

  private setFirstOnRequest(value: boolean): void {
    if (value !== this.isFirstOnRequest) {
      this.isFirstOnRequest = value;
      void vscode.commands.executeCommand('setContext', FIRST_CONTEXT, value);
    }
  }

  /**
   * Called by VS Code when a suggestion has been accepted to its end.
   *
   * @param command the server's own, which names the source of repeated text
   */
  async onAccepted(command: vscode.Command | undefined): Promise<void> {
    this.correctCursor();
    this.reportAccepted(this.acceptingPart ?? 'whole');
    this.shown = undefined;
    if (command !== undefined) {
      void vscode.window.showInformationMessage(command.title);
      const commandArguments: unknown[] = command.arguments ?? [];
      await vscode.commands.executeCommand(command.command, ...commandArguments);
    }
  }

  dispose(): void {
    this.listener.dispose();
  }

  private recordEdit({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const [first] = contentChanges;
    if (first !== undefined) {
      this.lastEdit = {
        uri: document.uri.toString(),
        version: document.version,
        growth: Math.max(0, first.text.length - first.rangeLength),
        end: document.positionAt(first.rangeOffset + first.text.length),
        isAstral: ASTRAL.test(first.text),
      };
    }
  }

  /**
   * Moves the cursor to the end of the accepted text: VS Code leaves it one unit short for each
   * character outside the Basic Multilingual Plane (microsoft/vscode#288720).
   */
  private correctCursor(): void {
    const editor = vscode.window.activeTextEditor;
    const edit = this.lastEdit;
    if (
      edit?.isAstral === true
      && editor?.document.uri.toString() === edit.uri
      && editor.document.version === edit.version
      && editor.selections.length === 1
    ) {
      editor.selection = new vscode.Selection(edit.end, edit.end);
    }
  }

  /** Reports an acceptance to the server, once for each edit. */
  private reportAccepted(unit: AcceptUnit): void {
    const edit = this.lastEdit;
    if (edit !== undefined && edit !== this.lastReported) {
      this.lastReported = edit;
      this.notifyServer('parrotlet/didAccept', { characters: edit.growth, how: unit });
    }
  }

  /** Reports a new suggestion to the server; not the rest of one that was reported before. */
  private recordShown(
    document: vscode.TextDocument,
    position: vscode.Position,
    item: vscode.InlineCompletionItem,
    latencyMs: number,
  ): void {
    const uri = document.uri.toString();
    const start = item.range?.start ?? position;
    const typed = getText(document, start, position);
    const text = typeof item.insertText === 'string' ? item.insertText : item.insertText.value;
    const rest = text.startsWith(typed) ? text.slice(typed.length) : text;
    if (!this.isContinuation(document, position, rest)) {
      this.shown = { uri, startOffset: document.offsetAt(position), text: rest };
      const params = { characters: rest.length, ms: Math.round(latencyMs) };
      this.notifyServer('parrotlet/didShow', params);
      void vscode.commands.executeCommand('setContext', SHOWN_CONTEXT, true);
    }
  }

  private isContinuation(
    document: vscode.TextDocument, position: vscode.Position, rest: string,
  ): boolean {
    const typed = this.getTypedText(document, position);
    return typed !== undefined && typed + rest === this.shown?.text;
  }

  /** Checks whether the accepted part belongs to our suggestion, not to another extension's. */
  private isOurs(): boolean {
    const editor = vscode.window.activeTextEditor;
    const typed = editor && this.getTypedText(editor.document, editor.selection.active);
    return typed !== undefined && this.shown?.text.startsWith(typed) === true;
  }

  /** Returns the text between the suggestion's original start and the cursor. */
  private getTypedText(
    document: vscode.TextDocument, position: vscode.Position,
  ): string | undefined {
    const { shown } = this;
    if (shown?.uri !== document.uri.toString() || document.offsetAt(position) < shown.startOffset) {
      return undefined;
    }
    return getText(document, document.positionAt(shown.startOffset), position);
  }
}

function getItems(response: Response): vscode.InlineCompletionItem[] {
  return Array.isArray(response) ? response : response?.items ?? [];
}

/** Returns a copy of an item that runs our command when it is accepted. */
function attachAcceptedCommand(item: vscode.InlineCompletionItem): vscode.InlineCompletionItem {
  const command = { title: 'Accepted', command: ACCEPTED_COMMAND, arguments: [item.command] };
  const copy = new vscode.InlineCompletionItem(item.insertText, item.range, command);
  if (item.filterText !== undefined) {
    copy.filterText = item.filterText;
  }
  return copy;
}

/** Returns a part of a document, with the line ends that suggestions have. */
function getText(
  document: vscode.TextDocument, start: vscode.Position, end: vscode.Position,
): string {
  return document.getText(new vscode.Range(start, end)).replaceAll('\r\n', '\n');
}
