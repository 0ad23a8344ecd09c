/**
 * What a mode of the player is, and what the page gives to it. How a mode is made: README.md.
 *
 * A mode lives in `src/modes/NAME/index.ts`, which exports `mode`; the build finds it by listing. Nothing else in the
 * player knows it by name.
 */

import type { ModelFile, RunOptions, Tensor } from "./engine/model.ts";

export type { Card, Dtype, Port } from "./engine/card.ts";
export type { ModelFile, RunOptions, Tensor } from "./engine/model.ts";

export type Locale = "en" | "ja";

/** Everything that a key or a button can mean: the names of `Action` in viewer/keys.py. */
export const ACTIONS = [
  "QUIT", "LEFT", "RIGHT", "UP", "DOWN", "PAGE_UP", "PAGE_DOWN", "HOME", "END", "SAVE", "SAVE_ALL", "INTERPOLATE",
  "RANDOM", "MORE", "LESS", "PAUSE", "CLICK", "MOVE", "DRAG", "RELEASE", "SECOND_CLICK", "SECOND_DRAG",
  "SECOND_RELEASE", "WHEEL_UP", "WHEEL_DOWN", "UNDO", "BACK", "HELP", "LEAVE", "NEXT_VIEW", "NEW",
] as const; // prettier-ignore
export type Action = (typeof ACTIONS)[number];

/** One thing that a user did, as `Event` in viewer/keys.py. */
export interface Input {
  readonly action: Action;
  /** Of NEW: the character (Latin, whatever the layout), or "enter". */
  readonly key?: string;
  /** The character that the key types, if it types one; for modes that read words. */
  readonly text?: string;
}

/** A line of the key table. `keys` and `actions` are those of the viewer's table of the same mode. */
export interface Binding<Key extends string = string> {
  readonly keys: string;
  /** Key of the mode's texts: what these keys do. */
  readonly does: Key;
  readonly actions: readonly Action[];
}

/** The texts of a mode in both languages; `{name}` in a text is filled in. `title` is the word on the mode's tab. */
export interface Texts<Key extends string = string> {
  readonly en: Readonly<Record<Key | "title", string>>;
  readonly ja: Readonly<Record<Key | "title", string>>;
}

/** Texts whose two languages have the same keys, or the compiler says so. */
export function texts<Key extends string>(en: Record<Key | "title", string>, ja: Record<Key | "title", string>): Texts<Key> {
  return { en, ja };
}

export interface Mode {
  readonly name: string;
  /** Place of its tab among those of other modes; lower comes first. The first that opens the files is the one shown. */
  readonly rank: number;
  readonly texts: Texts;
  readonly bindings: readonly Binding[];
  /** Whether it has a use for the files on the page (`files[0]` is the one that the page is about). */
  opens(files: readonly ModelFile[]): boolean;
  /** Of the files that lie beside the first, those that it works with; default: none. */
  beside?(files: readonly ModelFile[]): readonly ModelFile[];
  /**
   * The parameters that make a saved image again, from its recipe (a PNG of the page or of the viewer that was
   * dropped), or null where the recipe is another mode's. Throws `PlayerError` where it does not fit these files.
   */
  readRecipe?(recipe: Recipe, files: readonly ModelFile[]): Params | null;
  /** Begins. The page puts `session.element` on the screen, then calls `restore` if a link or recipe asks for it. */
  create(host: Host, files: readonly ModelFile[]): Promise<Session>;
}

/** What goes behind `#` in a link: short words, without the mode's name. */
export type Params = Readonly<Record<string, string>>;
/** What a saved image was made from: the keys of the viewer's recipes. Numbers that are whole stay so. */
export type Recipe = Readonly<Record<string, unknown>>;

export interface Session {
  /** Its canvas and panels. The page gives it the place between bar and edge; it fills its parent (`.stage`). */
  readonly element: HTMLElement;
  /** A key was pressed, or a button of the bar. Pointers are the session's own: it listens on its element. */
  handle(input: Input): void;
  /** What is on the bar now; asked again after each `host.changed()`. */
  controls(): readonly Control[];
  params(): Params;
  /** What a link that is copied says, where it is more: a place that moves on, which the address does not follow. */
  link?(): Params;
  /** What a link cannot say, in words that the page says where one is copied; null: it says all. */
  lost?(): string | null;
  /** What `params` cannot say, for this page alone: `resume` gets it after `restore`, where the mode is shown again. */
  keep?(): unknown;
  resume?(kept: unknown): void;
  /** Go back to what `params` said once; the same bits. Unknown or impossible values: `host.say`, and the default. */
  restore(params: Params): void;
  /** The element has another size, or pixel ratio. */
  resize(): void;
  /** Stop timers and listeners; it is never shown again. */
  dispose(): void;
  /** What `s` saves; null where there is nothing yet. */
  image(): SavedImage | null | Promise<SavedImage | null>;
  /** What `S` saves. */
  sheet(): SavedImage | null | Promise<SavedImage | null>;
  /** A walk that can be recorded (as GIF or WebM), frame by frame; the page asks in order and shows the progress. */
  film?(): Film | null;
  /** Images that it takes at once; without: any number. */
  readonly mostImages?: number;
  /** Images that were dropped, pasted or chosen; false where the mode has no use for them. */
  openImages?(images: readonly DroppedImage[]): boolean;
  /** One sentence for screen readers: what is on the screen. Read out a moment after `host.changed()`. */
  describe(): string;
}

