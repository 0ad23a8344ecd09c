/** JSON whose whole numbers may be larger than a double holds exactly, such as seeds: those are `bigint`. */

const MARK = "\ue000"; // before digits: of no alphabet, and of no name that a keyboard types
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g; // texts and numbers
const LONG = /^-?\d{16,}$/;

/** Throws `SyntaxError`. */
export function parseJson(text: string): unknown {
  const marked = text.replace(TOKEN, (token) => (LONG.test(token) ? `"${MARK}${token}"` : token));
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== "string" || !value.startsWith(MARK) || !LONG.test(value.slice(1))) return value;
    const number = BigInt(value.slice(1));
    return Number.isSafeInteger(Number(number)) ? Number(number) : number;
  });
}

export function writeJson(value: unknown): string {
  const text = JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? MARK + one.toString() : one));
  return text.replace(new RegExp(`"${MARK}(-?\\d+)"`, "g"), "$1");
}
