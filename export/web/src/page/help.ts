/** The key table, and what is known of the model. */

import { text } from "../i18n/index.ts";
import type { Mode, ModelFile } from "../mode.ts";
import type { Page } from "./contents.ts";
import { element } from "./dom.ts";
import { icon } from "./icons.ts";

const SCROLLS = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", "Tab", "Shift", "Control", "Alt", "Meta", "Enter", " "]); // prettier-ignore

export class Help {
  readonly element = element("dialog", { class: "help", "aria-label": text("help") });
  readonly #page: Page;
  readonly #licences: () => Promise<string>;

  /** `licences`: their text, unpacked when somebody wants to read it. */
  constructor(page: Page, licences: () => Promise<string>) {
    this.#page = page;
    this.#licences = licences;
    this.element.addEventListener("click", (event) => {
      if (event.target === this.element) this.element.close(); // beside it
    });
    this.element.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (SCROLLS.has(event.key)) return;
      event.preventDefault();
      this.element.close();
    });
  }

  get open(): boolean {
    return this.element.open;
  }

  show(mode: Mode | null, words: (key: string) => string, files: readonly ModelFile[]): void {
    const close = element("button", { type: "button", class: "plain", "aria-label": text("close") }, icon("close"));
    close.onclick = (): void => this.element.close();
    const keys = mode === null ? [] : [element("h2", {}, text("keys")), keyTable(mode, words), element("p", { class: "faint" }, text("anyKey"))]; // prettier-ignore
    const about = files.length === 0 ? [] : [element("h2", {}, text("about")), ...files.map(facts)];
    this.element.replaceChildren(
      element("div", { class: "close" }, close),
      element("div", { class: "columns" }, element("section", {}, ...keys), element("section", {}, ...about, this.#foot())),
    );
    this.element.showModal();
    this.element.scrollTop = 0;
  }

  #foot(): HTMLElement {
    const body = element("pre", { tabindex: "0" });
    const licences = element("details", {}, element("summary", {}, text("licences")), body);
    licences.ontoggle = (): void => {
      if (!licences.open || body.textContent !== "") return;
      this.#licences().then(
        (found) => (body.textContent = found),
        (error: unknown) => (body.textContent = String(error)),
      );
    };
    const version = text("version", { version: this.#page.version });
    return element("div", { class: "foot" }, element("p", {}, text("offline")), licences, element("p", { class: "faint" }, version));
  }
}

function keyTable(mode: Mode, words: (key: string) => string): HTMLElement {
  const rows = mode.bindings.map((binding) =>
    element("tr", {}, element("th", { scope: "row" }, ...keyCaps(binding.keys)), element("td", {}, words(binding.does))),
  );
  return element("table", { class: "keys" }, element("tbody", {}, ...rows));
}

/** Single keys as caps, words as they are. */
function keyCaps(keys: string): (Node | string)[] {
  if (keys.startsWith("any other")) return [keys];
  return keys.split(/(\s+|,\s*)/).map((part) => (/^[\s,]*$/.test(part) ? part : element("kbd", {}, part)));
}

function facts(file: ModelFile): HTMLElement {
  const { card } = file;
  const size = card.imageSize === null ? text("anySize") : `${card.imageSize[1]} × ${card.imageSize[0]}`;
  const lines: [string, string][] = [
    [text("file"), `${file.name} · ${megabytes(file.size)}`],
    [text("kind"), [card.kind, card.family].filter((one) => one !== "").join(" · ")],
    [text("size"), size],
    [text("classes"), card.classes.slice(0, 30).join(", ") + (card.classes.length > 30 ? " …" : "")],
    [text("data"), card.data],
    [text("licence"), card.licence],
    [text("precision"), card.precision],
    [text("sha"), file.sha256],
  ];
  const shown = lines.filter(([, value]) => value !== "");
  return element("dl", {}, ...shown.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
