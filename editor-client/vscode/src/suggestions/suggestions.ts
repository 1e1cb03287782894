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

/** One of the suggestions for a place. */
interface Offer {
  /** Its whole text from the place on, including what has been typed or accepted since. */
  readonly text: string;
  /** The server's own, which names the source of repeated text. */
  readonly command: vscode.Command | undefined;
}

/** The suggestions for a place in an editor. VS Code does not say which of them it shows. */
interface ShownSuggestions {
  readonly uri: string;
  /** Where they started when the first one was shown, in UTF-16 units. */
  readonly startOffset: number;
  /** The one that is shown first, then the alternatives. */
  readonly offers: readonly [Offer, ...Offer[]];
  /** Titles of the commands that were run, since one suggestion can be accepted in parts. */
  readonly namedSources: Set<string>;
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
  private shown: ShownSuggestions | undefined;
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
    const [first, ...others] = getItems(response);
    this.setFirstOnRequest(isInvoked && first !== undefined && others.length === 0);
    if (first === undefined) {
      if (isInvoked) {
        this.onNothingFound();
      }
      return [];
    }
    this.recordShown(document, position, [first, ...others], performance.now() - started);
    return [first, ...others].map(attachAcceptedCommand);
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
    const offer = this.lastEdit === before ? undefined : this.findAcceptedOffer();
    if (offer !== undefined) {
      this.correctCursor();
      this.reportAccepted(unit);
      await this.nameSource(offer.command);
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
    const named = this.nameSource(command);
    this.shown = undefined;
    await named;
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

  /** Names the source of accepted text to the user and the server, once for each suggestion. */
  private async nameSource(command: vscode.Command | undefined): Promise<void> {
    if (command === undefined || this.shown?.namedSources.has(command.title) === true) {
      return;
    }
    this.shown?.namedSources.add(command.title);
    void vscode.window.showInformationMessage(command.title);
    const commandArguments: unknown[] = command.arguments ?? [];
    await vscode.commands.executeCommand(command.command, ...commandArguments);
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
    items: readonly [vscode.InlineCompletionItem, ...vscode.InlineCompletionItem[]],
    latencyMs: number,
  ): void {
    const [first, ...others] = items;
    const typed = this.getTypedText(document, position);
    const rest = getRest(document, position, first);
    if (
      this.shown !== undefined && typed !== undefined
      && typed + rest === this.shown.offers[0].text
    ) {
      const alternatives = others.map((item) => createOffer(document, position, item, typed));
      const { offers: [shown, ...known] } = this.shown;
      this.shown = { ...this.shown, offers: [shown, ...known, ...alternatives] };
      return;
    }
    this.shown = {
      uri: document.uri.toString(),
      startOffset: document.offsetAt(position),
      offers: [
        createOffer(document, position, first),
        ...others.map((item) => createOffer(document, position, item)),
      ],
      namedSources: new Set(),
    };
    const params = { characters: rest.length, ms: Math.round(latencyMs) };
    this.notifyServer('parrotlet/didShow', params);
    void vscode.commands.executeCommand('setContext', SHOWN_CONTEXT, true);
  }

  /**
   * Returns the suggestion of which a part was accepted: of several, the one that is shown first.
   * Returns undefined if it was another extension's.
   */
  private findAcceptedOffer(): Offer | undefined {
    const editor = vscode.window.activeTextEditor;
    const typed = editor && this.getTypedText(editor.document, editor.selection.active);
    return typed === undefined
      ? undefined
      : this.shown?.offers.find((offer) => offer.text.startsWith(typed));
  }

  /** Returns the text between the suggestions' original start and the cursor. */
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

function createOffer(
  document: vscode.TextDocument,
  position: vscode.Position,
  item: vscode.InlineCompletionItem,
  typed = '',
): Offer {
  return { text: typed + getRest(document, position, item), command: item.command };
}

/** Returns what an item inserts after a position. */
function getRest(
  document: vscode.TextDocument, position: vscode.Position, item: vscode.InlineCompletionItem,
): string {
  const typed = getText(document, item.range?.start ?? position, position);
  const text = typeof item.insertText === 'string' ? item.insertText : item.insertText.value;
  return text.startsWith(typed) ? text.slice(typed.length) : text;
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
