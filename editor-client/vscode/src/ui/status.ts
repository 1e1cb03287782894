/** The status bar item: what Parrotlet is doing, and why. Clicking it opens the action menu. */

import * as vscode from 'vscode';
import type { ServerStatus } from '../server/messages';

type State = ServerStatus['state'] | 'waiting' | 'installing';

interface StateWithReason {
  readonly state: State;
  readonly reason: string | null;
}

const ICONS: Record<State, string> = {
  waiting: '$(circle-outline)',
  installing: '$(sync~spin)',
  starting: '$(sync~spin)',
  ready: '$(pass)',
  busy: '$(loading~spin)',
  idle: '$(pass)',
  off: '$(circle-slash)',
  error: '$(warning)',
};
const WORDS: Record<State, string> = {
  waiting: 'waiting for a file in a supported language',
  installing: 'installing its server',
  starting: 'starting',
  ready: 'ready',
  busy: 'working on a suggestion',
  idle: 'ready',
  off: 'off',
  error: 'not working',
};
const BUSY_DELAY_MS = 300; // shorter requests do not change the icon, which would flicker

/** The status bar item. */
export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'parrotlet.status', vscode.StatusBarAlignment.Right, 100,
  );
  private server: StateWithReason = { state: 'waiting', reason: null };
  private installPhase: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Details of the running server, for the tooltip. */
  details: string | undefined;

  /**
   * @param describePause returns why the active editor has no suggestions, as "off …"
   */
  constructor(private readonly describePause: () => string | undefined) {
    this.item.name = 'Parrotlet';
    this.item.command = 'parrotlet.menu';
    this.render();
    this.item.show();
  }

  /** Describes what Parrotlet is doing, as in "Parrotlet is ready", without a full stop. */
  describe(): string {
    const pause = this.getRelevantPause();
    return pause === undefined ? this.describeServer('Parrotlet') : `Parrotlet is ${pause}`;
  }

  /** Describes the server's state, as in "The server is ready". */
  describeServer(subject: string): string {
    const { state, reason } = this.getState();
    if (state === 'error') {
      return `${subject} has a problem${reason ? `: ${reason}` : ''}`;
    }
    return `${subject} is ${WORDS[state]}${reason ? `: ${reason}` : ''}`;
  }

  /** Whether the server is working, or will be soon. */
  get isHealthy(): boolean {
    return this.server.state !== 'error';
  }

  /** Whether the server is being installed. */
  get isInstalling(): boolean {
    return this.installPhase !== undefined;
  }

  /** Sets the server's state. */
  setServerStatus(server: ServerStatus): void {
    clearTimeout(this.timer);
    const apply = (): void => {
      this.server = server;
      this.render();
    };
    if (server.state === 'busy') {
      this.timer = setTimeout(apply, BUSY_DELAY_MS);
    } else {
      apply();
    }
  }

  /** Sets the phase of an installation, as in "downloading torch"; undefined when it has ended. */
  setInstallPhase(phase: string | undefined): void {
    this.installPhase = phase;
    this.render();
  }

  /** Updates the item. */
  render(): void {
    const sentence = this.describe();
    const state = this.getRelevantPause() === undefined ? this.getState().state : 'off';
    this.item.text = `${ICONS[state]} Parrotlet${state === 'installing' ? ': Installing…' : ''}`;
    this.item.backgroundColor = state === 'error'
      ? new vscode.ThemeColor('statusBarItem.warningBackground')
      : undefined;
    this.item.accessibilityInformation = { label: sentence, role: 'button' };
    const tooltip = new vscode.MarkdownString(undefined, true);
    tooltip.appendText(sentence);
    if (this.details !== undefined && state !== 'error') {
      tooltip.appendMarkdown('\n\n').appendText(this.details);
    }
    tooltip.appendMarkdown('\n\nClick to show all actions');
    this.item.tooltip = tooltip;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  private getState(): StateWithReason {
    return this.installPhase === undefined
      ? this.server
      : { state: 'installing', reason: this.installPhase };
  }

  /** Returns why the active editor has no suggestions; a missing server takes precedence. */
  private getRelevantPause(): string | undefined {
    return ['error', 'installing'].includes(this.getState().state)
      ? undefined
      : this.describePause();
  }
}
