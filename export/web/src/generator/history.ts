/** The states of the pages before, which Backspace returns to. */
const MOST = 100;

export class History<State> {
  readonly #states: State[] = [];

  /** A page is left in this state. */
  leave(state: State): void {
    this.#states.push(state);
    if (this.#states.length > MOST) this.#states.shift();
  }

  /** The state that the page before was left in; `null`: there is none. */
  back(): State | null {
    return this.#states.pop() ?? null;
  }
}
