/** The page: what is open, which mode is shown, and all that modes have in common. */

import { modes } from "modes";
import { LARGEST_FILE, type Engine } from "../engine/engine.ts";
import { PlayerError } from "../engine/error.ts";
import type { ModelFile } from "../engine/model.ts";
import { unpack } from "../engine/packed.ts";
import { fill, locale, text, type Key } from "../i18n/index.ts";
import type { Control, Host, Input, Mode, Params, Session } from "../mode.ts";
import { readPage, take, type Page } from "./contents.ts";
import { dress, hear, tell } from "./frame.ts";
import { Address, readHash, type Place } from "./hash.ts";
import { Help } from "./help.ts";
import { choose, listen } from "./incoming.ts";
import { decodeKey, isOfControl, isTyping } from "./keys.ts";
import { Layout } from "./layout.ts";
import { Notices } from "./notices.ts";
import { openFiles, usedOf, type Opener } from "./opening.ts";
import { readImage } from "./photographs.ts";
import { Recorder } from "./recorder.ts";
import { saveImage, type SavedFile } from "./saving.ts";
import { startEngine } from "./start.ts";
import { Toolbar } from "./toolbar.ts";

const MODELS_AND_IMAGES = ".onnx,image/*";
const OWN_GROUP = "shell"; // of the bar
const DESCRIBE_MS = 900; // after which screen readers hear what is on the screen now

/** Begins. The poster, if the page has one, is on the screen already. */
export async function begin(): Promise<void> {
  const main = document.getElementById("player") ?? document.body;
  document.documentElement.lang = locale;
  const notices = new Notices();
  main.append(notices.element);
  try {
    const page = readPage();
    if (page.theme !== undefined) dress(page.theme);
    const shell = new Shell(page, main, notices);
    await shell.start();
  } catch (error) {
    document.documentElement.classList.remove("loading");
    notices.fail(error);
  }
}

class Shell implements Opener {
  readonly #page: Page;
  readonly #notices: Notices;
  readonly #layout: Layout;
  readonly #toolbar: Toolbar;
  readonly #help: Help;
  readonly #address = new Address((place) => void this.#go(place));
  readonly #recorder: Recorder;
  readonly #params = new Map<string, Params>(); // of modes that were left
  readonly #kept = new Map<string, unknown>(); // what those cannot say
  #engine: Engine | null = null;
  #starting: Promise<Engine | null> = Promise.resolve(null); // null: it cannot be started
  #files: readonly ModelFile[] = [];
  #mode: Mode | null = null;
  #session: Session | null = null;
  #turn = 0; // of modes opened: what an older one still asks for is dropped
  #drawing = 0;
  #describing = 0;

