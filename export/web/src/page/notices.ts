/** Short notices at the edge of the page, and errors that stay until they are taken away. */

import { PlayerError } from "../engine/error.ts";
import { text } from "../i18n/index.ts";
import { element } from "./dom.ts";
import { icon } from "./icons.ts";

const SHOWN_MS = 4000;
const MOST_ERRORS = 3; // on the screen at a time; older ones go

export class Notices {
  readonly element = element("div", { class: "notices" });
  readonly #says = element("div", { class: "notice", role: "status", hidden: true });
  readonly #errors = element("div", { class: "errors", role: "alert" });
  #timer = 0;

  constructor() {
    this.element.append(this.#errors, this.#says);
  }

  say(words: string, stays = false): void {
    window.clearTimeout(this.#timer);
    this.#says.textContent = words;
    this.#says.hidden = words === "";
    if (!stays) this.#timer = window.setTimeout(() => (this.#says.hidden = true), SHOWN_MS);
  }

  fail(error: unknown): void {
    const known = error instanceof PlayerError;
    if (!known) console.error(error);
    const words = known ? error.message : text("fault", { text: error instanceof Error ? error.message : String(error) });
    if ([...this.#errors.children].some((one) => one.firstChild?.textContent === words)) return;
    const close = element("button", { type: "button", class: "plain", "aria-label": text("close") }, icon("close"));
    const notice = element("div", { class: "notice error" }, element("span", {}, words), close);
    close.onclick = (): void => notice.remove();
    this.#errors.append(notice);
    while (this.#errors.children.length > MOST_ERRORS) this.#errors.firstChild?.remove();
  }

  /** What went wrong with the files before is of no interest now. */
  clear(): void {
    this.#errors.replaceChildren();
  }
}
