/** One image of several at a time; edges are made again whenever their threshold changes. */
import { exactNumbers, plainSeed, seedParam, signed, wholeParam } from "../../generator/recipes.ts";
import { IMAGES, invitation } from "../../images/invitation.ts";
import { Panels, type Panel } from "../../images/panels.ts";
import { paperOf, photoOf, stemOf, type Photo } from "../../images/photo.ts";
import { Superseded, Translator } from "../../images/translator.ts";
import { putTile } from "../../images/upscaler.ts";
import type {
  Control, DroppedImage, Host, Input, ModelFile, Params, Recipe, SavedImage, Session,
} from "../../mode.ts"; // prettier-ignore
import type { Latent } from "../../pure/latents.ts";
import { blank, onWhite, put, rgba, visible, withAlpha, type Raster } from "../../pure/raster.ts";
import { after, latentsBetween, STOPS, type TranslateState } from "./state.ts";

const KEPT = 100; // states to go back to
const GAP = 12; // pixels, between the images of a saved row

/** What is shown before the results, and what came out; results may have alpha. */
interface Made {
  readonly before: readonly Raster[];
  readonly results: readonly Raster[];
}

export class TranslateSession implements Session {
  readonly element = document.createElement("div");
  readonly #host: Host;
  readonly #translator: Translator;
  readonly #panels: Panels;
  readonly #invitation: HTMLElement;
  #photos: readonly Photo[] = [];
  #state: TranslateState;
  #history: TranslateState[] = [];
  #wanted = ""; // name of the image that a link or recipe was made from
  #made: Made | null = null;
  #version = 0; // of what is to be made
  #making: Promise<void> = Promise.resolve();

