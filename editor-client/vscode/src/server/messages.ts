/** What the server reports and answers beyond the Language Server Protocol, texts included. */

/** The server's state: as it reports it, or as the extension knows it when there is no server. */
export interface ServerStatus {
  readonly state: 'starting' | 'ready' | 'busy' | 'idle' | 'off' | 'error';
  readonly reason: string | null;
  /** The model in use, in a few words; only the server knows it. */
  readonly model?: string;
}

/** What the user confirms before an action. */
interface Question {
  readonly message: string;
  readonly detail: string;
  readonly button: string;
}

/** What the user can choose: a command of the server. */
export interface Action {
  readonly title: string;
  readonly command: string;
  readonly argument: object;
  readonly description: string;
  readonly detail: string;
  readonly question: Question | null;
}

/** What the server answers. */
export interface Answer {
  readonly error?: string;
  readonly message?: string;
  readonly title?: string;
  readonly actions?: readonly Action[];
  readonly page?: string;
}

/** How an adaptation is going, as the server reports it. */
export interface AdaptationReport {
  readonly name: string;
  /** The path of the folder whose files it learns. */
  readonly folder: string;
  readonly state: 'running' | 'paused' | 'interrupted' | 'finished' | 'failed' | 'cancelled';
  /** In a few words; empty once it has ended. */
  readonly status: string;
  /** In a sentence. */
  readonly title: string;
  readonly actions: readonly Action[];
  /** What the user should read now. */
  readonly notices: readonly Notice[];
}

interface Notice {
  readonly message: string;
  readonly is_problem: boolean;
  readonly actions: readonly Action[];
}
