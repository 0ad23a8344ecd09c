/** The pixels of an image and what its numbers mean: `read_photo` of viewer/files/inputs.py. */
import { areClasses, bitsOf, coloured, darkness, eightBits, greyIn, type Note } from "./levels.ts";
import { chunks, isStoredGrey, layersOf, pngHeader, pngSamples } from "./pngLayers.ts";

type Pixels = Uint8ClampedArray<ArrayBuffer>;

export interface Stored {
  /** RGBA. */
  readonly layers: Pixels;
  /** Stored without colours. */
  readonly grey: boolean;
  readonly notes: readonly Note[];
}

/** Read the bytes of an image of a width. `drawn`: gives its pixels as a canvas has them, RGBA. */
export async function readStored(bytes: Uint8Array<ArrayBuffer>, width: number, drawn: () => Pixels): Promise<Stored> {
  const [header, grey] = [pngHeader(bytes), isStoredGrey(bytes)];
  if (header === null) return { layers: drawn(), grey, notes: [] };
  const isColours = header.colours === 2; // opaque ones of 8 bits a canvas has too
  const samples = isColours && header.depth === 8 ? null : await pngSamples(bytes);
  if (header.depth === 16) {
    if (samples === null) return { layers: drawn(), grey, notes: [{ kind: "deep", bits: 16 }] };
    const values = samples.values as Uint16Array;
    const bits = bitsOf(values.reduce((most, value) => Math.max(most, value), 0));
    const layers = layersOf(eightBits(values, bits), samples.channels);
    return { layers, grey, notes: [{ kind: "deep", bits }, ...(bits === 16 ? darkNote(layers) : [])] };
  }
  const layers = samples === null ? drawn() : layersOf(samples.values as Uint8Array, samples.channels);
  const mayBeMask = (header.colours === 0 || header.colours === 3) && chunks(bytes, "tRNS").length === 0;
  if (!mayBeMask) return { layers, grey, notes: [] };
  const numbers = greyIn(layers);
  if (numbers !== null && areClasses({ width, data: numbers })) {
    return { layers: coloured(numbers), grey: false, notes: [{ kind: "classes" }] };
  }
  return { layers, grey, notes: darkNote(layers) };
}

function darkNote(layers: Pixels): Note[] {
  const brightest = darkness(layers);
  return brightest === null ? [] : [{ kind: "dark", brightest }];
}
