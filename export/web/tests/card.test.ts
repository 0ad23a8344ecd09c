import { describe, expect, it } from "vitest";
import { readCard } from "../src/engine/card.ts";
import { PlayerError } from "../src/engine/error.ts";
import cards from "./cards.json" with { type: "json" };

function verdict(properties: Readonly<Record<string, string>>): string {
  try {
    return readCard(new Map(Object.entries(properties)))?.kind ?? "none";
  } catch (error) {
    if (!(error instanceof PlayerError)) throw error; // a card must not bring the page down
    expect(error.message).not.toMatch(/[\n\r]/);
    expect(error.message.length).toBeLessThanOrEqual(300);
    return "refused";
  }
}

describe("cards", () => {
  it.each(cards.map((one, at) => [at, one] as const))("card %i is taken or refused as by Python", (_, one) => {
    const properties = one.properties as Readonly<Record<string, string | undefined>>;
    const found = Object.entries(properties).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
    const shown = JSON.stringify(one.properties).slice(0, 600);
    expect(verdict(Object.fromEntries(found) as Record<string, string>), shown).toBe(one.verdict);
  });

  it("bounds the number of classes", () => {
    const sound = cards[0]?.properties as Record<string, string>;
    const many = { ...sound, classes: JSON.stringify(new Array(65537).fill("x")) };
    expect(() => readCard(new Map(Object.entries(many)))).toThrow("card has 65537 classes, expected 65536 at most");
  });

  it("reads values and defaults", () => {
    const sound = cards[0]?.properties as Record<string, string>;
    const card = readCard(new Map(Object.entries({ ...sound, unknown: "not even JSON" })));
    expect(card).toMatchObject({ kind: "generator", imageSize: [8, 8], channels: 3, inputChannels: 3, scale: 1 });
    expect(card?.latent).toEqual({ size: 4, prior: "normal", mean: [0, 0, 0, 0.5], covariance: [] });
    expect(card?.inputs).toEqual([{ name: "latent", dtype: "f32", shape: [null, 4] }]);
  });
});
