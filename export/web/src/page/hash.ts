/** The link to what is on the screen: `#mode=grid&seed=3`. */

import type { Params } from "../mode.ts";

const WRITE_MS = 300; // browsers allow some hundred changes of the address in half a minute

export interface Place {
  readonly mode: string;
  readonly params: Params;
}

/** What a link asks for; null where it asks for nothing. */
export function readHash(hash: string): Place | null {
  const found = Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
  const { mode = "", ...params } = found;
  return Object.keys(found).length > 0 ? { mode, params } : null;
}

export function writeHash({ mode, params }: Place): string {
  return `#${new URLSearchParams({ mode, ...params }).toString()}`;
}

/** Keeps the address of the page at what is shown, and tells when the user goes to another. */
export class Address {
  readonly #follow: (place: Place) => void;
  #written = location.hash;
  #timer = 0;

  constructor(follow: (place: Place) => void) {
    this.#follow = follow;
    window.addEventListener("hashchange", () => {
      const place = readHash(location.hash);
      if (location.hash === this.#written || place === null) return;
      this.#written = location.hash;
      this.#follow(place);
    });
  }

  set(place: Place): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.now(place), WRITE_MS);
  }

  /** The whole address of a place, which is that of the page from now on. */
  now(place: Place): string {
    window.clearTimeout(this.#timer);
    const hash = writeHash(place);
    if (hash !== this.#written) {
      this.#written = hash;
      try {
        history.replaceState(null, "", hash);
      } catch {
        // in a frame that has no address of its own: links are copied all the same
      }
    }
    return new URL(hash, location.href).href;
  }
}
