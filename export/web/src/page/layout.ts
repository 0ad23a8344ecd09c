/** The frame of the page: header with title and modes, the stage with the poster, the bar. */

import { text } from "../i18n/index.ts";
import { element, setAttributes } from "./dom.ts";
import { icon } from "./icons.ts";

const BUSY_MS = 300; // shorter work shows no progress
const QUIET_MS = 40; // without a run: the first page is whole
const POSTER_MS = 1500; // after the first run, at the latest, the poster goes

interface Actions {
  open(): void;
  help(): void;
  mode(name: string): void;
}

export class Layout {
  /** Where sessions are; its size is theirs. */
  readonly stage = element("div", { class: "stage", tabindex: "-1", role: "group", "aria-label": text("stage") });
  readonly #title = element("h1");
  readonly #modes = element("nav", { "aria-label": text("modes") });
  readonly #progress = element("div", { class: "progress", hidden: true });
  readonly #described = element("p", { class: "unseen", role: "status" });
  readonly #actions: Actions;
  #poster = document.getElementById("poster");
  #timer = 0;
  #since = 0; // the first run ended then
  #opening = true;

  constructor(main: HTMLElement, title: string, bar: HTMLElement, actions: Actions) {
    this.#actions = actions;
    const open = element("button", { type: "button", class: "plain", title: text("openTip") }, icon("open"), element("span", { class: "label" }, text("open"))); // prettier-ignore
    const help = element("button", { type: "button", class: "plain", title: text("helpTip"), "aria-label": text("help") }, icon("help")); // prettier-ignore
    open.onclick = (): void => actions.open();
    help.onclick = (): void => actions.help();
    const header = element("header", {}, this.#title, this.#modes, element("div", { class: "tools" }, open, help), this.#progress); // prettier-ignore
    this.setTitle(title);
    if (this.#poster !== null) this.stage.append(this.#poster);
    this.stage.addEventListener("pointerdown", ({ target }) => {
      const control = target instanceof Element && target.closest("button, input, select, textarea, label, summary, a");
      if (control === null) window.setTimeout(() => this.stage.focus({ preventScroll: true }));
    });
    main.prepend(header, this.stage, bar, this.#described);
    this.busy(-1);
  }

  setTitle(title: string): void {
    this.#title.textContent = title;
    document.title = title === "" ? "utsuroi" : title;
  }

  /** Tabs of the modes; none where there is no choice. */
  setModes(modes: readonly { readonly name: string; readonly title: string }[], shown: string): void {
    this.#modes.hidden = modes.length < 2;
    const names = modes.map(({ name }) => name).join();
    if (this.#modes.dataset["names"] !== names) {
      this.#modes.dataset["names"] = names;
      this.#modes.replaceChildren(
        ...modes.map(({ name, title }) => {
          const tab = element("button", { type: "button", "data-mode": name }, title);
          tab.onclick = (): void => this.#actions.mode(name);
          return tab;
        }),
      );
    }
    for (const tab of this.#modes.children) {
      const current = (tab as HTMLElement).dataset["mode"] === shown;
      setAttributes(tab, { "aria-current": current ? "page" : undefined });
      if (current) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** Put a session on the stage; the poster stays above it until there is something to see. */
  show(session: HTMLElement): void {
    session.classList.add("session");
    for (const old of [...this.stage.children]) if (old !== this.#poster) old.remove();
    this.stage.prepend(session);
  }

  /** A run has ended: the poster goes once nothing runs any more, or after a while. */
  soonLive(idle: () => boolean): void {
    if (this.#poster === null || this.#since !== 0) return;
    this.#since = performance.now();
    let quiet = 0; // looks in a row at which nothing ran
    const look = (): void => {
      quiet = idle() ? quiet + 1 : 0;
      if (quiet >= 2 || performance.now() - this.#since > POSTER_MS) this.live();
      else window.setTimeout(look, QUIET_MS);
    };
    look();
  }

  /** Something is to be seen: the poster goes. */
  live(): void {
    const poster = this.#poster;
    if (this.#opening) this.busy(null);
    this.#opening = false;
    if (poster === null) return;
    this.#poster = null;
    poster.classList.add("gone");
    window.setTimeout(() => poster.remove(), 400);
  }

  /** How far some work is, 0..1; -1: nobody knows; null: there is none. */
  busy(fraction: number | null): void {
    if (fraction === null) {
      window.clearTimeout(this.#timer);
      this.#timer = 0;
      this.#progress.hidden = true;
      return;
    }
    this.#progress.classList.toggle("endless", fraction < 0);
    this.#progress.style.setProperty("--done", String(Math.max(0, fraction)));
    if (this.#timer === 0) this.#timer = window.setTimeout(() => (this.#progress.hidden = false), BUSY_MS);
  }

  /** A page without a model. */
  empty(open: () => void): void {
    this.live();
    const button = element("button", { type: "button", class: "primary" }, icon("open"), text("choose"));
    button.onclick = open;
    this.stage.replaceChildren(
      element("div", { class: "empty" }, element("h2", {}, text("emptyTitle")), element("p", {}, text("emptyText")), button),
    );
  }

  /** Let screen readers know what is on the screen. */
  describe(words: string): void {
    if (this.#described.textContent === words) return;
    this.#described.textContent = words;
    setAttributes(this.stage, { "aria-label": words });
  }
}
