/**
 * Bytes as the text of an element: 116 characters of ASCII, seven for six bytes, where base64 takes eight. Left out are
 * those that HTML, mail programs, terminals or version control could change: NUL, white space, Ctrl-Z, ESC, DEL, < > &.
 * export/player/text.py writes it. The first character says how many bytes the last six are too many.
 */

const LEFT_OUT = [0, 9, 10, 11, 12, 13, 26, 27, 127, ...Array.from("<>&", (character) => character.charCodeAt(0))];
const NONE = 255;
const BASE = 128 - LEFT_OUT.length;
const DIGITS = new Uint8Array(128).fill(NONE);
for (let code = 0, digit = 0; code < 128; code += 1) if (!LEFT_OUT.includes(code)) DIGITS[code] = digit++;

/** The bytes of a text. Throws `RangeError` where it is none such. */
export function fromText(text: string): Uint8Array<ArrayBuffer> {
  const groups = (text.length - 1) / 7;
  const surplus = DIGITS[text.charCodeAt(0)] ?? NONE;
  if (!Number.isInteger(groups) || surplus > Math.min(groups, 1) * 5) throw new RangeError("cut short");
  const bytes = new Uint8Array(groups * 6);
  for (let from = 1, to = 0; to < bytes.length; from += 7, to += 6) {
    let value = 0; // of six bytes: less than 2 ** 49, so that a double has it exactly
    for (let at = from; at < from + 7; at += 1) {
      const digit = DIGITS[text.charCodeAt(at)] ?? NONE;
      if (digit === NONE) throw new RangeError("not of these characters");
      value = value * BASE + digit;
    }
    const high = Math.floor(value / 0x1000000);
    const low = value - high * 0x1000000;
    if (high > 0xffffff) throw new RangeError("more than six bytes");
    bytes[to] = high >> 16;
    bytes[to + 1] = high >> 8;
    bytes[to + 2] = high;
    bytes[to + 3] = low >> 16;
    bytes[to + 4] = low >> 8;
    bytes[to + 5] = low;
  }
  return bytes.subarray(0, bytes.length - surplus);
}
