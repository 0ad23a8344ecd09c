/** Recording a film of what a session shows, with its buttons. */

import { text } from "../i18n/index.ts";
import type { Control, Film, Input, Session } from "../mode.ts";
import type { Notices } from "./notices.ts";
import { filmFormats, record, type FilmFormat } from "./recording.ts";
import { download } from "./saving.ts";

const PREFIX = "page:record:";

export class Recorder {
  readonly #notices: Notices;
  readonly #changed: () => void;
  #running: AbortController | null = null;

  constructor(notices: Notices, changed: () => void) {
    this.#notices = notices;
    this.#changed = changed;
  }

  controls(film: Film | null, group: string): readonly Control[] {
    if (this.#running !== null) {
      const input: Input = { action: "QUIT" };
      return [{ kind: "button", id: "page-stop", group, label: text("stop"), icon: "stop", keys: "ESC", input }];
    }
    if (film === null) return [];
    return filmFormats().map((format) => {
      const label = text(format === "gif" ? "recordGif" : "recordWebm");
      const input: Input = { action: "NEW", key: PREFIX + format };
      return { kind: "button", id: `page-${format}`, group, label, icon: format === "gif" ? "record" : "film", input };
    });
  }

  /** Whether the input was for it. */
  handle(input: Input, session: Session | null): boolean {
    if (input.key?.startsWith(PREFIX) !== true) return false;
    const film = session?.film?.() ?? null;
    if (film !== null && this.#running === null) void this.#record(film, input.key.slice(PREFIX.length) as FilmFormat);
    return true;
  }

  /** Whether there was something to stop. */
  stop(): boolean {
    const running = this.#running;
    this.#running = null;
    running?.abort();
    return running !== null;
  }

  async #record(film: Film, format: FilmFormat): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    this.#changed();
    const name = `${film.stem}.${format}`;
    try {
      const made = await record(film, format, running.signal, (fraction) => {
        if (running.signal.aborted) return;
        this.#notices.say(text("recording", { name, percent: Math.round(100 * fraction) }), true);
      });
      if (made === null) return;
      download(made, name);
      this.#notices.say(text("saved", { name }));
    } catch (error) {
      if (!running.signal.aborted) this.#notices.fail(error);
    } finally {
      if (this.#running === running) this.#running = null;
      this.#changed();
    }
  }
}
