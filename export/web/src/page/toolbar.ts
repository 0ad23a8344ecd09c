/** The bar of controls, drawn from what a session says of it. A control stays the same element while its id does. */

import { text } from "../i18n/index.ts";
import type { Control, Input } from "../mode.ts";
import { element, setAttributes } from "./dom.ts";
import { icon } from "./icons.ts";

const HOLD_MS = 400; // after which a button that is held down repeats
const REPEAT_MS = 90;
const LARGEST_PART = 0.24; // of the screen's height that the bar takes, unless the user wants all of it

interface Widget {
  readonly kind: Control["kind"];
  readonly element: HTMLElement;
  update(control: Control): void;
}

type Of<Kind extends Control["kind"]> = Extract<Control, { kind: Kind }>;

export class Toolbar {
  readonly element: HTMLElement;
  readonly #press: (input: Input) => void;
  readonly #choose: (accept: string, multiple: boolean) => void;
  #widgets = new Map<string, Widget>();
  #order = "";
  readonly #more = element("button", { type: "button", class: "plain more" }, icon("sliders"));
  #unfolded = false; // where the bar is too high for the screen: by the user

  constructor(label: string, press: (input: Input) => void, choose: (accept: string, multiple: boolean) => void) {
    this.element = element("div", { class: "bar", role: "toolbar", "aria-label": label });
    this.#press = press;
    this.#choose = choose;
    setAttributes(this.#more, { "aria-label": text("more"), title: text("more") });
    this.#more.onclick = (): void => {
      this.#unfolded = !this.#unfolded;
      this.fold();
    };
  }