  constructor(page: Page, main: HTMLElement, notices: Notices) {
    this.#page = page;
    this.#notices = notices;
    this.#toolbar = new Toolbar(text("bar"), (input) => this.#input(input), (accept, multiple) => this.#choose(accept, multiple)); // prettier-ignore
    this.#help = new Help(page, async () => new TextDecoder().decode(await unpack(take(page.licences), page.licences.name)));
    this.#recorder = new Recorder(notices, () => this.#changed());
    this.#layout = new Layout(main, page.title, this.#toolbar.element, {
      open: () => this.#choose(MODELS_AND_IMAGES, true),
      help: () => this.#input({ action: "HELP" }),
      mode: (name) => void this.#go({ mode: name, params: this.#params.get(name) ?? {} }),
    });
    main.append(notices.element, this.#help.element, listen((files) => void openFiles(this, files)));
    window.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("pagehide", () => this.#writeAddress());
    window.addEventListener("resize", () => this.#toolbar.fold());
    new ResizeObserver(() => this.#session?.resize()).observe(this.#layout.stage);
  }

  async start(): Promise<void> {
    if (this.#page.frame === true) {
      hear((message) => {
        if (message.type === "place") void this.#go(message.place);
      });
    }
    const begun = startEngine(this.#page, (error) => this.#notices.fail(error));
    this.#starting = begun.catch(() => null);
    const engine = (this.#engine = await begun);
    const opened = this.#page.models.map((file) => engine.open(file.name, take(file), file.bytes));
    const results = await Promise.allSettled(opened);
    for (const one of results) if (one.status === "rejected") this.#notices.fail(one.reason);
    const files = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (this.#files.length > 0) {
      for (const file of files) this.close(file); // the user was faster
      return;
    }
    if (files.length === 0) {
      this.#layout.empty(() => this.#choose(MODELS_AND_IMAGES, true));
      return;
    }
    this.#setFiles(files);
    const seed = this.#page.poster?.seed; // of what is on the screen already
    const params: Params = seed === undefined ? {} : { seed: String(seed) };
    await this.#go(readHash(location.hash) ?? { mode: this.#page.mode, params });
  }

  // For openFiles.

  get files(): readonly ModelFile[] {
    return this.#files;
  }

  get modes(): readonly Mode[] {
    return this.#usable();
  }

  async open(file: File): Promise<ModelFile> {
    const { name, size } = file;
    if (size > LARGEST_FILE) {
      throw new PlayerError(text("fileTooLarge", { name, size: (size / 1e9).toFixed(1), most: (LARGEST_FILE / 1e9).toFixed(1) }));
    }
    const engine = await this.#starting;
    if (engine === null) throw new PlayerError(text("noRuntime", { name }));
    return await engine.open(name, { bytes: new Uint8Array(await file.arrayBuffer()) });
  }

  close(file: ModelFile): void {
    this.#engine?.close(file);
  }

  used(files: readonly ModelFile[]): readonly ModelFile[] {
    return usedOf(modes, files);
  }

  async use(files: readonly ModelFile[]): Promise<void> {
    const stays = this.#files[0] === files[0]; // others came beside it
    const mode = this.#mode?.name ?? "";
    this.#leave(); // a session has the models that it began with
    for (const old of this.#files) if (!files.includes(old)) this.close(old);
    this.#notices.clear();
    if (!stays) {
      this.#params.clear();
      this.#kept.clear();
    }
    this.#setFiles(files);
    await this.#go(stays ? { mode, params: this.#params.get(mode) ?? {} } : { mode: "", params: {} });
  }

  async go(place: Place): Promise<void> {
    await this.#go(place);
  }

  images(images: Parameters<NonNullable<Session["openImages"]>>[0]): boolean {
    const most = this.#session?.mostImages ?? images.length;
    const used = this.#session?.openImages?.(images.slice(0, most)) ?? false;
    if (used && images.length > most) this.fail(new PlayerError(text("onlyFirst", { count: most, others: images.length - most })));
    return used;
  }

  say(words: string): void {
    this.#notices.say(words);
  }

  fail(error: unknown): void {
    this.#notices.fail(error);
  }

  // What is shown.

  #setFiles(files: readonly ModelFile[]): void {
    this.#files = files;
    const own = this.#page.models.some((file) => file.sha256 === files[0]?.sha256);
    this.#layout.setTitle(own ? this.#page.title : (files[0]?.card.name ?? ""));
  }

  #usable(): readonly Mode[] {
    return modes.filter((mode) => mode.opens(this.#files)).sort((one, other) => one.rank - other.rank);
  }

  async #go({ mode: name, params }: Place): Promise<void> {
    const usable = this.#usable();
    const mode = usable.find((one) => one.name === name) ?? usable[0];
    if (mode === undefined) {
      this.#leave();
      this.#toolbar.show([]);
      this.#layout.setModes([], "");
      this.#layout.empty(() => this.#choose(MODELS_AND_IMAGES, true));
      const file = this.#files[0];
      if (file !== undefined) this.#notices.fail(new PlayerError(text("noMode", { name: file.name, kind: file.card.kind })));
      return;
    }
    if (name !== "" && mode.name !== name) this.#notices.say(text("badLink", { mode: name }));
    this.#layout.setModes(usable.map((one) => ({ name: one.name, title: one.texts[locale]["title"] ?? one.name })), mode.name); // prettier-ignore
    if (mode === this.#mode && this.#session !== null) {
      this.#session.restore(params);
    } else {
      await this.#begin(mode, params);
    }
    this.#changed();
  }

  async #begin(mode: Mode, params: Params): Promise<void> {
    this.#leave();
    const turn = ++this.#turn;
    try {
      const session = await mode.create(this.#host(mode, turn), this.#files);
      if (turn !== this.#turn) {
        session.dispose();
        return;
      }
      this.#mode = mode;
      this.#session = session;
      this.#layout.show(session.element);
      session.resize();
      if (Object.keys(params).length > 0) session.restore(params);
      if (params === this.#params.get(mode.name)) session.resume?.(this.#kept.get(mode.name));
      if (this.#engine?.idle === true) this.#layout.live();
    } catch (error) {
      this.#notices.fail(error);
    }
  }

  #leave(): void {
    this.#recorder.stop();
    if (this.#session === null || this.#mode === null) return;
    this.#params.set(this.#mode.name, this.#session.params());
    this.#kept.set(this.#mode.name, this.#session.keep?.());
    this.#session.dispose();
    this.#session.element.remove();
    this.#engine?.clear();
    this.#session = null;
    this.#mode = null;
    this.#layout.busy(null);
  }

  #host(mode: Mode, turn: number): Host {
    const now = (): boolean => turn === this.#turn;
    return {
      locale,
      reducedMotion: matchMedia("(prefers-reduced-motion: reduce)").matches,
      run: async (file, inputs, options) => {
        const engine = this.#engine;
        if (engine === null || !now()) return null;
        const output = await engine.run(file, inputs, options);
        if (output !== null && now()) this.#layout.soonLive(() => engine.idle);
        return now() ? output : null;
      },
      say: (words) => {
        if (now()) this.#notices.say(words);
      },
      fail: (error) => {
        if (now()) this.#notices.fail(error);
      },
      busy: (fraction) => {
        if (now()) this.#layout.busy(fraction);
      },
      changed: () => {
        if (now()) this.#changed();
      },
      save: async (image) => await this.#say(await saveImage(image)),
      openFiles: (accept) => this.#choose(accept, true),
      readImage,
      text: (key, values) => fill(mode.texts[locale][key] ?? key, values ?? {}),
    };
  }

  #changed(): void {
    if (this.#drawing !== 0) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      const session = this.#session;
      if (session === null) return;
      this.#toolbar.show([...session.controls(), ...this.#ownControls(session)]);
      this.#writeAddress(true);
      window.clearTimeout(this.#describing);
      this.#describing = window.setTimeout(() => this.#layout.describe(session.describe()), DESCRIBE_MS);
    });
  }

  /** `copied`: all that a link is to carry, at this moment. */
  #writeAddress(later = false, copied = false): string {
    const session = this.#session;
    if (session === null || this.#mode === null) return location.href;
    const place = { mode: this.#mode.name, params: (copied ? session.link?.() : null) ?? session.params() };
    if (this.#page.frame === true && !copied) tell({ type: "place", place });
    if (!later) return this.#address.now(place);
    this.#address.set(place);
    return "";
  }

  /** Saving, links and films: the same in every mode. */
  #ownControls(session: Session): readonly Control[] {
    const group = OWN_GROUP;
    const film = session.film?.() ?? null;
    const own = (key: string): Input => ({ action: "NEW", key });
    return [
      { kind: "button", id: "page-save", group, label: text("save"), icon: "save", keys: "s", input: { action: "SAVE" } },
      { kind: "button", id: "page-all", group, label: text("saveAll"), icon: "sheet", keys: "S", input: { action: "SAVE_ALL" } },
      { kind: "button", id: "page-link", group, label: text("link"), icon: "link", input: own("page:link") },
      ...this.#recorder.controls(film, group),
    ];
  }

  // What the user does.

  #key(event: KeyboardEvent): void {
    if (event.defaultPrevented || this.#help.open || isTyping(event.target)) return;
    const input = this.#isNextView(event) ? ({ action: "NEXT_VIEW" } as const) : decodeKey(event);
    if (input === null || isOfControl(event)) return;
    event.preventDefault();
    this.#input(input);
  }

  /** Tab, where the pointer was put onto the images: nobody comes there by Tab, and nobody is kept there by it. */
  #isNextView(event: KeyboardEvent): boolean {
    const plain = event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    const bound = this.#mode?.bindings.some((one) => one.actions.includes("NEXT_VIEW")) === true;
    return plain && bound && document.activeElement === this.#layout.stage;
  }

  #input(input: Input): void {
    const mode = this.#mode;
    if (input.action === "HELP") {
      this.#help.show(mode, (key) => mode?.texts[locale][key] ?? key, this.#files);
    } else if (input.action === "SAVE" || input.action === "SAVE_ALL") {
      void this.#save(input.action === "SAVE_ALL");
    } else if (input.key === "page:link") {
      void this.#copyLink();
    } else if (input.action === "QUIT" && this.#recorder.stop()) {
      this.#notices.say(text("recordStopped"));
    } else if (!this.#recorder.handle(input, this.#session)) {
      this.#session?.handle(input);
    }
  }

  async #save(whole: boolean): Promise<void> {
    const session = this.#session;
    try {
      const image = await (whole ? session?.sheet() : session?.image());
      if (session !== this.#session) this.#notices.say(text("saveStopped"));
      else if (image === null || image === undefined) this.#notices.say(text("nothingYet"));
      else await this.#say(await saveImage(image));
    } catch (error) {
      if (session !== this.#session) this.#notices.say(text("saveStopped"));
      else this.#notices.fail(error);
    }
  }

  async #say({ name, contents }: SavedFile): Promise<void> {
    this.#notices.say(text("saved", { name }));
    if (this.#page.frame === true) tell({ type: "saved", name }, [await contents.arrayBuffer()]);
  }

  async #copyLink(): Promise<void> {
    const address = this.#writeAddress(false, true);
    const lost = this.#session?.lost?.() ?? null;
    let copied: Key = "linkCopied";
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      copied = "linkKept"; // where the clipboard is not given to pages
    }
    this.#notices.say(lost === null ? text(copied) : `${text(copied)}. ${lost}`);
  }

  #choose(accept: string, multiple: boolean): void {
    choose(accept, multiple, (files) => void openFiles(this, files));
  }
}