  constructor(host: Host, file: ModelFile) {
    this.#host = host;
    this.#translator = new Translator(host, file);
    const { kind, sigma, hasLatent } = this.#translator;
    const hundredths = kind === "edges" ? Math.round(100 * sigma) : null;
    this.#state = { count: 0, index: 0, sigma: hundredths, hasLatent, seed: 0n, line: false, stop: 0 };
    this.#panels = new Panels((number) => this.#pick(number));
    this.#invitation = invitation(host);
    this.element.className = "translate";
    this.element.append(this.#invitation);
  }

  handle(input: Input): void {
    if (input.action === "BACK") {
      const before = this.#history.pop();
      if (before !== undefined) this.#go({ ...before, count: this.#state.count });
    } else if (input.action === "QUIT") {
      this.#version += 1;
      this.#host.busy(null);
    } else {
      const next = after(this.#state, input);
      if (next === this.#state) return;
      this.#remember(next);
      this.#go(next);
    }
  }

  controls(): readonly Control[] {
    const text = (key: string): string => this.#host.text(key);
    const { sigma, hasLatent, line, stop, count } = this.#state;
    const found: Control[] = [{
      kind: "files", id: "choose", label: text(count > 0 ? "again" : "choose"), icon: "image", accept: IMAGES,
      multiple: true,
    }]; // prettier-ignore
    if (count > 1) {
      found.push(
        { kind: "button", id: "previous", label: text("previous"), icon: "left", keys: "←", input: { action: "LEFT" },
          group: "images" },
        { kind: "button", id: "next", label: text("next"), icon: "right", keys: "→", input: { action: "RIGHT" },
          group: "images" },
      ); // prettier-ignore
    }
    if (sigma !== null) {
      found.push({
        kind: "slider", id: "sigma", label: text("sigma"), keys: "+ -", min: 0, max: 100, step: 5, value: sigma,
        shown: (sigma / 100).toFixed(2), set: (value) => this.#go({ ...this.#state, sigma: Math.round(value) }),
      }); // prettier-ignore
    }
    if (hasLatent) {
      found.push(
        { kind: "button", id: "latent", label: text("latent"), icon: "dice", keys: "Space",
          input: { action: "PAUSE" }, primary: true },
        { kind: "button", id: "line", label: text("line"), icon: "interpolate", keys: "i", pressed: line,
          input: { action: line ? "RANDOM" : "INTERPOLATE" } },
      ); // prettier-ignore
      if (line) {
        found.push({
          kind: "slider", id: "stop", label: text("stop"), keys: "↑ ↓", min: 0, max: STOPS - 1, step: 1, value: stop,
          shown: `${stop + 1}/${STOPS}`, set: (value) => this.#go({ ...this.#state, stop: Math.round(value) }),
        }); // prettier-ignore
      }
    }
    return found;
  }

  params(): Params {
    const { sigma, hasLatent, seed, line, stop } = this.#state;
    const image = this.#photo?.name ?? this.#wanted;
    return {
      ...(hasLatent ? { seed: String(seed) } : {}),
      ...(sigma === null ? {} : { sigma: String(sigma) }),
      ...(line ? { line: String(stop) } : {}),
      ...(image === "" ? {} : { image }),
    };
  }

  restore(params: Params): void {
    const { sigma, hasLatent, count } = this.#state;
    const line = hasLatent && params["line"] !== undefined;
    const usual = Math.round(100 * this.#translator.sigma);
    this.#wanted = (params["image"] ?? "").slice(0, 200);
    const index = this.#photos.findIndex(({ name }) => name === this.#wanted);
    if (this.#wanted !== "" && index < 0) this.#host.say(this.#host.text("wanted", { name: this.#wanted }));
    this.#go({
      count,
      index: Math.max(index, 0),
      sigma: sigma === null ? null : wholeParam(params, "sigma", 0, 100, usual),
      hasLatent,
      seed: hasLatent ? seedParam(params) : 0n,
      line,
      stop: line ? wholeParam(params, "line", 0, STOPS - 1, 0) : 0,
    });
  }

  resize(): void {
    this.#panels.layOut();
  }

  dispose(): void {
    this.#version += 1;
  }

  openImages(images: readonly DroppedImage[]): boolean {
    if (images.length === 0) return false;
    this.#photos = images.map(photoOf);
    const index = Math.max(this.#photos.findIndex(({ name }) => name === this.#wanted), 0); // prettier-ignore
    this.#history = [];
    this.element.replaceChildren(this.#panels.element);
    this.#made = null;
    this.#go({ ...this.#state, count: images.length, index });
    return true;
  }

  async image(): Promise<SavedImage | null> {
    const made = await this.#finished();
    const { stop } = this.#state;
    const result = made?.results[stop];
    return result === undefined ? null : { ...rgba(result), recipe: this.#recipe(stop), stem: this.#stem };
  }

  async sheet(): Promise<SavedImage | null> {
    const made = await this.#finished();
    if (made === null) return null;
    const row = [...made.before, ...made.results].map((image) => visible(onWhite(image)));
    const width = row.reduce((sum, image) => sum + image.width + GAP, GAP);
    const whole = blank(width, Math.max(...row.map(({ height }) => height)) + 2 * GAP, 3);
    whole.data.fill(255);
    let left = GAP;
    for (const image of row) {
      put(whole, image, left, GAP);
      left += image.width + GAP;
    }
    return { ...rgba(whole), recipe: this.#recipe(this.#state.line ? null : 0), stem: this.#stem };
  }

  describe(): string {
    const result = this.#made?.results[0];
    if (result === undefined || this.#photo === null) return this.#host.text("empty");
    const { width, height } = result;
    return this.#host.text("described", { name: this.#photo.name, width, height });
  }

  get #photo(): Photo | null {
    return this.#photos[this.#state.index] ?? null;
  }

  get #stem(): string {
    return stemOf(this.#photo?.name ?? this.#translator.file.name);
  }

  #recipe(stop: number | null): Recipe {
    const { file, kind, size, blur, invert } = this.#translator;
    const { sigma, hasLatent, seed } = this.#state;
    const recipe: Record<string, unknown> = { mode: "translate", image: this.#photo?.name ?? "", condition: kind };
    if (!this.#isWhole) recipe["size"] = size;
    if (sigma !== null) Object.assign(recipe, { sigma: sigma / 100, blur, invert });
    if (hasLatent) {
      recipe["seed"] = plainSeed(seed);
      const latent = stop === null ? null : this.#latents()[stop];
      if (latent) recipe["latent"] = exactNumbers(latent);
    }
    return signed({ file }, recipe);
  }

  #isWhole = false; // images go in as they are, tile by tile

  #remember(next: TranslateState): void {
    const { seed, index, line } = this.#state;
    if (next.seed === seed && next.index === index && next.line === line) return;
    this.#history = [...this.#history.slice(1 - KEPT), this.#state];
  }

  #pick(number: number): void {
    const stop = number - (this.#made?.before.length ?? 0);
    if (this.#state.line && stop >= 0) this.#go({ ...this.#state, stop });
  }

  #go(state: TranslateState): void {
    const same = this.#made !== null && showsTheSame(state, this.#state);
    this.#state = state;
    if (same && this.#made !== null) this.#show(this.#made);
    else this.#ask();
    this.#host.changed();
  }

  // Making.

  #ask(): void {
    const [photo, version] = [this.#photo, (this.#version += 1)];
    this.#made = null; // of another state: on the screen until the next one comes, and not to be saved
    if (photo === null) return;
    const earlier = this.#making;
    this.#making = (async (): Promise<void> => {
      await earlier; // one at a time
      if (version === this.#version) await this.#make(photo, version);
    })();
  }

  async #make(photo: Photo, version: number): Promise<void> {
    try {
      const made = await this.#madeOf(photo, version);
      if (version !== this.#version) return;
      this.#made = made;
      this.#show(made);
      this.#host.changed();
    } catch (error) {
      if (!(error instanceof Superseded)) this.#host.fail(error);
    } finally {
      this.#host.busy(null);
    }
  }

  async #madeOf(given: Photo, version: number): Promise<Made> {
    const translator = this.#translator;
    const whole = await translator.whole();
    this.#isWhole = whole !== null;
    const image = paperOf(given);
    if (whole !== null) {
      const photo = whole.prepared(given);
      const [height, width] = whole.resultSize(photo);
      const result = blank(width, height, whole.givesAlpha(photo) ? 4 : 3);
      const tiles = await whole.plan(photo);
      for (const [at, tile] of tiles.entries()) {
        if (version !== this.#version) throw new Superseded();
        putTile(result, await whole.enlarge(photo, tile), tile, whole.scale);
        this.#host.busy((at + 1) / tiles.length);
      }
      const alpha = whole.alphaOf(photo);
      return { before: [image], results: [alpha === null ? result : withAlpha(result, alpha)] };
    }
    const condition = translator.conditionOf(image, (this.#state.sigma ?? 0) / 100);
    if (version !== this.#version) throw new Superseded();
    if (condition.width !== image.width || condition.height !== image.height) this.#sayShrunk(given, image, condition);
    const results: Raster[] = [];
    for (const latent of this.#latents()) {
      if (version !== this.#version) throw new Superseded();
      results.push(await translator.translate(condition, latent, { keep: true }));
    }
    const shown = visible(condition);
    return { before: translator.kind === "edges" ? [image, shown] : [shown], results };
  }

  #shrunkFor: Raster | null = null; // said once an image

  #sayShrunk({ name, note }: Photo, image: Raster, condition: Raster): void {
    if (this.#shrunkFor?.data === image.data) return;
    this.#shrunkFor = image;
    const { width, height } = image;
    const shrunk = this.#host.text("shrunk", { width, height, toWidth: condition.width, toHeight: condition.height });
    this.#host.say(note === "" ? shrunk : `${name}: ${note}; ${shrunk}`); // it takes the place of what was said of the file
  }

  /** Of every result: one, or those between two; null for models without latents. */
  #latents(): (Latent | null)[] {
    const { seed, line } = this.#state;
    const { latent } = this.#translator.file.card;
    if (!line || latent === null) return [this.#translator.latent(seed)];
    return latentsBetween(latent, seed);
  }

  #show({ before, results }: Made): void {
    const { line, stop } = this.#state;
    const text = (key: string, values = {}): string => this.#host.text(key, values);
    const panel = (image: Raster, caption: string, marked = false, sharp = false): Panel => {
      return { image, caption, marked, sharp, width: image.width, height: image.height };
    };
    const captions = before.length === 2 ? [text("photo"), text("edges")] : [text("photo")];
    this.#panels.show([
      ...before.map((image, at) => panel(image, captions[at] ?? "", false, at === 1)),
      ...results.map((image, at) =>
        results.length === 1
          ? panel(image, text("result"))
          : panel(image, text("resultOf", { number: at + 1, count: results.length }), line && at === stop),
      ),
    ]);
  }

  async #finished(): Promise<Made | null> {
    await this.#making;
    return this.#made;
  }
}

/** Whether two states show the same images. */
function showsTheSame(one: TranslateState, other: TranslateState): boolean {
  return (
    one.count === other.count &&
    one.index === other.index &&
    one.sigma === other.sigma &&
    one.seed === other.seed &&
    one.line === other.line
  );
}