  /** Show the first and the last group alone where all of them would take too much of the screen. */
  fold(): void {
    const { classList } = this.element;
    classList.remove("foldable", "folded");
    const foldable = this.element.scrollHeight > window.innerHeight * LARGEST_PART;
    classList.toggle("foldable", foldable);
    classList.toggle("folded", foldable && !this.#unfolded);
    setAttributes(this.#more, { "aria-expanded": String(this.#unfolded) });
  }

  show(controls: readonly Control[]): void {
    const widgets = new Map<string, Widget>();
    const groups = new Map<string, HTMLElement[]>();
    for (const control of controls) {
      const old = this.#widgets.get(control.id);
      const widget = old?.kind === control.kind ? old : this.#make(control);
      widget.update(control);
      widgets.set(control.id, widget);
      const group = control.group ?? "";
      groups.set(group, [...(groups.get(group) ?? []), widget.element]);
    }
    this.#widgets = widgets;
    const order = controls.map((one) => `${one.group ?? ""}/${one.id}/${one.kind}`).join(" ");
    if (order === this.#order) return;
    this.#order = order;
    const focused = document.activeElement;
    const drawn = [...groups.values()].map((one) => element("div", { class: "group" }, ...one));
    drawn.at(-1)?.append(this.#more);
    this.element.replaceChildren(...drawn);
    this.fold();
    if (focused instanceof HTMLElement && this.element.contains(focused)) focused.focus();
  }

  #make(control: Control): Widget {
    switch (control.kind) {
      case "button":
        return this.#button(control);
      case "slider":
        return slider(control);
      case "select":
        return select(control);
      case "colours":
        return colours(control);
      case "files":
        return this.#files(control);
    }
  }

  #button(first: Of<"button">): Widget {
    let shown = first;
    let timer = 0;
    let held = false; // it has repeated: the click at the end of it is none
    const label = element("span", { class: "label" });
    const keys = element("kbd", { "aria-hidden": "true" });
    const button = element("button", { type: "button" });
    const press = (): void => (shown.press === undefined ? this.#press(shown.input) : shown.press());
    const release = (): void => window.clearTimeout(timer);
    const repeat = (): void => {
      held = true;
      if (!shown.disabled) press();
      timer = window.setTimeout(repeat, REPEAT_MS);
    };
    button.onpointerdown = (event): void => {
      held = false;
      if (shown.repeats === true && event.button === 0) timer = window.setTimeout(repeat, HOLD_MS);
    };
    button.onpointerup = button.onpointerleave = button.onpointercancel = release;
    button.onclick = (): void => {
      if (!held) press();
      held = false;
    };
    const update = (control: Control): void => {
      const next = control as Of<"button">;
      if (next.icon !== shown.icon || button.firstChild === null) {
        button.replaceChildren(...(next.icon === undefined ? [] : [icon(next.icon)]), label, keys);
      }
      shown = next;
      setText(label, next.label);
      setText(keys, next.keys ?? "");
      keys.hidden = next.keys === undefined;
      button.disabled = next.disabled === true;
      setAttributes(button, {
        class: `${next.primary === true ? "primary" : "plain"}${next.icon === undefined ? " wordy" : ""}`,
        title: tip(next),
        "aria-label": next.label,
        "aria-pressed": next.pressed === undefined ? undefined : String(next.pressed),
      });
    };
    return { kind: "button", element: button, update };
  }

  #files(first: Of<"files">): Widget {
    let shown = first;
    const label = element("span", { class: "label" });
    const button = element("button", { type: "button", class: "plain" }, icon(first.icon ?? "open"), label);
    button.onclick = (): void => this.#choose(shown.accept, shown.multiple === true);
    const update = (control: Control): void => {
      shown = control as Of<"files">;
      setText(label, shown.label);
      button.disabled = shown.disabled === true;
      setAttributes(button, { title: tip(shown), "aria-label": shown.label });
    };
    return { kind: "files", element: button, update };
  }
}

function slider(first: Of<"slider">): Widget {
  let shown = first;
  const label = element("span", { class: "label" });
  const value = element("output");
  const input = element("input", { type: "range" });
  input.oninput = (): void => shown.set(input.valueAsNumber);
  const box = element("label", { class: "field slider" }, label, input, value);
  const update = (control: Control): void => {
    shown = control as Of<"slider">;
    setText(label, shown.label);
    const words = shown.shown ?? String(shown.value);
    setText(value, words);
    const { min, max, step } = shown;
    setAttributes(input, { min: String(min), max: String(max), step: String(step), "aria-valuetext": words });
    if (input.valueAsNumber !== shown.value) input.value = String(shown.value);
    input.disabled = shown.disabled === true;
    setAttributes(box, { title: tip(shown) });
  };
  return { kind: "slider", element: box, update };
}

function select(first: Of<"select">): Widget {
  let shown = first;
  let listed = "";
  const label = element("span", { class: "label" });
  const input = element("select");
  input.onchange = (): void => shown.set(input.value);
  const box = element("label", { class: "field" }, label, input);
  const update = (control: Control): void => {
    shown = control as Of<"select">;
    setText(label, shown.label);
    const list = JSON.stringify(shown.options);
    if (list !== listed) {
      listed = list;
      input.replaceChildren(...shown.options.map((one) => element("option", { value: one.value }, one.label)));
    }
    if (input.value !== shown.value) input.value = shown.value;
    input.disabled = shown.disabled === true;
    setAttributes(box, { title: tip(shown) });
  };
  return { kind: "select", element: box, update };
}

function colours(first: Of<"colours">): Widget {
  let shown = first;
  const box = element("div", { class: "field colours", role: "radiogroup" });
  const update = (control: Control): void => {
    const before = shown.options.join();
    shown = control as Of<"colours">;
    setAttributes(box, { "aria-label": shown.label, title: tip(shown) });
    if (before !== shown.options.join() || box.firstChild === null) {
      box.replaceChildren(
        ...shown.options.map((colour) => {
          const button = element("button", { type: "button", role: "radio", "aria-label": colour, class: "swatch" });
          button.style.setProperty("--colour", colour);
          button.onclick = (): void => shown.set(colour);
          return button;
        }),
      );
    }
    for (const [at, button] of [...box.children].entries()) {
      setAttributes(button, { "aria-checked": String(shown.options[at] === shown.value) });
    }
  };
  return { kind: "colours", element: box, update };
}

function tip(control: Control): string {
  return control.keys === undefined ? control.label : `${control.label} (${control.keys})`;
}

/** Only where it is another: screen readers say what changes. */
function setText(of: HTMLElement, words: string): void {
  if (of.textContent !== words) of.textContent = words;
}
