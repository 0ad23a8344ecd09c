/** The latent mode: a plane of latent space, a line through it, a scatter of latents, a slider an axis. */
import { Decoder } from "../../generator/decoder.ts";
import { encodeImage } from "../../generator/encoding.ts";
import { History } from "../../generator/history.ts";
import { findEncoder, generatorOf, type Generator } from "../../generator/models.ts";
import { toPixels, toSheet } from "../../generator/pixels.ts";
import { exactNumbers, signed, stemOf } from "../../generator/recipes.ts";
import type { Slider } from "../../generator/sliders.ts";
import type {
  Control,
  DroppedImage,
  Host,
  Input,
  ModelFile,
  Params,
  Recipe,
  SavedImage,
  Session,
} from "../../mode.ts";
import { download } from "../../page/saving.ts";
import type { Latent } from "../../pure/latents.ts";
import { MIDDLE, spaceOf } from "../../pure/space.ts";
import { axisName, recipeOf } from "./codec.ts";
import { latentControls } from "./controls.ts";
import { Kept, lineImages, Maker, pointImage, restOf, track, type Wanted } from "./images.ts";
import { makeLayout } from "./layout.ts";
import { paramsOf, randomPoints, stateOfLink } from "./links.ts";
import { directionsFile, FOUND, nameDirection, withName } from "./naming.ts";
import { pointsOf } from "./points.ts";
import { Scatter } from "./scatter.ts";
import {
  begin,
  inSpace,
  inView,
  latentAfter,
  leavesPoint,
  marked,
  moveTo,
  placeOf,
  VIEWS,
  type LatentState,
  type View,
} from "./state.ts";
import { shownSliders, sliderAxes } from "./shownSliders.ts";
import { LatentView } from "./view.ts";
import { wordsOf } from "./words.ts";


export class LatentSession implements Session {
  readonly element: HTMLElement;
  readonly #host: Host;
  readonly #generator: Generator;
  readonly #encoder: ModelFile | null;
  readonly #view: LatentView;
  readonly #history = new History<LatentState>();
  readonly #kept = new Kept();
  readonly #main: Maker;
  readonly #rest: Maker;
  readonly #decoder: Decoder;
  #scatter: Scatter;
  #state: LatentState;
  #selecting = false;