export interface SavedImage extends Pixels {
  readonly recipe: Recipe;
  /** File name without extension. */
  readonly stem: string;
}

/** RGBA, row by row, 4 * width * height bytes. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

export interface Film {
  readonly frames: number;
  readonly framesPerSecond: number;
  readonly stem: string;
  frame(number: number): Promise<Pixels>;
}

/** Over white, where it is transparent. */
export interface DroppedImage extends Pixels {
  readonly name: string;
  /** The same with its alpha, for modes that keep it; undefined: it is opaque. */
  readonly layers?: Uint8ClampedArray<ArrayBuffer>;
  /** Stored without colours. */
  readonly grey: boolean;
  /** What had to be converted, in words; the page says it. Empty: nothing. */
  readonly note: string;
}

interface ControlBase {
  /** Stays the same from one `controls()` to the next, so that the page keeps focus where it was. */
  readonly id: string;
  readonly label: string;
  /** The key that does the same, as written in the table; shown beside the label. */
  readonly keys?: string;
  readonly disabled?: boolean;
  /** Controls of one group stand together. Groups come in the order of their first control. */
  readonly group?: string;
}

export type Control =
  | (ControlBase & {
      readonly kind: "button";
      /** What the session gets when it is pressed: the same as of the key. */
      readonly input: Input;
      /** What happens instead, where no key does it. */
      readonly press?: () => void;
      readonly icon?: IconName;
      /** The one that most people press: shown large. */
      readonly primary?: boolean;
      /** A switch, and whether it is on. */
      readonly pressed?: boolean;
      /** Holding it down repeats it. */
      readonly repeats?: boolean;
    })
  | (ControlBase & {
      readonly kind: "slider";
      readonly min: number;
      readonly max: number;
      readonly step: number;
      readonly value: number;
      readonly shown?: string;
      set(value: number): void;
    })
  | (ControlBase & {
      readonly kind: "select";
      readonly value: string;
      readonly options: readonly { readonly value: string; readonly label: string }[];
      set(value: string): void;
    })
  | (ControlBase & {
      readonly kind: "colours";
      readonly value: string;
      /** `#rrggbb` each. */
      readonly options: readonly string[];
      set(value: string): void;
    })
  | (ControlBase & {
      readonly kind: "files";
      readonly icon?: IconName;
      /** As of `<input accept>`. What is chosen comes as if it had been dropped: `openImages`, or another model. */
      readonly accept: string;
      readonly multiple?: boolean;
    });

/** The icons of src/page/icons.ts; add one there. */
export type IconName = import("./page/icons.ts").IconName;

export interface Host {
  readonly locale: Locale;
  /** As the system asks: no motion that nobody has asked for. */
  readonly reducedMotion: boolean;
  /**
   * Run a model, in the worker. The newest request of a `channel` (default: the model's name) takes the place of one
   * that waits: that one resolves to null. Rejects with `PlayerError`. Typed arrays of the inputs are copied.
   */
  run(file: ModelFile, inputs: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<Tensor | null>;
  /** A notice at the edge of the page, for some seconds. */
  say(text: string): void;
  /** What went wrong, until it is taken away. `PlayerError` as its text; others are said to be faults of the page. */
  fail(error: unknown): void;
  /** How far some long work is, 0..1; null: none. Below 300 ms nothing is drawn. */
  busy(fraction: number | null): void;
  /** Controls, parameters or the image are others now: the bar and the link follow. Cheap; call it often. */
  changed(): void;
  /** Save an image that is neither the one nor the sheet. */
  save(image: SavedImage): Promise<void>;
  /** Let the user choose files; those that are images come by `openImages`. */
  openFiles(accept: string): void;
  /** Decode a photograph: turned as its EXIF says, sRGB. Rejects with `PlayerError`. */
  readImage(file: Blob, name: string): Promise<DroppedImage>;
  /** A text of this mode in the user's language. */
  text(key: string, values?: Readonly<Record<string, string | number>>): string;
}