  constructor(host: Host, files: readonly ModelFile[]) {
    this.#host = host;
    const generator = generatorOf(files);
    this.#generator = generator;
    this.#encoder = findEncoder(files, generator);
    this.#scatter = new Scatter(pointsOf(generator));
    const space = spaceOf(generator.latent, generator.file.card.directions, generator.file.card.namedDirections);
    const layout = makeLayout(generator.height, generator.width);
    this.#state = { ...begin(space, layout, VIEWS), classes: { count: generator.classes.length, label: 0, byRow: false } };
    this.#view = new LatentView({
      point: (action, at) => this.#become(latentAfter(this.#state, { action, at })),
      area: (action, at) => this.#become(latentAfter(this.#state, { action, at })),
      slide: (axis, value) => this.#become(moveTo({ ...this.#state, chosen: axis }, [axis], [value])),
      choose: (axis) => this.#become({ ...this.#state, chosen: axis }),
    });
    this.element = this.#view.element;
    this.#decoder = new Decoder(host, generator);
    const size = generator.height * generator.width * 3;
    const count = generator.classes.length;
    const fail = (error: unknown): void => host.fail(error);
    this.#main = new Maker(this.#decoder, size, "latent point", this.#kept, count, () => this.#drawMain(), fail);
    const draw = (wanted: Wanted, first: number, made: number): void => this.#drawRest(wanted, first, made);
    this.#rest = new Maker(this.#decoder, size, "latent rest", this.#kept, count, draw, fail);
  }

  handle(input: Input): void {
    const key = input.action === "NEW" ? (input.key ?? "") : "";
    const { view } = this.#state;
    if (input.action === "BACK") {
      const before = this.#history.back();
      if (before === null) this.#host.say(this.#host.text("noBack"));
      else this.#show({ ...inSpace(before, this.#state.space), groups: this.#state.groups, method: this.#state.method });
    } else if (key === "d" || key === "D") this.#name(key === "D");
    else if (view === "scatter" && /^[abAB]$/.test(key)) this.#mark(key.toLowerCase() === "a" ? 0 : 1);
    else if (view === "scatter" && (input.action === "PAGE_DOWN" || input.action === "PAGE_UP")) {
      this.#become(this.#scatter.stepped(this.#state, input.action === "PAGE_DOWN" ? 1 : -1));
    } else this.#become(latentAfter(this.#state, input));
  }

  #become(after: LatentState): void {
    if (after === this.#state) return;
    if (leavesPoint(this.#state, after)) this.#history.leave(this.#state);
    this.#show(after);
  }

  #show(state: LatentState): void {
    const sized = state.view !== this.#state.view;
    this.#state = state;
    this.#find();
    if (sized) this.resize();
    else this.#update();
  }

  resize(): void {
    const { layout, view } = this.#state;
    const { height, width } = this.#generator;
    this.#view.show(view);
    this.#view.fit(layout.columns * width, layout.rows * height, layout.stops, width, height);
    this.#update();
  }

  /** Ask for what the view needs, and draw what is there. */
  #update(): void {
    const state = this.#state;
    const { view, axes } = state;
    const names = axes.map((axis) => this.#axisName(axis));
    this.#view.words(this.#words(), names[0] ?? "", names[1] ?? "", this.describe());
    this.#view.sliders(this.#sliders, state.reach, view === "plane");
    const [x, y] = placeOf(view === "scatter" ? this.#scatter.at(state) : state);
    this.#view.ring((x / state.reach + 1) / 2, (1 - y / state.reach) / 2);
    this.#view.stop(state.stop, state.layout.stops);
    this.#main.ask(view === "line" ? [lineImages(state)] : [this.#mainImage(), ...this.#scatter.ends(state)]);
    this.#rest.ask(restOf(state));
    this.#drawMain();
    for (const wanted of restOf(state)) {
      const made = this.#kept.get(wanted.key)?.made ?? 0;
      if (made > 0) this.#drawRest(wanted, 0, made);
    }
    if (view === "scatter") this.#view.dots(this.#scatter.dots(state));
    if (view === "line") this.#drawStrip();
    this.#host.changed();
  }

  // What is drawn.

  #drawMain(): void {
    const state = this.#state;
    const { height, width } = this.#generator;
    const size = height * width * 3;
    const onLine = state.view === "line";
    const entry = this.#kept.get((onLine ? lineImages(state) : this.#mainImage()).key);
    const number = onLine ? state.stop : 0;
    if (entry !== undefined && entry.made > number) {
      this.#view.large(entry.images.subarray(number * size, (number + 1) * size), height, width);
    }
    if (onLine) this.#drawStrip();
    const [ends] = this.#scatter.ends(state);
    const both = ends === undefined ? undefined : this.#kept.get(ends.key);
    const captions = [this.#host.text("towardsA"), this.#host.text("towardsB")];
    this.#view.ends(both?.made === 2 ? both.images : null, captions, height, width);
  }

  #drawStrip(): void {
    const { key, columns } = lineImages(this.#state);
    const entry = this.#kept.get(key);
    const { height, width } = this.#generator;
    if (entry !== undefined) this.#view.mosaic(this.#view.strip, entry.images, 0, entry.made, 1, columns, height, width);
  }

  #drawRest(wanted: Wanted, first: number, count: number): void {
    const grid = restOf(this.#state).find(({ key }) => key === wanted.key);
    const entry = this.#kept.get(wanted.key);
    if (grid === undefined || entry === undefined) return;
    const { height, width } = this.#generator;
    const images = entry.images.subarray(first * height * width * 3);
    const row = this.#state.view === "sliders" ? sliderAxes(this.#state).findIndex((axis) => track(this.#state, axis).key === wanted.key) : -1;
    const canvas = row < 0 ? this.#view.plane : this.#view.track(row);
    if (canvas !== null) this.#view.mosaic(canvas, images, first, count, grid.rows, grid.columns, height, width);
  }

  // The scatter and its groups.

  /** What is shown large: the image at the point, or that of the scatter's point. */
  #mainImage(): Wanted {
    return this.#state.view === "scatter" ? this.#scatter.image(this.#state) : pointImage(this.#state);
  }

  /** Put the points of the rectangle, or that of the ring, into a group. */
  #mark(group: 0 | 1): void {
    const chosen = this.#scatter.chosen(this.#state);
    this.#select(false);
    if (chosen.length > 0) this.#become(marked(this.#state, group, new Set(chosen)));
  }

  #select(on: boolean): void {
    this.#selecting = on;
    this.#view.selecting = on;
  }

  /** The direction between the groups, as a named one. */
  #find(): void {
    const direction = this.#scatter.separate(this.#state);
    if (direction !== null) this.#state = withName(this.#state, FOUND, direction);
  }

  /** Ask for the name of a direction. `up`: on the plane, that of the other axis. */
  #name(up: boolean): void {
    const text = (key: string): string => this.#host.text(key);
    const said = nameDirection(this.element, this.#state, up, text, (name, direction) => {
      if (direction !== null) {
        this.#state = withName(this.#state, name, direction);
        this.#update();
      }
      this.#host.say(text(direction === null ? "badName" : "named"));
    });
    if (said !== null) this.#host.say(text(said));
  }

  // In words, in controls, in links and recipes.

  #axisName(axis: number): string {
    return axisName(this.#state.space, axis, (key, values) => this.#host.text(key, values));
  }

  get #sliders(): Slider[] {
    return shownSliders(this.#state, (axis) => this.#axisName(axis));
  }

  #words(): string[] {
    const say = (key: string, values = {}): string => this.#host.text(key, values);
    return wordsOf(this.#state, this.#scatter, this.#generator.classes, say);
  }

  controls(): Control[] {
    return latentControls({
      state: this.#state,
      classes: this.#generator.classes,
      text: (key) => this.#host.text(key),
      axisName: (axis) => this.#axisName(axis),
      set: (state) => this.#become(state),
      view: (view: View) => this.#become(inView(this.#state, view)),
      selecting: this.#selecting,
      select: (on) => {
        this.#select(on);
        this.#host.changed();
      },
      encoder: this.#encoder !== null,
      directions: [...this.#state.space.named.keys()].some((name) => !this.#generator.file.card.namedDirections.has(name)),
      keep: () => {
        const { name, text } = directionsFile(this.#generator.file, this.#state.space, FOUND);
        download(new Blob([text], { type: "application/json" }), name);
      },
    });
  }

  params(): Params {
    return paramsOf(this.#state, this.#recipe());
  }

  restore(params: Params): void {
    const plain = { ...begin(this.#state.space, this.#state.layout, VIEWS), classes: this.#state.classes };
    try {
      const random = randomPoints(params);
      if (random !== null) this.#scatter = new Scatter(pointsOf({ ...this.#generator, samples: [] }, ...random));
      this.#state = stateOfLink(params, plain, this.#generator, this.#scatter.points.latents.length);
    } catch (error) {
      this.#host.fail(error);
    }
    this.#find();
    this.resize();
  }

  openImages(images: readonly DroppedImage[]): boolean {
    const [image] = images;
    if (image === undefined) return false;
    if (this.#encoder === null) {
      this.#host.say(this.#host.text("noEncoder"));
      return true;
    }
    encodeImage(this.#host, this.#encoder, image).then(
      (found) => {
        if (found !== null) this.#goTo(found.latent, image.name);
      },
      (error: unknown) => this.#host.fail(error),
    );
    return true;
  }

  /** To a latent from elsewhere: moves along all numbers from the middle. */
  #goTo(latent: Latent, name: string): void {
    const { space } = this.#state;
    const moves = Array.from(latent, (value, index) => [space.firstRaw + index, value - space.start[index]!] as const);
    this.#history.leave(this.#state);
    this.#become({ ...inView(this.#state, this.#state.view === "sliders" ? "sliders" : "plane"), point: { ...MIDDLE, moves } });
    this.#host.say(this.#host.text("encoded", { name }));
  }

  #recipe(): Recipe {
    const { seed, latents } = this.#scatter.points;
    return { ...recipeOf(this.#state), ...(seed === null ? {} : { random: [Number(seed), latents.length] }) };
  }

  async image(): Promise<SavedImage> {
    const { height, width, file, classes } = this.#generator;
    const state = this.#state;
    const wanted = state.view === "line" ? lineImages(state) : this.#mainImage();
    const latent = wanted.latents()[state.view === "line" ? state.stop : 0]!;
    const { images } = await this.#decoder.all({ latents: [latent], labels: classes.length > 0 ? [wanted.label] : [] });
    const recipe = signed(this.#generator, {
      ...this.#recipe(),
      ...(state.view === "scatter" ? { item: this.#scatter.item(state) } : {}),
      latent: exactNumbers(latent),
      ...(classes.length > 0 ? { label: wanted.label, class: classes[wanted.label] } : {}),
    });
    return { ...toPixels(images, height, width), recipe, stem: stemOf(file.name) };
  }

  async sheet(): Promise<SavedImage> {
    const { height, width, file, classes } = this.#generator;
    const stem = stemOf(file.name);
    if (this.#state.view === "line") {
      const recipe = signed(this.#generator, this.#recipe());
      const line = lineImages(this.#state);
      const [latents, columns] = [line.latents(), line.columns];
      const labels = classes.length > 0 ? latents.map(() => line.label) : [];
      const { images } = await this.#decoder.all({ latents, labels });
      return { ...toSheet(images, { rows: 1, columns, cellWidth: width, cellHeight: height, gap: 2 }), recipe, stem };
    }
    await Promise.all([this.#main.done(), this.#rest.done()]);
    const { view, reach } = this.#state; // as it is on the screen by now
    const screen = this.#view.screen(view, this.#sliders, reach);
    const recipe = signed(this.#generator, this.#recipe());
    return { width: screen.width, height: screen.height, data: new Uint8ClampedArray(screen.data), recipe, stem };
  }

  describe(): string {
    const where = this.#words().join(", ");
    return this.#host.text("described", { view: this.#host.text(this.#state.view), where });
  }

  dispose(): void {
    this.#main.ask([]);
    this.#rest.ask([]);
  }
}
